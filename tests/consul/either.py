"""A real Consul, and the embedded registry: what speaks to the one has to work with the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..consul_binary import Agent, running
from ..registry.embedded import embedded

EITHER = [pytest.param("consul", marks=pytest.mark.consul), "embedded"]


@pytest.fixture(scope="module", params=EITHER)
def agent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    if request.param == "consul":
        with running() as consul:
            yield consul
        return
    folder: Path = tmp_path_factory.mktemp("registry")
    with embedded(folder) as registry:
        base = registry.client.base_url
        yield Agent(f"{base.host}:{base.port}", registry.dns, registry.pid)
