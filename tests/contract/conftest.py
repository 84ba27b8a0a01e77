"""Both servers for each file of cases, empty at the beginning of each case.

SAMPAN_CONTRACT_ALONE=FILE plays the cases on the real Consul alone and writes down what it answers: for whoever wants
to know before writing ours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import servers
from .both import Both
from .server import Server

ALONE = os.environ.get("SAMPAN_CONTRACT_ALONE")


@pytest.fixture(scope="module")
def pair() -> Iterator[Both]:
    if ALONE:
        with servers.real() as real:
            both = Both([Server(real.url)])
            yield both
            both.close()
        return
    with servers.real() as real, servers.ours() as ours:
        both = Both([Server(real.url), Server(ours.url)])
        yield both
        both.close()


@pytest.fixture
def both(pair: Both, request: pytest.FixtureRequest) -> Iterator[Both]:
    pair.begin(request.node.name)
    yield pair
    assert not pair.different, "\n  ".join(["they differ:", *pair.different[:40]])
    if ALONE:
        with Path(ALONE).open("a") as told:
            told.write("\n".join([*pair.told, ""]))
