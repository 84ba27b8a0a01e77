"""TLSRoutes: passing through, ending TLS, both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from .certificates import authority, client_context, server_context, tls_secret
from .greetings import greeting
from .marks import case, void
from .settled import TAKEN, WHOLE, Listener, settled, until_listeners, until_refused
from .test_http_references import ROUTES
from .world import STEADY, Document, Wanted, World, free_port, gateway, grant, http_listener, route, service, until

pytestmark = pytest.mark.envoy

WILD = "*.example.com"
TAKES_NONE_YET = Listener(0, ["TLSRoute"], [("Accepted", "True", "Accepted")])


class Tls:
    """A namespace with the HTTPS services `a` and `b` (for every name used here), and two that speak first over TCP:
    `secure` with TLS, `plain` without."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.namespace = world.namespace()
        self.file = f"{self.namespace}-all"
        self.files = [self.namespace, self.file]
        pair = authority().leaf("abc.example.com", "other.example.com", "tls.example.com")
        self.basis: list[Document] = []
        for name in ("a", "b"):
            port = world.backends.http(self.backend(name), server_context(pair))
            self.basis += service(self.namespace, name, port, number=443)
        secure = world.backends.tcp(self.backend("secure"), server_context(pair))
        self.basis += service(self.namespace, "secure", secure, number=8443)
        self.basis += service(self.namespace, "plain", world.backends.tcp(self.backend("plain")), number=3000)
        self.basis.append(tls_secret(self.namespace, "certificate", authority().leaf("tls.example.com")))

    def backend(self, name: str) -> str:
        return f"{self.namespace}-{name}"

    def write(self, *documents: Document) -> None:
        self.world.apply(self.file, *self.basis, *documents)

    def apply(self, *documents: Document, routes: Sequence[Wanted] = WHOLE) -> None:
        """Gateways are in force then, and routes have these conditions."""
        self.write(*documents)
        settled(self.world, documents, routes)

    def route(
        self, gateway_name: str, hosts: list[str], backend: Document, name: str = "route", **parent: str
    ) -> Document:
        rules = [{"backendRefs": [{"port": 443, **backend}]}]
        return route("TLSRoute", self.namespace, name, [{"name": gateway_name, **parent}], rules, hostnames=hosts)

    def expect(self, wanted: str, port: int, host: str) -> None:
        """That service answers over HTTPS with a certificate for the name, and sees the name."""
        answer = self.world.until_backend(self.backend(wanted), port, host=host, tls=client_context(authority()))
        assert answer.body["tls"]["sni"] == host

    def greets(self, wanted: str, port: int, host: str) -> None:
        """That service speaks first, over TLS with a certificate for the name. `secure` ends TLS itself and sees the
        name; for `plain` the gateway did."""
        backend = self.backend(wanted)

        def greeted() -> list[str]:
            return [greeting(port, client_context(authority()), host) for _ in range(STEADY)]

        until(lambda: set(greeted()) == {backend}, lambda: (backend, greeted()))
        seen = self.world.backends.seen[backend][-1]
        assert seen.get("tls", {}).get("sni") == (host if wanted == "secure" else None)
        assert ("tls" in seen) == (wanted == "secure")

    def refused(self, port: int, name: str) -> None:
        """A connection that asks for the name is taken, and closed or reset before TLS begins, without an alert."""
        tls = client_context(None)
        errors = ("SSLEOFError", "ConnectionResetError")
        self.world.until_answer(port, host=name, tls=tls, right=lambda answer: answer.error.startswith(errors))

    def condition(self, type_: str, status: str, reason: str, name: str = "route") -> None:
        self.world.until_route("TLSRoute", self.namespace, name, type_, status, reason)

    def not_taken(self, name: str, reason: str, gateway_name: str) -> None:
        until_refused(self.world, "TLSRoute", self.namespace, name, reason, gateway_name)


def passing(port: int, name: str = "tls", host: str = "", **more: object) -> Document:
    about: Document = {"name": name, "port": port, "protocol": "TLS", "tls": {"mode": "Passthrough"}, **more}
    return {**about, "hostname": host} if host else about


def ending(port: int, host: str, name: str = "terminate") -> Document:
    tls = {"mode": "Terminate", "certificateRefs": [{"name": "certificate"}]}
    return {"name": name, "port": port, "protocol": "TLS", "hostname": host, "tls": tls}


@pytest.fixture
def tls(world: World) -> Iterator[Tls]:
    found = Tls(world)
    yield found
    world.remove(*found.files)


