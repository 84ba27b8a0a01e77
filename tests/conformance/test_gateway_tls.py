"""Gateways: certificates, permission for them, validation of clients, the Gateway's own certificate."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Any

import pytest

from .certificates import authority, ca_config_map, client_context, server_context, tls_secret
from .marks import case
from .settled import Listener, until_listeners, until_policy
from .stage import Stage
from .test_http_references import ROUTES
from .world import Document, Wanted, document, free_port, gateway, grant, http_listener, http_route, service, to

pytestmark = pytest.mark.envoy

GATEWAYS = {**ROUTES, "kind": "Gateway"}


def https(port: int, reference: Document | None = None, name: str = "https", **more: Any) -> Document:
    return http_listener(
        port, name, protocol="HTTPS", tls={"certificateRefs": [reference or {"name": "front"}]}, **more
    )


@pytest.fixture
def secure(stage: Stage) -> Stage:
    """With the Secret `front`, for example.org and second-example.org."""
    pair = authority().leaf("example.org", "second-example.org", "unknown-example.org")
    stage.basis.append(tls_secret(stage.namespace, "front", pair))
    return stage


@case("GatewayInvalidTLSConfiguration")
def test_certificates_that_cannot_be_used(secure: Stage) -> None:
    malformed = tls_secret(secure.namespace, "malformed", ("not a certificate", "not a key"))
    references = {
        "nonexistent": {"name": "nonexistent"},
        "group": {"group": "wrong.example", "kind": "Secret", "name": "front"},
        "kind": {"group": "", "kind": "WrongKind", "name": "front"},
        "malformed": {"name": "malformed"},
    }
    gateways = [gateway(secure.namespace, name, https(free_port(), found)) for name, found in references.items()]
    secure.write(malformed, *gateways)
    invalid = Listener(0, ["HTTPRoute"], [("ResolvedRefs", "False", "InvalidCertificateRef")])
    for name in references:
        until_listeners(secure.world, secure.namespace, name, {"https": invalid})


@case("GatewayInvalidTLSBackendConfiguration")
def test_certificates_of_the_gateway_that_cannot_be_used(secure: Stage) -> None:
    other = secure.world.namespace()
    secure.files.append(other)
    malformed = tls_secret(secure.namespace, "malformed", ("not a certificate", "not a key"))
    references = {
        "nonexistent": ({"name": "nonexistent"}, "InvalidClientCertificateRef"),
        "group": ({"group": "wrong.example", "kind": "Secret", "name": "front"}, "InvalidClientCertificateRef"),
        "kind": ({"group": "", "kind": "WrongKind", "name": "front"}, "InvalidClientCertificateRef"),
        "malformed": ({"name": "malformed"}, "InvalidClientCertificateRef"),
        "elsewhere": ({"name": "away", "namespace": other}, "RefNotPermitted"),
    }
    gateways = [
        gateway(secure.namespace, name, http_listener(free_port()), tls={"backend": {"clientCertificateRef": found}})
        for name, (found, _) in references.items()
    ]
    secure.write(malformed, tls_secret(other, "away", authority().leaf("away.example")), *gateways)
    for name, (_, reason) in references.items():
        secure.world.until_gateway(secure.namespace, name, "ResolvedRefs", "False", reason)
        secure.world.until_gateway(secure.namespace, name, "Accepted", "True", "Accepted")


def away(stage: Stage) -> tuple[str, list[Document]]:
    """Another namespace with a Secret `certificate`, and a Gateway `away` that refers to it."""
    other = stage.world.namespace()
    stage.files.append(other)
    reference = {"group": "", "kind": "Secret", "name": "certificate", "namespace": other}
    secret = tls_secret(other, "certificate", authority().leaf("example.org"))
    return other, [secret, gateway(stage.namespace, "away", https(free_port(), reference))]


def assert_permitted(stage: Stage, permitted: bool) -> None:
    wanted: list[Wanted] = [("ResolvedRefs", "False", "RefNotPermitted")]
    if permitted:
        wanted = [("Programmed", "True", "Programmed"), ("ResolvedRefs", "True", ())]
    until_listeners(stage.world, stage.namespace, "away", {"https": Listener(0, ["HTTPRoute"], wanted)})


@case("GatewaySecretMissingReferenceGrant")
def test_a_secret_elsewhere_without_a_grant(stage: Stage) -> None:
    stage.write(*away(stage)[1])
    assert_permitted(stage, False)


@case("GatewaySecretInvalidReferenceGrant")
def test_grants_that_are_wrong_in_one_point_each(stage: Stage) -> None:
    other, documents = away(stage)
    right = {**GATEWAYS, "namespace": stage.namespace}
    target = {"group": "", "kind": "Secret", "name": "certificate"}
    wrong = [
        (stage.namespace, right, target),
        (other, {**right, "group": "other.example"}, target),
        (other, {**right, "kind": "HTTPRoute"}, target),
        (other, {**right, "namespace": "other"}, target),
        (other, right, {**target, "group": "other.example"}),
        (other, right, {**target, "kind": "Service"}),
        (other, right, {**target, "name": "other"}),
    ]
    grants = [grant(place, f"wrong-{n}", origin, found) for n, (place, origin, found) in enumerate(wrong)]
    stage.write(*documents, *grants)
    assert_permitted(stage, False)


@case("GatewaySecretReferenceGrantAllInNamespace")
def test_a_grant_for_all_secrets(stage: Stage) -> None:
    other, documents = away(stage)
    origin = {**GATEWAYS, "namespace": stage.namespace}
    stage.apply(*documents, grant(other, "all", origin, {"group": "", "kind": "Secret"}))
    assert_permitted(stage, True)


@case("GatewaySecretReferenceGrantSpecific")
def test_a_grant_for_one_secret(stage: Stage) -> None:
    other, documents = away(stage)
    origin = {**GATEWAYS, "namespace": stage.namespace}
    stage.apply(*documents, grant(other, "one", origin, {"group": "", "kind": "Secret", "name": "certificate"}))
    assert_permitted(stage, True)


@case("GatewayTLSBackendClientCertificate")
def test_the_gateway_shows_its_own_certificate(stage: Stage) -> None:
    host, own = "abc.example.com", authority("clients").leaf("gateway.example", common_name="the gateway")
    tls = server_context(authority().leaf(host), authority("clients"))
    port = stage.world.backends.http(stage.backend("tls"), tls)
    reference = {"backend": {"clientCertificateRef": {"group": "", "kind": "Secret", "name": "own"}}}
    target = {"group": "", "kind": "Service", "name": "tls"}
    checks = {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}], "hostname": host}
    stage.basis[0] = gateway(stage.namespace, "same", http_listener(stage.port), tls=reference)
    stage.apply(
        *service(stage.namespace, "tls", port, number=443),
        ca_config_map(stage.namespace, "ca", authority().pem),
        tls_secret(stage.namespace, "own", own),
        document("BackendTLSPolicy", stage.namespace, "tls", {"targetRefs": [target], "validation": checks}),
        stage.route(to({"name": "tls", "port": 443}), hostnames=[host]),
    )
    until_policy(stage.world, stage.namespace, "tls", "same", ("Accepted", "True", "Accepted"))
    stage.world.until_gateway(stage.namespace, "same", "ResolvedRefs", "True", "ResolvedRefs")
    answer = stage.world.until_backend(stage.backend("tls"), stage.port, host=host)
    assert answer.body["tls"]["sni"] == host
    assert answer.body["tls"]["client"].strip() == own[0].strip()


# ---- validation of clients


def trust(name: str = "clients-ca", kind: str = "ConfigMap", **more: str) -> Document:
    return {"validation": {"caCertificateRefs": [{"group": "", "kind": kind, "name": name, **more}]}}


class Validating:
    """A Gateway `validating` with one listener for all clients of one authority, and one for another authority's."""

    def __init__(self, stage: Stage, mode: str = "") -> None:
        self.stage = stage
        self.first, self.second = free_port(), free_port()
        default, own = trust(), trust("others-ca")
        for found in (default, own) if mode else ():
            found["validation"]["mode"] = mode
        frontend = {"default": default, "perPort": [{"port": self.second, "tls": own}]}
        listeners = (https(self.first), https(self.second, name="second", hostname="second-example.org"))
        namespace = stage.namespace
        stage.apply(
            gateway(namespace, "validating", *listeners, tls={"frontend": frontend}),
            ca_config_map(namespace, "clients-ca", authority("clients").pem),
            ca_config_map(namespace, "others-ca", authority("others").pem),
            http_route(namespace, "default", "validating", to("a"), hostnames=["example.org"]),
            _for_section(http_route(namespace, "second", "validating", to("b")), "second"),
        )
        self.client = authority("clients").leaf("client.example")
        self.other = authority("others").leaf("client.example")

    def context(self, pair: tuple[str, str] | None) -> ssl.SSLContext:
        return client_context(authority(), pair)

    def lets_in(self, pair: tuple[str, str] | None, *, second: bool) -> None:
        port, host, wanted = (self.second, "second-example.org", "b") if second else (self.first, "example.org", "a")
        self.stage.expect(wanted, "/", host, port=port, tls=self.context(pair))

    def keeps_out(self, pair: tuple[str, str] | None, *, second: bool) -> None:
        port, host = (self.second, "second-example.org") if second else (self.first, "example.org")
        self.stage.world.until_status(0, port, host=host, tls=self.context(pair))


