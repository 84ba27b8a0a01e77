"""TLSRoute and TCPRoute: connections by SNI, by port, by weight."""

from __future__ import annotations

from resolve_pem import secret
from resolve_world import World, found, gateway, service, targets, words


def tls_route(name: str, hosts: str, backend: str = "shop", section: str = "", created: str = "") -> str:
    where = f", sectionName: {section}" if section else ""
    stamp = f', creationTimestamp: "{created}"' if created else ""
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {{name: {name}{stamp}}}
spec:
  parentRefs: [{{name: web{where}}}]
  hostnames: {hosts}
  rules: [{{backendRefs: [{{name: {backend}, port: 80}}]}}]
"""


def tcp_route(name: str, references: str = "[{name: shop, port: 80}]", section: str = "", created: str = "") -> str:
    where = f", sectionName: {section}" if section else ""
    stamp = f', creationTimestamp: "{created}"' if created else ""
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {{name: {name}{stamp}}}
spec:
  parentRefs: [{{name: web{where}}}]
  rules: [{{backendRefs: {references}}}]
"""


def passthrough(name: str = "tls", hostname: str = "") -> str:
    host = f', hostname: "{hostname}"' if hostname else ""
    return f"{{name: {name}, port: 8443, protocol: TLS{host}, tls: {{mode: Passthrough}}}}"


def chains(world: World) -> dict[tuple[str, ...], str]:
    """Where connections go, by the names asked for."""
    (socket,) = world.plan().sockets
    return {chain.server_names: targets(getattr(chain.application, "shares", ())) for chain in socket.chains}


TERMINATE = """{name: end, port: 8443, protocol: TLS, hostname: b.test,
    tls: {mode: Terminate, certificateRefs: [{name: cert}]}}"""
TCP = "{name: tcp, port: 9000, protocol: TCP}"


def test_tls_routes_are_told_apart_by_sni() -> None:
    world = World(
        gateway(passthrough(hostname="*.example.com")),
        service("shop"),
        service("wild"),
        tls_route("one", "[a.example.com, b.example.com, elsewhere.test]"),
        tls_route("two", '["*.example.com"]', "wild"),
    )
    assert chains(world) == {
        ("a.example.com", "b.example.com"): "service/default/shop/80/passthrough",
        ("*.example.com",): "service/default/wild/80/passthrough",
    }
    assert world.plan().sockets[0].inspect_tls
    assert all(chain.tls is None for chain in world.plan().sockets[0].chains)
    assert world.plan().upstreams["service/default/shop/80/passthrough"].protocol == "tcp"
    assert world.listener("tls").attached_routes == 2


def test_of_two_tls_routes_for_one_name_the_oldest_has_it() -> None:
    world = World(
        gateway(passthrough()),
        service("shop"),
        service("old"),
        tls_route("a", "[x.test, y.test]", created="2025-02-01T00:00:00Z"),
        tls_route("b", "[x.test]", "old", created="2025-01-01T00:00:00Z"),
    )
    assert chains(world) == {
        ("x.test",): "service/default/old/80/passthrough",
        ("y.test",): "service/default/shop/80/passthrough",
    }


def test_a_name_belongs_to_the_most_specific_listener() -> None:
    world = World(
        gateway(passthrough(), passthrough("wild", "*.example.com")),
        service("shop"),
        tls_route("one", "[a.example.com, a.test]", section="tls"),
    )
    assert chains(world) == {("a.test",): "service/default/shop/80/passthrough"}


def test_terminated_and_passed_through_on_one_port() -> None:
    world = World(
        gateway(passthrough(hostname="a.test"), TERMINATE),
        secret("cert"),
        service("shop"),
        tls_route("pass", "[a.test]"),
        tls_route("end", "[b.test]"),
    )
    assert chains(world) == {
        ("a.test",): "service/default/shop/80/passthrough",
        ("b.test",): "service/default/shop/80/tcp",
    }
    (tls,) = (chain.tls for chain in world.plan().sockets[0].chains if chain.tls)
    assert (tls.certificates, tls.http) == (("secret/default/cert",), False)
    assert [kind for _, kind in world.listener("end").supported_kinds] == ["TLSRoute"]


