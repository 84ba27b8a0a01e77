"""Processes of a measurement: started here, watched through /proc, and ended by their pid whatever happens."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class ProcessFailedError(Exception):
    """A process ended or did not become ready; the text holds the end of its output."""


@dataclass(slots=True)
class Started:
    """One process and where its output goes."""

    label: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def tail(self, size: int = 2000) -> str:
        try:
            return self.log.read_text(errors="replace")[-size:]
        except OSError:
            return ""

    def check(self) -> None:
        """Raises ProcessFailedError if it has ended."""
        if self.process.poll() is not None:
            raise ProcessFailedError(f"{self.label} ended with {self.process.returncode}:\n{self.tail()}")


@dataclass(slots=True)
class Stage:
    """All processes of a measurement. A context manager: at its end every one of them, and what they started, is gone.

    Orphans of our children become our children (PR_SET_CHILD_SUBREAPER, prctl(2)), so that nothing can slip away.
    """

    folder: Path
    started: list[Started] = field(default_factory=list)

    def __enter__(self) -> Stage:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in reversed(self.started):
            self._end(one, patience=5.0)
        self.started.clear()
        _end_orphans()

    def start(
        self,
        label: str,
        command: Sequence[str | Path],
        *,
        cores: Sequence[int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Started:
        """Starts a command on these cores (all if None), its output in a file of the stage's folder."""
        log = self.folder / f"{label}.{len(self.started)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                preexec_fn=_prepared(cores),
                start_new_session=True,
            )
        one = Started(label, process, log)
        self.started.append(one)
        return one

    def check(self) -> None:
        """Raises ProcessFailedError if one of them has ended."""
        for one in self.started:
            one.check()

    def stop(self, one: Started, patience: float = 20.0) -> None:
        self._end(one, patience)
        self.started.remove(one)

    def _end(self, one: Started, patience: float) -> None:
        """SIGTERM, after `patience` seconds SIGKILL to it and to everything that it has started."""
        below = descendants(one.pid)
        if one.process.poll() is None:
            one.process.terminate()
            try:
                one.process.wait(patience)
            except subprocess.TimeoutExpired:
                below = descendants(one.pid)
                one.process.kill()
                one.process.wait()
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                if parent_of(pid) in (os.getpid(), one.pid):
                    os.kill(pid, signal.SIGKILL)


def _prepared(cores: Sequence[int] | None) -> Callable[[], None]:
    parent = os.getpid()

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        if cores is not None:
            os.sched_setaffinity(0, cores)

    return prepare


def _end_orphans() -> None:
    for pid in children(os.getpid()):
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


# ---- what /proc knows


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name, from the state on (proc(5)); [] if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def parent_of(pid: int) -> int:
    found = _stat(pid)
    return int(found[1]) if found else 0


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in _tasks(pid):
        with contextlib.suppress(OSError):
            found.extend(int(word) for word in (task / "children").read_text().split())
    return found


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """Children, their children and so on."""
    found: list[int] = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def tree(pid: int) -> list[int]:
    return [pid, *descendants(pid)]


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of these processes, without that of children that have ended. Steps of 10 ms."""
    return sum(int(found[11]) + int(found[12]) for found in map(_stat, pids) if found) / TICKS_PER_SECOND


def cpu_seconds_with_dead(pid: int) -> float:
    """User and system time of a process, its descendants and those of them that have ended and been waited for."""
    return sum(sum(map(int, found[11:15])) for found in map(_stat, tree(pid)) if found) / TICKS_PER_SECOND


def resident_mib(pid: int) -> float:
    """RSS, from the kernel's exact count (smaps_rollup; that in stat lags behind)."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("Rss:")), 0.0)


def name_of(pid: int) -> str:
    """The command line, its words joined by spaces."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


# ---- ports and waiting


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody has now; held until all are found, so that they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def wait_until(
    condition: Callable[[], bool], seconds: float, what: str, *watched: Started, pause: float = 0.005
) -> None:
    """Raises ProcessFailedError if the condition does not hold in time or a watched process ends."""
    deadline = time.monotonic() + seconds
    while not condition():
        for one in watched:
            one.check()
        if time.monotonic() > deadline:
            output = "\n".join(f"--- {one.label}:\n{one.tail()}" for one in watched)
            raise ProcessFailedError(f"{what}: not within {seconds:g} s\n{output}")
        time.sleep(pause)


def accepts(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(0.5)
        return one.connect_ex(("127.0.0.1", port)) == 0