@case("TLSRouteSimpleSameNamespace")
def test_a_route_by_name(tls: Tls) -> None:
    port = free_port()
    tls.apply(
        gateway(tls.namespace, "pass", passing(port, host=WILD)),
        tls.route("pass", ["abc.example.com"], {"name": "secure", "port": 8443}),
    )
    tls.greets("secure", port, "abc.example.com")


@case("TLSRouteTerminateSimpleSameNamespace")
def test_tls_ends_at_the_gateway(tls: Tls) -> None:
    port = free_port()
    tls.apply(
        gateway(tls.namespace, "end", ending(port, "tls.example.com")),
        tls.route("end", ["tls.example.com"], {"name": "plain", "port": 3000}),
    )
    tls.greets("plain", port, "tls.example.com")


@case("TLSRouteMixedTerminationSameNamespace")
def test_both_on_one_port(tls: Tls) -> None:
    port = free_port()
    listeners = (ending(port, "tls.example.com"), passing(port, "passthrough", "abc.example.com"))
    tls.apply(
        gateway(tls.namespace, "both", *listeners),
        tls.route("both", ["abc.example.com"], {"name": "secure", "port": 8443}, "through"),
        tls.route("both", ["tls.example.com"], {"name": "plain", "port": 3000}, "ended"),
    )
    one = Listener(1, ["TLSRoute"], [("Accepted", "True", "Accepted")])
    until_listeners(tls.world, tls.namespace, "both", {"terminate": one, "passthrough": one})
    tls.greets("plain", port, "tls.example.com")
    tls.greets("secure", port, "abc.example.com")


@case("TLSRouteHostnameIntersection")
def test_where_names_of_routes_and_listeners_meet(tls: Tls) -> None:
    ports = {name: free_port() for name in ("exact", "narrow", "wide", "any")}
    hosts = {"exact": "abc.example.com", "narrow": WILD, "wide": "*.com", "any": ""}
    documents = [gateway(tls.namespace, name, passing(ports[name], host=hosts[name])) for name in ports]
    wild = {"exact": (WILD, "a"), "narrow": ("*.com", "b"), "wide": (WILD, "b"), "any": ("*.com", "b")}
    for name, (host, backend) in wild.items():
        documents.append(tls.route(name, [host], {"name": backend}, f"wild-{name}"))
        if name != "exact":
            documents.append(tls.route(name, ["abc.example.com"], {"name": "a"}, f"exact-{name}"))
    tls.apply(*documents)
    for name, port in ports.items():
        tls.expect("a", port, "abc.example.com")
        if name != "exact":
            tls.expect("b", port, "other.example.com")
        # Of `wide` the listener has this name, but no route of it.
        tls.refused(port, "non.matching.org" if name == "any" else "non.matching.com")


@case("TLSRouteInvalidBackendRefNonexistent")
def test_a_backend_that_does_not_exist(tls: Tls) -> None:
    assert_bad_backend(tls, {"name": "nonexistent"}, "BackendNotFound")


@case("TLSRouteInvalidBackendRefUnknownKind")
def test_a_backend_of_an_unknown_kind(tls: Tls) -> None:
    assert_bad_backend(tls, {"group": "unknown.example", "kind": "Nonexistent", "name": "a"}, "InvalidKind")


def assert_bad_backend(tls: Tls, backend: Document, reason: str) -> None:
    port = free_port()
    found = tls.route("pass", ["abc.example.com"], backend)
    tls.apply(gateway(tls.namespace, "pass", passing(port)), found, routes=TAKEN)
    tls.condition("ResolvedRefs", "False", reason)
    tls.refused(port, "abc.example.com")


@case("TLSRouteInvalidNoMatchingListenerHostname")
def test_no_listener_has_the_name(tls: Tls) -> None:
    only: Document = {"allowedRoutes": {"namespaces": {"from": "Same"}, "kinds": [{"kind": "TLSRoute"}]}}
    tls.apply(
        gateway(tls.namespace, "exact", passing(free_port(), host="www.example.com", **only)),
        gateway(tls.namespace, "wild", passing(free_port(), host=WILD, **only)),
        tls.route("exact", ["www.nomatch.com", "*.nomatch.com"], {"name": "a"}, "one"),
        tls.route("wild", ["www.different.com", "*.different.com"], {"name": "a"}, "two"),
        routes=(),
    )
    tls.not_taken("one", "NoMatchingListenerHostname", "exact")
    tls.not_taken("two", "NoMatchingListenerHostname", "wild")