def _for_section(found: Document, section: str) -> Document:
    found["spec"]["parentRefs"][0]["sectionName"] = section
    return found


@case("GatewayFrontendClientCertificateValidation")
def test_clients_are_validated(secure: Stage) -> None:
    found = Validating(secure)
    found.lets_in(found.client, second=False)
    found.keeps_out(found.other, second=False)
    found.keeps_out(None, second=False)
    found.lets_in(found.other, second=True)
    found.keeps_out(found.client, second=True)


@case("GatewayFrontendClientCertificateValidationInsecureFallback")
def test_clients_are_let_in_all_the_same(secure: Stage) -> None:
    found = Validating(secure, "AllowInsecureFallback")
    secure.world.until_gateway(
        secure.namespace, "validating", "InsecureFrontendValidationMode", "True", "ConfigurationChanged"
    )
    for second in (False, True):
        for pair in (found.client, found.other, None):
            found.lets_in(pair, second=second)


@case("GatewayInvalidFrontendClientCertificateValidation")
def test_authorities_of_clients_that_cannot_be_used(secure: Stage) -> None:
    other = secure.world.namespace()
    secure.files.append(other)
    ports = {name: free_port() for name in ("https", "unresolved", "odd-kind", "no-grant")}
    own = [
        {"port": ports["unresolved"], "tls": trust("nonexistent")},
        {"port": ports["odd-kind"], "tls": trust("a", "Service")},
        {"port": ports["no-grant"], "tls": trust("away-ca", namespace=other)},
    ]
    secure.write(
        ca_config_map(secure.namespace, "clients-ca", authority("clients").pem),
        ca_config_map(other, "away-ca", authority("clients").pem),
        gateway(
            secure.namespace,
            "validating",
            *(https(port, name=name) for name, port in ports.items()),
            tls={"frontend": {"default": trust(), "perPort": own}},
        ),
    )
    assert_listener(secure, "https", "True", "True", "True")
    assert_listener(secure, "unresolved", "False", "False", "False", "InvalidCACertificateRef")
    assert_listener(secure, "odd-kind", "False", "False", "False", "InvalidCACertificateKind")
    assert_listener(secure, "no-grant", "False", "False", "False", "RefNotPermitted")


