"""TLS of listeners: certificates, clients' certificates, SNI, hosts that are another listener's."""

from __future__ import annotations

import pytest
from resolve_pem import authorities, pair, secret
from resolve_world import World, found, gateway, route, served, service, words


def https(
    name: str = "https", hostname: str = "", references: str = "[{name: cert}]", extra: str = "", port: int = 8443
) -> str:
    host = f', hostname: "{hostname}"' if hostname else ""
    return f"{{name: {name}, port: {port}, protocol: HTTPS{host}, tls: {{certificateRefs: {references}{extra}}}}}"


def test_a_certificate_is_served() -> None:
    world = World(gateway(https(hostname="a.test")), secret("cert"), service("shop"), route("shop", "/"))
    chain = world.chain("https/8443/https")
    assert chain.server_names == ("a.test",)
    assert chain.tls is not None
    assert chain.tls.certificates == ("secret/default/cert",)
    certificate = world.plan().certificates["secret/default/cert"]
    assert (certificate.chain.decode(), certificate.key.decode()) == pair("cert", False)
    assert "PRIVATE" not in repr(certificate)
    assert world.plan().sockets[0].inspect_tls
    assert words(found(world.listener("https").conditions, "Programmed")) == ("True", "Programmed")
    assert served(world, "https/8443/https") == {"a.test": ["/"]}


@pytest.mark.parametrize(
    ("references", "documents", "reason", "code"),
    [
        ("[{name: none}]", [], "InvalidCertificateRef", "SMP0311"),
        ("[{group: example.com, kind: Secret, name: cert}]", [], "InvalidCertificateRef", "SMP0312"),
        ("[{kind: Other, name: cert}]", [], "InvalidCertificateRef", "SMP0312"),
        ("[{name: cert}]", [secret("cert", tls_crt="")], "InvalidCertificateRef", "SMP0308"),
        ("[{name: cert}]", [secret("cert", tls_crt="nonsense\n")], "InvalidCertificateRef", "SMP0308"),
        ("[{name: cert}]", [secret("cert", tls_key="nonsense\n")], "InvalidCertificateRef", "SMP0308"),
        ("[{name: cert}]", [secret("cert", tls_key=pair("other")[1])], "InvalidCertificateRef", "SMP0308"),
        ("[{name: cert, namespace: far}]", [secret("cert", namespace="far")], "RefNotPermitted", "SMP0310"),
    ],
)
def test_certificates_that_cannot_be_used(references: str, documents: list[str], reason: str, code: str) -> None:
    world = World(gateway(https(references=references), "{name: http, port: 8080, protocol: HTTP}"), *documents)
    conditions = world.listener("https").conditions
    assert words(found(conditions, "ResolvedRefs")) == ("False", reason)
    assert words(found(conditions, "Accepted")) == ("True", "Accepted")
    assert words(found(conditions, "Programmed")) == ("False", "Invalid")
    assert words(world.gateway("Accepted")) == ("True", "Accepted")
    assert words(world.gateway("ResolvedRefs")) == ("False", "ListenersNotResolved")
    assert [item.code.id for item in world.said()] == [code]
    assert world.said()[0].field[:5] == ("spec", "listeners", 0, "tls", "certificateRefs")
    assert "nonsense" not in world.said()[0].reason
    assert [chain.name for socket in world.plan().sockets for chain in socket.chains] == ["http/8080", "closed/8443"]
    assert not world.plan().certificates


@pytest.mark.parametrize(("tls", "field"), [("", ("spec", "listeners", 0)), (", tls: {options: {a.b/c: d}}", "tls")])
def test_a_listener_that_ends_tls_and_names_no_certificate_is_told(tls: str, field: object) -> None:
    (said,) = World(gateway(f"{{name: https, port: 8443, protocol: HTTPS{tls}}}")).said()
    assert said.code.id == "SMP0308"
    assert field in (said.field, said.field[-1])
    assert "names no certificate" in said.reason


def test_routes_attach_to_a_listener_without_a_certificate() -> None:
    world = World(gateway(https(references="[{name: none}]")), service("shop"), route("shop", "/"))
    assert world.listener("https").attached_routes == 1
    assert words(world.route("shop", "Accepted")) == ("True", "Accepted")


def test_a_grant_permits_a_certificate_elsewhere() -> None:
    grant = """
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: grant, namespace: far}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: default}]
  to: [{group: "", kind: Secret, name: cert}]
"""
    world = World(gateway(https(references="[{name: cert, namespace: far}]")), secret("cert", namespace="far"), grant)
    assert list(world.plan().certificates) == ["secret/far/cert"]
    assert words(found(world.listener("https").conditions, "ResolvedRefs")) == ("True", "ResolvedRefs")