@case("TLSRouteInvalidNoMatchingListener")
def test_listeners_of_other_protocols_and_names(tls: Tls) -> None:
    https = http_listener(free_port(), "https", protocol="HTTPS", tls=ending(0, "")["tls"])
    tls.apply(
        gateway(tls.namespace, "pass", passing(free_port(), "tls-passthrough")),
        gateway(tls.namespace, "http-only", http_listener(free_port())),
        gateway(tls.namespace, "https-only", https),
        tls.route("http-only", ["tls.example.com"], {"name": "a"}, "http"),
        tls.route("https-only", ["tls.example.com"], {"name": "a"}, "https"),
        tls.route("pass", ["tls.example.com"], {"name": "a"}, "section", sectionName="nonexistent"),
        routes=(),
    )
    tls.not_taken("http", "NotAllowedByListeners", "http-only")
    tls.not_taken("https", "NotAllowedByListeners", "https-only")
    tls.not_taken("section", "NoMatchingParent", "pass")


@case("TLSRouteInvalidReferenceGrant")
def test_grants_that_are_wrong_in_one_point_each(tls: Tls) -> None:
    other = tls.world.namespace()
    tls.files.append(other)
    right = {**ROUTES, "kind": "TLSRoute", "namespace": tls.namespace}
    target = {"group": "", "kind": "Service", "name": "away"}
    wrong = [
        (tls.namespace, right, target),
        (other, {**right, "group": "other.example"}, target),
        (other, {**right, "kind": "Gateway"}, target),
        (other, {**right, "namespace": "other"}, target),
        (other, right, {**target, "group": "other.example"}),
        (other, right, {**target, "kind": "Secret"}),
        (other, right, {**target, "name": "other"}),
    ]
    tls.apply(
        *service(other, "away", free_port(), number=443),
        *(grant(place, f"wrong-{n}", origin, to) for n, (place, origin, to) in enumerate(wrong)),
        gateway(tls.namespace, "pass", passing(free_port(), host=WILD)),
        tls.route("pass", ["abc.example.com"], {"name": "away", "namespace": other}),
        routes=TAKEN,
    )
    tls.condition("ResolvedRefs", "False", "RefNotPermitted")


@case("TLSRouteListenerPassthroughSupportedKinds")
def test_a_passthrough_listener_serves_no_tcp_routes(tls: Tls) -> None:
    kinds = {"namespaces": {"from": "Same"}, "kinds": [{"kind": "TCPRoute"}, {"kind": "TLSRoute"}]}
    tls.write(gateway(tls.namespace, "pass", passing(free_port(), allowedRoutes=kinds)))
    invalid = Listener(0, ["TLSRoute"], [("ResolvedRefs", "False", "InvalidRouteKinds")])
    until_listeners(tls.world, tls.namespace, "pass", {"tls": invalid})
    assert_only_tls_routes(tls, "pass")


@case("TLSRouteListenerTerminateSupportedKinds")
def test_a_terminating_listener_serves_tls_routes(tls: Tls) -> None:
    listener = ending(free_port(), "tls.example.com")
    listener["allowedRoutes"] = {"namespaces": {"from": "Same"}, "kinds": [{"kind": "TLSRoute"}]}
    tls.apply(gateway(tls.namespace, "end", listener))
    until_listeners(tls.world, tls.namespace, "end", {"terminate": TAKES_NONE_YET})
    assert_only_tls_routes(tls, "end")


@void("asked only of gateways without TLSRouteModeTerminate")
@case("TLSRouteListenerTerminateNotSupported")
def test_ending_tls_is_not_refused(tls: Tls) -> None:
    tls.apply(gateway(tls.namespace, "end", ending(free_port(), "tls.example.com")))
    until_listeners(tls.world, tls.namespace, "end", {"terminate": TAKES_NONE_YET})


@void("asked only of gateways without TLSRouteModeMixed")
@case("TLSRouteListenerMixedTerminationNotSupported")
def test_ending_and_passing_on_one_port_is_not_refused(tls: Tls) -> None:
    port = free_port()
    listeners = (ending(port, "tls.example.com"), passing(port, "passthrough", "abc.example.com"))
    tls.apply(gateway(tls.namespace, "both", *listeners))
    expected = {"terminate": TAKES_NONE_YET, "passthrough": TAKES_NONE_YET}
    until_listeners(tls.world, tls.namespace, "both", expected)


def assert_only_tls_routes(tls: Tls, gateway_name: str) -> None:
    (item,) = tls.world.status("Gateway", tls.namespace, gateway_name)["listeners"]
    assert [kind["kind"] for kind in item["supportedKinds"]] == ["TLSRoute"]
