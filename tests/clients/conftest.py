"""What clients that nobody here wrote are run against: ours, and a real Consul, so that a test's own mistake shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..consul_binary import Agent
from ..contract import servers


@pytest.fixture(scope="module", params=["ours", "real"])
def agent(request: pytest.FixtureRequest) -> Iterator[Agent]:
    with servers.ours() if request.param == "ours" else servers.real() as running:
        yield running