def test_an_expired_certificate_is_served_and_said() -> None:
    world = World(gateway(https()), secret("cert", expired=True), now="2025-05-31T00:00:00Z")
    assert not world.said()
    world.now = "2025-06-01T00:00:00Z"
    world.apply()
    (said,) = world.said()
    assert said.code.id == "SMP0309"
    assert "2025-06-01T00:00:00Z" in said.reason
    assert world.chain("https/8443/https").tls is not None
    assert words(found(world.listener("https").conditions, "Programmed")) == ("True", "Programmed")


def test_a_renewed_certificate_changes_nothing_else() -> None:
    world = World(gateway(https()), secret("cert"), service("shop"), route("shop", "/"))
    before = world.plan()
    world.apply(secret("cert", "renewed"))
    after = world.plan()
    assert after.sockets == before.sockets
    assert after.certificates["secret/default/cert"] is not before.certificates["secret/default/cert"]


def test_one_bad_certificate_among_good_ones() -> None:
    world = World(gateway(https(references="[{name: none}, {name: cert}]")), secret("cert"))
    conditions = world.listener("https").conditions
    assert words(found(conditions, "ResolvedRefs")) == ("False", "InvalidCertificateRef")
    assert words(found(conditions, "Programmed")) == ("True", "Programmed")


MISDIRECTED = (
    https("any"),
    https("second", "second-example.org"),
    https("wild", "*.wildcard.org"),
    https("fourth", "fourth-example.wildcard.org"),
)


def test_hosts_of_another_https_listener_are_misdirected() -> None:
    world = World(
        gateway(*MISDIRECTED),
        secret("cert"),
        service("shop"),
        route("one", "/1", "any", "[example.org]"),
        route("two", "/2", "second"),
        route("three", "/3", "wild"),
        route("four", "/4", "fourth"),
    )
    lost = ["misdirected"]
    assert served(world, "https/8443/any") == {
        "*": [],
        "example.org": ["/1"],
        "second-example.org": lost,
        "*.wildcard.org": lost,
        "fourth-example.wildcard.org": lost,
    }
    assert served(world, "https/8443/second") == {
        "second-example.org": ["/2"],
        "*": lost,
        "*.wildcard.org": lost,
        "fourth-example.wildcard.org": lost,
    }
    assert served(world, "https/8443/wild")["*.wildcard.org"] == ["/3"]
    assert served(world, "https/8443/wild")["fourth-example.wildcard.org"] == lost
    assert served(world, "https/8443/fourth")["*.wildcard.org"] == lost
    names = {chain.name: chain.server_names for chain in world.plan().sockets[0].chains}
    assert names["https/8443/any"] == ()
    assert names["https/8443/wild"] == ("*.wildcard.org",)


def test_a_routes_host_that_a_more_specific_listener_has_is_misdirected_too() -> None:
    world = World(
        gateway(https("any"), https("wild", "*.wildcard.org")),
        secret("cert"),
        service("shop"),
        route("one", "/1", "any", "[a.wildcard.org]"),
    )
    assert served(world, "https/8443/any") == {"*": [], "*.wildcard.org": ["misdirected"]}


def test_overlapping_hosts_are_said() -> None:
    world = World(
        gateway(https("a", "foo.test.com"), https("b", "foo.other.com"), https("c", "*.test.com")), secret("cert")
    )
    for name, overlaps in (("a", True), ("b", False), ("c", True)):
        types = [item.type for item in world.listener(name).conditions]
        assert ("OverlappingTLSConfig" in types) is overlaps
    assert words(found(world.listener("a").conditions, "OverlappingTLSConfig")) == ("True", "OverlappingHostnames")


def frontend(default: str, per_port: str = "") -> str:
    ports = f", perPort: [{per_port}]" if per_port else ""
    return f"  tls: {{frontend: {{default: {default}{ports}}}}}"


def validation(name: str = "ca", mode: str = "", kind: str = "ConfigMap") -> str:
    fallback = f", mode: {mode}" if mode else ""
    return f'{{validation: {{caCertificateRefs: [{{group: "", kind: {kind}, name: {name}}}]{fallback}}}}}'


def test_clients_are_validated_by_port() -> None:
    settings = frontend(validation(), f"{{port: 8444, tls: {validation('other')}}}, {{port: 8445, tls: {{}}}}")
    listeners = (
        https(),
        https("two", port=8444),
        https("three", port=8445),
        "{name: http, port: 8080, protocol: HTTP}",
    )
    world = World(gateway(*listeners, extra=settings), secret("cert"), authorities("ca"), authorities("other"))
    clients = [
        world.chain(f"https/{port}/{name}").tls for port, name in ((8443, "https"), (8444, "two"), (8445, "three"))
    ]
    trusts = [tls.client_validation.trust if tls and tls.client_validation else () for tls in clients]
    assert trusts == [("configmap/default/ca",), ("configmap/default/other",), ()]
    assert all(tls.client_validation.required for tls in clients if tls and tls.client_validation)
    assert list(world.plan().trust) == ["configmap/default/ca", "configmap/default/other"]
    assert not any(item.type == "InsecureFrontendValidationMode" for item in world.status("Gateway", "web").conditions)


