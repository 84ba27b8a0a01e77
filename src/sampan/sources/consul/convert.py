"""What Consul answers, as objects. Pure.

One registered service is one key of the source: its Services (`NAME`, which yields, and `NAME@consul`; of another
datacentre `NAME@DC` alone) and an Instance for each of its instances. What did not change stays the same Object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sampan.consul.errors import GarbageError
from sampan.documents.kinds.instance import KIND, Instance
from sampan.documents.kinds.service import Service, ServicePort
from sampan.documents.kinds.shape import FrozenDict
from sampan.documents.load import Document, Loaded
from sampan.model import codes
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Meta, Object, Origin
from sampan.model.names import (
    CORE,
    DATACENTER_LABEL,
    REGISTERED_NAME,
    REGISTERED_PORT,
    SERVICE_LABEL,
    SOURCE_LABEL,
    Ref,
    instance_name,
    qualified,
    registered_name,
)
from sampan.sources.consul.entry import Unusable, read

NOT_ROUTED = frozenset({"consul"})
"""What Consul registers for itself: its servers' own protocol."""


class Key(NamedTuple):
    """One registered service. `datacenter` is "" for the one that is asked."""

    datacenter: str
    name: str

    @property
    def text(self) -> str:
        """The key in Records."""
        return f"{self.datacenter}/{self.name}"

    @property
    def origin(self) -> str:
        """How messages name it."""
        return f"service {self.name}" + (f" of {self.datacenter}" if self.datacenter else "")


@dataclass(frozen=True, slots=True)
class Setting:
    """What holds for all services. `datacenter` is the name of the one that is asked, `node` of this machine in it."""

    source: str = "consul"
    datacenter: str = ""
    namespace: str = "default"
    node: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """One service, as the source's key of it has it."""

    key: Key
    services: tuple[Object, ...] = ()
    instances: Mapping[str, Object] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def nodes(self) -> frozenset[str]:
        """Where its instances run."""
        return frozenset(item.spec.node for item in self.instances.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which documents can refer to it."""
        return tuple(item.ref.name for item in self.services)

    def loaded(self) -> Loaded:
        """For the Records. The bare name, where there is one, is the first."""
        documents = [Document(item, item.meta.origin, "@" not in item.ref.name) for item in self.services]
        documents += [Document(item, item.meta.origin) for item in self.instances.values()]
        return Loaded(tuple(documents), self.diagnostics)


def registered(key: Key, body: Any, setting: Setting, before: Registered | None = None) -> Registered:
    """What `/v1/health/service/NAME` says, all states. GarbageError if that is no list of instances. The result is
    `before` itself if nothing changed."""
    if not isinstance(body, list):
        raise GarbageError(f"{key.origin}: the answer is no list of instances")
    found: list[tuple[dict[str, str], Instance]] = []
    unusable: list[Unusable] = []
    for item in body:
        one = read(key.name, item, setting.node if not key.datacenter else "")
        if isinstance(one, Unusable):
            unusable.append(one)
        elif one is not None:
            found.append(one)
    before = before or Registered(key)
    instances = _instances(key, found, setting, before)
    only_others = bool(body) and not found and not unusable
    services = () if only_others else _services(key, [spec for _, spec in found], setting, before)
    diagnostics = tuple(_unusable(key, unusable, setting))
    if instances == before.instances and services == before.services and diagnostics == before.diagnostics:
        return before
    return Registered(key, services, instances, diagnostics)


def _instances(
    key: Key, found: Iterable[tuple[dict[str, str], Instance]], setting: Setting, before: Registered
) -> Mapping[str, Object]:
    """By name. `==` of two results is identity of their Objects, which compare by that."""
    name = registered_name(key.name)
    ours = {
        SERVICE_LABEL: name,
        SOURCE_LABEL: setting.source,
        DATACENTER_LABEL: key.datacenter or setting.datacenter,
    }
    scope = qualified(name, key.datacenter) if key.datacenter else name
    result: dict[str, Object] = {}
    for labels, spec in found:
        own = instance_name(scope, spec.node, spec.id)
        known = before.instances.get(own)
        all_labels = labels | ours
        if known is not None and known.spec == spec and known.meta.labels == all_labels:
            result[own] = known
        else:
            meta = Meta(FrozenDict(all_labels), origin=Origin(setting.source, key.origin))
            result[own] = Object(Ref(*KIND, setting.namespace, own), meta, spec)
    return dict(sorted(result.items()))


def _services(key: Key, specs: list[Instance], setting: Setting, before: Registered) -> tuple[Object, ...]:
    name = registered_name(key.name)
    selector = {
        SERVICE_LABEL: name,
        SOURCE_LABEL: setting.source,
        DATACENTER_LABEL: key.datacenter or setting.datacenter,
    }
    spoken = {spec.protocol for spec in specs}
    protocol = spoken.pop() if len(spoken) == 1 else ""
    if before.services:
        known = before.services[0].spec
        # With its last instance gone it speaks what it spoke: nothing is to be resolved anew for that.
        protocol = protocol if specs else known.ports[0].app_protocol
        if known.selector == selector and known.ports[0].app_protocol == protocol:
            return before.services
    spec = Service(selector=FrozenDict(selector), ports=(ServicePort(port=REGISTERED_PORT, app_protocol=protocol),))
    annotations = FrozenDict({REGISTERED_NAME: key.name} if name != key.name else {})
    meta = Meta(annotations=annotations, origin=Origin(setting.source, key.origin))
    names = (qualified(name, key.datacenter),) if key.datacenter else (name, qualified(name, setting.source))
    return tuple(Object(Ref(CORE, "Service", setting.namespace, each), meta, spec) for each in names)


def _unusable(key: Key, found: list[Unusable], setting: Setting) -> Iterable[Diagnostic]:
    """One for each reason."""
    by_reason: dict[str, list[Unusable]] = {}
    for item in sorted(found, key=lambda item: item.id):
        by_reason.setdefault(item.reason, []).append(item)
    for reason, items in sorted(by_reason.items()):
        more = f" and {len(items) - 1} more" if len(items) > 1 else ""
        yield Diagnostic(
            codes.UNUSABLE_INSTANCE,
            f"instance '{items[0].id}'{more} of '{key.name}': {reason}",
            Origin(setting.source, key.origin),
            hint=items[0].hint,
        )
