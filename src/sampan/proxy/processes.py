"""Child processes: started, told when they end, and never outliving their parent.

Linux: the kernel kills a child when the thread that made it ends (PR_SET_PDEATHSIG, prctl(2)), so children are made by
the main thread only. An executable with file capabilities or a set-user-ID bit would lose that signal at exec.
Elsewhere a small watcher process does it (`watcher`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sampan.proxy.logs import Log

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> Callable[[], None] | None:
    """A `preexec_fn` that ties the child's life to this process, or None where the kernel has no such thing."""
    if _libc is None:
        return None
    parent, prctl = os.getpid(), _libc.prctl

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # The parent may have died between fork and prctl: the child then already has another parent.
        if os.getppid() != parent:
            os._exit(1)

    return tie


class Child:
    """One process of ours. `returncode` as subprocess has it: negative for a signal."""

    def __init__(self, label: str, process: subprocess.Popen[bytes]) -> None:
        self.label = label
        self.pid = process.pid
        self.started = time.monotonic()
        self.exited = asyncio.Event()
        self._ends = False
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def poll(self) -> bool:
        """Whether it has ended; reaps it."""
        if self._process.poll() is not None:
            self.exited.set()
        return self.exited.is_set()

    def signal(self, number: signal.Signals) -> None:
        # send_signal polls first, so the pid is still ours when the signal goes out.
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self, patience: float) -> None:
        """SIGTERM, after `patience` seconds SIGKILL; returns when it is reaped."""
        if self.exited.is_set():
            return
        self._ends = True
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(patience):
                await self.exited.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            await self.exited.wait()

    def farewell(self, line: bytes) -> bool:
        """Whether a line of its log says no more than that it was asked to end: Envoy warns of the signal, and of the
        stream to the control plane that it closes."""
        return self._ends and b"[warning]" in line

    def kill_group(self) -> None:
        """What the process itself started and left behind in its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    @property
    def end(self) -> str:
        """`status 1` or `signal 9 (SIGKILL)`."""
        return describe_end(self.returncode)


def describe_end(returncode: int | None) -> str:
    if returncode is None:
        return "still running"
    if returncode >= 0:
        return f"status {returncode}"
    try:
        return f"signal {-returncode} ({signal.Signals(-returncode).name})"
    except ValueError:
        return f"signal {-returncode}"


class Processes:
    """All children. Each has a process group of its own, so that the terminal's Ctrl-C reaches only the supervisor."""

    def __init__(self, log: Log, guard: Guard | None) -> None:
        self._log = log
        self._guard = guard
        self._children: dict[int, Child] = {}

    async def spawn(
        self, label: str, command: Sequence[str | Path], environment: dict[str, str] | None = None
    ) -> Child:
        """Starts a command; both its outputs go to the log. Raises OSError if it cannot be started."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            process_group=0,
            preexec_fn=die_with_parent(),
        )
        child = Child(label, process)
        self._children[child.pid] = child
        if self._guard is not None:
            self._guard.watch(child.pid)
        loop = asyncio.get_running_loop()
        for pipe in (process.stdout, process.stderr):
            await loop.connect_read_pipe(lambda: self._log.stream(label, child.farewell), pipe)
        self.reap()  # it may have ended before its SIGCHLD could be understood
        return child

    def reap(self) -> None:
        """To be called at each SIGCHLD (signals coalesce: every child is asked)."""
        for pid, child in list(self._children.items()):
            if child.poll():
                del self._children[pid]
                if self._guard is not None:
                    self._guard.forget(pid)
        if os.getpid() == 1:  # in a container orphans become ours
            self._reap_strangers()

    def _reap_strangers(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if found.si_pid in self._children:
                    return  # ours: its own poll reaps it, at the SIGCHLD that is on its way
                os.waitpid(found.si_pid, os.WNOHANG)

    def kill_all(self) -> None:
        for child in list(self._children.values()):
            child.signal(signal.SIGKILL)
            child.kill_group()


class Guard:
    """Kills our children when we are gone, where the kernel does not: a process that waits for the end of a pipe."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("watcher.py"))],
            stdin=subprocess.PIPE,
            process_group=0,
        )

    def watch(self, pid: int) -> None:
        self._say(f"+{pid}\n")

    def forget(self, pid: int) -> None:
        self._say(f"-{pid}\n")

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=5)

    def _say(self, text: str) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(text.encode())
                self._process.stdin.flush()


def guard_if_needed() -> Guard | None:
    return None if _libc is not None else Guard()