def test_insecure_fallback_is_said() -> None:
    world = World(
        gateway(https(), extra=frontend(validation(mode="AllowInsecureFallback"))), secret("cert"), authorities("ca")
    )
    tls = world.chain("https/8443/https").tls
    assert tls is not None
    assert tls.client_validation is not None
    assert not tls.client_validation.required
    assert words(world.gateway("InsecureFrontendValidationMode")) == ("True", "ConfigurationChanged")


@pytest.mark.parametrize(
    ("reference", "documents", "reason"),
    [
        (validation("none"), [], "InvalidCACertificateRef"),
        (validation("ca"), [authorities("ca", "nonsense\n")], "InvalidCACertificateRef"),
        (validation("ca", kind="Service"), [], "InvalidCACertificateKind"),
    ],
)
def test_authorities_that_cannot_be_used_close_the_https_listeners(
    reference: str, documents: list[str], reason: str
) -> None:
    listeners = (https(), "{name: http, port: 8080, protocol: HTTP}")
    world = World(gateway(*listeners, extra=frontend(reference)), secret("cert"), *documents)
    conditions = world.listener("https").conditions
    assert words(found(conditions, "ResolvedRefs")) == ("False", reason)
    assert words(found(conditions, "Accepted")) == ("False", "NoValidCACertificate")
    assert words(found(conditions, "Programmed")) == ("False", "Invalid")
    assert words(found(world.listener("http").conditions, "Programmed")) == ("True", "Programmed")
    assert world.said()[0].field[:5] == ("spec", "tls", "frontend", "default", "validation")


def test_versions_of_tls() -> None:
    options = ', options: {sampan.dev/minimum-tls-version: "1.3"}'
    world = World(gateway(https(extra=options)), secret("cert"))
    tls = world.chain("https/8443/https").tls
    assert tls is not None
    assert (tls.minimum_version, tls.maximum_version) == ("1.3", "")
    world.apply(
        gateway(
            https(extra=', options: {sampan.dev/minimum-tls-version: "1.0", sampan.dev/other: x, example.com/x: y}')
        )
    )
    assert [item.code.id for item in world.said()] == ["SMP0323", "SMP0323"]


# ---- towards backends


def policy(name: str, section: str = "", created: str = "", validation_: str = "", target: str = "shop") -> str:
    where = f", sectionName: {section}" if section else ""
    stamp = f', creationTimestamp: "{created}"' if created else ""
    checks = validation_ or 'hostname: a.test, caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]'
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{name: {name}{stamp}}}
spec:
  targetRefs: [{{group: "", kind: Service, name: {target}{where}}}]
  validation: {{{checks}}}
