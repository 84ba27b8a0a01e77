"""Documents in a folder, and one change of them after another, of all kinds, as people and deployments make them.

What is loaded must stay served through every change: routes that carry traffic get new weights, new services join them
and old ones leave, endpoints move, routes come and go beside them, the HTTPS listener's certificate is renewed.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import documents
from bench.certificates import Authority, Leaf
from bench.documents import Listener

WEB, API, SECURE, GRPC, SOCKETS = (f"{name}.example.com" for name in ("www", "api", "secure", "grpc", "ws"))
BACKGROUND = 50
"""Services with a route each that nobody asks: so that a change is one among many."""
LEAVES = 16
WIDTH = 3
"""Services behind each loaded route."""


@dataclass(slots=True)
class Loaded:
    """A route with traffic, and the services behind it with their weights."""

    name: str
    host: str
    path: str
    members: dict[str, int]
    section: str = "web"


@dataclass(frozen=True, slots=True)
class Ports:
    """`upstreams` answer HTTP/1.1 and HTTP/2; two each of gRPC and WebSocket upstreams."""

    web: int
    secure: int
    upstreams: Sequence[int]
    grpc: Sequence[int]
    sockets: Sequence[int]


@dataclass(slots=True)
class Mixed:
    folder: Path
    ports: Ports
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    made: Counter[str] = field(default_factory=Counter)
    authority: Authority = field(default_factory=Authority)
    _loaded: list[Loaded] = field(default_factory=list)
    _grpc: dict[str, int] = field(default_factory=dict)
    _sockets: dict[str, int] = field(default_factory=dict)
    _extra: deque[str] = field(default_factory=deque)
    _numbers: int = 0
    _leaves: list[Leaf] = field(default_factory=list)
    _order: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def targets(self, host: str) -> list[tuple[str, str]]:
        return [(one.host, f"{one.path}/x") for one in self._loaded if one.host == host]

    # ---- the first state

    def write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._leaves = [self.authority.leaf(SECURE) for _ in range(LEAVES)]
        self._certificate()
        self._put(
            "gateway",
            documents.gateway([Listener("web", self.ports.web), Listener("secure", self.ports.secure, "certificate")]),
        )
        self._put("retry", documents.no_retries())
        for number in range(BACKGROUND):
            name = f"background-{number}"
            self._service(name)
            self._put(f"route-{name}", documents.http_route(name, [(name, 1)], path=f"/{name}", hostname=WEB))
        for name, host, path, section in _LOADED:
            members = {self._fresh(name): 1 for _ in range(WIDTH)}
            self._loaded.append(Loaded(name, host, path, members, section))
            self._route(self._loaded[-1])
        for kind, ports, weights, protocol in (
            ("grpc", self.ports.grpc, self._grpc, "kubernetes.io/h2c"),
            ("socket", self.ports.sockets, self._sockets, "kubernetes.io/ws"),
        ):
            for number, port in enumerate(ports):
                self._put(
                    f"{kind}-{number}", documents.service_with_endpoints(f"{kind}-{number}", port, protocol=protocol)
                )
                weights[f"{kind}-{number}"] = 1
        self._streams()

    # ---- changes

    def change(self) -> str:
        """Makes the next change and gives its kind. All kinds get their turn, each time in another order."""
        if not self._order:
            self._order = [*_KINDS]
            self.chance.shuffle(self._order)
        kind = self._order.pop()
        getattr(self, kind)()
        self.made[kind] += 1
        return kind

    def weights(self) -> None:
        one = self.chance.choice(self._loaded)
        for member in one.members:
            one.members[member] = self.chance.randint(1, 100)
        self._route(one)

    def new_service(self) -> None:
        """A service comes, and takes traffic with the next write: the route's."""
        one = self.chance.choice(self._loaded)
        one.members[self._fresh(one.name)] = self.chance.randint(1, 100)
        self._route(one)

    def removed_service(self) -> None:
        """A service that has traffic leaves its route and is gone with the next write."""
        one = max(self._loaded, key=lambda loaded: len(loaded.members))
        if len(one.members) < 2:
            self.new_service()
            return
        name = self.chance.choice(sorted(one.members))
        del one.members[name]
        self._route(one)
        (self.folder / f"{name}.yaml").unlink()
        del self._places[name]

    def moved_endpoint(self) -> None:
        """A service that has traffic is served elsewhere."""
        one = self.chance.choice(self._loaded)
        self._service(self.chance.choice(sorted(one.members)))

    def new_route(self) -> None:
        """A route with a longer path than a loaded one's comes: it is looked at first and takes nothing away."""
        one = self.chance.choice(self._loaded)
        self._numbers += 1
        name = f"extra-{self._numbers}"
        text = documents.http_route(
            name, [("background-0", 1)], path=f"{one.path}/{name}", hostname=one.host, section=one.section
        )
        self._put(name, text)
        self._extra.append(name)

    def removed_route(self) -> None:
        if not self._extra:
            self.new_route()
            return
        (self.folder / f"{self._extra.popleft()}.yaml").unlink()

    def certificate(self) -> None:
        self._certificate()

    def stream_weights(self) -> None:
        for weights in (self._grpc, self._sockets):
            for name in weights:
                weights[name] = self.chance.randint(1, 100)
        self._streams()

    # ---- writing

    def _fresh(self, name: str) -> str:
        self._numbers += 1
        fresh = f"{name}-{self._numbers}"
        self._service(fresh)
        return fresh

    def _service(self, name: str) -> None:
        before = self._places.get(name)
        self._places[name] = self.chance.choice([port for port in self.ports.upstreams if port != before])
        self._put(name, documents.service_with_endpoints(name, self._places[name]))

    def _route(self, one: Loaded) -> None:
        text = documents.http_route(
            one.name, list(one.members.items()), path=one.path, hostname=one.host, section=one.section
        )
        self._put(f"route-{one.name}", text)

    def _streams(self) -> None:
        self._put("route-grpc", documents.grpc_route("grpc", list(self._grpc.items()), service_name="bench.Echo"))
        self._put("route-ws", documents.http_route("ws", list(self._sockets.items()), path="/ws", hostname=SOCKETS))

    def _certificate(self) -> None:
        """The next one in turn; each differs from the one before."""
        self._leaves.append(self._leaves.pop(0))
        leaf = self._leaves[0]
        self._put("certificate", documents.secret("certificate", leaf.certificate, leaf.key))

    def _put(self, name: str, text: str) -> None:
        documents.put(self.folder / f"{name}.yaml", text)


_KINDS = (
    "weights",
    "weights",
    "new_service",
    "removed_service",
    "moved_endpoint",
    "new_route",
    "removed_route",
    "certificate",
    "stream_weights",
)
_LOADED = (
    ("www-a", WEB, "/a", "web"),
    ("www-b", WEB, "/b", "web"),
    ("www-c", WEB, "/c", "web"),
    ("api-a", API, "/a", "web"),
    ("api-b", API, "/b", "web"),
    ("secure-a", SECURE, "/a", "secure"),
)
