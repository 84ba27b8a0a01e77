"""What a service of the shop tells the registry."""

from __future__ import annotations

import pytest

from sampan.demo.services.registering import Registration
from sampan.demo.services.running import Identity


def body(protocol: str) -> dict[str, object]:
    return Registration(Identity("reviews", "v2", "reviews-v2-1", 4242), "127.0.0.1", 9000, protocol).body


def test_who_it_is_and_where() -> None:
    found = body("http")
    assert (found["Name"], found["ID"]) == ("reviews", "reviews-v2-1")
    assert (found["Address"], found["Port"]) == ("127.0.0.1", 9000)
    assert found["Meta"] == {"version": "v2", "protocol": "http", "pid": "4242"}


@pytest.mark.parametrize(
    ("protocol", "asked"),
    [
        ("http", {"HTTP": "http://127.0.0.1:9000/health"}),
        ("grpc", {"GRPC": "127.0.0.1:9000"}),
        ("tcp", {"TCP": "127.0.0.1:9000"}),
    ],
)
def test_it_is_looked_at_as_it_speaks(protocol: str, asked: dict[str, str]) -> None:
    check = body(protocol)["Check"]
    assert isinstance(check, dict)
    assert asked.items() <= check.items()
    assert check["Status"] == "passing"
