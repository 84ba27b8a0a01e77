"""Trouble on request, so that one can see what the gateway does about it.

`?delay=SECONDS` answers late; `?flaky=KEY` fails the first request with that key and answers the next ones;
`?fail=STATUS` always fails.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from sampan.demo.services.web import Request, Response, problem

MAX_DELAY = 30.0
MAX_KEYS = 1000


class Faults:
    """Remembers the keys of `flaky` it has seen, the last MAX_KEYS of them."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()

    async def meet(self, request: Request) -> Response | None:
        """The failure that the request asks for, or None (after the delay, if it asks for one)."""
        if (delay := _number(request.query.get("delay", ""))) is not None:
            await asyncio.sleep(min(max(delay, 0.0), MAX_DELAY))
        status = _number(request.query.get("fail", ""))
        if status is not None and 400 <= status <= 504:
            return problem(int(status) if status in (400, 404, 429, 500, 502, 503, 504) else 500, "as you asked")
        if (key := request.query.get("flaky")) and self._count(key) == 1:
            return problem(503, "the first request with this key fails, as you asked")
        return None

    def attempts(self, request: Request) -> int:
        """How often the request's `flaky` key was seen; 1 without one."""
        return self._seen.get(request.query.get("flaky", ""), 1)

    def _count(self, key: str) -> int:
        self._seen[key] = self._seen.pop(key, 0) + 1
        while len(self._seen) > MAX_KEYS:
            self._seen.popitem(last=False)
        return self._seen[key]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value == value else None  # NaN is not a number of seconds
