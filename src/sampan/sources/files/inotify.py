"""Notices of changed paths from Linux itself: told at once, and no work while nothing happens (man 7 inotify)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from sampan.sources.files.reader import is_folder

# <sys/inotify.h>
_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
_OVERFLOW, _IGNORED, _FOLDERS_ONLY = 0x4000, 0x8000, 0x01000000
_CHANGES = (
    (_MODIFY | _ATTRIB | _CLOSE_WRITE)
    | (_MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF)
    | _FOLDERS_ONLY
)
_HEAD = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
_BUFFER = 64 * 1024

# A write is several events (truncated, written, closed) within some 0.1 ms: what follows within a millisecond is told
# with it. Changes without end are told every 30 ms.
_QUIET_MS = 1
_LONGEST_MS = 30


@dataclass(frozen=True, slots=True)
class Event:
    """`name` is the entry in the watched folder, or "" for the folder itself."""

    watch: int
    mask: int
    name: str


class Watch:
    """Watches some folders from its construction on. `told` is called in the watching thread with the changed paths, or
    with None when notices were lost and the watch has ended. All is told at once, `urgent` or not. Raises OSError
    where the system's limits do not allow it, FileNotFoundError or NotADirectoryError for what is no folder now."""

    def __init__(
        self, paths: Iterable[str], recursive: bool, told: Callable[[set[str] | None], None], urgent: bool = True
    ) -> None:
        self._recursive, self._told = recursive, told
        self._paths: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._links: set[str] = set()
        self._events = _call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK)
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        try:
            for path in sorted(paths):
                self._add_with_below(path)
        except OSError:
            self._release()
            raise
        self._thread = threading.Thread(target=self._run, name="sampan-files", daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        self._release()

    def _release(self) -> None:
        os.close(self._events)
        os.close(self._stop)

    # ---- what is watched

    def _add_with_below(self, path: str) -> None:
        """A folder and, if recursive, all below it, through symbolic links too, each once. A folder that is made while
        this goes on is either found here or told, for its parent is watched before it is read."""
        waiting = [path] if self._add(path) and self._recursive else []
        while waiting:
            for folder in _folders_in(waiting.pop()):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    if self._add(folder):
                        waiting.append(folder)

    def _add(self, path: str) -> bool:
        """Whether it was not watched yet, by this name or another, and may be."""
        try:
            watch = _call("inotify_add_watch", self._events, os.fsencode(path), _CHANGES)
        except PermissionError:
            return False  # which the reader of files says
        if watch in self._paths:
            return False
        self._drop(path)  # what was there before
        self._paths[watch], self._watches[path] = path, watch
        if os.path.islink(path):
            self._links.add(path)
        return True

    def _forget(self, path: str) -> None:
        """A folder that was moved away, or a link to one, with all below: it would go on telling by its old name."""
        links = any(link == path or link.startswith(path + "/") for link in self._links)
        self._drop(path)
        if links:
            self._look_again()

    def _drop(self, path: str) -> None:
        if path not in self._watches:
            return
        for folder, watch in list(self._watches.items()):
            if folder == path or folder.startswith(path + "/"):
                del self._watches[folder], self._paths[watch]
                self._links.discard(folder)
                with contextlib.suppress(OSError):  # gone by itself
                    _call("inotify_rm_watch", self._events, watch)

    def _look_again(self) -> None:
        """A link's name is gone; what it led to may be here by another, under which it was not watched."""
        for known in list(self._watches):
            for folder in _folders_in(known):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    self._add_with_below(folder)

    # ---- what is told

    def _run(self) -> None:
        waiting = select.poll()
        waiting.register(self._events, select.POLLIN)
        waiting.register(self._stop, select.POLLIN)
        while True:
            if any(descriptor == self._stop for descriptor, _ in waiting.poll()):
                return
            try:
                found = self._changed(waiting)
            except OSError:
                found = None
            self._told(found)
            if found is None:
                return

    def _changed(self, waiting: select.poll) -> set[str] | None:
        """The paths of the events that are there and of those that follow closely."""
        paths: set[str] = set()
        for _ in range(_LONGEST_MS // _QUIET_MS):
            for event in _events(self._events):
                if event.mask & _OVERFLOW:
                    return None
                self._take(event, paths)
            if not any(descriptor == self._events for descriptor, _ in waiting.poll(_QUIET_MS)):
                break
        return paths

    def _take(self, event: Event, paths: set[str]) -> None:
        folder = self._paths.get(event.watch)
        if folder is None:
            return
        if event.mask & _IGNORED:
            del self._paths[event.watch], self._watches[folder]
            self._links.discard(folder)
            return
        path = os.path.join(folder, event.name) if event.name else folder
        paths.add(path)
        if self._recursive and event.name:
            if event.mask & (_MOVED_FROM | _MOVED_TO | _DELETE):
                self._forget(path)
            if event.mask & (_CREATE | _MOVED_TO | _ATTRIB) and os.path.isdir(path):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    self._add_with_below(path)


def _folders_in(path: str) -> Iterator[str]:
    try:
        with os.scandir(path) as entries:
            yield from [entry.path for entry in entries if is_folder(entry)]
    except OSError:
        return  # gone, or not ours to read, which the reader of files says


def _events(descriptor: int) -> Iterator[Event]:
    """All that can be read now."""
    try:
        data = os.read(descriptor, _BUFFER)
    except BlockingIOError:
        return
    at = 0
    while at < len(data):
        watch, mask, _, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        yield Event(watch, mask, os.fsdecode(data[at - length : at].rstrip(b"\0")))


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: int | bytes) -> int:
    """A function of the C library. Raises OSError with what it says."""
    result: int = getattr(_library(), name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, "too many watches" if number == errno.ENOSPC else os.strerror(number))
    return result
