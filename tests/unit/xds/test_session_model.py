"""Random changes against a model of Envoy that warms clusters, answers late, refuses and reconnects.

Whatever happens, in whatever order answers come: no route is in force before its clusters are warm, no cluster goes
while a route has it, and in the end the proxy has exactly the last Table.
"""

from __future__ import annotations

import random
from collections import deque

import pytest
from xds_play import cluster, endpoints, listener, routes

from sampan.envoy import protos
from sampan.envoy.table import Row, Table, difference, table
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE
from sampan.xds.events import Verdicts
from sampan.xds.message import Request
from sampan.xds.session import Session

BAD = 666  # a cluster with this time-out is refused


class Model:
    """Envoy as far as it matters: clusters serve when endpoints came after them, routes are checked as they come."""

    def __init__(self) -> None:
        self.outbox: deque[Request] = deque()
        self.clusters: dict[str, str] = {}  # name: version that serves
        self.warming: dict[str, str] = {}
        self.endpoints: dict[str, str] = {}
        self.listeners: dict[str, str] = {}
        self.routes: dict[str, tuple[str, frozenset[str]]] = {}
        self.refused: set[str] = set()

    def connect(self) -> None:
        # The endpoints that an updated cluster waits for may be lost with the stream. Envoy then goes on, after the
        # time-out, with those it has for the name (envoy.restart_features.use_eds_cache_for_ads).
        for name in [name for name in self.warming if name in self.endpoints]:
            self.clusters[name] = self.warming.pop(name)
        self.outbox.clear()
        self.outbox.append(Request(CLUSTER, initial={**self.clusters, **self.warming}))
        wanted = {*self.clusters, *self.warming}
        if wanted:
            self.outbox.append(Request(ENDPOINT, tuple(sorted(wanted)), initial=dict(self.endpoints)))
        self.outbox.append(Request(LISTENER, initial=dict(self.listeners)))
        if self.listeners:
            versions = {name: version for name, (version, _) in self.routes.items()}
            self.outbox.append(Request(ROUTE, tuple(sorted(self.listeners)), initial=versions))

    def take(self, body: bytes) -> None:
        message = protos.discovery.DeltaDiscoveryResponse.FromString(body)
        error, after = getattr(self, f"_{message.type_url.rpartition('.')[2]}")(message)
        self.outbox.append(Request(message.type_url, nonce=message.nonce, error=error))
        self.outbox.extend(after)

    def _Cluster(self, message: protos.discovery.DeltaDiscoveryResponse) -> tuple[str, list[Request]]:  # noqa: N802
        used = {name for _, targets in self.routes.values() for name in targets}
        fresh: list[str] = []
        bad: list[str] = []
        for resource in message.resources:
            parsed = protos.cluster.Cluster.FromString(resource.resource.value)
            if parsed.connect_timeout.seconds == BAD:
                bad.append(resource.name)
                continue
            if resource.name not in self.clusters and resource.name not in self.warming:
                fresh.append(resource.name)
            self.warming[resource.name] = resource.version
        gone = [name for name in message.removed_resources if name in self.clusters or name in self.warming]
        for name in gone:
            assert name not in used, f"{name} removed under a route"
            self.clusters.pop(name, None)
            self.warming.pop(name, None)
            self.endpoints.pop(name, None)
        self.refused.update(bad)
        error = f"Error adding/updating cluster(s) {', '.join(f'{name}: no' for name in bad)}" if bad else ""
        return error, [Request(ENDPOINT, tuple(fresh), tuple(gone))] if fresh or gone else []

    def _ClusterLoadAssignment(  # noqa: N802
        self, message: protos.discovery.DeltaDiscoveryResponse
    ) -> tuple[str, list[Request]]:
        for resource in message.resources:
            if resource.name in self.clusters or resource.name in self.warming:
                self.endpoints[resource.name] = resource.version
            if resource.name in self.warming:
                self.clusters[resource.name] = self.warming.pop(resource.name)
        return "", []

    def _Listener(self, message: protos.discovery.DeltaDiscoveryResponse) -> tuple[str, list[Request]]:  # noqa: N802
        fresh = [item.name for item in message.resources if item.name not in self.listeners]
        self.listeners.update({item.name: item.version for item in message.resources})
        for name in message.removed_resources:
            self.listeners.pop(name, None)
            self.routes.pop(name, None)
        gone = tuple(message.removed_resources)
        return "", [Request(ROUTE, tuple(fresh), gone)] if fresh or gone else []

    def _RouteConfiguration(  # noqa: N802
        self, message: protos.discovery.DeltaDiscoveryResponse
    ) -> tuple[str, list[Request]]:
        for resource in message.resources:
            parsed = protos.route.RouteConfiguration.FromString(resource.resource.value)
            targets = frozenset(route.route.cluster for host in parsed.virtual_hosts for route in host.routes)
            assert targets <= {*self.clusters, *self.refused}, "route before their clusters"
            if resource.name in self.listeners:
                self.routes[resource.name] = (resource.version, targets)
        return "", []


