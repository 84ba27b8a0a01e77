"""Where a registry listens, and the file that says so to whoever shares its state folder.

Imports nothing of the registry: the command line and the control plane read the file too.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path

FILE = "registry.json"
TOKEN_VARIABLE = "SAMPAN_REGISTRY_TOKEN"
_SHAPE = re.compile(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\[\]:/\s]*)):([0-9]{1,5})")


class PlaceError(Exception):
    """A sentence: the registry cannot, or must not, listen there."""


@dataclass(frozen=True, slots=True)
class Address:
    """`port` 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine gets there."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse(text: str) -> Address:
    """`HOST:PORT`; an IPv6 address in brackets; an empty host is every address. Raises PlaceError."""
    found = _SHAPE.fullmatch(text)
    if found is None or int(found[3]) > 65535:
        raise PlaceError(f"{text!r} is no HOST:PORT, such as 127.0.0.1:8500")
    return Address(found[1] or found[2] or "0.0.0.0", int(found[3]))


def check_open(address: Address, token: str) -> None:
    """Raises PlaceError for a door to the network that anybody may go through."""
    if not address.loopback and not token:
        raise PlaceError(f"at {address} everybody who reaches this machine could register and read without a token")


def reached(address: Address) -> Address:
    """From this machine: every address is reached at the loopback one."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return Address(everywhere.get(address.host, address.host), address.port)


def reached_text(text: str) -> str:
    """The same for HOST:PORT; an address with its scheme stays as it is."""
    try:
        return str(reached(parse(text)))
    except PlaceError:
        return text


@dataclass(frozen=True, slots=True)
class Announcement:
    """`http` and `dns` are HOST:PORT; `dns` is "" where there is none. For a Consul that runs elsewhere `http` is the
    address that was given, with its scheme."""

    http: str
    dns: str
    datacenter: str
    pid: int


def read(state: Path) -> Announcement | None:
    """The registry that serves, or served when it was killed, out of this state folder."""
    try:
        found = json.loads((state / FILE).read_bytes())
        return Announcement(str(found["http"]), str(found["dns"]), str(found["datacenter"]), int(found["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def living(state: Path) -> Announcement | None:
    """The same, None where the process that wrote it is gone: one that was killed leaves the file behind."""
    found = read(state)
    if found is None:
        return None
    try:
        os.kill(found.pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass  # it lives, and is another user's
    return found


@contextmanager
def announced(state: Path, announcement: Announcement) -> Iterator[None]:
    """The file is there while the block runs; a killed registry leaves it behind, for the next one."""
    path = state / FILE
    partial = path.with_suffix(".partial")
    with open(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
        file.write(json.dumps(asdict(announcement)) + "\n")
    os.replace(partial, path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def again(state: Path, wanted: Address, kind: str) -> Address:
    """For "any free port": the one that the registry had before it was killed, or its clients would not find it.
    `kind` is "http" or "dns"."""
    before = read(state) if wanted.port == 0 else None
    if before is None or not getattr(before, kind):
        return wanted
    had = parse(getattr(before, kind))
    return had if had.host == wanted.host else wanted
