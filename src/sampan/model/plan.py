"""The Plan: what the documents mean for one asker, free of protobufs and of any configuration language.

Resolving makes it; compiling, status, `describe`, the balancer in the kernel and the dashboard read it. Its parts are
compared by identity (`eq=False`): a part that did not change is the same object in the next Plan, which is how a
compile unit knows that its last result still holds. Names of Envoy resources are made here, once, by `model.names`.

    Plan
      sockets     what listens on a port: chains, each chosen by SNI
        chain     HttpApplication (hosts → ordered entries → actions → shares of upstreams) or TcpApplication
      upstreams   where requests go: protocol, TLS, policies, and how endpoints are found
      certificates, trust bundles
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sampan.model.names import Ref
from sampan.model.policy import NO_POLICIES, Policies

# ---- who asks


@dataclass(frozen=True, slots=True, order=True)
class View:
    """The class of asker a Plan is for: so far a Gateway. Hashable; one Plan, one Table and one proxy for each."""

    gateway: Ref

    @property
    def proxy(self) -> str:
        """The proxy's name, `namespace/name`; also its Envoy's node id."""
        return f"{self.gateway.namespace}/{self.gateway.name}"


# ---- matching a request


@dataclass(frozen=True, slots=True)
class PathMatch:
    """`prefix` matches by path segment: `/shop` matches `/shop` and `/shop/a`, not `/shopping`."""

    kind: Literal["exact", "prefix", "regex"]
    value: str


@dataclass(frozen=True, slots=True)
class ValueMatch:
    """Of a header (name in lower case) or a query parameter. A regex must match the whole value."""

    name: str
    kind: Literal["exact", "regex"]
    value: str


@dataclass(frozen=True, slots=True)
class Match:
    """All parts must hold. `grpc` asks for a gRPC request (content type `application/grpc…`)."""

    path: PathMatch = PathMatch("prefix", "/")
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    method: str = ""
    grpc: bool = False


# ---- what to do with it


@dataclass(frozen=True, slots=True)
class HeaderChanges:
    """Applied as: remove, then set (replace), then add (append)."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.set or self.add or self.remove)


NO_CHANGES = HeaderChanges()


@dataclass(frozen=True, slots=True)
class PathRewrite:
    """`full` puts `value` for the whole path; `prefix` puts it for `matched` (the prefix that matched)."""

    kind: Literal["full", "prefix"]
    value: str
    matched: str = ""


@dataclass(frozen=True, slots=True)
class Rewrite:
    hostname: str = ""
    path: PathRewrite | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """To an upstream, by its name in `Plan.upstreams`."""

    upstream: str
    rewrite: Rewrite | None = None


@dataclass(frozen=True, slots=True)
class Redirect:
    """Empty parts stay as requested. `port` None leaves the port out or as requested, already decided by resolving."""

    status: int = 302
    scheme: str = ""
    hostname: str = ""
    port: int | None = None
    path: PathRewrite | None = None


@dataclass(frozen=True, slots=True)
class Respond:
    """An answer from the proxy itself. `reason` is for people (`describe`), not for the wire."""

    status: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of `numerator` in `denominator` requests goes to the upstream; its answer is dropped."""

    upstream: str
    numerator: int = 100
    denominator: int = 100


@dataclass(frozen=True, slots=True)
class Cors:
    """GEP-1767. Origins may hold one `*` label; `*` alone stands for every origin, method or header."""

    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    max_age: int = 5


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """One part of an action's traffic: `weight` of the sum of weights, always above 0.

    `policies` are the effective values for this rule *and* this backend (a policy on a Service is the most specific).
    """

    weight: int
    target: Forward | Redirect | Respond
    request_headers: HeaderChanges = NO_CHANGES
    response_headers: HeaderChanges = NO_CHANGES
    mirrors: tuple[Mirror, ...] = ()
    policies: Policies = field(default_factory=lambda: NO_POLICIES)


@dataclass(frozen=True, slots=True)
class RuleOrigin:
    """Which rule of which route: provenance for NACKs and `describe`. `rule_name` is the rule's own name or ""."""

    route: Ref
    rule: int
    rule_name: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """What a rule does with a request that matched. Shared by all matches and hosts of the rule.

    `name` is the rule's name in the statistics (`resource_name("httproute", namespace, name, rule)`).
    `policies` are the effective values of the rule itself, before a backend is chosen.
    `shares` is never empty: a rule without a valid backend has one share that responds with 500.
    """

    name: str
    origin: RuleOrigin
    shares: tuple[Share, ...]
    request_headers: HeaderChanges = NO_CHANGES
    response_headers: HeaderChanges = NO_CHANGES
    mirrors: tuple[Mirror, ...] = ()
    cors: Cors | None = None
    policies: Policies = field(default_factory=lambda: NO_POLICIES)
    grpc: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One line of a host's table: the first entry whose match holds wins."""

    match: Match
    action: Action


