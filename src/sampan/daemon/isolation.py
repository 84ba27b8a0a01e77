"""Which parts of a refused configuration are at fault: by what Envoy's text names, then by trial and bisection.

Envoy refuses a RouteConfiguration as a whole and its text may name nothing (`missing ): (?<x>a)(`). Each trial costs
about 0.06 s (`envoy --mode validate`), so the search asks two at a time: 1,000 parts need seven rounds.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol


class Suspect(Protocol):
    """What can be tried by itself: `key` is unique, `body` the bytes that Envoy would get."""

    @property
    def key(self) -> str: ...
    @property
    def body(self) -> bytes: ...


Trial = Callable[[Sequence[Suspect]], Awaitable[str | None]]
"""Would Envoy take these parts? None if so, its complaint if not."""

MOST_NAMED = 8
WORD = re.compile(rb"[^\s'\"`,]{3,}")


async def culprits(suspects: Sequence[Suspect], trial: Trial, complaint: str) -> dict[str, str]:
    """Key and complaint of every part that Envoy would not take, the others being there.

    Empty if it takes them all (what it refused is then not in these parts).
    """
    found: dict[str, str] = {}
    named = mentioned(suspects, complaint)
    verdicts = await asyncio.gather(*(trial([suspect]) for suspect in named))
    found.update((suspect.key, verdict) for suspect, verdict in zip(named, verdicts, strict=True) if verdict)
    remaining = [suspect for suspect in suspects if suspect.key not in found]
    while remaining and (verdict := await trial(remaining)):
        place = await _first_failing(remaining, trial)
        alone = await trial([remaining[place]]) if place else verdict
        found[remaining[place].key] = alone or verdict
        del remaining[place]
    return found


def mentioned(suspects: Sequence[Suspect], complaint: str) -> list[Suspect]:
    """The few parts whose bytes hold a word of the complaint; none if it holds no word that tells them apart."""
    words = sorted(set(WORD.findall(complaint.encode())), key=len, reverse=True)
    for word in words:
        holding = [suspect for suspect in suspects if word in suspect.body]
        if 0 < len(holding) <= MOST_NAMED and (len(holding) < len(suspects) or len(suspects) == 1):
            return holding
    return []


async def _first_failing(parts: Sequence[Suspect], trial: Trial) -> int:
    """Index of the part that completes the shortest refused prefix; `parts` as a whole is known to be refused.

    A prefix stays refused when it grows, so thirds of the range are asked at once and a round leaves a third.
    """
    passing, failing = 0, len(parts)  # the first `passing` parts are taken, the first `failing` are refused
    while failing - passing > 1:
        width = failing - passing
        cuts = sorted({passing + max(1, width // 3), passing + max(1, (2 * width) // 3)})
        verdicts = await asyncio.gather(*(trial(parts[:cut]) for cut in cuts))
        for cut, verdict in zip(cuts, verdicts, strict=True):
            if verdict:
                failing = cut
                break
            passing = cut
    return failing - 1