def test_a_policy_encrypts_again_what_was_terminated_and_leaves_alone_what_passes_through() -> None:
    world = World(
        gateway(passthrough(hostname="a.test"), TERMINATE),
        secret("cert"),
        service("shop"),
        tls_route("pass", "[a.test]"),
        tls_route("end", "[b.test]"),
        """
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: p}
spec:
  targetRefs: [{group: "", kind: Service, name: shop}]
  validation: {hostname: b.test, wellKnownCACertificates: System}
""",
    )
    upstreams = world.plan().upstreams
    assert upstreams["service/default/shop/80/passthrough"].tls is None
    assert upstreams["service/default/shop/80/tcp"].tls is not None


def test_a_tls_route_needs_a_tls_listener() -> None:
    world = World(gateway("{name: http, port: 8080, protocol: HTTP}"), service("shop"), tls_route("one", "[a.test]"))
    assert words(world.route("one", "Accepted", kind="TLSRoute")) == ("False", "NotAllowedByListeners")
    world.apply(gateway(passthrough(hostname="b.test")))
    assert words(world.route("one", "Accepted", kind="TLSRoute")) == ("False", "NoMatchingListenerHostname")


def test_a_tls_listener_without_routes_closes_connections() -> None:
    world = World(gateway(passthrough()))
    assert chains(world) == {(): "503"}
    assert words(found(world.listener("tls").conditions, "Programmed")) == ("True", "Programmed")


def test_tcp_by_weight_and_with_backends_that_do_not_exist() -> None:
    world = World(
        gateway(TCP),
        service("shop"),
        tcp_route("one", "[{name: shop, port: 80, weight: 8}, {name: none, port: 80, weight: 2}]"),
    )
    application = world.tcp("tcp/9000")
    assert [(share.weight, targets([share])) for share in application.shares] == [
        (8, "service/default/shop/80/tcp"),
        (2, "503"),
    ]
    assert words(world.route("one", "ResolvedRefs", kind="TCPRoute")) == ("False", "BackendNotFound")
    assert words(world.route("one", "Accepted", kind="TCPRoute")) == ("True", "Accepted")


def test_all_tcp_routes_of_a_listener_are_accepted_and_the_oldest_is_served() -> None:
    world = World(
        gateway(TCP),
        service("shop"),
        service("old"),
        tcp_route("a", created="2025-02-01T00:00:00Z"),
        tcp_route("b", "[{name: old, port: 80}]", created="2025-01-01T00:00:00Z"),
    )
    assert targets(world.tcp("tcp/9000").shares) == "service/default/old/80/tcp"
    for name in "ab":
        assert words(world.route(name, "Accepted", kind="TCPRoute")) == ("True", "Accepted")
    assert world.listener("tcp").attached_routes == 2
    (said,) = world.said()
    assert (said.code.id, said.severity, said.object and said.object.name) == ("SMP0321", "warning", "a")
    world.delete("TCPRoute", "b")
    assert targets(world.tcp("tcp/9000").shares) == "service/default/shop/80/tcp"
    assert not world.said()


def test_a_tcp_route_attaches_to_every_tcp_listener() -> None:
    world = World(
        gateway(TCP, "{name: more, port: 9001, protocol: TCP}", "{name: http, port: 8080, protocol: HTTP}"),
        service("shop"),
        tcp_route("one"),
    )
    for port in (9000, 9001):
        assert targets(world.tcp(f"tcp/{port}").shares) == "service/default/shop/80/tcp"
    world.apply(tcp_route("one", section="http"))
    assert words(world.route("one", "Accepted", kind="TCPRoute")) == ("False", "NotAllowedByListeners")
    assert targets(world.tcp("tcp/9000").shares) == "503"
