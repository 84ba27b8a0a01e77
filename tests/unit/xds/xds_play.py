"""A proxy made of words: scripts of what it asks and answers, checked against what it is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sampan.envoy import protos
from sampan.envoy.table import Row, Table, difference, row
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, word
from sampan.xds.message import Request
from sampan.xds.session import Session


def cluster(name: str, seconds: int = 1) -> Row:
    message = protos.cluster.Cluster(name=name, type=protos.cluster.Cluster.EDS)
    message.connect_timeout.seconds = seconds
    return row(CLUSTER, name, message.SerializeToString())


def endpoints(name: str, port: int = 80) -> Row:
    message = protos.endpoint.ClusterLoadAssignment(cluster_name=name)
    message.endpoints.add().lb_endpoints.add().endpoint.address.socket_address.port_value = port
    return row(ENDPOINT, name, message.SerializeToString())


def service(name: str) -> list[Row]:
    return [cluster(name), endpoints(name)]


def listener(name: str, secret: str = "", seconds: int = 1) -> Row:
    message = protos.listener.Listener(name=name)
    message.listener_filters_timeout.seconds = seconds
    manager = protos.http.HttpConnectionManager(stat_prefix=name)
    manager.rds.route_config_name = name
    chain = message.filter_chains.add()
    chain.filters.add(name="http").typed_config.Pack(manager)
    if secret:
        context = protos.tls.DownstreamTlsContext()
        sds = context.common_tls_context.tls_certificate_sds_secret_configs.add(name=secret)
        sds.sds_config.ads.SetInParent()
        chain.transport_socket.typed_config.Pack(context)
    return row(LISTENER, name, message.SerializeToString())


def routes(name: str, *clusters: str) -> Row:
    message = protos.route.RouteConfiguration(name=name)
    host = message.virtual_hosts.add(name="all", domains=["*"])
    for target in clusters:
        host.routes.add().route.cluster = target
    return row(ROUTE, name, message.SerializeToString())


def secret(name: str, content: str = "") -> Row:
    message = protos.tls.Secret(name=name)
    message.generic_secret.secret.inline_string = content
    return row(SECRET, name, message.SerializeToString())


class Play:
    """A session with a clock in the script's hand. `sent()` gives what goes out as words: `"cluster a b -gone"`."""

    def __init__(self, session: Session | None = None) -> None:
        self.session = session or Session({}, hold=2.0, linger=1.0)
        self.now = 100.0
        self.table = Table()
        self.revision = 0
        self.nonces: dict[str, str] = {}
        self.versions: dict[str, dict[str, str]] = {}

    def publish(self, rows: Iterable[Row] = (), removed: Iterable[tuple[str, str]] = ()) -> int:
        after = self.table.with_rows(rows, removed)
        change = difference(self.table, after)
        names = {type_url: found.changed | found.removed for type_url, found in change.types.items()}
        self.table, self.revision = after, self.revision + 1
        self.session.offer(after, names, self.revision, self.now)
        return self.revision

    def publish_endpoints(self, *rows: Row) -> int:
        self.table, self.revision = self.table.with_rows(rows), self.revision + 1
        self.session.offer_rows(self.table, {ENDPOINT: {item.name for item in rows}}, self.revision, self.now)
        return self.revision

    def ask(self, type_url: str, *names: str, have: Mapping[str, str] | None = None, drop: Iterable[str] = ()) -> None:
        self.session.receive(Request(type_url, names, tuple(drop), have or {}), self.now)

    def ack(self, *types: str) -> None:
        for type_url in types:
            self.session.receive(Request(type_url, nonce=self.nonces.pop(type_url)), self.now)

    def nack(self, type_url: str, error: str) -> None:
        self.session.receive(Request(type_url, nonce=self.nonces.pop(type_url), error=error), self.now)

    def sent(self) -> list[str]:
        """Everything that goes out now, in order."""
        out: list[str] = []
        while (body := self.session.next_response(self.now)) is not None:
            message = protos.discovery.DeltaDiscoveryResponse.FromString(body)
            assert message.type_url not in self.nonces, "a second response before the answer to the first"
            self.nonces[message.type_url] = message.nonce
            have = self.versions.setdefault(message.type_url, {})
            have.update({resource.name: resource.version for resource in message.resources})
            names = [resource.name for resource in message.resources]
            out.append(" ".join([word(message.type_url), *names, *(f"-{name}" for name in message.removed_resources)]))
        return out

    def events(self, kind: type[Any]) -> list[Any]:
        found = [event for event in self.session.events if isinstance(event, kind)]
        self.session.events = [event for event in self.session.events if not isinstance(event, kind)]
        return found

    def start(self, *rows: Row) -> None:
        """A proxy that has all of these rows confirmed."""
        self.publish(rows)
        names = {type_url: sorted(self.table.of(type_url)) for type_url in (ENDPOINT, SECRET, ROUTE)}
        for type_url in (CLUSTER, ENDPOINT, SECRET, LISTENER, ROUTE):
            wanted = names.get(type_url)
            if wanted != []:
                self.ask(type_url, *(wanted or ()))
            while self.sent():
                self.ack(*list(self.nonces))
        assert self.session.settled == self.revision
        assert self.session.complete
        self.session.events.clear()

    def settle(self) -> list[str]:
        """Answers everything until nothing more comes; gives all that was sent."""
        out: list[str] = []
        while sent := self.sent():
            out += sent
            self.ack(*list(self.nonces))
        return out