class Run:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.model = Model()
        self.verdicts: Verdicts = {}
        self.table = Table()
        self.revision = 0
        self.inbox: deque[bytes] = deque()
        self.connect()

    def connect(self) -> None:
        self.inbox.clear()
        self.session = Session(self.verdicts, hold=1000.0, linger=1.0)
        if self.revision:
            self.session.offer(self.table, {}, self.revision, self.now)
        self.model.connect()

    def deliver(self) -> bool:
        """One message moves, one way or the other."""
        ways = [way for way in (self.inbox, self.model.outbox) if way]
        if not ways:
            return False
        if self.random.choice(ways) is self.inbox:
            self.model.take(self.inbox.popleft())
        else:
            self.session.receive(self.model.outbox.popleft(), self.now)
        return True

    def pump(self) -> None:
        while (body := self.session.next_response(self.now)) is not None:
            self.inbox.append(body)

    def desired(self) -> list[Row]:
        names = self.random.sample("abcdefgh", self.random.randint(1, 6))
        seconds = {name: BAD if self.random.random() < 0.05 else self.random.randint(1, 3) for name in names}
        rows = [row for name in names for row in (cluster(name, seconds[name]), self.endpoints(name))]
        for name in self.random.sample("xyz", self.random.randint(1, 3)):
            rows += (
                listener(name, seconds=self.random.randint(1, 2)),
                routes(name, *self.random.choices(names, k=2)),
            )
        return rows

    def endpoints(self, name: str) -> Row:
        return endpoints(name, self.random.randint(1, 5))

    def step(self) -> None:
        dice = self.random.random()
        if dice < 0.08:
            after = table(self.desired())
            change = difference(self.table, after)
            self.table, self.revision = after, self.revision + 1
            changed = {type_url: names.changed | names.removed for type_url, names in change.types.items()}
            for type_url, names in changed.items():
                for name in names:
                    self.verdicts.pop((type_url, name), None)
            self.session.offer(after, changed, self.revision, self.now)
        elif dice < 0.14 and self.table.of(ENDPOINT):
            name = self.random.choice([*self.table.of(ENDPOINT)])
            self.table, self.revision = self.table.with_rows([self.endpoints(name)]), self.revision + 1
            self.session.offer_rows(self.table, {ENDPOINT: {name}}, self.revision, self.now)
        elif dice < 0.15:
            self.connect()
        elif dice < 0.25:
            self.now += self.random.random()
        else:
            self.deliver()
        self.pump()

    def finish(self) -> None:
        for _ in range(10):
            self.pump()
            while self.deliver():
                self.pump()
            self.now += 1.0


@pytest.mark.parametrize("seed", range(150))
def test_it_ends_with_the_last_table_and_never_breaks_before_it_made(seed: int) -> None:
    run = Run(seed)
    for _ in range(150):
        run.step()
    run.finish()
    model, wanted = run.model, run.table
    bad = {name for name, row in wanted.of(CLUSTER).items() if (CLUSTER, name) in run.verdicts}

    def versions(type_url: str) -> dict[str, str]:
        return {name: row.version for name, row in wanted.of(type_url).items() if name not in bad}

    def good(found: dict[str, str]) -> dict[str, str]:
        return {name: version for name, version in found.items() if name not in bad}

    assert not model.warming
    assert good(model.clusters) == versions(CLUSTER)
    assert good(model.endpoints) == versions(ENDPOINT)
    assert model.listeners == versions(LISTENER)
    assert {name: version for name, (version, _) in model.routes.items()} == versions(ROUTE)
    assert run.session.settled == run.revision
    assert run.session.complete
