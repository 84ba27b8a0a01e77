"""The shop's documents: well formed, and all that they refer to is there."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import yaml

from sampan.demo import written
from sampan.demo.shop import ROLES
from sampan.demo.stock_client import AUTHORITY
from sampan.demo.stock_messages import SERVICE
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.model.names import SERVICE_LABEL
from sampan.policies.retry.spec import Retry
from sampan.policies.timeout.spec import Timeout

POLICIES = {"Timeout": Timeout, "Retry": Retry}


def documents() -> list[dict[str, Any]]:
    return [
        document
        for name in written.names()
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(written.text(name))
    ]


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [document for document in documents() if document["kind"] in kinds]


def gateway() -> dict[str, Any]:
    return of_kind("Gateway")[0]["spec"]


def backend_refs() -> Iterator[tuple[str, dict[str, Any]]]:
    for route in of_kind("HTTPRoute", "GRPCRoute", "TCPRoute"):
        for rule in route["spec"]["rules"]:
            for reference in rule.get("backendRefs", ()):
                yield route["metadata"]["name"], reference


def test_no_name_is_given_twice() -> None:
    names = [(document["kind"], document["metadata"]["name"]) for document in documents()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "document", documents(), ids=lambda document: f"{document['kind']}-{document['metadata']['name']}"
)
def test_every_document_fits_its_kind(document: dict[str, Any]) -> None:
    group = document["apiVersion"].rpartition("/")[0]
    kind = BUILT_IN.get(group, document["kind"])
    spec = POLICIES[document["kind"]] if kind is None else kind.spec
    assert spec is not None
    spec.model_validate(document["spec"])


def test_every_backend_reference_names_a_service_and_one_of_its_ports() -> None:
    """A registered service is at port 80."""
    ports = {role.service: [80] for role in ROLES} | {
        service["metadata"]["name"]: [port["port"] for port in service["spec"]["ports"]]
        for service in of_kind("Service")
    }
    found = list(backend_refs())
    assert found
    for route, reference in found:
        assert reference["port"] in ports.get(reference["name"], ()), route


def test_every_instance_is_routed_to_and_every_service_selects_one() -> None:
    labels = {role.name: {SERVICE_LABEL: role.service, "version": role.version} for role in ROLES}
    selectors = {role.service: {SERVICE_LABEL: role.service} for role in ROLES} | {
        service["metadata"]["name"]: service["spec"]["selector"] for service in of_kind("Service")
    }
    chosen = {
        name: {instance for instance, found in labels.items() if selector.items() <= found.items()}
        for name, selector in selectors.items()
    }
    assert all(chosen.values())
    assert set().union(*(chosen[reference["name"]] for _, reference in backend_refs())) == set(labels)
    assert len(chosen["catalogue"]) == 2
    assert not chosen["reviews-v1"] & chosen["reviews-v2"]


def test_every_route_names_a_listener() -> None:
    listeners = {listener["name"] for listener in gateway()["listeners"]}
    for route in of_kind("HTTPRoute", "GRPCRoute", "TCPRoute"):
        for parent in route["spec"]["parentRefs"]:
            assert parent["name"] == "shop"
            assert parent["sectionName"] in listeners


def test_every_policy_names_a_route() -> None:
    routes = {(route["kind"], route["metadata"]["name"]) for route in of_kind("HTTPRoute", "GRPCRoute")}
    policies = of_kind("Timeout", "Retry")
    assert len(policies) == 2
    for policy in policies:
        for target in policy["spec"]["targetRefs"]:
            assert (target["kind"], target["name"]) in routes


def test_the_grpc_client_asks_for_the_host_and_service_of_the_documents() -> None:
    assert AUTHORITY in [listener.get("hostname") for listener in gateway()["listeners"]]
    matches = [match["method"]["service"] for match in of_kind("GRPCRoute")[0]["spec"]["rules"][0]["matches"]]
    assert SERVICE in matches


def test_other_ports_change_nothing_but_the_numbers() -> None:
    before = written.text("gateway.yaml")
    after = written.with_ports(before, {"web": 18080, "grpc": 18080, "parrot": 65535})
    assert [listener["port"] for listener in yaml.safe_load(after)["spec"]["listeners"]] == [18080, 18080, 65535]
    assert after.replace("port: 18080", "port: 8080").replace("port: 65535", "port: 9000") == before


def test_every_picture_is_drawn() -> None:
    from sampan.demo.services.catalogue import PRODUCTS
    from sampan.demo.services.reviews import REVIEWS
    from sampan.demo.traffic import PRODUCTS as ASKED

    page = (files("sampan.demo") / "pages" / "index.html").read_text("utf-8")
    for product in PRODUCTS:
        assert f'id="picture-{product.picture}"' in page
        assert REVIEWS[product.id]
    assert tuple(product.id for product in PRODUCTS) == ASKED
