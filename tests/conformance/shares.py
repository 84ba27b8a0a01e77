"""Does traffic divide as weights say?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

ASKED = 500
TRIES = 10


def assert_shares(ask: Callable[[], str], percents: Mapping[str, int]) -> None:
    """Of 500 requests each of the names gets its share, within 5 percentage points, and nobody else any; a name of
    0 % gets none. Chance may spoil that once (1.5 %), not ten times in a row."""
    for _ in range(TRIES):
        seen = Counter(ask() for _ in range(ASKED))
        assert set(seen) <= {name for name, percent in percents.items() if percent}, seen
        if all(abs(100 * seen[name] / ASKED - percent) <= 5 for name, percent in percents.items()):
            return
    raise AssertionError(f"{TRIES} times not as {dict(percents)} say, at last {seen}")
