"""Moves new connections from an old Envoy to the one beside it before the old one closes its listeners.

Both listen on the same ports (SO_REUSEPORT) and the kernel spreads connections over all their sockets. When a socket is
closed, the connections in its accept queue and the handshakes under way are reset (net.ipv4.tcp_migrate_req would move
them; it is off by default and needs root). So a small classic BPF program (SO_ATTACH_REUSEPORT_CBPF, socket(7)) first
tells the kernel to choose only among the newer sockets, the old ones accept what they have, and nothing is lost.

Needs Linux >= 5.6 and the right to take a child's descriptor (pidfd_getfd(2): same user, and not forbidden by seccomp
or Yama). Without it restarts still overlap; only that small window stays.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator

from sampan.proxy import ports, sockdiag

_SO_ATTACH_REUSEPORT_CBPF = 51
_SO_DETACH_REUSEPORT_BPF = 68
_SYS_PIDFD_GETFD = 438  # the same on every architecture, as all calls since Linux 5.1
_INSTRUCTION = struct.Struct("HBBI")  # struct sock_filter
_LOAD_WORD, _MODULO, _ADD, _RETURN = 0x20, 0x94, 0x04, 0x16
_RANDOM = 0xFFFFF000 + 56  # SKF_AD_OFF + SKF_AD_RANDOM, linux/filter.h

Place = tuple[bytes, int]  # a packed address and a port


def steer(old_pid: int, new_pid: int, *, closing: bool = False) -> bool:
    """Sends new connections to `new_pid` wherever both listen. Returns whether that worked for every such place; raises
    nothing. `closing`: choose only sockets that stay where they are in the group while the old ones leave it.

    The kernel keeps a group's sockets in the order of listen(2), old before new, and fills the gap of one that leaves
    with the last. So while `n` old ones leave one by one, index n is a new one until the last has gone, and then it is
    out of range, which means any of those left. (With the full range some indexes are out of range too early, and a
    connection may land on an old socket in its last moment: 1 reset in 147,000 connections.)
    """
    old, new, everyone = _places(old_pid), _places(new_pid), _counts()
    good = True
    for place in old.keys() & new.keys():
        before, after = len(old[place]), len(new[place])
        # With a third party in the group the order would be a guess.
        if everyone[place] != before + after:
            good = False
            continue
        code = _choose(before, max(1, after + 1 - before) if closing else after)
        buffer = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("HP", len(code) // _INSTRUCTION.size, ctypes.addressof(buffer))  # struct sock_fprog
        good &= _set(new_pid, new[place][0], _SO_ATTACH_REUSEPORT_CBPF, program)
    return good


def release(pid: int) -> None:
    """Takes the program away again: all sockets of `pid`'s places are chosen from by hash, as without it."""
    for descriptors in _places(pid).values():
        _set(pid, descriptors[0], _SO_DETACH_REUSEPORT_BPF, struct.pack("i", 0))


def listens(pid: int) -> bool:
    return bool(_places(pid))


def covers(new_pid: int, old_pid: int) -> bool:
    """Whether the new one listens wherever the old one does."""
    return _places(old_pid).keys() <= _places(new_pid).keys()


def _places(pid: int) -> dict[Place, list[int]]:
    """Where a process listens (TCP), with its descriptors. One inode counts once, however often it is duplicated."""
    listening = {found.inode: (found.address, found.port) for found in sockdiag.listeners()}
    inodes = {inode: descriptor for descriptor, inode in ports.socket_inodes(pid).items() if inode in listening}
    found: dict[Place, list[int]] = defaultdict(list)
    for inode, descriptor in inodes.items():
        found[listening[inode]].append(descriptor)
    return found


def _counts() -> Counter[Place]:
    return Counter((found.address, found.port) for found in sockdiag.listeners())


def _choose(first: int, count: int) -> bytes:
    """A program that returns first + random % count: the index of a socket in the group."""
    instructions = ((_LOAD_WORD, _RANDOM), (_MODULO, count), (_ADD, first), (_RETURN, 0))
    return b"".join(_INSTRUCTION.pack(opcode, 0, 0, value) for opcode, value in instructions)


def _set(pid: int, descriptor: int, option: int, value: bytes) -> bool:
    try:
        with _taken(pid, descriptor) as listener:
            listener.setsockopt(socket.SOL_SOCKET, option, value)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _taken(pid: int, descriptor: int) -> Iterator[socket.socket]:
    """Another process's listening socket, for a moment only: as long as we hold it, it would go on listening."""
    if sys.platform != "linux":
        raise OSError("only Linux can do this")
    process = os.pidfd_open(pid)
    try:
        number = ctypes.CDLL(None, use_errno=True).syscall(_SYS_PIDFD_GETFD, process, descriptor, 0)
        if number < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(process)
    with socket.socket(fileno=number) as listener:
        yield listener
