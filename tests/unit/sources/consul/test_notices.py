"""What a source that cannot be read says of itself."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sampan.consul.errors import ConsulError, RefusedError, UnreachableError
from sampan.sources.consul.convert import Key
from sampan.sources.consul.notices import HiddenError, Trouble, health

SINCE = "2030-01-01T00:00:00Z"


def told(error: ConsulError, datacenter: str = "") -> str:
    found = health("consul", "http://c:8500", {datacenter: Trouble(SINCE, error)}, {}, ())
    assert not found.ok
    (one,) = found.diagnostics
    return f"{one.code.id} {one.origin}: {one.reason} | {one.hint}"


def refused(status: int, text: str) -> RefusedError:
    return RefusedError("GET", "/v1/catalog/services", status, text)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            UnreachableError("http://c:8500: Connection refused"),
            ("SMP0210", "http://c:8500 gives no answer since 2030-01-01T00:00:00Z: Connection refused;"),
        ),
        (refused(500, "No cluster leader"), ("SMP0210", "No cluster leader")),
        (refused(429, "too many"), ("SMP0210", "limits.http_max_conns_per_client")),
        (refused(403, "ACL not found"), ("SMP0211", "does not know this token")),
        (refused(403, "Permission denied"), ("SMP0211", 'service_prefix "" { policy = "read" }')),
        (HiddenError(), ("SMP0211", "not allowed to see any service", 'node_prefix "" { policy = "read" }')),
    ],
)
def test_each_trouble_says_what_to_do(error: ConsulError, expected: tuple[str, ...]) -> None:
    text = told(error)
    assert all(part in text for part in expected), text
    assert "the services stay as they were last seen" in text


def test_of_another_datacentre() -> None:
    assert "http://c:8500 (datacentre dc2) gives no answer" in told(refused(500, "No path to datacenter"), "dc2")


def test_single_services_are_told_together() -> None:
    failing: Mapping[Key, Trouble] = {Key("", name): Trouble(SINCE, refused(500, "rpc error")) for name in "cab"}
    (one,) = health("consul", "http://c:8500", {}, failing, ()).diagnostics
    assert one.reason.startswith("service a and 2 more cannot be read since")
    # While the whole cannot be read, its parts are no news.
    away = {"": Trouble(SINCE, UnreachableError("x"))}
    assert len(health("consul", "http://c:8500", away, failing, ("dc2",)).diagnostics) == 2


def test_all_is_well() -> None:
    assert health("consul", "http://c:8500", {}, {}, ()).ok