@dataclass(frozen=True, slots=True, eq=False)
class Host:
    """One domain ("*", "*.suffix" or exact) with its entries in the order of the Gateway API's precedence.

    `misdirected`: this host belongs to another listener of the port, so a request for it on this connection gets 421.
    No entry matching means 404.
    """

    name: str
    domain: str
    entries: tuple[Entry, ...]
    misdirected: bool = False


# ---- ways in


@dataclass(frozen=True, slots=True, eq=False)
class HttpApplication:
    """`name` is the name of the routing table (Envoy's RouteConfiguration) and of the connection's statistics."""

    name: str
    hosts: tuple[Host, ...]
    policies: Policies = field(default_factory=lambda: NO_POLICIES)


@dataclass(frozen=True, slots=True, eq=False)
class TcpApplication:
    """Bytes to upstreams by weight; every share's target is a Forward, or a Respond for one that cannot be served
    (the connection is closed)."""

    name: str
    shares: tuple[Share, ...]
    origin: RuleOrigin | None = None
    policies: Policies = field(default_factory=lambda: NO_POLICIES)


@dataclass(frozen=True, slots=True)
class ClientValidation:
    """Of the certificates of clients. `required` False lets clients without (or with an unknown) certificate in."""

    trust: tuple[str, ...]
    required: bool = True


@dataclass(frozen=True, slots=True)
class DownstreamTls:
    """`certificates` are names in `Plan.certificates`, each reachable by SNI and key type."""

    certificates: tuple[str, ...]
    client_validation: ClientValidation | None = None
    minimum_version: Literal["", "1.2", "1.3"] = ""
    maximum_version: Literal["", "1.2", "1.3"] = ""
    http: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """One way in on a socket. `server_names` () is the chain for every other connection; with `tls` None and names,
    TLS passes through unopened. `listeners` are the names of the Gateway's listeners that are served here."""

    name: str
    application: HttpApplication | TcpApplication
    server_names: tuple[str, ...] = ()
    tls: DownstreamTls | None = None
    listeners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Socket:
    """What listens on one port. `addresses` () means every address of the machine."""

    name: str
    port: int
    chains: tuple[Chain, ...]
    addresses: tuple[str, ...] = ()
    inspect_tls: bool = False


# ---- upstreams


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One place where an upstream is served: an IP address, a DNS name, or a Unix socket's path with port 0."""

    address: str
    port: int
    weight: int = 1
    state: Literal["ready", "draining", "down"] = "ready"
    zone: str = ""
    region: str = ""

    @property
    def unix(self) -> bool:
        return self.address.startswith("/")


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    """`trust` names of bundles, or () for the system's own. `names` are the subject alternative names accepted, as
    (type, value); () accepts `sni` alone. `certificate` names the client's own, or ""."""

    sni: str
    trust: tuple[str, ...] = ()
    names: tuple[tuple[Literal["dns", "uri"], str], ...] = ()
    certificate: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Upstream:
    """Where requests go: one Envoy cluster.

    `owner` and `port` say whose it is (a Service and its port, or a Backend). `group` names the endpoints, which have
    a road of their own (`discovery` "endpoints") and are shared by all upstreams of the same owner and port;
    with "dns" they are names to be looked up and stand in `endpoints` here.
    """

    name: str
    owner: Ref
    port: int
    group: str
    discovery: Literal["endpoints", "dns"] = "endpoints"
    protocol: Literal["http1", "http2", "tcp"] = "http1"
    tls: UpstreamTls | None = None
    endpoints: tuple[Endpoint, ...] = ()
    policies: Policies = field(default_factory=lambda: NO_POLICIES)


@dataclass(frozen=True, slots=True, eq=False)
class EndpointGroup:
    """The endpoints of one group, in a fixed order. Never part of a Plan: a changed endpoint recompiles nothing."""

    name: str
    endpoints: tuple[Endpoint, ...]


# ---- certificates


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A certificate chain and its private key, PEM. The key never shows in `repr`, logs, dumps or goldens."""

    name: str
    chain: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class TrustBundle:
    """Certificates of authorities, PEM."""

    name: str
    bundle: bytes


# ---- the whole


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything for one View. Maps are by name; every name that a part refers to is in them."""

    view: View
    sockets: tuple[Socket, ...] = ()
    upstreams: Mapping[str, Upstream] = field(default_factory=dict)
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    trust: Mapping[str, TrustBundle] = field(default_factory=dict)
