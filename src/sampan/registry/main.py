"""The registry's process: `python -m sampan.registry --state DIR --http HOST:PORT --dns HOST:PORT`.

When it serves it prints one line of JSON on stdout: {"http": "127.0.0.1:8500", "dns": "127.0.0.1:8600"} (or, with
`--ready words`, a sentence for a log), and says the same in `registry.json` in its folder. SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import logging
import os
import secrets
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from aiohttp import web
from aiohttp.http import HttpProcessingError

from sampan.consul.durations import parse_duration
from sampan.registry import open_files, place
from sampan.registry import registry as registries
from sampan.registry.api.application import application
from sampan.registry.api.families import FAMILIES
from sampan.registry.checking.running import running
from sampan.registry.checks import UPDATE_SECONDS
from sampan.registry.dns.directory import Directory
from sampan.registry.dns.server import Sockets, answering, listening, served
from sampan.registry.dns.zone import Zone
from sampan.registry.expiry import Expiry
from sampan.registry.identity import Identity
from sampan.registry.registry import Registry
from sampan.registry.store import Store, StoreError

DRAIN_SECONDS = 1.0
# Of a request: a filter may be long. As Go's server (http.DefaultMaxHeaderBytes), and Consul with it.
LONGEST_LINE = 1 << 20
SEND_BUFFER = 128 << 10


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 after SIGTERM, 1 if it cannot serve (with a sentence on stderr)."""
    chosen = parser().parse_args(arguments)
    try:
        asyncio.run(_run(chosen))
    except (OSError, StoreError, place.PlaceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="sampan.registry", description="The embedded registry")
    result.add_argument("--state", type=Path, required=True, help="the folder of registry.db")
    result.add_argument("--http", default="127.0.0.1:8500", metavar="HOST:PORT")
    result.add_argument("--dns", default="127.0.0.1:8600", metavar="HOST:PORT|off")
    result.add_argument("--datacenter", default="dc1")
    result.add_argument("--node", default=socket.gethostname().partition(".")[0].lower() or "localhost")
    result.add_argument("--check-update-interval", type=parse_duration, default=UPDATE_SECONDS, metavar="DURATION")
    result.add_argument("--ready", choices=("json", "words"), default="json", help="how to say that it serves")
    return result


async def _run(chosen: argparse.Namespace) -> None:
    # Rows hold no cycles: a collection finds none of them, and all waiters wait for it (0.2 s of a start with 20,000
    # instances). Afterwards seldom, for the cycles of libraries.
    gc.disable()
    gc.set_threshold(50_000, 20, 1000)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    open_files.allow()
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    chosen.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as undo:
        http = undo.enter_context(_listening(chosen))
        dns = _listening_for_dns(chosen)
        for one in dns or ():
            undo.enter_context(one)
        identity = Identity(
            chosen.node,
            _node_id(chosen.state),
            datacenter=chosen.datacenter,
            http_port=http.getsockname()[1],
            dns_port=dns[1].getsockname()[1] if dns is not None else -1,
            token=_token(),
        )
        store = undo.enter_context(contextlib.closing(Store(chosen.state / "registry.db")))
        registry = registries.build(identity, store)
        registry.catalog.update_seconds = chosen.check_update_interval
        # What is here by now stays, and is never looked at again by the garbage collector.
        gc.freeze()
        gc.enable()
        serving = place.Announcement(_shown(http), _shown(dns[1]) if dns else "", chosen.datacenter, os.getpid())
        async with _serving(registry, http, dns):
            with place.announced(chosen.state, serving):
                print(_ready(serving, chosen.ready), flush=True)
                await stop.wait()


@contextlib.asynccontextmanager
async def _serving(registry: Registry, http: socket.socket, dns: Sockets | None) -> AsyncIterator[None]:
    """HTTP and DNS, and checks are run."""
    # A client that goes while it waits takes its wait with it (aiohttp lets it go on, for up to ten minutes). Writes
    # are never cut in two by that: between the last byte of a body and the answer nothing is awaited.
    runner = web.AppRunner(
        application(registry, FAMILIES),
        access_log=None,
        shutdown_timeout=DRAIN_SECONDS,
        handler_cancellation=True,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )
    await runner.setup()
    try:
        zone = Zone(registry.identity, Directory(registry.catalog, registry.tables))
        expiry = Expiry(registry.tables, registry.sessions)
        async with running(registry.catalog, registry.tables), served(answering(zone), dns):
            expiry.start()
            await web.SockSite(runner, http, backlog=4096).start()
            try:
                yield
            finally:
                expiry.stop()
                registry.tables.let_go()
    finally:
        await runner.cleanup()


def _is_ours(record: logging.LogRecord) -> bool:
    """What is no HTTP was answered with 400, and is no fault of ours: any port scan would fill the log with it."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _token() -> str:
    """No option: every user of a machine sees the options of its processes."""
    return os.environ.get(place.TOKEN_VARIABLE, "")


def _listening(chosen: argparse.Namespace) -> socket.socket:
    """Raises OSError with the place in it."""
    address = place.again(chosen.state, place.parse(chosen.http), "http")
    _check_open(address)
    made = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What the kernel takes at once for a client that does not read; by itself it takes megabytes.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        made.bind((address.host, address.port))
        made.listen(4096)
    except OSError as error:
        made.close()
        raise OSError(f"the registry cannot listen on {address}: {error.strerror}") from error
    return made


def _check_open(address: place.Address) -> None:
    """DNS asks nobody for a token; one that is set says that being reached is meant."""
    try:
        place.check_open(address, _token())
    except place.PlaceError as error:
        raise place.PlaceError(f"{error}: set ${place.TOKEN_VARIABLE}, or listen on 127.0.0.1") from error


def _listening_for_dns(chosen: argparse.Namespace) -> Sockets | None:
    """Raises OSError with the place in it. None: off."""
    if chosen.dns == "off":
        return None
    wanted = place.parse(chosen.dns)
    _check_open(wanted)
    before = place.again(chosen.state, wanted, "dns")
    if before != wanted:
        with contextlib.suppress(OSError):  # somebody else has that port by now
            return listening(before)
    return listening(wanted)


def _ready(serving: place.Announcement, form: str) -> str:
    if form == "json":
        return json.dumps({"http": serving.http, **({"dns": serving.dns} if serving.dns else {})})
    dns = f", DNS at {serving.dns}" if serving.dns else ""
    return f"serves Consul's HTTP API at http://{serving.http}{dns}"


def _shown(listening: socket.socket) -> str:
    return str(place.Address(*listening.getsockname()[:2]))


def _node_id(state: Path) -> str:
    """Made once and kept, as Consul keeps its `node-id`."""
    path = state / "registry.node-id"
    try:
        return str(uuid.UUID(path.read_text().strip()))
    except (OSError, ValueError):
        made = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
        path.write_text(made + "\n")
        return made
