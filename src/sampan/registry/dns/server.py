"""DNS over UDP and TCP on one port. Whatever comes in, nothing of it is kept once it is answered."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress

from sampan.registry.dns import query as queries
from sampan.registry.dns import wire
from sampan.registry.dns.zone import Zone
from sampan.registry.place import Address

Answer = Callable[[bytes, bool], bytes | None]
"""(packet, whether it came by UDP); None: nothing is said."""
Sockets = tuple[socket.socket, socket.socket]
"""UDP, TCP."""

# miekg/dns, the library that Consul serves with: idle connections end after 8 s, and each after 128 questions.
IDLE_SECONDS = 8.0
MOST_QUESTIONS = 128
MOST_CONNECTIONS = 512
_RUN = 32
_SHOWN = 128
_RECEIVE_BUFFER = 1 << 20
_ATTEMPTS = 16

log = logging.getLogger(__name__)


def answering(zone: Zone) -> Answer:
    def answer(packet: bytes, udp: bool) -> bytes | None:
        try:
            asked = queries.read(packet)
            return wire.pack(zone.answer(asked, udp=udp)) if isinstance(asked, queries.Query) else asked
        except Exception:
            log.exception("a DNS query could not be answered: %s", packet[:_SHOWN].hex())
            return wire.header_alone(packet, wire.SERVFAIL)

    return answer


class Server:
    """Serves from `start` until `close`."""

    def __init__(self, answer: Answer, udp: socket.socket, tcp: socket.socket, *, idle: float = IDLE_SECONDS) -> None:
        self._answer = answer
        self._udp, self._tcp = udp, tcp
        self._idle = idle
        self._listener: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._udp, _Datagrams(self._answer, self._udp).read)
        self._listener = await asyncio.start_server(self._connected, sock=self._tcp, backlog=128)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._udp)
        self._udp.close()
        if self._listener is not None:
            self._listener.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= MOST_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        try:
            await self._converse(reader, writer)
            writer.close()
        except (OSError, EOFError, TimeoutError, asyncio.CancelledError):
            # It went, or said or took nothing for too long; or we end. `close` would wait for ever for a client that
            # takes nothing.
            writer.transport.abort()
        finally:
            self._connections.discard(task)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(MOST_QUESTIONS):
            # The whole exchange, so that a client that takes no answers keeps nothing here either.
            async with asyncio.timeout(self._idle):
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self._answer(await reader.readexactly(length), False)
                if answer is None:
                    return
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()


class _Datagrams:
    """Read in runs, so that a burst costs little, and short ones, so that HTTP goes on. An answer that the kernel does
    not take is dropped: whoever asks by UDP asks again."""

    def __init__(self, answer: Answer, udp: socket.socket) -> None:
        self._answer = answer
        self._udp = udp
        self._buffer = bytearray(1 << 16)

    def read(self) -> None:
        for _ in range(_RUN):
            try:
                length, sender = self._udp.recvfrom_into(self._buffer)
            except BlockingIOError:
                return
            except OSError:
                continue  # an earlier answer found nobody there
            answer = self._answer(bytes(memoryview(self._buffer)[:length]), True)
            if answer is not None:
                with suppress(OSError):
                    self._udp.sendto(answer, sender)


@asynccontextmanager
async def served(answer: Answer, sockets: Sockets | None) -> AsyncIterator[None]:
    """None: nowhere."""
    if sockets is None:
        yield
        return
    server = Server(answer, *sockets)
    await server.start()
    try:
        yield
    finally:
        await server.close()


def listening(address: Address) -> Sockets:
    """On one port for both; 0: any that is free for both. Raises OSError with the address in it."""
    for _ in range(_ATTEMPTS if address.port == 0 else 1):
        try:
            return _bound(address)
        except OSError as error:
            refused = error
    hint = "choose another place with --dns HOST:PORT, or --dns off"
    raise OSError(f"the registry cannot serve DNS on {address}: {refused.strerror}; {hint}") from refused


def _bound(address: Address) -> Sockets:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with ExitStack() as undo:
        tcp = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        udp = undo.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((address.host, address.port))
        udp.bind((address.host, tcp.getsockname()[1]))
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        tcp.listen(128)
        for one in (tcp, udp):
            one.setblocking(False)
        undo.pop_all()
        return udp, tcp
