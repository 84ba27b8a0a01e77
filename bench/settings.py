"""What the command line says to every measurement."""

from __future__ import annotations

import sys
from dataclasses import dataclass


class UnableError(Exception):
    """This machine cannot run the measurement: a sentence, and what to do about it."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Settings:
    """`quick` asks for fewer and shorter trials: to see that it runs, not for figures to keep."""

    quick: bool = False
    quiet: bool = False
    only: tuple[str, ...] = ()

    def choose(self, **number: tuple[int, int]) -> int:
        """Of `name=(whole, quick)` the one that goes."""
        ((whole, quick),) = number.values()
        return quick if self.quick else whole

    def wants(self, part: str) -> bool:
        """Whether a part of the measurement was asked for (`--only PART`; all if none is named)."""
        return not self.only or part in self.only

    def tell(self, words: str) -> None:
        """To stderr, over the last words if that is a terminal."""
        if self.quiet:
            return
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{words}")
        else:
            sys.stderr.write(f"{words}\n")
        sys.stderr.flush()