"""


PLAIN = gateway("{name: http, port: 8080, protocol: HTTP}")


def conditions(world: World, name: str) -> tuple[tuple[str, str], ...]:
    (ancestor,) = world.status("BackendTLSPolicy", name).ancestors
    assert ancestor.parent_ref["kind"] == "Gateway"
    return tuple(words(item) for item in ancestor.conditions)


def test_a_backend_tls_policy() -> None:
    names = "subjectAltNames: [{type: Hostname, hostname: b.test}, {type: URI, uri: 'spiffe://x/y'}]"
    checks = f'hostname: a.test, caCertificateRefs: [{{group: "", kind: ConfigMap, name: ca}}], {names}'
    world = World(PLAIN, service("shop"), authorities("ca"), route("shop", "/"), policy("p", validation_=checks))
    upstream = world.plan().upstreams["service/default/shop/80"]
    assert upstream.tls is not None
    assert (upstream.tls.sni, upstream.tls.trust) == ("a.test", ("configmap/default/ca",))
    assert upstream.tls.names == (("dns", "b.test"), ("uri", "spiffe://x/y"))
    assert list(world.plan().trust) == ["configmap/default/ca"]
    assert conditions(world, "p") == (("True", "Accepted"), ("True", "ResolvedRefs"))
    world.delete("BackendTLSPolicy", "p")
    assert world.plan().upstreams["service/default/shop/80"].tls is None


def test_the_systems_own_authorities() -> None:
    system = "hostname: a.test, wellKnownCACertificates: System"
    world = World(PLAIN, service("shop", app_protocol="https"), route("shop", "/"), policy("p", validation_=system))
    upstream = world.plan().upstreams["service/default/shop/80"]
    assert upstream.tls is not None
    assert upstream.tls.trust == ()
    assert upstream.protocol == "http1"


@pytest.mark.parametrize(
    ("checks", "documents", "accepted", "resolved"),
    [
        ("", [], "NoValidCACertificate", "InvalidCACertificateRef"),
        ("", [authorities("ca", "nonsense\n")], "NoValidCACertificate", "InvalidCACertificateRef"),
        (
            "hostname: a.test, caCertificateRefs: [{group: '', kind: Service, name: ca}]",
            [],
            "NoValidCACertificate",
            "InvalidKind",
        ),
        ("hostname: a.test, wellKnownCACertificates: example.com/roots", [], "Invalid", ""),
    ],
)
def test_a_policy_that_cannot_be_met_fails_closed(
    checks: str, documents: list[str], accepted: str, resolved: str
) -> None:
    world = World(PLAIN, service("shop"), route("shop", "/"), policy("p", validation_=checks), *documents)
    assert [getattr(share.target, "status", 0) for share in world.host().entries[0].action.shares] == [500]
    found_ = conditions(world, "p")
    assert found_[0] == ("False", accepted)
    assert found_[1] == (("False", resolved) if resolved else ("True", "ResolvedRefs"))
    assert world.said()


def test_the_oldest_policy_has_a_service_and_one_for_a_port_goes_first() -> None:
    checks = "hostname: {}, wellKnownCACertificates: System"
    world = World(
        PLAIN,
        "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n"
        "spec: {ports: [{name: one, port: 80}, {name: two, port: 81}]}",
        route("shop", "/"),
        route("more", "/more").replace("port: 80", "port: 81"),
        policy("b", created="2025-01-01T00:00:00Z", validation_=checks.format("b.test")),
        policy("a", created="2025-01-02T00:00:00Z", validation_=checks.format("a.test")),
        policy("c", "two", validation_=checks.format("c.test")),
        policy("d", "two", validation_=checks.format("d.test")),
    )
    upstreams = world.plan().upstreams
    assert [item.tls.sni for item in upstreams.values() if item.tls] == ["b.test", "c.test"]
    assert {name: conditions(world, name)[0] for name in "abcd"} == {
        "a": ("False", "Conflicted"),
        "b": ("True", "Accepted"),
        "c": ("True", "Accepted"),
        "d": ("False", "Conflicted"),
    }
    assert [(item.code.id, item.object and item.object.name) for item in world.said()] == [
        ("SMP0401", "a"),
        ("SMP0401", "d"),
    ]


def test_the_gateways_own_certificate() -> None:
    backend = "  tls: {backend: {clientCertificateRef: {name: client}}}"
    plain = gateway("{name: http, port: 8080, protocol: HTTP}", extra=backend)
    world = World(plain, service("shop"), authorities("ca"), route("shop", "/"), policy("p"), secret("client"))
    upstream = world.plan().upstreams["service/default/shop/80"]
    assert upstream.tls is not None
    assert upstream.tls.certificate == "secret/default/client"
    assert list(world.plan().certificates) == ["secret/default/client"]
    world.delete("Secret", "client", group="")
    assert words(world.gateway("ResolvedRefs")) == ("False", "InvalidClientCertificateRef")
    assert words(world.gateway("Accepted")) == ("True", "Accepted")
    assert world.said()[0].field_text == "spec.tls.backend.clientCertificateRef.name"
    world.apply(plain.replace("{name: client}", "{name: client, namespace: far}"))
    assert words(world.gateway("ResolvedRefs")) == ("False", "RefNotPermitted")


def test_a_backends_own_tls() -> None:
    world = World(
        PLAIN,
        authorities("ca"),
        secret("client"),
        """
apiVersion: sampan.dev/v1alpha1
kind: Backend
metadata: {name: api}
spec:
  type: ExternalHostname
  port: {port: 443}
  externalHostname: {hostname: api.test}
  protocol: HTTP2
  tls:
    mode: ClientAndServer
    clientCertificateRef: {name: client}
    validation: {hostname: api.test, caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: api}
spec:
  parentRefs: [{name: web}]
  rules: [{backendRefs: [{group: sampan.dev, kind: Backend, name: api}]}]
""",
    )
    upstream = world.plan().upstreams["backend/default/api"]
    assert upstream.tls is not None
    assert (upstream.tls.sni, upstream.tls.certificate, upstream.protocol) == (
        "api.test",
        "secret/default/client",
        "http2",
    )
    world.delete("Secret", "client", group="")
    assert "backend/default/api" not in world.plan().upstreams
    assert world.said()[0].field_text == "spec.tls.clientCertificateRef.name"
