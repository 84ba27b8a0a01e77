"""The supervisor: parent of the control plane, of every Envoy, of the replay server and of the registry.

    python -m sampan.proxy.supervisor --runtime DIR [--replay-command JSON] [--companion NAME=JSON] [options]
        -- CONTROL COMMAND…

It stays in the foreground. Its exit status: 0 after a graceful stop, 1 with a sentence if it cannot start, that of the
control plane if that one had nothing to do (0) or was called wrongly (2), 128 + N if a second signal N cut it short.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # asyncio loads ssl where it is there; nothing here speaks TLS, and it is a fifth of our memory (4 MB).
    sys.modules["ssl"] = None  # type: ignore[assignment]

import argparse
import asyncio
import fcntl
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sampan.proxy import binary, paths, processes
from sampan.proxy.arguments import parse
from sampan.proxy.companion import Companion
from sampan.proxy.control import ControlServer, Reply
from sampan.proxy.events import Events
from sampan.proxy.keeper import Keeper
from sampan.proxy.logs import Log, Sink
from sampan.proxy.run import KILL_AFTER, House, Wanted
from sampan.proxy.siblings import ControlPlane, Replay

PROTOCOL = 1
SOCKET_VARIABLE = "SAMPAN_SUPERVISOR"  # in the control plane's environment: the path of the control socket


class StartError(Exception):
    """A sentence for the user."""


class Supervisor:
    """Implements `control.Desk`."""

    def __init__(self, options: argparse.Namespace, envoy: Path, log: Log, guard: processes.Guard | None) -> None:
        runtime: Path = options.runtime
        environment = {**os.environ, SOCKET_VARIABLE: str(paths.supervisor_socket(runtime))}
        self.events = Events()
        self.status = 0
        self._log = log
        self._since = time.time()
        self._processes = processes.Processes(log, guard)
        self._house = House(
            runtime,
            envoy,
            self._processes,
            self.events,
            log,
            drain_seconds=options.drain_seconds,
            log_level=options.envoy_log_level,
            before_restart=self._replay_if_alone,
        )
        self._control = ControlPlane(
            self._processes, self.events, log, options.command, environment, options.silence_seconds
        )
        self._replay = Replay(self._processes, self.events, log, options.replay_command, environment)
        self._companions = [
            Companion(name, self._processes, self.events, log, command, environment)
            for name, command in options.companion
        ]
        self._server = ControlServer(self)
        self._keepers: dict[str, Keeper] = {}
        self._keeping: set[asyncio.Task[None]] = set()
        self._tasks: asyncio.TaskGroup

    async def run(self) -> int:
        """Until everything has ended. Raises StartError."""
        self._listen_to_signals()
        await self._server.start(paths.supervisor_socket(self._house.runtime))
        async with asyncio.TaskGroup() as self._tasks:
            control = self._tasks.create_task(self._keep_control())
            lives = (self._replay.keep(), *(companion.keep() for companion in self._companions))
            beside = [self._tasks.create_task(life) for life in lives]
            await self._house.stopping.wait()
            await self._stop_all()
            for task in (control, *beside):
                task.cancel()
        self._server.close()
        self._processes.kill_all()
        paths.supervisor_socket(self._house.runtime).unlink(missing_ok=True)
        return self.status

    async def _keep_control(self) -> None:
        try:
            status = await self._control.keep()
        except OSError as error:
            self._log.line("supervisor", f"the control plane cannot be started: {error}")
            status = 1
        if not self._house.stopping.is_set():
            self.status = status
        self.end()

    async def _stop_all(self) -> None:
        self.events.emit("stopping")
        stops = [self._tasks.create_task(run.drain_and_stop()) for run in tuple(self._house.runs.values())]
        if ending := [*stops, *self._keeping]:
            await asyncio.wait(ending)
        # Those that were draining before, for another reason, end by their own deadline.
        left = [run.child for run in self._house.runs.values()]
        try:
            async with asyncio.timeout(self._house.drain_seconds):
                for child in left:
                    await child.exited.wait()
        except TimeoutError:
            for child in left:
                await child.stop(KILL_AFTER)
        await self._control.stop()
        await self._replay.stop()
        # Last: while requests in flight finish, services still deregister.
        await asyncio.gather(*(companion.stop() for companion in self._companions))

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._processes.reap)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._house.stopping.is_set():
            self._processes.kill_all()
            self._log.close(0.2)
            os._exit(128 + number)
        self._log.line(
            "supervisor", f"{number.name}: draining for up to {self._house.drain_seconds} s; again to end now"
        )
        self.end()

    async def _replay_if_alone(self) -> None:
        # Before the first control plane was ready there is nothing to replay, and it is about to take the socket.
        if self._control.ever_ready and not self._control.available and not self._house.stopping.is_set():
            self._replay.start()
        if self._replay.needed:
            await self._replay.serves(paths.xds_socket(self._house.runtime))

    # What the control socket asks for:

    def facts(self) -> Reply:
        return {
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "since": self._since,
            "stopping": self._house.stopping.is_set(),
            "control_ready": self._control.available,
            "companions": {one.name: one.child.pid for one in self._companions if one.child is not None},
        }

    def proxies(self) -> list[Reply]:
        return [run.facts() for run in self._house.runs.values()]

    def apply(self, proxies: Mapping[str, Wanted]) -> None:
        if self._house.stopping.is_set():
            return
        for name, keeper in tuple(self._keepers.items()):
            keeper.want(proxies.get(name))
            if name not in proxies:
                del self._keepers[name]
        for name, wanted in proxies.items():
            if name not in self._keepers:
                keeper = self._keepers[name] = Keeper(self._house, self._tasks, name, wanted)
                task = self._tasks.create_task(keeper.keep())
                self._keeping.add(task)
                task.add_done_callback(self._keeping.discard)

    async def control_ready(self) -> bool:
        replayed = await self._replay.stop()
        self._control.says_ready()
        return replayed

    async def control_beats(self) -> bool:
        self._control.beats()
        return await self._replay.stop()

    def control_gone(self) -> None:
        self._control.hangs_up()
        # An Envoy that is being started, or still waits for its configuration, would wait in vain.
        runs = [keeper.current for keeper in self._keepers.values()] + list(self._house.runs.values())
        if any(run is None or run.state == "starting" for run in runs):
            self._tasks.create_task(self._replay_if_alone())

    def end(self) -> None:
        self._house.stopping.set()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    sinks = [Sink(2)]
    log = Log(sinks)
    try:
        lock = take_runtime(options.runtime)
        if options.log_file is not None:
            sinks.append(Sink(_open_log(options.log_file)))
            log = Log(sinks)
        envoy = binary.find(options.envoy)
    except (StartError, binary.EnvoyMissingError) as problem:
        log.line("supervisor", str(problem))
        log.close()
        return 1
    guard = processes.guard_if_needed()
    try:
        return asyncio.run(Supervisor(options, envoy, log, guard).run())
    finally:
        log.close()
        if guard is not None:
            guard.close()
        os.close(lock)


def take_runtime(runtime: Path) -> int:
    """Makes the runtime directory ours: the descriptor of its lock, held as long as it is open. Raises StartError."""
    if problem := paths.too_long(runtime):
        raise StartError(problem)
    try:
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        if runtime.stat().st_uid != os.geteuid():
            raise StartError(f"{runtime} belongs to another user: choose another directory with --runtime")
        runtime.chmod(0o700)
        lock = os.open(paths.lock_file(runtime), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise StartError(
                f"another supervisor (pid {holder}) is running in {runtime}: end it with `kill {holder}`, "
                "or choose another directory with --runtime"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        paths.admin_folder(runtime).mkdir(mode=0o700, exist_ok=True)
        for stale in paths.admin_folder(runtime).iterdir():
            stale.unlink(missing_ok=True)
    except OSError as error:
        raise StartError(f"the runtime directory {runtime} cannot be used: {error.strerror}") from error
    return lock


def _open_log(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(f"the log file {path} cannot be written: {error.strerror}") from error


if __name__ == "__main__":
    raise SystemExit(main())
