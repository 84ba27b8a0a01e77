"""The classes: defaults as the Gateway API has them, immutability, and what they offer beyond their fields."""

from __future__ import annotations

import pickle

import pytest
from pydantic import ValidationError

from sampan.documents.kinds.backend import Backend
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.kinds.gateway import Gateway
from sampan.documents.kinds.grpc_route import GRPCRoute
from sampan.documents.kinds.http_route import EVERYTHING, HTTPRoute
from sampan.documents.kinds.kind_set import Kind
from sampan.documents.kinds.references import LabelSelector
from sampan.documents.kinds.scalars import duration_text, milliseconds
from sampan.documents.kinds.secret import Sealed, Secret
from sampan.documents.kinds.service import EndpointSlice, Service
from sampan.documents.kinds.shape import FrozenDict, Shape, Spec


def validated(cls: type[Shape], data: object) -> Shape:
    return cls.model_validate(data, by_alias=True, by_name=False)


def test_defaults_of_an_http_route() -> None:
    route = HTTPRoute.model_validate(
        {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [{"name": "a", "port": 1}]}, {"matches": []}]}
    )
    parent, rule = route.parent_refs[0], route.rules[0]
    assert (parent.group, parent.kind, parent.namespace) == ("gateway.networking.k8s.io", "Gateway", "")
    assert (parent.section_name, parent.port) == ("", None)
    assert rule.matches == EVERYTHING == route.rules[1].matches
    assert (rule.matches[0].path.type, rule.matches[0].path.value) == ("PathPrefix", "/")
    backend = rule.backend_refs[0]
    assert (backend.group, backend.kind, backend.weight, backend.filters) == ("", "Service", 1, ())
    assert HTTPRoute().rules[0].matches == EVERYTHING


def test_defaults_of_filters() -> None:
    filters = [
        {"type": "RequestRedirect", "requestRedirect": {}},
        {"type": "CORS", "cors": {}},
        {
            "type": "RequestMirror",
            "requestMirror": {"backendRef": {"name": "a", "port": 1}, "fraction": {"numerator": 1}},
        },
    ]
    redirect, cors, mirror = HTTPRoute.model_validate({"rules": [{"filters": filters}]}).rules[0].filters
    assert redirect.request_redirect is not None
    assert redirect.request_redirect.status_code == 302
    assert redirect.request_redirect.path is None
    assert cors.cors is not None
    assert (cors.cors.max_age, cors.cors.allow_credentials) == (5, False)
    assert mirror.request_mirror is not None
    assert mirror.request_mirror.fraction is not None
    assert mirror.request_mirror.fraction.denominator == 100


def test_defaults_of_a_gateway() -> None:
    listener = {"name": "a", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "c"}]}}
    gateway = Gateway.model_validate({"gatewayClassName": "sampan", "listeners": [listener], "addresses": [{}]})
    first = gateway.listeners[0]
    assert first.allowed_routes.namespaces.from_ == "Same"
    assert first.tls is not None
    assert (first.tls.mode, first.tls.certificate_refs[0].kind) == ("Terminate", "Secret")
    assert gateway.addresses[0].type == "IPAddress"


def test_a_grpc_route_without_matches_takes_every_call() -> None:
    assert GRPCRoute.model_validate({"rules": [{}]}).rules[0].matches == ()


def test_absent_conditions_of_an_endpoint_are_unknown() -> None:
    endpoint = EndpointSlice.model_validate(
        {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]}
    ).endpoints[0]
    assert (endpoint.conditions.ready, endpoint.conditions.serving, endpoint.conditions.terminating) == (
        None,
        None,
        None,
    )


def test_a_service_takes_what_kubernetes_writes() -> None:
    service = Service.model_validate(
        {
            "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster", "externalTrafficPolicy": "Local", "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}}, "externalIPs": ["1.1.1.1"],
            "type": "LoadBalancer", "loadBalancerIP": "1.1.1.1", "loadBalancerClass": "x",
            "loadBalancerSourceRanges": ["0.0.0.0/0"],
            "allocateLoadBalancerNodePorts": True, "healthCheckNodePort": 1, "trafficDistribution": "PreferClose",
            "selector": {"app": "x"}, "publishNotReadyAddresses": True,
            "ports": [{"name": "a", "port": 80, "targetPort": "http", "appProtocol": "kubernetes.io/h2c"}],
        }
    )  # fmt: skip
    assert (service.ports[0].target_port, service.ports[0].app_protocol) == ("http", "kubernetes.io/h2c")


