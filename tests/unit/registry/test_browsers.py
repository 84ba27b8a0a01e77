"""Who is refused as a page of another site: what browsers send in each case, and what other clients do."""

from __future__ import annotations

import pytest

from sampan.registry.api.browsers import from_strangers_page

HERE = "127.0.0.1:8500"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("PUT", {"Host": HERE}),
        ("PUT", {"Host": "registry.internal:8500"}),
        ("PUT", {}),
        ("GET", {"Host": HERE, "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}),
        ("GET", {"Host": HERE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),
        ("PUT", {"Host": HERE, "Origin": f"http://{HERE}", "Sec-Fetch-Site": "same-origin"}),
        ("PUT", {"Host": "localhost:8500", "Origin": "http://localhost:8500"}),
        ("PUT", {"Host": "[::1]:8500", "Origin": "http://[::1]:8500"}),
    ],
)
def test_answered(method: str, headers: dict[str, str]) -> None:
    assert not from_strangers_page(method, headers)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        # A page of another site, and one of another port.
        ("PUT", {"Host": HERE, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}),
        ("POST", {"Host": HERE, "Origin": "null"}),
        ("PUT", {"Host": HERE, "Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"}),
        ("GET", {"Host": HERE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}),
        ("GET", {"Host": HERE, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}),
        ("POST", {"Host": HERE, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),
        # Its own name leads here: to the browser it is the same site.
        ("PUT", {"Host": "evil.example:8500", "Origin": "http://evil.example:8500", "Sec-Fetch-Site": "same-origin"}),
        ("GET", {"Host": "evil.example:8500", "Sec-Fetch-Site": "same-origin"}),
        ("GET", {"Host": "localhost.evil.example:8500", "Sec-Fetch-Site": "same-origin"}),
        ("GET", {"Sec-Fetch-Site": "same-origin"}),
        ("GET", {"Host": "[", "Sec-Fetch-Site": "same-origin"}),
    ],
)
def test_refused(method: str, headers: dict[str, str]) -> None:
    assert from_strangers_page(method, headers)