def assert_listener(
    stage: Stage, name: str, resolved: str, accepted: str, programmed: str, reason: str | Sequence[str] = ()
) -> None:
    look = {"namespace": stage.namespace, "name": "validating", "listener": name}
    stage.world.until_gateway(type_="ResolvedRefs", status=resolved, reason=reason, **look)
    why = "NoValidCACertificate" if accepted == "False" else ()
    stage.world.until_gateway(type_="Accepted", status=accepted, reason=why, **look)
    stage.world.until_gateway(type_="Programmed", status=programmed, **look)


@case("GatewayFrontendInvalidDefaultClientCertificateValidation")
def test_a_default_that_cannot_be_used_leaves_http_alone(secure: Stage) -> None:
    plain, tls = free_port(), free_port()
    frontend = {"default": trust("nonexistent"), "perPort": [{"port": plain, "tls": trust()}]}
    secure.write(
        ca_config_map(secure.namespace, "clients-ca", authority("clients").pem),
        gateway(secure.namespace, "validating", https(tls), http_listener(plain), tls={"frontend": frontend}),
        http_route(secure.namespace, "route", "validating", to("a"), hostnames=["example.org"]),
    )
    assert_listener(secure, "http", "True", "True", "True")
    secure.expect("a", "/", "example.org", port=plain)
    assert_listener(secure, "https", "False", "False", "False", "InvalidCACertificateRef")
    secure.world.until_status(0, tls, host="example.org", tls=client_context(authority()))
    assert secure.world.status("Gateway", secure.namespace, "validating")["addresses"]


