"""What there is to see, for whoever asks: the log and the interface (`api`). Reads the pipeline, changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sampan.daemon.ledger import Ledger, placed_conditions
from sampan.daemon.pipeline import Pipeline
from sampan.daemon.registered import service_status
from sampan.daemon.report import shut_doors, with_proxies
from sampan.documents.kinds.instance import KIND as INSTANCE
from sampan.documents.kinds.service import Service
from sampan.documents.locate import located
from sampan.documents.render import rendered
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.plan import Plan, View
from sampan.model.status import Status
from sampan.resolve import built_in_class

if TYPE_CHECKING:
    from sampan.daemon.publisher import Publication, Publisher
    from sampan.xds.control import Control
    from sampan.xds.nodes import NodeState


class Overview:
    """`notices` are diagnostics of the process itself, such as a plugin that cannot be used."""

    def __init__(self, pipeline: Pipeline, ledger: Ledger, notices: Sequence[Diagnostic] = ()) -> None:
        self.pipeline, self.ledger = pipeline, ledger
        self.control: Control | None = None
        self.publisher: Publisher | None = None
        self._notices = tuple(notices)
        self._class, self._class_status = built_in_class()

    def connect(self, control: Control, publisher: Publisher) -> None:
        """From here on proxies can be seen too."""
        self.control, self.publisher = control, publisher

    # ---- objects

    def objects(self, kind: str = "", namespace: str = "", name: str = "") -> Iterable[Object]:
        """Those that fit every part given, by kind and name. Instances, which may be many, only if asked for."""
        objects = self.pipeline.world.snapshot.objects
        found = objects.values() if self._class.ref in objects else (self._class, *objects.values())
        return sorted(
            (
                item
                for item in found
                if (item.ref.kind == kind or (not kind and item.ref[:2] != INSTANCE))
                and (not namespace or item.ref.namespace == namespace)
                and (not name or item.ref.name == name)
            ),
            key=lambda item: (item.ref.kind, item.ref.namespace, item.ref.name),
        )

    def rendered(self, item: Object, statuses: Mapping[Ref, Status]) -> dict[str, Any]:
        """As `kubectl get -o json` has it, with the status that `statuses` has of it."""
        status = statuses.get(item.ref)
        transitions = {}
        for place, condition in placed_conditions(status) if status is not None else ():
            transitions[place, condition.type] = self.ledger.since(item.ref, place, condition.type)
        world, generation = self.pipeline.world, self.ledger.generation(item)
        result = rendered(item, world.kinds, status, generation=generation, transitions=transitions)
        if isinstance(item.spec, Service):
            result["status"] = service_status(item, world.snapshot)
        return result

    def statuses(self) -> Mapping[Ref, Status]:
        resolution = self.pipeline.world.resolution
        statuses = {self._class.ref: self._class_status, **resolution.statuses}
        return with_proxies(statuses, resolution.plans, self.pipeline.doors, self.in_step(), self._refused_listeners())

    def _refused_listeners(self) -> Mapping[View, Mapping[str, str]]:
        if self.publisher is None:
            return {}
        from sampan.daemon.refusals import listeners

        return {
            view: found
            for view, state in self.publisher.publications.items()
            if state.refusals.by_key and (found := listeners(state.refusals, state.plan))
        }

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All of them, each at its line, in the order of the files."""
        world = self.pipeline.world
        plans = world.resolution.plans
        found = [*self._notices, *world.diagnostics, *shut_doors(plans, self.pipeline.doors, world.snapshot)]
        found += self._refused(plans)
        placed = located(found, world.snapshot.objects, world.merged.places)
        return tuple(sorted(placed, key=lambda item: (item.sort_key, item.field_text)))

    def _refused(self, plans: Mapping[View, Plan]) -> Iterable[Diagnostic]:
        if self.publisher is None:
            return []
        from sampan.daemon.refusals import diagnostics

        snapshot = self.pipeline.world.snapshot
        states = self.publisher.publications
        faults = [state.fault for state in states.values() if state.fault is not None]
        return faults + [
            item for view, state in states.items() for item in diagnostics(state.refusals, plans.get(view), snapshot)
        ]

    # ---- proxies

    def nodes(self) -> Mapping[str, NodeState]:
        """The newest stream of each proxy, by name."""
        if self.control is None:
            return {}
        return {node.scope: node for node in sorted(self.control.nodes(), key=lambda node: node.stream)}

    def in_step(self) -> frozenset[str]:
        return frozenset(name for name, node in self.nodes().items() if node.in_step)

    def publication(self, proxy: str) -> Publication | None:
        if self.publisher is None:
            return None
        return next((state for view, state in self.publisher.publications.items() if view.proxy == proxy), None)

    @property
    def ready(self) -> bool:
        """Everything that was read is with the proxies."""
        return self.publisher is not None and {view.proxy for view in self.pipeline.plans} <= self.in_step()
