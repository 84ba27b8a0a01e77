"""The filter language beside a real Consul: the same expression finds the same, or fails with the same sentence."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sampan.registry.filter import FilterError, fields, parse

from ..consul_binary import running
from ..unit.registry.filter_cases import FINDS, INSTANCES
from .expressions import random_expression

pytestmark = pytest.mark.consul

PATHS = {
    "/v1/health/service/shop": fields.INSTANCE,
    "/v1/catalog/service/shop": fields.CATALOG_SERVICE,
    "/v1/catalog/nodes": fields.NODE,
    "/v1/health/state/any": fields.CHECK,
}
RANDOM_EXPRESSIONS = 400


@pytest.fixture(scope="module")
def consul() -> Iterator[httpx.Client]:
    with running() as agent, httpx.Client(base_url=agent.url, trust_env=False) as client:
        for instance in INSTANCES:
            node = instance["Node"]
            registration = {
                **{"Node": node["Node"], "Address": node["Address"], "NodeMeta": node.get("Meta")},
                **{"Service": instance["Service"], "Checks": instance["Checks"]},
            }
            client.put("/v1/catalog/register", json=registration).raise_for_status()
        yield client


def theirs(consul: httpx.Client, path: str, expression: str) -> Any:
    answer = consul.get(path, params={"filter": expression})
    return answer.json() if answer.is_success else answer.text


def ours(everything: list[Any], of: fields.Fields, expression: str) -> Any:
    try:
        wanted = parse(expression, of)
    except FilterError as error:
        return str(error)
    return [one for one in everything if wanted(one)]


@pytest.mark.parametrize(("expression", "expected"), FINDS)
def test_table(consul: httpx.Client, expression: str, expected: str) -> None:
    path = "/v1/health/service/shop"
    found = theirs(consul, path, expression)
    assert ours(consul.get(path).json(), fields.INSTANCE, expression) == found
    if len(expected) <= len(INSTANCES):
        assert "".join(instance["Service"]["ID"] for instance in found) == expected
    else:
        assert expected in found


@pytest.mark.parametrize("path", PATHS)
def test_random_expressions(consul: httpx.Client, path: str) -> None:
    """A third of them are no expressions."""
    chance, everything = random.Random(path), consul.get(path).json()
    found_some = 0
    for _ in range(RANDOM_EXPRESSIONS):
        expression = random_expression(chance, PATHS[path])
        found = theirs(consul, path, expression)
        assert ours(everything, PATHS[path], expression) == found, expression
        found_some += isinstance(found, list) and 0 < len(found) < len(everything)
    assert found_some > RANDOM_EXPRESSIONS / 20


@pytest.mark.parametrize("path", PATHS)
def test_fields(consul: httpx.Client, path: str) -> None:
    """Every field we know, with every operator: both take it, or neither; and what neither knows."""
    everything = consul.get(path).json()
    for selector in [*selectors(PATHS[path]), "Namespace", "CreateIndex", "PeerName", "Definition"]:
        for test in ("== 1", "matches a", "contains a", "is empty"):
            expression = f"{selector} {test}"
            assert ours(everything, PATHS[path], expression) == theirs(consul, path, expression), expression


def selectors(of: fields.Fields, before: str = "") -> Iterator[str]:
    for name, field in of.items():
        yield before + name
        yield from selectors(field.members, f"{before}{name}.")
        if field.any_key is not None:
            yield f"{before}{name}.key"
            yield from selectors(field.any_key.members, f"{before}{name}.key.")
