"""The control plane's process: `python -m sampan.daemon --runtime DIR --file PATH …`, started by the supervisor.

Begins with what decides that proxies start (documents, resolving), so that Envoys start while gRPC and protobuf load.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sampan import policies
from sampan.daemon import arguments, garbage
from sampan.daemon.afterwards import Afterwards
from sampan.daemon.database import Database
from sampan.daemon.discovery import Services
from sampan.daemon.fleet import Doors, Fleet, every_address
from sampan.daemon.keeper import Keeper
from sampan.daemon.pipeline import Pipeline
from sampan.daemon.sources import Sources
from sampan.daemon.stored import stored_of
from sampan.daemon.view import Overview
from sampan.daemon.world import World
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.model import codes
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin
from sampan.model.printable import one_line
from sampan.proxy import paths
from sampan.proxy.client import Supervisor, SupervisorError
from sampan.registry import open_files
from sampan.sources.files.watch import Files

if TYPE_CHECKING:
    from sampan.daemon.publisher import Publisher
    from sampan.xds.control import Control, Notice

FIRST_TAKEN_SECONDS = 1.0
TRUST_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


def main(given: Sequence[str] | None = None) -> int:
    """The exit status: 0 after SIGTERM, 1 if the supervisor is gone, 2 for wrong arguments."""
    chosen = arguments.parser().parse_args(given)
    garbage.wait()
    open_files.allow()
    status = 0
    try:
        asyncio.run(_run(chosen))
    except* (SupervisorError, OSError) as group:
        for error in leaves(group):
            print(f"error: {error}", file=sys.stderr)
        status = 1
    return status


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The exceptions of a group and of the groups in it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def say(line: str) -> None:
    print(one_line(line), file=sys.stderr, flush=True)


async def _run(chosen: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Supervisor(paths.supervisor_socket(chosen.runtime)) as supervisor, asyncio.TaskGroup() as group:
        work = group.create_task(_work(chosen, supervisor))
        ending = group.create_task(stop.wait())
        await asyncio.wait((work, ending), return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        ending.cancel()


async def _work(chosen: argparse.Namespace, supervisor: Supervisor) -> None:
    runtime: Path = chosen.runtime
    found = policies.look()
    kinds = BUILT_IN.with_kinds(policies.document_kinds(found.kinds))
    with contextlib.closing(Database(runtime / "state.db")) as database:
        ledger, last_good = database.load_ledger(), database.load_last_good()
        keeper = Keeper(database, ledger, last_good)
        afterwards = Afterwards(ledger, keeper, now, say)
        world = World(kinds, found.kinds, last_good)
        threads = ("--concurrency", str(chosen.concurrency)) if chosen.concurrency else ()
        fleet = Fleet(runtime, runtime / "xds.sock", supervisor, threads)
        every = every_address()
        doors = Doors(every)
        pipeline = Pipeline(world, fleet, doors, afterwards, now, database.load_refused())
        overview = Overview(pipeline, ledger, (*found.diagnostics, *_state_notice(database)))
        afterwards.statuses, afterwards.diagnostics = overview.statuses, overview.diagnostics
        afterwards.last_good = lambda: world.merged.last_good
        afterwards.health = lambda: world.merged.health
        choice = arguments.choice(chosen)
        sources = Sources(pipeline, Files(chosen.file, kinds))
        if choice:
            services = Services(choice, database.load_registered(Services.name), keeper.note_registered, now)
            pipeline.uses = services.use
            stored = stored_of(choice, kinds, last_good, certain=not database.notice)
            stored.follow(overview, afterwards)
            sources.add(services, expected=services.expected)
            sources.add(stored, expected=stored.expected)
        with choice.announced(), contextlib.closing(keeper):
            async with asyncio.TaskGroup() as group:
                await sources.begin(group)
                group.create_task(keeper.run())
                group.create_task(afterwards.run())
                await _serve(group, chosen, supervisor, overview, afterwards, keeper, every, sources)


async def _serve(
    group: asyncio.TaskGroup,
    chosen: argparse.Namespace,
    supervisor: Supervisor,
    overview: Overview,
    afterwards: Afterwards,
    keeper: Keeper,
    every: str,
    sources: Sources,
) -> None:
    """The second half: what needs gRPC and protobuf."""
    from sampan.compile.settings import Settings
    from sampan.daemon.publisher import Publisher
    from sampan.proxy.trial import Trials
    from sampan.xds.control import Control
    from sampan.xds.server import serving, socket_path
    from sampan.xds.store import Keeper as RowKeeper
    from sampan.xds.store import rows_folder

    runtime: Path = chosen.runtime
    pipeline = overview.pipeline
    trials = Trials(chosen.envoy)

    async def validate(body: bytes) -> str | None:
        return await trials.validate(body, "binary")

    control = Control()
    trust = next((name for name in TRUST_FILES if os.path.exists(name)), TRUST_FILES[0])
    settings = Settings(system_trust=trust, every_address=every)
    publisher = Publisher(control, pipeline.world.policies, settings, validate, pipeline.refused, now)
    overview.connect(control, publisher)
    _follow_proxies(control, publisher, afterwards, keeper)
    async with serving(control, socket_path(runtime)) as address:
        rows = RowKeeper(rows_folder(runtime), control)
        before = afterwards.problems
        afterwards.problems = lambda: (*before(), rows.problem, pipeline.fleet.problem)
        keeper.changed = rows.changed = afterwards.note
        group.create_task(rows.run())
        group.create_task(supervisor.stay_ready(address.take))
        group.create_task(_answer(overview, runtime / "api.sock"))
        await sources.complete(group, partial(_first_taken, control, publisher))
        await pipeline.follow(publisher)


async def _first_taken(control: Control, publisher: Publisher) -> None:
    """Until all proxies have what was published first, or that takes too long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FIRST_TAKEN_SECONDS):
            for view, state in tuple(publisher.publications.items()):
                await control.settled(view.proxy, state.revision, FIRST_TAKEN_SECONDS)


async def _answer(overview: Overview, path: Path) -> None:
    """Questions can wait until an HTTP server is imported; the proxies, which wait for their first rows, need not."""
    answering = (await asyncio.to_thread(import_module, "sampan.daemon.api")).answering
    await answering(overview, path)


def _follow_proxies(control: Control, publisher: Publisher, afterwards: Afterwards, keeper: Keeper) -> None:
    """Proxies' answers change statuses and diagnostics, and what is refused is kept for the next start."""
    from sampan.envoy import types
    from sampan.xds.events import GaveUp

    noted: dict[str, object] = {}

    def observe(notice: Notice) -> None:
        afterwards.note()
        if isinstance(notice.what, GaveUp):
            names = ", ".join(f"{types.word(type_url)} {name}" for type_url, name in notice.what.resources)
            say(f"warning: the proxy {notice.scope} did not take in time, and goes on without: {names}")
        for view, state in publisher.publications.items():
            if view.proxy == notice.scope and noted.get(view.proxy) is not state.refusals.by_key:
                noted[view.proxy] = state.refusals.by_key
                keeper.note_refused(view.proxy, state.refusals.by_key.values())

    control.observe(observe)


def _state_notice(database: Database) -> tuple[Diagnostic, ...]:
    if not database.notice:
        return ()
    return (Diagnostic(codes.STATE_PROBLEM, database.notice, Origin("state", str(database.path))),)
