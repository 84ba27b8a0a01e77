"""What there is to say: all diagnostics at their lines, and statuses with what only running proxies can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sampan.daemon.fleet import Doors
from sampan.model import codes
from sampan.model.diagnostic import Diagnostic
from sampan.model.diagnostic import of as diagnostic_of
from sampan.model.names import Ref
from sampan.model.plan import Chain, Plan, View
from sampan.model.snapshot import Snapshot
from sampan.model.status import Condition, ListenerStatus, Status

PENDING = Condition("Programmed", "False", "Pending", "the proxy has not confirmed the configuration yet")


def shut_doors(plans: Mapping[View, Plan], doors: Doors, snapshot: Snapshot) -> list[Diagnostic]:
    """One for each listener of a Gateway whose port cannot be opened."""
    result = []
    for view, plan in plans.items():
        owner = snapshot.get(view.gateway)
        for socket in plan.sockets if owner is not None else ():
            said = doors.why(view, socket)
            if said and owner is not None:
                names = {name for chain in socket.chains for name in chain.listeners}
                numbers = [number for number, item in enumerate(owner.spec.listeners) if item.name in names]
                for number in numbers:
                    path = ("spec", "listeners", number, "port")
                    hint = "choose another port, or end what has it; it is tried again every few seconds"
                    result.append(diagnostic_of(codes.PORT_NOT_OPEN, owner, said, path, hint))
    return result


def with_proxies(
    statuses: Mapping[Ref, Status], plans: Mapping[View, Plan], doors: Doors, in_step: frozenset[str]
) -> Mapping[Ref, Status]:
    """The statuses, with Gateways `Programmed` only when their proxy (`in_step` names those) has confirmed everything
    and only for listeners whose port is open."""
    changed: dict[Ref, Status] = {}
    for view, plan in plans.items():
        status = statuses.get(view.gateway)
        if status is None:
            continue
        taken: dict[str, str] = {}
        elsewhere: dict[str, str] = {}
        for socket in plan.sockets:
            if said := doors.why(view, socket):
                found = elsewhere if doors.elsewhere(view, socket) else taken
                found.update((name, said) for name in _names(socket.chains))
        if view.proxy not in in_step or taken or elsewhere:
            changed[view.gateway] = _overlaid(status, view.proxy in in_step, taken, elsewhere)
    return {**statuses, **changed} if changed else statuses


def _names(chains: Iterable[Chain]) -> Iterable[str]:
    return (name for chain in chains for name in chain.listeners)


def _overlaid(status: Status, in_step: bool, taken: Mapping[str, str], elsewhere: Mapping[str, str]) -> Status:
    """`taken` and `elsewhere` say why, by listener: its port is taken, or this machine does not have its address. The
    latter is about the Gateway's addresses and leaves what is said of the listeners' ports."""
    conditions = status.conditions
    if taken:
        conditions = _with(conditions, Condition("Accepted", "True", "ListenersNotValid", _words(taken)))
    if all(item.name in taken or item.name in elsewhere for item in status.listeners):
        words = _words({**taken, **elsewhere})
        conditions = _with(conditions, Condition("Programmed", "False", "AddressNotUsable", words))
    if not in_step:
        conditions = _with(conditions, PENDING)
    listeners = tuple(
        _listener(item, in_step, taken.get(item.name, ""), elsewhere.get(item.name, "")) for item in status.listeners
    )
    return replace(status, conditions=conditions, listeners=listeners)


def _words(reasons: Mapping[str, str]) -> str:
    return "; ".join(sorted(set(reasons.values())))


def _listener(item: ListenerStatus, in_step: bool, taken: str, elsewhere: str) -> ListenerStatus:
    conditions = item.conditions
    if taken:
        conditions = _with(conditions, Condition("Accepted", "False", "PortUnavailable", taken))
    if taken or elsewhere:
        conditions = _with(conditions, Condition("Programmed", "False", "Invalid", taken or elsewhere))
    elif not in_step:
        conditions = _with(conditions, PENDING)
    return replace(item, conditions=conditions)


def _with(conditions: tuple[Condition, ...], new: Condition) -> tuple[Condition, ...]:
    """The new condition in place of the one of its type, unless that says False for a reason of its own."""
    return tuple(new if item.type == new.type and item.status == "True" else item for item in conditions)
