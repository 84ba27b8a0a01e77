"""BackendTLSPolicies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from .certificates import authority, ca_config_map, client_context, server_context, tls_secret
from .marks import case
from .settled import TAKEN, WHOLE, until_policy
from .stage import Stage
from .world import Answer, Document, World, document, free_port, gateway, http_listener, http_route, to, until

pytestmark = pytest.mark.envoy

HOST, OTHER = "abc.example.com", "other.example.com"
IDENTITY = "spiffe://abc.example.com/test-identity"
FAILED = (500, 502, 503)


class Secured:
    """A stage with a TLS backend and as many Services to it as a case wants, one for each path."""

    def __init__(self, world: World) -> None:
        self.stage = Stage(world)
        self.world, self.namespace = world, self.stage.namespace
        pair = authority().leaf(HOST, OTHER, uris=(IDENTITY,))
        self.port = world.backends.http(self.stage.backend("tls"), server_context(pair))
        self.stage.basis = [
            self.stage.basis[0],
            ca_config_map(self.namespace, "ca", authority().pem),
            ca_config_map(self.namespace, "other-ca", authority("another").pem),
        ]

    def service(self, name: str, *ports: tuple[str, int], app_protocol: str = "") -> list[Document]:
        more = {"appProtocol": app_protocol} if app_protocol else {}
        numbers = [{"name": port, "port": number, **more} for port, number in ports or (("btls", 443),)]
        slice_: Document = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": self.namespace, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "ports": [{"name": item["name"], "port": self.port} for item in numbers],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }
        return [document("Service", self.namespace, name, {"ports": numbers}, "v1"), slice_]

    def policy(
        self, service: str, *, name: str = "", section: str = "", ca: object = "ca", host: str = HOST, **more: object
    ) -> Document:
        target = {"group": "", "kind": "Service", "name": service, **({"sectionName": section} if section else {})}
        reference = ca if isinstance(ca, dict) else {"group": "", "kind": "ConfigMap", "name": ca}
        validation = {"caCertificateRefs": [reference], "hostname": host, **more}
        return document(
            "BackendTLSPolicy", self.namespace, name or service, {"targetRefs": [target], "validation": validation}
        )

    def route(self, services: Iterable[str], port: int = 443) -> Document:
        rules = [
            to({"name": name, "port": port}, matches=[{"path": {"type": "Exact", "value": f"/{name}"}}])
            for name in services
        ]
        return self.stage.route(*rules)

    def condition(self, policy: str, type_: str, status: str, reason: str = "", gateway_name: str = "same") -> None:
        until_policy(self.world, self.namespace, policy, gateway_name, (type_, status, reason))

    def valid(self, *policies: str, gateway_name: str = "same") -> None:
        for policy in policies:
            until_policy(self.world, self.namespace, policy, gateway_name, *WHOLE)

    def invalid(self, policy: str, reason: str = "InvalidCACertificateRef") -> None:
        self.condition(policy, "Accepted", "False", "NoValidCACertificate")
        self.condition(policy, "ResolvedRefs", "False", reason)

    def expect(self, path: str, sni: str = HOST) -> None:
        answer = self.world.until_backend(self.stage.backend("tls"), self.stage.port, path)
        assert answer.body["tls"]["sni"] == sni

    def fails(self, path: str) -> None:
        self.world.until_answer(self.stage.port, path, right=lambda answer: answer.status in FAILED)

    def never(self, path: str) -> None:
        """Five requests in a row fail, and none before them got through (upstream: the same)."""
        last: list[Answer] = []

        def fail() -> bool:
            last[:] = [self.world.ask(self.stage.port, path) for _ in range(5)]
            assert all(answer.status != 200 for answer in last), (path, last)
            return all(answer.status in FAILED for answer in last)

        until(fail, lambda: (path, last))


@pytest.fixture
def secured(world: World) -> Iterator[Secured]:
    found = Secured(world)
    yield found
    world.remove(*found.stage.files)


@case("BackendTLSPolicy")
def test_tls_to_backends_is_checked(secured: Secured) -> None:
    names = ("good", "host-mismatch", "ca-mismatch", "changing")
    https = free_port()
    services = [part for name in names for part in secured.service(name, app_protocol="HTTPS" if "-" in name else "")]
    listener = http_listener(https, "https", protocol="HTTPS", tls={"certificateRefs": [{"name": "front"}]})
    fixed = [
        *services,
        secured.route(names),
        gateway(secured.namespace, "secure", listener),
        tls_secret(secured.namespace, "front", authority().leaf("front.example.org")),
        http_route(
            secured.namespace, "again", "secure", to({"name": "good", "port": 443}), hostnames=["front.example.org"]
        ),
        secured.policy("good", section="btls"),
        secured.policy("host-mismatch", section="btls", host="mismatch.example.com"),
        secured.policy("ca-mismatch", section="btls", ca="other-ca"),
    ]
    secured.stage.apply(*fixed, secured.policy("changing", section="btls"))
    secured.valid(*names)
    secured.valid("good", gateway_name="secure")
    tls = client_context(authority())
    answer = secured.world.until_backend(secured.stage.backend("tls"), https, host="front.example.org", tls=tls)
    assert answer.body["tls"]["sni"] == HOST
    secured.expect("/good")
    secured.never("/host-mismatch")
    secured.never("/ca-mismatch")
    secured.expect("/changing")
    own = secured.policy("changing", section="btls", ca="own-ca")
    secured.stage.write(*fixed, own)  # there is no such ConfigMap yet
    secured.invalid("changing")
    secured.fails("/changing")
    for broken in ("", "not a certificate"):
        secured.stage.apply(*fixed, own, ca_config_map(secured.namespace, "own-ca", authority().pem))
        secured.valid("changing")
        secured.expect("/changing")
        secured.stage.write(*fixed, own, ca_config_map(secured.namespace, "own-ca", broken))
        secured.invalid("changing")
        secured.fails("/changing")
    secured.stage.apply(*fixed, own, ca_config_map(secured.namespace, "own-ca", authority().pem))
    secured.valid("changing")
    secured.expect("/changing")


@case("BackendTLSPolicyConflictResolution")
def test_of_two_policies_with_one_target_the_first_counts(secured: Secured) -> None:
    ports = (("https-1", 443), ("https-2", 8443))
    services = [part for name in ("whole", "section", "both") for part in secured.service(name, *ports)]
    second = to({"name": "both", "port": 8443}, matches=[{"path": {"type": "Exact", "value": "/both-second"}}])
    found = secured.route(("whole", "section", "both"))
    found["spec"]["rules"].append(second)
    secured.stage.apply(
        *services,
        found,
        secured.policy("whole", name="whole-1", host=OTHER),
        secured.policy("whole", name="whole-2", host=HOST),
        secured.policy("section", name="section-1", section="https-1", host=OTHER),
        secured.policy("section", name="section-2", section="https-1", host=HOST),
        secured.policy("both", name="of-section", section="https-1", host=OTHER),
        secured.policy("both", name="of-whole", host=HOST),
    )
    for name in ("whole-1", "section-1", "of-section", "of-whole"):
        secured.condition(name, "Accepted", "True", "Accepted")
    for name in ("whole-2", "section-2"):
        secured.condition(name, "Accepted", "False", "Conflicted")
    secured.expect("/whole", OTHER)
    secured.expect("/section", OTHER)
    secured.expect("/both", OTHER)
    secured.expect("/both-second", HOST)


@case("BackendTLSPolicyInvalidCACertificateRef")
def test_authorities_that_are_not_there_or_not_any(secured: Secured) -> None:
    names = ("nonexistent", "malformed")
    malformed = ca_config_map(secured.namespace, "malformed-ca", "")
    malformed["data"] = {}
    secured.stage.write(
        *(part for name in names for part in secured.service(name, app_protocol="HTTPS")),
        *(secured.policy(name, ca=f"{name}-ca") for name in names),
        malformed,
        found := secured.route(names),
    )
    secured.stage.settled(found, routes=TAKEN)
    for name in names:
        secured.invalid(name)
        secured.fails(f"/{name}")


@case("BackendTLSPolicyInvalidKind")
def test_authorities_of_an_unknown_kind(secured: Secured) -> None:
    odd = {"group": "invalid.example", "kind": "InvalidKind", "name": "odd"}
    found = secured.route(["odd"])
    secured.stage.write(*secured.service("odd", app_protocol="HTTPS"), secured.policy("odd", ca=odd), found)
    secured.stage.settled(found, routes=TAKEN)
    secured.invalid("odd", "InvalidKind")
    secured.fails("/odd")


@case("BackendTLSPolicyObservedGenerationBump")
def test_conditions_say_which_generation_they_are_of(secured: Secured) -> None:
    fixed = [*secured.service("good"), secured.route(["good"])]
    for generation, host in ((1, HOST), (2, "foo.example.com")):
        secured.stage.apply(*fixed, secured.policy("good", section="btls", host=host))
        secured.world.until_generation("BackendTLSPolicy", secured.namespace, "good", generation)
        secured.valid("good")


@case("BackendTLSPolicySANValidation")
def test_alternative_names(secured: Secured) -> None:
    def host(name: str) -> Document:
        return {"type": "Hostname", "hostname": name}

    def uri(name: str) -> Document:
        return {"type": "URI", "uri": name}

    names = {
        "dns": [host(HOST)],
        "dns-mismatch": [host("dce.example.com")],
        "uri": [uri(IDENTITY)],
        "uri-mismatch": [uri("spiffe://def.example.com/test-identity")],
        "several": [uri(IDENTITY), host(HOST)],
        "several-mismatch": [uri("spiffe://def.example.com/test-identity"), host("def.example.com")],
    }
    secured.stage.apply(
        *(part for name in names for part in secured.service(name, app_protocol="" if name == "dns" else "HTTPS")),
        *(secured.policy(name, section="btls", subjectAltNames=found) for name, found in names.items()),
        secured.route(names),
    )
    for name in names:
        secured.condition(name, "Accepted", "True", "Accepted")
        if name.endswith("-mismatch"):
            secured.never(f"/{name}")
        else:
            secured.expect(f"/{name}")
