"""Publication: which names it takes, where it puts a service, and its mistakes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sampan.documents.kinds.publication import Publication


def made(**fields: Any) -> Publication:
    return Publication.model_validate({"parentRefs": [{"name": "shop"}], **fields}, by_name=False)


@pytest.mark.parametrize(
    ("services", "name", "taken"),
    [
        ({}, "reviews", True),
        ({"names": ["*"]}, "reviews", True),
        ({"names": ["go.micro.api.*"]}, "go.micro.api.greeter", True),
        ({"names": ["go.micro.api.*"]}, "goXmicro.api.greeter", False),
        ({"names": ["a?c"]}, "abc", False),
        ({"names": ["a[b]c"]}, "a[b]c", True),
        ({"names": ["rev*"], "exclude": ["*-proxy"]}, "reviews-proxy", False),
    ],
)
def test_takes_names(services: dict[str, Any], name: str, taken: bool) -> None:
    assert made(services=services).services.takes_name(name) is taken


@pytest.mark.parametrize(
    ("fields", "name", "place"),
    [
        ({}, "reviews", ("/reviews", ())),
        ({"trimPrefix": "go.micro.api."}, "go.micro.api.greeter", ("/greeter", ())),
        ({"trimPrefix": "go.micro.api."}, "go.micro.api.", ("/go.micro.api.", ())),
        ({"path": "/api/{service}"}, "reviews", ("/api/reviews", ())),
        ({"hostnames": ["{service}.example.com"]}, "reviews", ("/", ("reviews.example.com",))),
        ({"hostnames": ["shop.example.com"]}, "reviews", ("/reviews", ("shop.example.com",))),
        ({"hostnames": ["{service}.a.com"], "path": "/v1"}, "reviews", ("/v1", ("reviews.a.com",))),
    ],
)
def test_places(fields: dict[str, Any], name: str, place: tuple[str, tuple[str, ...]]) -> None:
    assert made(**fields).place(name) == place


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "/same"},
        {"path": "/same", "hostnames": ["{service}.a.com", "b.com"]},
        {"path": "{service}"},
        {"path": "/{service} "},
        {"hostnames": ["{Service}.a.com"]},
        {"parentRefs": []},
        {"services": {"names": ["a", "a"]}},
    ],
)
def test_refuses(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**fields)
