"""What the log is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from sampan.daemon.afterwards import Afterwards
from sampan.daemon.ledger import Ledger
from sampan.model.codes import REGISTRY_AWAY
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin
from sampan.sources.last_good import LastGood

AWAY = Diagnostic(REGISTRY_AWAY, "it gives no answer", Origin("consul"))


class Keeper:
    """Keeps nothing."""

    problem = ""

    def note(self, last_good: LastGood) -> None:
        pass


@pytest.fixture
def lines() -> list[str]:
    return []


def test_a_source_that_goes_and_comes_back(lines: list[str]) -> None:
    health: Mapping[str, Iterable[Diagnostic]] = {}
    afterwards = Afterwards(Ledger(), Keeper(), lambda: "2026-01-01T00:00:00Z", lines.append)  # type: ignore[arg-type]
    afterwards.health = lambda: health  # type: ignore[return-value, assignment]
    afterwards.diagnostics = lambda: [item for said in health.values() for item in said]
    for now in ({"consul": (), "files": ()}, {"consul": (AWAY,), "files": ()}, {"consul": (), "files": ()}):
        health = now
        afterwards.catch_up()
    assert lines == [
        "consul: warning[SMP0210]: registry that does not answer: it gives no answer",
        "consul can be read again",
        "1 mended: no mistakes are left",
    ]
