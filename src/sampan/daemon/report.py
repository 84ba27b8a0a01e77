"""What there is to say: all diagnostics at their lines, and statuses with what only running proxies can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

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
    statuses: Mapping[Ref, Status],
    plans: Mapping[View, Plan],
    doors: Doors,
    in_step: frozenset[str],
    refused: Mapping[View, Mapping[str, str]] = MappingProxyType({}),
) -> Mapping[Ref, Status]:
    """The statuses, with Gateways `Programmed` only when their proxy (`in_step` names those) has confirmed everything
    and only for listeners whose port is open. `refused` are Envoy's words, by listener."""
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
        bad = refused.get(view, {})
        if view.proxy not in in_step or taken or elsewhere or bad:
            changed[view.gateway] = _overlaid(status, view.proxy in in_step, taken, elsewhere, bad)
    return {**statuses, **changed} if changed else statuses


def _names(chains: Iterable[Chain]) -> Iterable[str]:
    return (name for chain in chains for name in chain.listeners)


def _overlaid(
    status: Status,
    in_step: bool,
    taken: Mapping[str, str],
    elsewhere: Mapping[str, str],
    refused: Mapping[str, str],
) -> Status:
    """`taken`, `elsewhere` and `refused` say why, by listener: its port is taken, this machine does not have its
    address, or Envoy refused it. The second is about the Gateway's addresses, the third about what was compiled: both
    leave what is said of the listeners' ports."""
    conditions = status.conditions
    if taken:
        conditions = _with(conditions, Condition("Accepted", "True", "ListenersNotValid", _words(taken)))
    silent = {**refused, **taken, **elsewhere}
    if silent and all(item.name in silent for item in status.listeners):
        reason = "AddressNotUsable" if taken or elsewhere else "Invalid"
        conditions = _with(conditions, Condition("Programmed", "False", reason, _words(silent)))
    if not in_step:
        conditions = _with(conditions, PENDING)
    listeners = tuple(
        _listener(item, in_step, taken.get(item.name, ""), silent.get(item.name, "")) for item in status.listeners
    )
    return replace(status, conditions=conditions, listeners=listeners)


def _words(reasons: Mapping[str, str]) -> str:
    return "; ".join(sorted(set(reasons.values())))


def _listener(item: ListenerStatus, in_step: bool, taken: str, silent: str) -> ListenerStatus:
    conditions = item.conditions
    if taken:
        conditions = _with(conditions, Condition("Accepted", "False", "PortUnavailable", taken))
    if silent:
        conditions = _with(conditions, Condition("Programmed", "False", "Invalid", silent))
    elif not in_step:
        conditions = _with(conditions, PENDING)
    return replace(item, conditions=conditions)


def _with(conditions: tuple[Condition, ...], new: Condition) -> tuple[Condition, ...]:
    """The new condition in place of the one of its type, unless that says False for a reason of its own."""
    return tuple(new if item.type == new.type and item.status == "True" else item for item in conditions)
