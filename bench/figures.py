"""What figures come to: percentiles, and a ratio with the spread that its noise allows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    rank = -(-share * len(ordered) // 1)
    return ordered[max(0, min(len(ordered), int(rank)) - 1)]


@dataclass(frozen=True, slots=True)
class Spread:
    """Of many trials, in the unit of the trials."""

    count: int
    p50: float
    p90: float
    p99: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(
            len(values),
            percentile(values, 0.5),
            percentile(values, 0.9),
            percentile(values, 0.99),
            max(values, default=float("nan")),
        )

    def json(self) -> dict[str, float]:
        return {key: round(value, 3) for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median of the ratios of paired rounds; `low` and `high` bound it with 95 % (bootstrap over the rounds)."""

    middle: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        return f"{self.middle:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def json(self) -> dict[str, float]:
        return {key: round(value, 4) for key, value in asdict(self).items()}


def ratio(ours: Sequence[float], theirs: Sequence[float], draws: int = 2000) -> Ratio:
    """Of rounds that were run side by side: the n-th of ours belongs to the n-th of theirs."""
    paired = [one / other for one, other in zip(ours, theirs, strict=True)]
    chance = random.Random(1)  # the same figures give the same interval
    medians = [median(chance.choices(paired, k=len(paired))) for _ in range(draws)]
    return Ratio(median(paired), percentile(medians, 0.025), percentile(medians, 0.975), len(paired))
