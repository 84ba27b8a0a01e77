"""A source that ends by a bug."""

from __future__ import annotations

import asyncio

import pytest

from sampan.daemon.sources import guarded
from sampan.sources.source import Emit, Records


class Faulty:
    """Ends the first time it runs."""

    name = "faulty"

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, emit: Emit) -> None:
        self.runs += 1
        emit(Records(self.name, whole=True))
        if self.runs == 1:
            raise KeyError("Datacenter")


def test_it_is_told_and_runs_again(capsys: pytest.CaptureFixture[str]) -> None:
    source, said = Faulty(), list[Records]()
    asyncio.run(guarded(source, said.append, 0.0))
    assert source.runs == 2
    assert [record.whole for record in said] == [True, False, True]
    (told,) = said[1].health.diagnostics
    assert told.reason == "reading faulty ended in KeyError: 'Datacenter'"
    assert not said[1].removed
    assert "Traceback" in capsys.readouterr().err
