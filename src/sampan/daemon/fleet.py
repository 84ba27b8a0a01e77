"""Which Envoys shall run, and which of their ports can be opened on this machine."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from sampan.envoy.bootstrap import Start, bootstrap
from sampan.model.plan import Plan, Socket, View
from sampan.proxy import paths, ports
from sampan.proxy.client import Bootstrap, RunningProxy, Supervisor

EVERY_IPV4, EVERY_IPV6 = "0.0.0.0", "::"
_PID = re.compile(r"\(pid (\d+)\)")


def every_address() -> str:
    """What a listener without addresses binds: both families where the machine has both."""
    if not socket.has_ipv6:
        return EVERY_IPV4
    try:
        with closing(socket.socket(socket.AF_INET6, socket.SOCK_STREAM)) as probe:
            probe.bind((EVERY_IPV6, 0))
    except OSError:
        return EVERY_IPV4
    return EVERY_IPV6


class Fleet:
    """The wanted proxies, told to the supervisor. `arguments` go to every Envoy. `problem` says whose bootstrap could
    not be written the last time, "" if all went well."""

    def __init__(self, runtime: Path, xds_socket: Path, supervisor: Supervisor, arguments: Sequence[str] = ()) -> None:
        self._runtime, self._xds_socket = runtime, xds_socket
        self._supervisor = supervisor
        self._arguments = tuple(arguments)
        self._wanted: frozenset[View] | None = None
        self._told: Mapping[str, Bootstrap] = {}
        self.problem = ""
        self.running: Mapping[str, RunningProxy] = {}

    async def look(self) -> None:
        """Which proxies run now. Raises SupervisorError."""
        self.running = _by_name(await self._supervisor.list())

    async def want(self, views: Iterable[View]) -> bool:
        """Sees to it that these run and no others; says whether that was news. Raises SupervisorError.

        One whose bootstrap the disk does not take goes on with the one it has; the next call tries again.
        """
        wanted = frozenset(views)
        if wanted == self._wanted and not self.problem:
            return False
        bootstraps: dict[str, Bootstrap] = {}
        self.problem = ""
        for view in sorted(wanted, key=lambda view: view.proxy):
            try:
                bootstraps[view.proxy] = self._bootstrap(view.proxy)
            except OSError as error:
                self.problem = f"the bootstrap of {view.proxy} cannot be written: {error.strerror}"
                if view.proxy in self._told:
                    bootstraps[view.proxy] = self._told[view.proxy]
        if bootstraps != self._told or wanted != self._wanted:
            self.running = _by_name(await self._supervisor.apply(bootstraps))
        self._wanted, self._told = wanted, bootstraps
        return True

    @property
    def pids(self) -> frozenset[int]:
        return frozenset(proxy.pid for proxy in self.running.values())

    def admin(self, proxy: str) -> Path:
        return paths.admin_link(self._runtime, proxy)

    def _bootstrap(self, proxy: str) -> Bootstrap:
        path = paths.proxy_folder(self._runtime, proxy) / "bootstrap.json"
        # The supervisor gives every run an admin socket of its own over this one: two runs can overlap.
        body = bootstrap(Start(proxy, "sampan", str(self._xds_socket), str(path.with_name("admin.sock"))))
        if not path.exists() or path.read_bytes() != body:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            try:
                partial.write_bytes(body)
                os.replace(partial, path)
            except OSError:
                partial.unlink(missing_ok=True)
                raise
        return Bootstrap(path, blake2b(body, digest_size=8).hexdigest(), self._arguments)


def _by_name(running: Iterable[RunningProxy]) -> dict[str, RunningProxy]:
    """Of two runs of one proxy the newer, which takes over: the supervisor lists them in the order of their starts."""
    return {proxy.proxy: proxy for proxy in running}


@dataclass(frozen=True, slots=True)
class Door:
    """One address and port that a proxy listens on."""

    proxy: str
    address: str
    port: int


class Doors:
    """Which doors are open or can be opened. A port that another process has is found here, not by Envoy: with
    SO_REUSEPORT the kernel would share it silently.

    A door that was ours stays ours until it is no longer wanted.
    """

    def __init__(self, every: str) -> None:
        self._every = (EVERY_IPV4, EVERY_IPV6) if every == EVERY_IPV6 else (every,)
        self._ours: set[Door] = set()
        self.shut: Mapping[Door, str] = {}

    def adopt(self, view: View, plan: Plan) -> None:
        """A proxy that runs already has its doors open."""
        self._ours |= self._doors(view, plan.sockets)

    def look(self, plans: Mapping[View, Plan], pids: frozenset[int]) -> bool:
        """Tries the doors that are wanted and not ours yet; `pids` are our own Envoys. Says whether anything else is
        shut than before."""
        wanted = {door for view, plan in plans.items() for door in self._doors(view, plan.sockets)}
        self._ours &= wanted
        before, shut = self.shut, {}
        for door in sorted(wanted - self._ours, key=lambda door: (door.port, door.address)):
            said = ports.in_use(door.address, door.port)
            if said is None or {int(pid) for pid in _PID.findall(said)} & pids:
                self._ours.add(door)
            else:
                shut[door] = said
        self.shut = shut
        return before.keys() != shut.keys()

    def open(self, view: View, plan: Plan) -> Plan:
        """The Plan without the sockets that cannot be opened; the same Plan if all can."""
        if not self.shut:
            return plan
        kept = tuple(item for item in plan.sockets if not self._doors(view, [item]) & self.shut.keys())
        return plan if len(kept) == len(plan.sockets) else replace(plan, sockets=kept)

    def why(self, view: View, item: Socket) -> str:
        """Why a socket of the Plan cannot be opened; "" if it can."""
        doors = self._doors(view, [item])
        return next((said for door, said in self.shut.items() if door in doors), "")

    def elsewhere(self, view: View, item: Socket) -> bool:
        """Whether a socket cannot be opened because this machine does not have its address."""
        shut = self._doors(view, [item]) & self.shut.keys()
        return any(not ports.has_address(door.address) for door in shut)

    def _doors(self, view: View, sockets: Iterable[Socket]) -> set[Door]:
        return {Door(view.proxy, address, item.port) for item in sockets for address in item.addresses or self._every}
