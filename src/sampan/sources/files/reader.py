"""Reads files and folders, and never waits for one: no FIFO, device, socket or huge file is opened for reading."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from sampan.documents.load import MAX_BYTES
from sampan.model.codes import NOT_A_FILE, TOO_LARGE, UNREADABLE_FILE, Code
from sampan.sources.files.convert import is_document_name, is_folder_name

# A certificate chain or key; anything larger is something else.
MAX_NAMED_BYTES = 1024 * 1024

Signature = tuple[int, int, int, int, int]
"""Device, inode, size, and times of change in nanoseconds: equal for a file that did not change."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a file cannot be read."""

    code: Code
    reason: str
    hint: str = ""


def as_text(path: str) -> str:
    """A path for messages, and for whatever takes only text: on Linux a name is any bytes, which Python hands over as
    surrogates. What is no UTF-8 is written as `\\xff`."""
    return path if path.isascii() else os.fsencode(path).decode(errors="backslashreplace")


def signature(path: str) -> Signature | None:
    """None if there is nothing at `path`, or it cannot be asked for."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return _signature(found)


def _signature(found: os.stat_result) -> Signature:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def read(path: str, limit: int = MAX_BYTES) -> bytes | Unreadable | None:
    """The content of a regular file, None where there is no file (or a folder).

    A link whose end is missing is no missing file: what it leads to may be on a disk that is away for now.
    """
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            return None
        if fault := _fault(found, limit):
            return fault
        # A FIFO may have taken the file's place since: opened this way it does not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return _dangling(path)
    except OSError as error:
        return Unreadable(UNREADABLE_FILE, error.strerror or str(error), _hint(error))
    return _read_open(descriptor, limit)


def _dangling(path: str) -> Unreadable | None:
    try:
        target = as_text(os.readlink(path))
    except OSError:
        return None
    reason = f"it is a symbolic link to '{target}', which is not there"
    return Unreadable(UNREADABLE_FILE, reason, "remove the link, or bring back what it leads to")


def _read_open(descriptor: int, limit: int) -> bytes | Unreadable:
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if fault := _fault(found, limit):
            return fault
        try:
            # It may be growing: what comes after the size that was told is read as well, up to the limit.
            content = file.read(found.st_size + 1)
            if len(content) > found.st_size:
                content += file.read(limit + 1 - len(content))
        except OSError as error:
            return Unreadable(UNREADABLE_FILE, error.strerror or str(error))
    return content if len(content) <= limit else _too_large(len(content), limit)


def _fault(found: os.stat_result, limit: int) -> Unreadable | None:
    if not stat.S_ISREG(found.st_mode):
        what = "a FIFO" if stat.S_ISFIFO(found.st_mode) else "a socket" if stat.S_ISSOCK(found.st_mode) else "a device"
        return Unreadable(NOT_A_FILE, f"it is {what}", "move it out of this folder, or rename it")
    return _too_large(found.st_size, limit) if found.st_size > limit else None


def _too_large(size: int, limit: int) -> Unreadable:
    return Unreadable(TOO_LARGE, f"{size} bytes or more; at most {limit} are read", "split it into several files")


def _hint(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "it is a symbolic link that leads to itself: remove it, or let it lead to a file"
    return "let the user that runs Sampan read it (chmod)" if isinstance(error, PermissionError) else ""


def read_named(path: str, root: str) -> bytes | str:
    """A file named by a document: its content, or why not. Symbolic links may not lead out of `root`."""
    try:
        real, base = os.path.realpath(path, strict=True), os.path.realpath(root)
    except OSError as error:
        return error.strerror or str(error)
    if os.path.commonpath((real, base)) != base:
        return f"a symbolic link leads out of {as_text(root)}"
    # `real` holds no links now; should one appear on its way, the second look tells.
    content = read(real, MAX_NAMED_BYTES)
    if os.path.realpath(real) != real:
        return "it changes while it is read"
    if isinstance(content, Unreadable):
        return content.reason
    return "no such file" if content is None else content


@dataclass(frozen=True, slots=True)
class Walk:
    """All documents below a folder. `unreadable` are folders that may not be read, with the reason."""

    files: dict[str, Signature]
    folders: frozenset[str]
    unreadable: dict[str, Unreadable]
    links: bool
    """Whether any file or folder is a symbolic link."""


def walk(folder: str) -> Walk:
    """Follows symbolic links to folders, each folder once."""
    files: dict[str, Signature] = {}
    folders: set[str] = set()
    unreadable: dict[str, Unreadable] = {}
    links = False
    waiting, seen = [folder], set()
    while waiting:
        here = waiting.pop()
        try:
            identity = os.stat(here)
            if (identity.st_dev, identity.st_ino) in seen:
                continue
            seen.add((identity.st_dev, identity.st_ino))
            folders.add(here)
            with os.scandir(here) as entries:
                for entry in entries:
                    links |= _take(entry, files, waiting)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            unreadable[here] = Unreadable(UNREADABLE_FILE, error.strerror or str(error), _hint(error))
    return Walk(files, frozenset(folders), unreadable, links)


def _take(entry: os.DirEntry[str], files: dict[str, Signature], waiting: list[str]) -> bool:
    """Files an entry; says whether it is a symbolic link that counts."""
    if is_folder_name(entry.name) and is_folder(entry):
        waiting.append(entry.path)
    elif is_document_name(entry.name):
        try:
            files[entry.path] = _signature(entry.stat())
        except FileNotFoundError:
            if not entry.is_symlink():
                return False
            files[entry.path] = (0, 0, 0, 0, 0)
        except OSError:
            files[entry.path] = (0, 0, 0, 0, 0)
    else:
        return False
    return entry.is_symlink()


def is_folder(entry: os.DirEntry[str]) -> bool:
    """False for what cannot be asked, such as a link that leads to itself: it harms itself alone."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def real_folders(paths: Iterator[str], root: str) -> set[str]:
    """Folders outside `root` that hold what symbolic links among `paths` stand for."""
    result = set()
    for path in paths:
        if os.path.islink(path):
            folder = os.path.dirname(os.path.realpath(path))
            if os.path.commonpath((folder, root)) != root and os.path.isdir(folder):
                result.add(folder)
    return result
