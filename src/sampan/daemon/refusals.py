"""What Envoy refused, for one proxy, and what stands in for it.

Compiling asks by key (the hash of a part's bytes, a row's version); people ask by name, which leads to the object.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sampan.envoy import types
from sampan.model import codes
from sampan.model.diagnostic import Diagnostic, FieldPath
from sampan.model.meta import Object
from sampan.model.names import CORE, Ref, dns_name
from sampan.model.plan import Entry, HttpApplication, Plan
from sampan.model.snapshot import Snapshot

# A port that another process holds, or that this user may not open, is no mistake of the documents: it may come free.
PASSING = ("cannot bind", "Address already in use", "Permission denied", "cannot listen")

# How protobuf begins a message in text; its random ending keeps people from parsing it.
_DUMP = re.compile(r"goo\.gle/debug\w*\s.*?(?=: Proto constraint|\Z)", re.DOTALL)
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Refusal:
    """`key` is refused; `type` and `name` say of what (a part of a routing table has the name of its rule).

    `stand_in` are the last good bytes, or None: a route then answers 500, a row is left out. `since` is
    RFC 3339. `passing`: to be tried again soon, the reason lies outside.
    """

    key: str
    type: str
    name: str
    complaint: str
    stand_in: bytes | None = field(default=None, repr=False)
    since: str = ""
    passing: bool = False


def plainly(complaint: str) -> str:
    """Envoy's words without the whole message, which it prints before a broken constraint: nobody reads that, and what
    a policy put into it should not get into a status."""
    return _DUMP.sub("", complaint).lstrip(" :").strip()[:_LONGEST]


NOTHING: Mapping[str, bytes | None] = MappingProxyType({})


class Refusals:
    """All that one proxy refused and that is still wanted. `stand_ins` is a new mapping after every change."""

    def __init__(self, known: Iterable[Refusal] = ()) -> None:
        self.by_key: Mapping[str, Refusal] = {item.key: item for item in known}
        self.stand_ins: Mapping[str, bytes | None] = NOTHING
        self._changed()

    def add(self, found: Iterable[Refusal]) -> None:
        self.by_key = {**self.by_key, **{item.key: item for item in found}}
        self._changed()

    def drop(self, keys: Iterable[str]) -> bool:
        """Forgets; says whether there was something to forget."""
        gone = self.by_key.keys() & set(keys)
        if gone:
            self.by_key = {key: item for key, item in self.by_key.items() if key not in gone}
            self._changed()
        return bool(gone)

    def keep(self, wanted: Collection[str]) -> None:
        """Forgets what nobody asks for any more."""
        self.drop(self.by_key.keys() - set(wanted) if self.by_key else ())

    def drop_changed(self, refs: Iterable[Ref], plan: Plan | None) -> bool:
        """Forgets what lies with objects that have changed: the next trial shows whether it is mended."""
        changed = set(refs)
        if not self.by_key or not changed:
            return False
        return self.drop(key for key, item in self.by_key.items() if changed & {ref for ref, _ in owners(item, plan)})

    def _changed(self) -> None:
        self.stand_ins = {key: item.stand_in for key, item in self.by_key.items()} if self.by_key else NOTHING


def owners(item: Refusal, plan: Plan | None) -> tuple[tuple[Ref, FieldPath], ...]:
    """The objects that a refusal lies with, and the fields; the Gateway if no other is known."""
    if plan is None:
        return ()
    gateway = ((plan.view.gateway, ()),)
    if item.type == types.ROUTE:
        return _rule(item.name, plan) or gateway
    if item.type == types.CLUSTER and item.name in plan.upstreams:
        return ((plan.upstreams[item.name].owner, ()),)
    if item.type == types.LISTENER:
        return tuple((plan.view.gateway, path) for path in (("spec", "listeners"),))
    if item.type == types.SECRET:
        return tuple((ref, ()) for ref in _secrets(item.name)) or gateway
    return gateway


def _rule(name: str, plan: Plan) -> tuple[tuple[Ref, FieldPath], ...]:
    for entry in entries(plan):
        if entry.action.name == name:
            origin = entry.action.origin
            return ((origin.route, ("spec", "rules", origin.rule)),)
    return ()


def entries(plan: Plan) -> Iterable[Entry]:
    """Every line of every routing table."""
    for socket in plan.sockets:
        for chain in socket.chains:
            if isinstance(chain.application, HttpApplication):
                for host in chain.application.hosts:
                    yield from host.entries


def _secrets(name: str) -> Iterable[Ref]:
    """What a Secret of Envoy's was made of: a certificate, or the authorities of one object or several."""
    for part in name.split("+"):
        kind, _, rest = part.partition("/")
        namespace, _, own = rest.partition("/")
        if own and kind in ("secret", "configmap"):
            yield Ref(CORE, "Secret" if kind == "secret" else "ConfigMap", dns_name(namespace), dns_name(own))


def listeners(refusals: Refusals, plan: Plan | None) -> dict[str, str]:
    """Why what the documents say of a listener is not in force, by the listener's name: Envoy refused its row, or a
    certificate of it."""
    found: dict[str, str] = {}
    for item in refusals.by_key.values() if plan is not None else ():
        for socket in plan.sockets if plan is not None else ():
            for chain in socket.chains:
                names = chain.tls.certificates if chain.tls is not None else ()
                if (item.type == types.LISTENER and item.name == socket.name) or (
                    item.type == types.SECRET and item.name in names
                ):
                    found.update(
                        (name, f"Envoy does not take it: {item.complaint.strip()}") for name in chain.listeners
                    )
    return found


def diagnostics(refusals: Refusals, plan: Plan | None, snapshot: Snapshot) -> list[Diagnostic]:
    """One for each object at fault; refusals whose object is gone say nothing."""
    result = []
    for item in refusals.by_key.values():
        for ref, path in owners(item, plan):
            owner: Object | None = snapshot.get(ref)
            if owner is not None:
                result.append(_said(item, owner, path))
    return list(dict.fromkeys(result))


def _said(item: Refusal, owner: Object, path: FieldPath) -> Diagnostic:
    code = codes.PORT_NOT_OPEN if item.passing else codes.REFUSED
    reason = f"Envoy does not take the {types.word(item.type)} {item.name}: {item.complaint.strip()}"
    if item.passing:
        hint = "free the port, or change it; it is tried again every few seconds"
    elif item.stand_in is not None:
        hint = "its last good version stays in force"
    elif item.type == types.ROUTE:
        hint = "until it is mended, its requests are answered with 500; all other routes are served"
    else:
        hint = "until it is mended it is left out; everything else is served"
    return Diagnostic(code, reason, owner.meta.origin, owner.ref, path, hint)
