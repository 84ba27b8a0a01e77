"""A pool of connections of its own: at most so many calls at once, and so no more connections."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from sampan.consul import wire
from sampan.consul.target import Target


class Lane:
    """`keep`: seconds for which an idle connection is kept."""

    def __init__(self, target: Target, slots: int, keep: float) -> None:
        self._target, self._keep = target, keep
        self._free = asyncio.Semaphore(slots)
        self._session: aiohttp.ClientSession | None = None

    def widen(self, slots: int) -> None:
        """So many more at once."""
        for _ in range(slots):
            self._free.release()

    async def open(self, tls: ssl.SSLContext | None) -> None:
        """Connects to nothing yet."""
        # Without limits of its own: the semaphore bounds what is under way, and by that what is open.
        if self._target.unix_path:
            connector: aiohttp.BaseConnector = aiohttp.UnixConnector(
                self._target.unix_path, limit=0, keepalive_timeout=self._keep
            )
        else:
            secure = tls if tls is not None else True
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=self._keep, ssl=secure)
        # Uncompressed: the agent is near, and unpacking costs more than reading.
        headers = {"User-Agent": "sampan", "Accept-Encoding": "identity"}
        if self._target.token:
            headers[wire.TOKEN] = self._target.token
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            # A proxy in the environment is for the outside world, not for the agent beside us.
            trust_env=False,
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """For one call, when it is its turn."""
        if self._session is None:
            raise RuntimeError("the client is used outside `async with`")
        async with self._free:
            yield self._session
