"""Policies, whatever their kind: what is in force for a target, merged field by field, with its origin.

Nothing here knows a policy by name: a kind describes itself by a `PolicyKind`. A chain is what is attached for one
kind, the least specific first; its settings are laid over what is shipped. Equal chains give the same `Effective`,
and equal sets of them the same mapping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sampan.model import codes, diagnostic
from sampan.model.names import Ref
from sampan.model.policy import Effective, FieldOrigin, Level, Policies, PolicyKind
from sampan.resolve.targets import NONE_ATTACHED, Attached, attached
from sampan.resolve.units import Affects, Reader, unit


@dataclass(frozen=True, slots=True)
class Link:
    """One layer of a chain. `settings` None: they are those of the policy `owner`; else they are written in the rule
    numbered `rule` of the route `owner`."""

    level: Level
    owner: Ref
    settings: Any = None
    rule: int = -1


Chain = tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """What is attached to one section of one target."""

    level: Level
    attached: Attached
    section: str = ""


@unit(tier=2)
def settings_of(reader: Reader, policy: Ref) -> Any:
    """The settings of a policy document, without its targets; None if it is gone."""
    found = reader.get(policy)
    kind = reader.policy_kinds.get(policy.kind)
    if found is None or kind is None:
        return None
    fields: Any = kind.settings
    return fields.model_construct(**{name: getattr(found.spec, name) for name in fields.model_fields})


@unit(tier=3)
def effective(reader: Reader, kind_name: str, chain: Chain) -> Effective:
    """All layers merged. A field that no layer sets is as shipped."""
    kind = reader.policy_kinds[kind_name]
    settings_class: Any = kind.settings
    values: dict[str, Any] = {name: getattr(kind.shipped, name) for name in settings_class.model_fields}
    origins = dict.fromkeys(values, FieldOrigin(Level.SHIPPED))
    for link in chain:
        settings = link.settings if link.settings is not None else reader.use(settings_of, link.owner)
        if settings is None:
            continue
        origin = FieldOrigin(link.level, link.owner)
        for name in values:
            value = getattr(settings, name)
            if value is not None:
                values[name] = value
                origins[name] = origin
    merged = settings_class.model_construct(**values)
    if chain:
        _report_problems(reader, kind, merged, chain[-1])
    return Effective(kind_name, merged, MappingProxyType(origins))


def _report_problems(reader: Reader, kind: PolicyKind, merged: Any, last: Link) -> None:
    """Mistakes that only the merged settings show, on the most specific owner."""
    for problem in kind.problems(merged):
        owner = reader.get(last.owner)
        if owner is not None:
            field = ("spec", "rules", last.rule) if last.rule >= 0 else ("spec", *problem.field)
            reader.emit(diagnostic.of(codes.POLICY_PROBLEM, owner, problem.reason, field, problem.hint))


@unit(tier=4)
def policy_set(reader: Reader, route_kind: str, chains: tuple[tuple[str, Chain], ...]) -> Policies:
    """The effective value of every kind that has a meaning for routes of `route_kind` ("": for all)."""
    by_kind = dict(chains)
    return MappingProxyType(
        {
            name: reader.use(effective, name, by_kind.get(name, ()))
            for name, kind in reader.policy_kinds.items()
            if not route_kind or route_kind in kind.route_kinds
        }
    )


def in_force(
    reader: Reader, route_kind: str, layers: Sequence[Layer], inline: Sequence[tuple[str, Link]] = ()
) -> Policies:
    """What the layers, the least specific first, and the settings written in the rule itself come to."""
    if not layers and not inline:
        return reader.use(policy_set, route_kind, ())
    written = dict(inline)
    chains = []
    for name, kind in reader.policy_kinds.items():
        chain = [
            Link(layer.level, winner)
            for layer in layers
            if layer.level in kind.levels and (winner := layer.attached.winners.get((name, layer.section))) is not None
        ]
        if name in written:
            chain.append(written[name])
        if chain:
            chains.append((name, tuple(chain)))
    return reader.use(policy_set, route_kind, tuple(chains))


def written_in(reader: Reader, route: Ref, rule: Any, index: int) -> tuple[tuple[str, Link], ...]:
    """Settings that the Gateway API has as fields of the rule itself."""
    found = []
    for name, kind in reader.policy_kinds.items():
        settings = kind.inline(route.kind, rule)
        if settings is not None:
            found.append((name, Link(Level.INLINE, route, settings, index)))
    return tuple(found)


# ---- layers


def gateway_layers(reader: Reader, gateway: Ref, listener: str) -> tuple[Layer, ...]:
    """Of a Gateway and (unless "") one of its listeners."""
    return _layers(attached(reader, gateway), Level.GATEWAY, Level.LISTENER, listener)


def rule_layers(found: Attached, rule_name: str) -> tuple[Layer, ...]:
    """Of a route and (unless "") one of its named rules."""
    return _layers(found, Level.ROUTE, Level.RULE, rule_name)


def backend_layers(found: Attached, section: str) -> tuple[Layer, ...]:
    """Of a Service (or Backend) and its port by name."""
    return _layers(found, Level.SERVICE, Level.SERVICE, section)


def _layers(found: Attached, whole: Level, part: Level, section: str) -> tuple[Layer, ...]:
    if found is NONE_ATTACHED:
        return ()
    layers = (Layer(whole, found),)
    if section and any(name == section for _, name in found.winners):
        return (*layers, Layer(part, found, section))
    return layers


# ---- sets that belong to no rule


@unit(tier=5)
def listener_policies(reader: Reader, gateway: Ref, listener: str) -> Policies:
    """Of a listener, or of the whole Gateway where `listener` is ""."""
    affect(reader, attached(reader, gateway), gateway)
    return in_force(reader, "", gateway_layers(reader, gateway, listener))


def upstream_policies(reader: Reader, gateway: Ref, found: Attached, section: str) -> Policies:
    """What an upstream itself sees: the Gateway's level and the Service's."""
    return in_force(reader, "", (*gateway_layers(reader, gateway, ""), *backend_layers(found, section)))


def affect(reader: Reader, found: Attached, gateway: Ref) -> None:
    """Says that these policies, in force or not, have to do with a Gateway."""
    if found is not NONE_ATTACHED:
        for policy in sorted(found.policies()):
            reader.emit(Affects(policy, gateway))


def kinds_by_name(policies: Iterable[PolicyKind]) -> Mapping[str, PolicyKind]:
    return {kind.kind: kind for kind in sorted(policies, key=lambda kind: kind.kind)}
