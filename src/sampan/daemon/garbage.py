"""When Python looks for garbage that reference counts do not free.

What passes between rooms holds no cycles, so a collection finds nothing of ours, and everything waits for it: a look at
all objects takes 107 ms at 1,000 routes, 600 ms at 10,000 (measured). Cycles of libraries still go.
"""

from __future__ import annotations

import gc


def wait() -> None:
    """Not while all is read for the first time, and seldom afterwards: some 5 ms for 50,000 new objects."""
    gc.set_threshold(50_000, 20, 1000)
    gc.disable()


def begin() -> None:
    """What is here by now stays: it is freed by its count, but never looked at again."""
    gc.freeze()
    gc.enable()
