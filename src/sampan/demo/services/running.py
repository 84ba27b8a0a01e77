"""What every service of the shop has: a name for itself, a port, and manners when it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from typing import Protocol

from sampan.demo.services.registering import Registration

HOST = "127.0.0.1"
DRAIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Which instance of which service this process is."""

    service: str
    version: str
    instance: str
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "x-service": self.service,
            "x-version": self.version,
            "x-instance": self.instance,
            "x-pid": str(self.pid),
        }

    @property
    def facts(self) -> dict[str, str | int]:
        return {"service": self.service, "version": self.version, "instance": self.instance, "pid": self.pid}


@dataclass(frozen=True, slots=True)
class Settings:
    """`gateway` is where the front page finds the others, as `host:port`; `registry` is where the service says that it
    is there, "" for nowhere; `supervised`: ends with its parent."""

    identity: Identity
    port: int
    gateway: str
    registry: str
    supervised: bool


def settings(service: str) -> Settings:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog=f"python -m sampan.demo.services.{service}")
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--instance", default=f"{service}-1", help="the name it answers with")
    parser.add_argument("--version", default="v1", help="the version it answers with")
    parser.add_argument("--gateway", default=f"{HOST}:8080", help="host:port of the gateway (front page only)")
    parser.add_argument("--registry", default="", help="host:port of the registry to be in, such as 127.0.0.1:8500")
    parser.add_argument("--supervised", action="store_true", help="stop when standard input ends: the parent is gone")
    given = parser.parse_args()
    identity = Identity(service, given.version, given.instance, os.getpid())
    return Settings(identity, given.port, given.gateway, given.registry, given.supervised)


class Server(Protocol):
    """What a service runs. `protocol` is what it speaks: http, grpc or tcp. `start` gives the bound port; `drain`
    refuses new work and lets the old finish."""

    protocol: str

    async def start(self, port: int) -> int: ...

    async def drain(self) -> None: ...


def run(given: Settings, server: Server) -> None:
    """Runs a service until SIGTERM, SIGINT or, if supervised, the end of standard input; then drains it.

    Says `listening HOST:PORT` on standard output when it may be called.
    """
    asyncio.run(_run(given, server))


async def _run(given: Settings, server: Server) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if given.supervised:
        # A parent killed with -9 tells nobody; the kernel closes its end of the pipe all the same.
        await loop.connect_read_pipe(lambda: _UntilEnd(told), sys.stdin)
    port = await server.start(given.port)
    print(f"listening {HOST}:{port}", flush=True)
    if given.registry:
        await _registered(given, server.protocol, port, told)
    await told.wait()
    await server.drain()


async def _registered(given: Settings, protocol: str, port: int, told: asyncio.Event) -> None:
    """In the registry until told to stop: out of it before the door is closed, so that nobody is sent here any more."""
    registration = Registration(given.identity, HOST, port, protocol)
    registering = asyncio.ensure_future(registration.register(given.registry))
    await told.wait()
    registering.cancel()
    await registration.deregister(given.registry)


class _UntilEnd(asyncio.Protocol):
    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def connection_lost(self, _: Exception | None) -> None:
        self._ended.set()