@pytest.mark.parametrize(
    ("text", "value"), [("0s", 0), ("500ms", 500), ("10s", 10_000), ("1h30m", 5_400_000), ("1h2m3s4ms", 3_723_004)]
)
def test_durations(text: str, value: int) -> None:
    assert milliseconds(text) == value
    assert duration_text(value) == text


@pytest.mark.parametrize("text", ["", "1", "1d", "-1s", "1.5s", "100000s", "1s1s1s1s1s", " 1s", "1s ", "1 s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValidationError):
        HTTPRoute.model_validate({"rules": [{"timeouts": {"request": text}}]})


def test_label_selectors_select_as_in_kubernetes() -> None:
    def selects(expression: dict[str, object], labels: dict[str, str]) -> bool:
        return LabelSelector.model_validate({"matchExpressions": [expression]}).matches(labels)

    assert LabelSelector().matches({})
    assert LabelSelector.model_validate({"matchLabels": {"a": "b"}}).matches({"a": "b", "c": "d"})
    assert not LabelSelector.model_validate({"matchLabels": {"a": "b"}}).matches({"a": "c"})
    assert selects({"key": "a", "operator": "In", "values": ["b", "c"]}, {"a": "c"})
    assert not selects({"key": "a", "operator": "In", "values": ["b"]}, {})
    assert selects({"key": "a", "operator": "NotIn", "values": ["b"]}, {})
    assert not selects({"key": "a", "operator": "NotIn", "values": ["b"]}, {"a": "b"})
    assert selects({"key": "a", "operator": "Exists"}, {"a": ""})
    assert selects({"key": "a", "operator": "DoesNotExist"}, {})


def test_nothing_can_be_changed() -> None:
    service = Service.model_validate({"selector": {"a": "b"}, "ports": [{"port": 1}]})
    with pytest.raises(ValidationError):
        service.type = "ExternalName"  # type: ignore[misc]
    with pytest.raises(TypeError):
        service.selector["a"] = "c"  # type: ignore[index]
    with pytest.raises(TypeError):
        service.selector.update({})  # type: ignore[attr-defined]
    assert isinstance(service.ports, tuple)
    assert hash(service) == hash(service.model_copy())
    assert pickle.loads(pickle.dumps(service.selector)) == {"a": "b"}
    assert hash(FrozenDict(a=1, b=2)) == hash(FrozenDict(b=2, a=1))


def test_documents_know_no_snake_case() -> None:
    with pytest.raises(ValidationError):
        validated(HTTPRoute, {"parent_refs": []})


def test_a_sealed_value_has_to_be_asked_for() -> None:
    secret = Secret.model_validate({"data": {"a": "aHVudGVyMg=="}, "stringData": {"b": "hunter2", "a": "newer"}})
    assert "hunter2" not in f"{secret!r} {secret} {secret.model_dump()} {secret.model_dump_json()} {secret.data}"
    value = secret.value("a")
    assert value is not None
    assert value.reveal() == b"newer"
    assert secret.value("c") is None
    with pytest.raises(TypeError):
        pickle.dumps(Sealed(b"x"))


def test_equal_secrets_are_equal() -> None:
    first, second = (Secret.model_validate({"stringData": {"a": "b"}}) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != Secret.model_validate({"stringData": {"a": "c"}})


def test_files_fill_a_secret() -> None:
    secret = Secret.model_validate({"data": {"a": "aGk="}}).with_files({"tls.crt": b"pem"})
    value = secret.value("tls.crt")
    assert value is not None
    assert value.reveal() == b"pem"


def test_the_instances_of_a_backend_have_their_ports() -> None:
    backend = Backend.model_validate(
        {"port": {"port": 80}, "endpoints": [{"address": "::1"}, {"hostname": "a.b", "port": 81}, {"unix": "/run/a"}]}
    )
    assert [item.port for item in backend.instances()] == [80, 81, None]
    external = Backend.model_validate(
        {"type": "ExternalHostname", "externalHostname": {"hostname": "a.b"}, "port": {"port": 443}}
    )
    assert [(item.hostname, item.port, item.weight) for item in external.instances()] == [("a.b", 443, 1)]


def test_kinds_of_policies_are_added_and_not_twice() -> None:
    class Policy(Spec):
        """A policy."""

    kind = Kind("sampan.dev", "Policy", ("v1alpha1",), Policy)
    kinds = BUILT_IN.with_kinds([kind])
    assert kinds.get("sampan.dev", "Policy") is kind
    assert BUILT_IN.get("sampan.dev", "Policy") is None
    with pytest.raises(ValueError, match="registered twice"):
        kinds.with_kinds([kind])
