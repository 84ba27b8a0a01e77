"""Who has a port.

Envoy's listeners use SO_REUSEPORT, so the kernel would let a second process of the same user share the port silently
and take half of the connections: ask before you start.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from pathlib import Path

from sampan.proxy import sockdiag


def in_use(address: str, port: int) -> str | None:
    """None if `address` (numeric; "0.0.0.0" and "::" are all) and TCP `port` can be listened on, else why not, with
    who has it where that can be known."""
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    except ValueError:
        return f"{address!r} is not an IP address"
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Without this, connections of a predecessor in TIME_WAIT would make a free port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            return _why(error, address, port)
        except OverflowError:
            return f"{port} is not a port"
    return None


def has_address(address: str) -> bool:
    """Whether this machine has the (numeric) address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


def _why(error: OSError, address: str, port: int) -> str:
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    if error.errno == errno.EADDRINUSE:
        who = holders(port)
        return f"{where} is in use by {', '.join(who)}" if who else f"{where} is in use by another process"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"this user may not listen on {where} (ports below 1024 need root, CAP_NET_BIND_SERVICE "
            f"or a lower net.ipv4.ip_unprivileged_port_start)"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where}: this machine does not have the address {address}"
    return f"{where}: {error.strerror}"


def holders(port: int) -> list[str]:
    """`nginx (pid 123)` for each process that listens on the TCP port, as far as this user may see. Linux only."""
    wanted = {found.inode for found in sockdiag.listeners() if found.port == port}
    if not wanted:
        return []
    processes = sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
    return [f"{_name(pid)} (pid {pid})" for pid in processes if wanted & set(socket_inodes(pid).values())]


def socket_inodes(pid: int) -> dict[int, int]:
    """File descriptor to inode for each socket of a process; empty if it may not be seen."""
    found: dict[int, int] = {}
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return found
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            found[int(name)] = int(target[8:-1])
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "a process"
