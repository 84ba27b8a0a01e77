"""Blocking reads under way, which the registry has for certain: it counts who waits."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import httpx

from .embedded import Embedded, until


class Waiters:
    def __init__(self, registry: Embedded) -> None:
        self._registry = registry
        self._pool = ThreadPoolExecutor(16)

    def wait(self, path: str) -> Future[httpx.Response]:
        """A read that waits for the next change of what is there now."""
        before, client = self._waiting(), self._registry.client
        index = client.get(path).headers["X-Consul-Index"]
        future = self._pool.submit(client.get, path + ("&" if "?" in path else "?") + f"index={index}&wait=60s")
        until(lambda: future.done() or self._waiting() > before)
        assert not future.done(), future.result().text
        return future

    def _waiting(self) -> int:
        gauges = self._registry.get("/v1/agent/metrics")["Gauges"]
        return next(int(gauge["Value"]) for gauge in gauges if gauge["Name"] == "consul.rpc.queries_blocking")
