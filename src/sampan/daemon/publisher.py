"""Plans to proxies: compile, put the endpoints beside it, publish; and what to do when a proxy refuses.

One `Publication` for each View. The short road (`publish_endpoints`) builds and sends endpoint rows alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sampan.compile.endpoints import endpoint_row
from sampan.compile.engine import Compiled, compile_plan
from sampan.compile.memo import Memo
from sampan.compile.routes import Part, trial
from sampan.compile.settings import Settings
from sampan.daemon.faults import caught
from sampan.daemon.isolation import Suspect, culprits
from sampan.daemon.refusals import PASSING, Refusal, Refusals, plainly
from sampan.envoy import types
from sampan.envoy.static import trial_bootstrap
from sampan.envoy.table import Row, Rows, Table
from sampan.model.diagnostic import Diagnostic
from sampan.model.names import Ref
from sampan.model.plan import Plan, Upstream, View
from sampan.model.policy import PolicyKind
from sampan.model.snapshot import Snapshot
from sampan.proxy.trial import TrialError
from sampan.resolve import endpoint_group
from sampan.xds.control import Control, Notice
from sampan.xds.events import Acked, Refused

MOST_SENT = 16

Validate = Callable[[bytes], Awaitable[str | None]]
"""Would Envoy take this serialised Bootstrap? None, or its complaint. TrialError if that cannot be found out."""


@dataclass(slots=True)
class Publication:
    """What one proxy was given last. `good` are the parts of each routing table as the proxy last confirmed them."""

    view: View
    memo: Memo = field(default_factory=Memo)
    refusals: Refusals = field(default_factory=Refusals)
    plan: Plan | None = None
    compiled: Compiled | None = None
    with_stand_ins: Mapping[str, bytes | None] | None = None
    upstreams: Mapping[str, Upstream] | None = None
    groups: dict[str, Upstream] = field(default_factory=dict)
    endpoints: Rows = field(default_factory=dict)
    fault: Diagnostic | None = None
    revision: int = 0
    sent: list[tuple[int, Compiled]] = field(default_factory=list)
    good: dict[str, tuple[Part, ...]] = field(default_factory=dict)


class Publisher:
    """`validate` is asked when a routing table was refused. `changed` is called when a refusal became known, so that
    the caller publishes again; `now` gives RFC 3339."""

    def __init__(
        self,
        control: Control,
        policies: Sequence[PolicyKind],
        settings: Settings,
        validate: Validate,
        changed: Callable[[], None],
        now: Callable[[], str],
    ) -> None:
        self.publications: dict[View, Publication] = {}
        self._control = control
        self._policies, self._settings = policies, settings
        self._validate = validate
        self._changed = changed
        self._now = now
        self._searches: list[tuple[Publication, Refused]] = []
        control.observe(self._observe)

    # ---- publishing

    def publication(self, view: View, known: Iterable[Refusal] = ()) -> Publication:
        """The view's, made with what is `known` to be refused if it is new."""
        found = self.publications.get(view)
        if found is None:
            found = self.publications[view] = Publication(view, refusals=Refusals(known))
        return found

    def publish(self, view: View, plan: Plan, snapshot: Snapshot, groups: Collection[str] = ()) -> int:
        """Compiles what changed and publishes it, with the endpoints of `groups` looked at anew. Gives the revision."""
        state = self.publication(view)
        stand_ins = state.refusals.stand_ins
        if state.compiled is None or state.plan is not plan or state.with_stand_ins is not stand_ins:
            try:
                compiled = compile_plan(plan, self._policies, state.memo, refused=stand_ins, settings=self._settings)
            except Exception as error:
                state.memo = Memo()  # half brought up to date: worth nothing
                state.fault = caught(f"compiling for {view.proxy}", error)
                return state.revision
            state.compiled, state.fault = compiled, None
            state.refusals.keep(compiled.replaced())
            state.plan, state.with_stand_ins = plan, state.refusals.stand_ins
        self._follow_upstreams(state, plan, snapshot, groups)
        table = Table({**state.compiled.table.rows, **({types.ENDPOINT: state.endpoints} if state.endpoints else {})})
        state.revision = self._control.publish(view.proxy, table)
        self._note_sent(state, state.compiled)
        return state.revision

    @staticmethod
    def _note_sent(state: Publication, compiled: Compiled) -> None:
        """Remembers the routing tables on their way; without a proxy to confirm them, no more than the last few."""
        if not state.sent or state.sent[-1][1].table.of(types.ROUTE) is not compiled.table.of(types.ROUTE):
            state.sent = [*state.sent[1 - MOST_SENT :], (state.revision, compiled)]

    def publish_endpoints(self, snapshot: Snapshot, groups: Collection[str]) -> dict[View, int]:
        """The short road: the endpoints of `groups`, to the proxies that have them. Gives each one's revision."""
        revisions: dict[View, int] = {}
        for view, state in self.publications.items():
            mine = [state.groups[name] for name in groups if name in state.groups]
            if mine:
                rows = [endpoint_row(endpoint_group(snapshot, upstream)) for upstream in mine]
                state.endpoints = {**state.endpoints, **{row.name: row for row in rows}}
                revisions[view] = self._control.publish_rows(view.proxy, rows)
        return revisions

    def retire(self, view: View) -> None:
        self.publications.pop(view, None)
        self._control.retire(view.proxy)

    def _follow_upstreams(self, state: Publication, plan: Plan, snapshot: Snapshot, groups: Collection[str]) -> None:
        """Rows for the groups in use: those that are new or named in `groups` are made, the others stay."""
        if state.upstreams is not plan.upstreams:
            state.upstreams = plan.upstreams
            found = (upstream for upstream in plan.upstreams.values() if upstream.discovery == "endpoints")
            state.groups = {upstream.group: upstream for upstream in found}
        wanted = state.groups
        stale = [name for name in groups if name in wanted]
        new = [name for name in wanted if name not in state.endpoints]
        if not (stale or new) and len(wanted) == len(state.endpoints):
            return
        made = {name: endpoint_row(endpoint_group(snapshot, wanted[name])) for name in {*stale, *new}}
        old: Mapping[str, Row] = state.endpoints
        state.endpoints = {name: made.get(name) or old[name] for name in wanted}

    # ---- refusals

    def _observe(self, notice: Notice) -> None:
        state = next((found for view, found in self.publications.items() if view.proxy == notice.scope), None)
        if state is None:
            return
        if isinstance(notice.what, Acked) and notice.what.type == types.ROUTE:
            self._confirm(state, notice.what.revision)
        elif isinstance(notice.what, Refused):
            if notice.what.type == types.ROUTE:
                self._searches.append((state, notice.what))
            else:
                state.refusals.add(self._refused_rows(state, notice.what))
            self._changed()

    def _confirm(self, state: Publication, revision: int) -> None:
        """Notes the parts of routing tables that the proxy has now, the base for the next search."""
        reached = [compiled for sent, compiled in state.sent if sent <= revision]
        if not reached:
            return
        state.sent = [(sent, compiled) for sent, compiled in state.sent if sent > revision] or state.sent[-1:]
        verdicts = self._control.verdicts(state.view.proxy)
        refused = {name: verdict.version for (type_url, name), verdict in verdicts.items() if type_url == types.ROUTE}
        compiled = reached[-1]
        for name, parts in compiled.parts.items():
            if refused.get(name) != _version(compiled, name):
                state.good[name] = parts

    def _refused_rows(self, state: Publication, event: Refused) -> Iterable[Refusal]:
        good = self._control.verdicts(state.view.proxy)
        for name, version in event.versions.items():
            verdict = good.get((event.type, name))
            stand_in = verdict.good.body if verdict is not None and verdict.good is not None else None
            passing = event.type == types.LISTENER and any(words in event.reason for words in PASSING)
            words = plainly(event.reason)
            yield Refusal(version, event.type, name, words, None if passing else stand_in, self._now(), passing)

    async def search(self) -> bool:
        """Finds the routes at fault in every routing table refused since the last call. Says whether there were any:
        publish again then."""
        searches, self._searches = self._searches, []
        for state, event in searches:
            for name, version in event.versions.items():
                state.refusals.add(await self._search(state, name, version, event.reason))
        return bool(searches)

    async def _search(self, state: Publication, name: str, version: str, complaint: str) -> list[Refusal]:
        refused = next((c for _, c in reversed(state.sent) if _version(c, name) == version), None)
        if refused is None:
            return []  # superseded meanwhile by a table that was not refused
        parts = refused.parts.get(name, ())
        known = {part.key for part in state.good.get(name, ())}
        suspects = list({part.key: part for part in parts if part.key not in known}.values())

        async def accepted(some: Sequence[Suspect]) -> str | None:
            return await self._validate(trial_bootstrap(trial(name, some).body))  # type: ignore[arg-type]

        try:
            found = await culprits(suspects, accepted, complaint)
        except TrialError as error:
            complaint, found = f"{complaint} (which route, could not be found out: {error})", {}
        if not found:
            # No part by itself: the table as a whole. What the proxy has of it stays.
            good = _good_row(self._control, state, name)
            return [Refusal(version, types.ROUTE, name, plainly(complaint), good, self._now())]
        stand_ins = _last_good(parts, state.good.get(name, ()))
        by_key = {part.key: part for part in parts}
        return [
            Refusal(key, types.ROUTE, by_key[key].name, plainly(said), stand_ins.get(key), self._now())
            for key, said in found.items()
        ]

    # ---- for the report

    def changed_objects(self, refs: Collection[Ref]) -> None:
        """Objects that changed deserve another trial."""
        for state in self.publications.values():
            state.refusals.drop_changed(refs, state.plan)

    def retry_passing(self) -> bool:
        """Lets go of refusals whose reason lay outside, so that the next publication tries again."""
        dropped = [
            state.refusals.drop([key for key, item in state.refusals.by_key.items() if item.passing])
            for state in self.publications.values()
        ]
        return any(dropped)


def _version(compiled: Compiled, name: str) -> str:
    row = compiled.table.get(types.ROUTE, name)
    return row.version if row else ""


def _good_row(control: Control, state: Publication, name: str) -> bytes | None:
    verdict = control.verdicts(state.view.proxy).get((types.ROUTE, name))
    return verdict.good.body if verdict is not None and verdict.good is not None else None


def _last_good(parts: Iterable[Part], good: Iterable[Part]) -> dict[str, bytes]:
    """For each part's key the bytes that stood in its place: the same match of the same rule."""
    places: dict[tuple[str, int], bytes] = {}
    counts: dict[str, int] = {}
    for part in good:
        number = counts[part.name] = counts.get(part.name, -1) + 1
        places[part.name, number] = part.body
    counts.clear()
    result: dict[str, bytes] = {}
    for part in parts:
        number = counts[part.name] = counts.get(part.name, -1) + 1
        if (part.name, number) in places:
            result[part.key] = places[part.name, number]
    return result