# ---- HTTPS


@pytest.fixture
def many_listeners(secure: Stage) -> tuple[Stage, int]:
    """A Gateway `secure` with HTTPS listeners for every host, for one, for a wildcard, and for one below it."""
    port, hosts = (
        free_port(),
        {"any": "", "one": "second-example.org", "wild": "*.wildcard.org", "below": "fourth-example.wildcard.org"},
    )
    names = ("example.org", "second-example.org", "unknown-example.org", "*.wildcard.org")
    whole = {"group": "", "kind": "Secret", "name": "all", "namespace": secure.namespace}
    listeners = [https(port, whole, name, **({"hostname": host} if host else {})) for name, host in hosts.items()]
    secure.basis.append(tls_secret(secure.namespace, "all", authority().leaf(*names)))
    secure.basis.append(gateway(secure.namespace, "secure", *listeners))
    return secure, port


@case("HTTPRouteHTTPSListener")
def test_https(many_listeners: tuple[Stage, int]) -> None:
    stage, port = many_listeners
    stage.apply(
        http_route(stage.namespace, "named", "secure", to("a"), hostnames=["example.org"]),
        _for_section(http_route(stage.namespace, "of-section", "secure", to("b")), "one"),
    )
    tls = client_context(authority())
    stage.expect("a", "/", "example.org", port=port, tls=tls)
    stage.expect(404, "/", "unknown-example.org", port=port, tls=tls)
    stage.expect("b", "/", "second-example.org", port=port, tls=tls)


@case("HTTPRouteHTTPSListenerDetectMisdirectedRequests")
def test_requests_on_the_wrong_connection(many_listeners: tuple[Stage, int]) -> None:
    stage, port = many_listeners
    named = http_route(stage.namespace, "r-any", "secure", to("a"), hostnames=["example.org"])
    stage.apply(
        _for_section(named, "any"),
        *(
            _for_section(http_route(stage.namespace, f"r-{section}", "secure", to(backend)), section)
            for section, backend in (("one", "b"), ("wild", "c"), ("below", "a"))
        ),
    )
    tls = client_context(authority())
    third, fourth, fifth = (f"{name}-example.wildcard.org" for name in ("third", "fourth", "fifth"))
    for sni, host, wanted in (
        ("example.org", "example.org", "a"),
        ("example.org", "second-example.org", 421),
        ("example.org", "unknown-example.org", 404),
        ("second-example.org", "second-example.org", "b"),
        ("second-example.org", "example.org", 421),
        ("second-example.org", "unknown-example.org", 421),
        (third, third, "c"),
        (third, fifth, "c"),
        (third, fourth, 421),
        (third, "second-example.org", 421),
        (third, "unknown-example.org", 421),
        (fourth, fourth, "a"),
        (fourth, fifth, 421),
        ("unknown-example.org", "example.org", "a"),
        ("unknown-example.org", "unknown-example.org", 404),
    ):
        for http2 in (True, False):
            stage.expect(wanted, "/misdirected", host, port=port, tls=tls, sni=sni, http2=http2)
