"""The shop as a whole: writes its documents, starts its services, keeps them running, ends them all.

documents = prepare(folder, Ports(web=8080, parrot=9000))
…  # give them to a gateway as its `-f`
async with Shop(ports, registry="127.0.0.1:8500") as shop:
    …
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from sampan.demo.instance import DemoError, Instance, Role, start
from sampan.demo.written import write_documents

__all__ = ["ROLES", "DemoError", "Event", "Instance", "Ports", "Role", "Shop", "prepare"]

ROLES = (
    Role("shop", "v1", "shop-1"),
    Role("stock", "v1", "stock-1"),
    Role("catalogue", "v1", "catalogue-1"),
    Role("catalogue", "v1", "catalogue-2"),
    Role("reviews", "v1", "reviews-v1-1"),
    Role("reviews", "v2", "reviews-v2-1"),
    Role("parrot", "v1", "parrot-1"),
)
FIRST_DELAY, LAST_DELAY = 1.0, 30.0  # seconds before an instance that died is started again
STEADY = 10.0  # seconds after which an instance counts as having run well


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the gateway listens: `web` for HTTP and gRPC, `parrot` for TCP."""

    web: int = 8080
    parrot: int = 9000


@dataclass(frozen=True, slots=True)
class Event:
    """An instance came (`up`) or went; `words` is a sentence."""

    name: str
    up: bool
    words: str


class Shop:
    """The services as processes of their own, which register in `registry` (host:port; "" for nowhere).

    Entering starts all of them at once and raises DemoError, with nothing left running, if one does not come up. An
    instance that dies is started again, at another port, after a second (then two, four … thirty while it keeps
    dying): each time the registry and the gateway have something to find out. `on_event` hears of it. Leaving ends and
    reaps every process, each of which deregisters first.
    """

    def __init__(
        self,
        ports: Ports = Ports(),
        registry: str = "",
        on_event: Callable[[Event], None] = lambda _: None,
        roles: tuple[Role, ...] = ROLES,
    ) -> None:
        self.ports = ports
        self._registry = registry
        self._on_event = on_event
        self._roles = roles
        self._instances: dict[str, Instance] = {}
        self._group = asyncio.TaskGroup()
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def instances(self) -> tuple[Instance, ...]:
        """What runs where now, in the order of the roles."""
        return tuple(self._instances[role.name] for role in self._roles if role.name in self._instances)

    async def __aenter__(self) -> Shop:
        await self._group.__aenter__()
        loop = asyncio.get_running_loop()
        ready = [loop.create_future() for _ in self._roles]
        self._keepers = [
            self._group.create_task(self._keep(role, future)) for role, future in zip(self._roles, ready, strict=True)
        ]
        try:
            failures = await asyncio.gather(*ready, return_exceptions=True)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        for failure in failures:
            if isinstance(failure, BaseException):
                await self.__aexit__(None, None, None)
                raise failure
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        # An error of the block is the caller's and must not come back inside an ExceptionGroup; a cancellation may be
        # the group's own, which it has to see to take it back.
        if error is not None and isinstance(error, asyncio.CancelledError):
            await self._group.__aexit__(kind, error, trace)
        else:
            await self._group.__aexit__(None, None, None)

    async def _keep(self, role: Role, ready: asyncio.Future[None]) -> None:
        """Keeps one role filled until cancelled; `ready` is settled by the first start."""
        delay = FIRST_DELAY
        while True:
            try:
                running = await start(role, f"127.0.0.1:{self.ports.web}", self._registry)
            except DemoError as error:
                if not ready.done():
                    ready.set_exception(error)
                    return
                self._on_event(Event(role.name, False, f"{error}; trying again in {delay:g} s"))
                await asyncio.sleep(delay)
                delay = min(2 * delay, LAST_DELAY)
                continue
            began = asyncio.get_running_loop().time()
            try:
                self._instances[role.name] = running.instance
                if ready.done():
                    self._on_event(Event(role.name, True, f"{role.name} is back, at {running.instance.address}"))
                else:
                    ready.set_result(None)
                status = await running.wait()
            finally:
                self._instances.pop(role.name, None)
                await running.stop()
            if asyncio.get_running_loop().time() - began > STEADY:
                delay = FIRST_DELAY
            self._on_event(Event(role.name, False, _died(role, status, running.output, delay)))
            await asyncio.sleep(delay)
            delay = min(2 * delay, LAST_DELAY)


def _died(role: Role, status: int, output: str, delay: float) -> str:
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    said = output.rpartition("\n")[2]
    return f"{role.name} {how}{f' ({said})' if said else ''}; a new one comes in {delay:g} s"


def prepare(folder: Path, ports: Ports) -> Path:
    """Checks that the gateway can listen, and writes the documents into a folder in `folder`, which is made if need be.
    Raises DemoError."""
    check_ports(ports)
    documents = folder / "documents"
    try:
        write_documents(documents, {"web": ports.web, "grpc": ports.web, "parrot": ports.parrot})
    except OSError as error:
        raise DemoError(f"cannot write to {documents}: {error.strerror}; choose another folder") from error
    return documents


def check_ports(ports: Ports) -> None:
    """Raises DemoError if the gateway could not listen. Envoy itself binds with SO_REUSEPORT and would share a port
    with another Envoy of the same user, each getting some of the connections, without a word."""
    for option, port in (("--port", ports.web), ("--tcp-port", ports.parrot)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OverflowError as error:
                raise DemoError(f"{port} is no port; give {option} a number from 1 to 65535") from error
            except OSError as error:
                raise DemoError(_port_words(option, port, error)) from error


def _port_words(option: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another program; end it, or choose another port with {option}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"this user may not listen on port {port}; choose one above 1023 with {option}"
    return f"cannot listen on port {port}: {error.strerror}; choose another with {option}"
