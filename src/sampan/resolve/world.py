"""From a Snapshot to Plans, statuses and diagnostics; from one Snapshot to the next at the cost of what changed.

Most of the work is done by units (`units`). What is summed over many of them (a host's entries over all routes, the
upstreams in use, the number of attached routes) is kept here and in `tables`, and follows each unit's result: what a
route brought before is taken out, what it brings now is put in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sampan.model import codes, diagnostic
from sampan.model.diagnostic import Diagnostic
from sampan.model.names import GATEWAY_API, SAMPAN, Ref
from sampan.model.plan import Plan, View
from sampan.model.policy import PolicyKind
from sampan.model.snapshot import Snapshot
from sampan.model.status import ParentStatus, Status
from sampan.resolve.backends import UpstreamFacts, UpstreamKey, upstream
from sampan.resolve.conditions import ACCEPTED, not_accepted
from sampan.resolve.frames import Frame, frame, gateway_status
from sampan.resolve.gateway_state import GatewayState
from sampan.resolve.gateways import class_status
from sampan.resolve.listeners import ROUTE_KINDS
from sampan.resolve.policies import kinds_by_name
from sampan.resolve.resolution import Resolution
from sampan.resolve.routes import RouteFacts, route_facts
from sampan.resolve.tables import clashes
from sampan.resolve.units import Affects, Emission, Unit, UnitKey, Units
from sampan.resolve.verdicts import is_policy, policy_status, verdict

_ROUTES = frozenset(ROUTE_KINDS)
_GATEWAY = (GATEWAY_API, "Gateway")
_CLASS = (GATEWAY_API, "GatewayClass")
_BACKEND = (SAMPAN, "Backend")


class Memo:
    """What earlier calls of `resolve` found. Passed in and out; good for any snapshot, fastest for the next one.

    It belongs to one sequence of snapshots: two resolves at once need two of them.
    """

    def __init__(self) -> None:
        self._world: _World | None = None

    def world(self, snapshot: Snapshot, policies: Sequence[PolicyKind]) -> _World:
        kinds = kinds_by_name(policies)
        if self._world is None or self._world.units.policy_kinds != kinds:
            self._world = _World(Snapshot(snapshot.index_of), kinds)
        return self._world


def resolve(snapshot: Snapshot, policies: Sequence[PolicyKind], memo: Memo, *, now: str) -> Resolution:
    """What the documents mean. `now`: RFC 3339, asked only for whether certificates have expired.

    Parts of the Plans that did not change since the memo's last snapshot are the same objects.
    """
    return memo.world(snapshot, policies).advance(snapshot, now)


class _World:
    def __init__(self, snapshot: Snapshot, kinds: Mapping[str, PolicyKind]) -> None:
        self.units = Units(snapshot, kinds)
        self._routes: dict[Ref, RouteFacts] = {}
        self._gateways: defaultdict[Ref, GatewayState] = defaultdict(GatewayState)
        self._uses: Counter[UpstreamKey] = Counter()
        self._policies: set[Ref] = set()
        self._affected: defaultdict[Ref, set[Ref]] = defaultdict(set)
        self._found: set[Diagnostic] = set()
        self._clashes: dict[tuple[Ref, str], tuple[Diagnostic, ...]] = {}
        self._resolution = Resolution()
        # Of one step: what must be looked at again.
        self._stale_tables: set[tuple[Ref, str]] = set()
        self._stale_upstreams: set[UpstreamKey] = set()
        self._stale_gateways: set[Ref] = set()
        self._stale_counts: set[Ref] = set()
        self._stale_statuses: set[Ref] = set()

    def advance(self, snapshot: Snapshot, now: str) -> Resolution:
        changed, units = self.units.advance(snapshot, now)
        self._plant(changed)
        self._sort_out(units)
        for ref in changed | {name[1] for name in units if name[0] is route_facts}:
            if (ref.group, ref.kind) in _ROUTES:
                self._follow_route(ref)
        self._settle_upstreams()
        self._settle_clashes()
        there, gone = self.units.take_emissions()
        self._follow_affects(there, gone)
        plans = self._plans()
        statuses = self._statuses()
        self._resolution = Resolution(plans, statuses, self._diagnostics(there, gone))
        return self._resolution

    # ---- units

    def _plant(self, changed: Iterable[Ref]) -> None:
        """What is wanted of each object, as long as it is there."""
        for ref in changed:
            item = self.units.snapshot.get(ref)
            key = (ref.group, ref.kind)
            if key in _ROUTES:
                self._want(route_facts, ref, item is not None)
            elif key == _GATEWAY:
                self._want(frame, ref, item is not None)
                self._stale_gateways.add(ref)
            elif key == _CLASS:
                self._want(class_status, ref, item is not None)
                self._stale_statuses.add(ref)
            elif key == _BACKEND:
                self._stale_statuses.add(ref)
            elif is_policy(item) or ref in self._policies:
                self._want(verdict, ref, item is not None)
                (self._policies.add if item is not None else self._policies.discard)(ref)
                self._stale_statuses.add(ref)

    def _want(self, unit: Unit[[Ref], object], ref: Ref, wanted: bool) -> None:
        if wanted:
            self.units.root(unit, ref)
        else:
            self.units.drop(unit, ref)

    def _sort_out(self, units: Iterable[UnitKey]) -> None:
        for unit, *key in units:
            if unit is frame:
                self._stale_gateways.add(key[0])
            elif unit is upstream:
                self._stale_upstreams.add(key[0])
            elif unit is class_status or unit is verdict:
                self._stale_statuses.add(key[0])

    # ---- routes

    def _follow_route(self, ref: Ref) -> None:
        """Takes out what the route brought and puts in what it brings now."""
        old = self._routes.pop(ref, None)
        new: RouteFacts | None = self.units.values.get((route_facts, ref))
        self._stale_statuses.add(ref)
        if new is not None:
            self._routes[ref] = new
        if old is new:
            return
        self._count_upstreams(old.upstreams if old else (), new.upstreams if new else ())
        self._count_attached(old, -1)
        self._count_attached(new, 1)
        before = old.attachments if old else {}
        after = new.attachments if new else {}
        age = new.age if new is not None else ("", "", "")
        for place in before.keys() | after.keys():
            if before.get(place) is not after.get(place) or (old and old.age != age):
                self._gateways[place[0]].tables[place[1]].put(ref, age, after.get(place))
                self._stale_tables.add(place)
                self._stale_gateways.add(place[0])

    def _count_upstreams(self, old: Iterable[UpstreamKey], new: Iterable[UpstreamKey]) -> None:
        for key in new:
            self._uses[key] += 1
            if self._uses[key] == 1:
                self._stale_upstreams.add(key)
        for key in old:
            self._uses[key] -= 1
            if not self._uses[key]:
                del self._uses[key]
                self._stale_upstreams.add(key)

    def _count_attached(self, facts: RouteFacts | None, by: int) -> None:
        """A route counts once for a listener, however many of its parentRefs name it."""
        if facts is None:
            return
        for gateway, listener in {(parent.gateway, name) for parent in facts.parents for name in parent.listeners}:
            self._gateways[gateway].attached[listener] += by
            self._stale_counts.add(gateway)

    def _settle_upstreams(self) -> None:
        changes: defaultdict[Ref, dict[str, UpstreamFacts | None]] = defaultdict(dict)
        for key in self._stale_upstreams:
            if key in self._uses:
                facts = self.units.root(upstream, key)
                changes[key.gateway][facts.upstream.name] = facts
            else:
                self.units.drop(upstream, key)
                changes[key.gateway][key.name] = None
        for gateway, named in changes.items():
            state = self._gateways[gateway]
            state.change_upstreams(named)
            self._stale_gateways.add(gateway)
        self._stale_upstreams.clear()

    def _settle_clashes(self) -> None:
        for place in self._stale_tables:
            table = self._gateways[place[0]].tables[place[1]]
            kinds = {ref.kind for ref in table.attachments}
            found: list[Diagnostic] = []
            losers: dict[Ref, Ref] = {}
            if kinds >= {"HTTPRoute", "GRPCRoute"}:
                losers = clashes(table)
                found.extend(self._said_of(codes.ROUTE_CLASH, *pair, _CLASH) for pair in losers.items())
            elif "TCPRoute" in kinds:
                oldest, *others = table.by_age()
                found.extend(self._said_of(codes.SHADOWED_ROUTE, ref, oldest, _SHADOW) for ref in others)
            if losers or table.rejected:
                self._stale_statuses.update(table.reject(losers))
                self._stale_counts.add(place[0])
            if found:
                self._clashes[place] = tuple(found)
            else:
                self._clashes.pop(place, None)
        self._stale_tables.clear()

    def _said_of(self, code: codes.Code, loser: Ref, winner: Ref, words: str) -> Diagnostic:
        item = self.units.snapshot.objects[loser]
        return diagnostic.of(code, item, words.format(winner), ("spec", "parentRefs"))

    def _follow_affects(self, there: Iterable[Emission], gone: Iterable[Emission]) -> None:
        for item in there:
            if isinstance(item, Affects):
                self._affected[item.policy].add(item.gateway)
                self._stale_statuses.add(item.policy)
        for item in gone:
            if isinstance(item, Affects):
                self._affected[item.policy].discard(item.gateway)
                self._stale_statuses.add(item.policy)

    # ---- results

    def _plans(self) -> Mapping[View, Plan]:
        plans = dict(self._resolution.plans)
        for ref in self._stale_gateways:
            found: Frame | None = self.units.values.get((frame, ref))
            view = View(ref)
            plan = self._gateways[ref].make_plan(view, found) if found is not None else None
            if plan is None:
                plans.pop(view, None)
                if ref not in self.units.snapshot.objects:
                    self._gateways.pop(ref, None)
            else:
                plans[view] = plan
        if plans == self._resolution.plans:
            return self._resolution.plans
        return dict(sorted(plans.items()))

    def _statuses(self) -> Mapping[Ref, Status]:
        if not (self._stale_statuses or self._stale_counts or self._stale_gateways):
            return self._resolution.statuses
        statuses = dict(self._resolution.statuses)
        for ref in self._stale_statuses | self._stale_counts | self._stale_gateways:
            status = self._status(ref)
            if status is None:
                statuses.pop(ref, None)
            elif statuses.get(ref) != status:
                statuses[ref] = status
        self._stale_statuses.clear()
        self._stale_counts.clear()
        self._stale_gateways.clear()
        return statuses

    def _status(self, ref: Ref) -> Status | None:
        """None: there is no such object, or it is not ours to speak of."""
        key = (ref.group, ref.kind)
        if key in _ROUTES:
            facts = self._routes.get(ref)
            return self._route_status(facts) if facts is not None else None
        if key == _GATEWAY:
            found: Frame | None = self.units.values.get((frame, ref))
            return gateway_status(found, lambda name: self._attached(ref, name)) if found is not None else None
        if key == _CLASS:
            status: Status | None = self.units.values.get((class_status, ref))
            return status
        item = self.units.snapshot.get(ref)
        if item is None:
            self._affected.pop(ref, None)
            return None
        if key == _BACKEND:
            return Status((ACCEPTED,))
        return policy_status(item, self.units.values[verdict, ref], sorted(self._affected[ref]))

    def _attached(self, gateway: Ref, listener: str) -> int:
        state = self._gateways[gateway]
        rejected = state.tables[listener].rejected if listener in state.tables else ()
        return state.attached[listener] - sum(
            any(listener in parent.listeners and parent.gateway == gateway for parent in self._routes[ref].parents)
            for ref in rejected
        )

    def _route_status(self, facts: RouteFacts) -> Status | None:
        parents = []
        for parent in facts.parents:
            accepted = parent.accepted
            tables = self._gateways[parent.gateway].tables
            if parent.listeners and all(facts.ref in tables[name].rejected for name in parent.listeners):
                winner = tables[parent.listeners[0]].rejected[facts.ref]
                accepted = not_accepted("Conflicted", _CLASH.format(winner))
            conditions = [accepted, facts.resolved]
            if facts.partly is not None and accepted.status == "True":
                conditions.append(facts.partly)
            parents.append(ParentStatus(parent.reference, tuple(conditions)))
        return Status(parents=tuple(parents)) if parents else None

    def _diagnostics(self, there: Iterable[Emission], gone: Iterable[Emission]) -> tuple[Diagnostic, ...]:
        self._found.update(item for item in there if isinstance(item, Diagnostic))
        self._found.difference_update(item for item in gone if isinstance(item, Diagnostic))
        clashes_ = {item for items in self._clashes.values() for item in items}
        made = tuple(sorted(self._found | clashes_, key=_place))
        return self._resolution.diagnostics if made == self._resolution.diagnostics else made


def _place(item: Diagnostic) -> tuple[Any, ...]:
    """Where it is, so that the order is the same every time."""
    return (item.sort_key, item.object or (), item.field_text, item.hint)


_CLASH = "{} comes first and has some of the same hosts; HTTPRoutes and GRPCRoutes share none on one listener"
_SHADOW = "{} comes first and gets all connections of the listener"
