"""JSON Schema and reference pages come out of the classes; the committed pages are those."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.kinds.kind_set import Kind
from sampan.documents.reference import pages, table
from sampan.documents.schema import kind_schema, schema

KINDS = [kind for kind in BUILT_IN.kinds.values() if kind.spec is not None]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_schema_is_closed_and_described(kind: Kind) -> None:
    made = kind_schema(kind)
    assert made["additionalProperties"] is False
    assert made["properties"]["kind"] == {"const": kind.name}
    assert made["description"]
    objects = [made["properties"].get("spec", made), *made["$defs"].values()]
    assert all(item["additionalProperties"] is False and item["description"] for item in objects)
    for reference in _references(made):
        assert reference.removeprefix("#/$defs/") in made["$defs"]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for item in value.values() for found in _references(item)]
    return [found for item in value for found in _references(item)] if isinstance(value, list) else []


def test_fields_are_named_and_described_as_in_documents() -> None:
    made = kind_schema(next(kind for kind in KINDS if kind.name == "HTTPRoute"))
    assert set(made["properties"]["spec"]["properties"]) == {"parentRefs", "useDefaultGateways", "hostnames", "rules"}
    assert made["$defs"]["Timeouts"]["properties"]["request"]["description"] == "The whole exchange, retries included."
    assert made["$defs"]["PathMatch"]["properties"]["type"]["enum"] == ["Exact", "PathPrefix", "RegularExpression"]


def test_one_schema_for_every_document() -> None:
    made = schema(BUILT_IN)
    assert len(made["allOf"]) == len(KINDS)
    assert all(reference.removeprefix("#/$defs/") in made["$defs"] for reference in _references(made))


def test_a_kind_that_is_not_supported_has_no_schema() -> None:
    with pytest.raises(ValueError, match="UDPRoute is not supported yet"):
        kind_schema(BUILT_IN.kinds["gateway.networking.k8s.io", "UDPRoute"])


def test_every_kind_has_a_page_with_every_field() -> None:
    made = pages(BUILT_IN)
    assert {f"{kind.name}.md" for kind in KINDS} == set(made)
    assert "| `weight` | number (0 to 1000000) | `1` |" in made["HTTPRoute.md"]
    assert "`ListenerSet`" in table(BUILT_IN)[-2]
