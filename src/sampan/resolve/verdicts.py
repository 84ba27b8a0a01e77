"""What is said of a policy: whether its targets exist and take it, and who has them instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sampan.documents.kinds.references import PolicyTargetReference
from sampan.model import codes, diagnostic
from sampan.model.meta import Object
from sampan.model.names import CORE, GATEWAY_API, SAMPAN, Ref
from sampan.model.policy import Level
from sampan.model.status import Condition, ParentStatus, Status
from sampan.resolve.backend_tls import is_tls_policy, policy_tls
from sampan.resolve.conditions import ACCEPTED, not_accepted
from sampan.resolve.hints import did_you_mean, other_names
from sampan.resolve.index import has_targets
from sampan.resolve.listeners import ROUTE_KINDS
from sampan.resolve.targets import attached
from sampan.resolve.units import Reader, unit

# Where a policy of another controller or version of ours would go; a BackendTLSPolicy speaks of Services and Backends.
_TLS_LEVELS = frozenset({Level.SERVICE})

_LEVEL_WORDS = {
    Level.GATEWAY: "a Gateway",
    Level.LISTENER: "a listener",
    Level.ROUTE: "a route",
    Level.RULE: "a rule of a route",
    Level.SERVICE: "a Service",
}


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """Of a policy, all targets taken together: accepted if one of them takes it."""

    accepted: Condition = ACCEPTED
    resolved: Condition | None = None


def is_policy(item: Object | None) -> bool:
    return item is not None and has_targets(type(item.spec))


@unit(tier=4)
def verdict(reader: Reader, ref: Ref) -> Verdict:
    policy = reader.get(ref)
    if policy is None:
        return Verdict()
    refusals = [_refusal(reader, policy, index, reference) for index, reference in enumerate(policy.spec.target_refs)]
    refusal = next((item for item in refusals if item is not None), None)
    accepted = ACCEPTED if refusal is None or None in refusals else refusal
    if not is_tls_policy(ref):
        return Verdict(accepted)
    tls = reader.use(policy_tls, ref)
    return Verdict(accepted if accepted.status != "True" else tls.accepted, tls.resolved)


def _refusal(reader: Reader, policy: Object, index: int, reference: PolicyTargetReference) -> Condition | None:
    """Why a target does not take the policy, reported too; None if it does."""
    at = ("spec", "targetRefs", index)
    target = Ref(reference.group, reference.kind, policy.ref.namespace, reference.name)
    level = _level(reference)
    kind = reader.policy_kinds.get(policy.ref.kind)
    levels = _TLS_LEVELS if is_tls_policy(policy.ref) else kind.levels if kind is not None else frozenset()
    wrong = level is None or level not in levels
    if kind is not None and level in (Level.ROUTE, Level.RULE):
        wrong = wrong or reference.kind not in kind.route_kinds
    if wrong:
        reason = f"{policy.ref.kind} cannot be attached to {_words(reference, level)}"
        allowed = ", ".join(_LEVEL_WORDS[item] for item in sorted(levels) if item in _LEVEL_WORDS)
        reader.emit(
            diagnostic.of(codes.WRONG_TARGET, policy, reason, (*at, "kind"), f"it can be attached to {allowed}")
        )
        return not_accepted("Invalid", reason)
    found = reader.get(target)
    if found is None:
        reason = f"{target} does not exist"
        hint = reader.use(other_names, target)
        reader.emit(diagnostic.of(codes.MISSING_TARGET, policy, reason, (*at, "name"), hint))
        return not_accepted("TargetNotFound", reason)
    if reference.section_name:
        names = _sections(found)
        if reference.section_name not in names:
            reason = f"{target} has nothing named '{reference.section_name}'"
            hint = did_you_mean(reference.section_name, names) or (f"there is {', '.join(names)}" if names else "")
            reader.emit(diagnostic.of(codes.MISSING_TARGET, policy, reason, (*at, "sectionName"), hint))
            return not_accepted("TargetNotFound", reason)
    return _conflict(reader, policy, target, reference, at)


def _conflict(
    reader: Reader, policy: Object, target: Ref, reference: PolicyTargetReference, at: tuple[str | int, ...]
) -> Condition | None:
    for section, winner in attached(reader, target).losers.get(policy.ref, ()):
        if section == reference.section_name:
            reason = f"{winner} comes first and has the same target"
            reader.emit(diagnostic.of(codes.POLICY_CONFLICT, policy, reason, at, "merge the two, or remove one"))
            return not_accepted("Conflicted", reason)
    return None


def _level(reference: PolicyTargetReference) -> Level | None:
    key = (reference.group, reference.kind)
    named = bool(reference.section_name)
    if key == (GATEWAY_API, "Gateway"):
        return Level.LISTENER if named else Level.GATEWAY
    if key in ROUTE_KINDS:
        return Level.RULE if named else Level.ROUTE
    if key in ((CORE, "Service"), (SAMPAN, "Backend")):
        return Level.SERVICE
    return None


def _words(reference: PolicyTargetReference, level: Level | None) -> str:
    if level is None or level in (Level.ROUTE, Level.RULE):
        return f"a{' rule of a' if level is Level.RULE else 'n' if reference.kind[:1] in 'H' else ''} {reference.kind}"
    return _LEVEL_WORDS[level]


def _sections(found: Object) -> list[str]:
    """Names of a Gateway's listeners, a route's rules, a Service's ports."""
    spec: Any = found.spec
    if found.ref.kind == "Gateway":
        parts: Iterable[Any] = spec.listeners
    elif found.ref.kind == "Service":
        parts = spec.ports
    elif found.ref.kind == "Backend":
        parts = (spec.port,) if spec.port is not None else ()
    else:
        parts = spec.rules
    return [part.name for part in parts if part.name]


def policy_status(policy: Object, said: Verdict, gateways: Sequence[Ref]) -> Status:
    """One ancestor for each Gateway that the policy has a say in; where there is none, for each target."""
    conditions = (said.accepted,) if said.resolved is None else (said.accepted, said.resolved)
    if gateways:
        references = [_reference(ref.group, ref.kind, ref.namespace, ref.name) for ref in gateways]
    else:
        references = [
            _reference(target.group, target.kind, policy.ref.namespace, target.name, target.section_name)
            for target in policy.spec.target_refs
        ]
    return Status(ancestors=tuple(ParentStatus(reference, conditions) for reference in references))


def _reference(group: str, kind: str, namespace: str, name: str, section: str = "") -> Mapping[str, Any]:
    reference = {"group": group, "kind": kind, "namespace": namespace, "name": name}
    if section:
        reference["sectionName"] = section
    return MappingProxyType(reference)
