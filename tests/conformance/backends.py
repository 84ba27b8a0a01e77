"""What the cases route to: small servers that tell who they are and what they were asked, in one thread."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import grpc.aio
import h2.config
import h2.connection
import h2.events

Head = tuple[str, str, str, list[tuple[str, str]]]


class Backends:
    """`http`, `h2c`, `grpc`, `tcp` start a server and give its port. `seen` are the requests of each, by its name."""

    def __init__(self) -> None:
        self.seen: dict[str, list[dict[str, Any]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._servers: list[asyncio.Server] = []
        self._grpc: list[grpc.aio.Server] = []

    def close(self) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for server_ in self._grpc:
            await server_.stop(0)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def _listen(self, connected: Callable[..., Any], tls: ssl.SSLContext | None = None) -> int:
        async def start() -> int:
            server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
            self._servers.append(server)
            port: int = server.sockets[0].getsockname()[1]
            return port

        port: int = self._run(start())
        return port

    # ---- HTTP/1.1, WebSocket

    def http(self, name: str, tls: ssl.SSLContext | None = None) -> int:
        """Answers JSON: backend, method, path, host, headers (lists by lower-case name), protocol, tls.

        The query decides: `?delay=0.5` waits, `?delay=0.5&late=KEY&times=2` only that often for a key, `?status=503`
        answers so, `?fail=KEY&times=2` fails that often for a key with 503 (or `code`). A WebSocket upgrade is taken: a
        text comes back as `NAME: TEXT`, bytes as they are."""
        self.seen[name] = []
        counted: Counter[str] = Counter()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError, ConnectionError):
                while (head := await _head(reader)) is not None:
                    method, path, _, headers = head
                    found = dict(headers)
                    await _body(reader, found)
                    if found.get("upgrade", "").lower() == "websocket":
                        await _websocket(name, reader, writer, found)
                        return
                    record = _record(name, head, writer)
                    self.seen[name].append(record)
                    query = _query(path)
                    key = query.get("late") or query.get("fail") or ""
                    counted[key] += 1
                    odd = counted[key] <= int(query.get("times", "1"))
                    if "late" not in query or odd:
                        await asyncio.sleep(float(query.get("delay", "0")))
                    status = int(query.get("status", "200"))
                    if "fail" in query and odd:
                        status = int(query.get("code", "503"))
                    body = b"" if method == "HEAD" else json.dumps(record).encode()
                    extra = "".join(f"{k}: {v}\r\n" for k, v in _asked_headers(query))
                    writer.write(
                        f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{extra}"
                        f"content-length: {len(body)}\r\n\r\n".encode()
                        + body
                    )
                    await writer.drain()
            writer.close()

        return self._listen(connected, tls)

    # ---- HTTP/2

    def h2c(self, name: str, tls: ssl.SSLContext | None = None) -> int:
        """HTTP/2 alone, with prior knowledge (or by ALPN with `tls`); answers as `http` does."""
        self.seen[name] = []

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = h2.connection.H2Connection(
                h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
            )
            connection.initiate_connection()
            writer.write(connection.data_to_send())
            heads: dict[int, list[tuple[str, str]]] = {}
            with suppress(OSError, h2.exceptions.ProtocolError):
                while data := await reader.read(65536):
                    for event in connection.receive_data(data):
                        if isinstance(event, h2.events.RequestReceived):
                            heads[event.stream_id] = [(str(k), str(v)) for k, v in event.headers]
                        elif isinstance(event, h2.events.DataReceived):
                            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                        elif isinstance(event, h2.events.StreamEnded):
                            pseudo = dict(heads[event.stream_id])
                            headers = [(k, v) for k, v in heads.pop(event.stream_id) if not k.startswith(":")]
                            headers.append(("host", pseudo.get(":authority", "")))
                            record = _record(name, (pseudo[":method"], pseudo[":path"], "HTTP/2", headers), writer)
                            self.seen[name].append(record)
                            connection.send_headers(
                                event.stream_id, [(":status", "200"), ("content-type", "application/json")]
                            )
                            connection.send_data(event.stream_id, json.dumps(record).encode(), end_stream=True)
                    writer.write(connection.data_to_send())
                    await writer.drain()
            writer.close()

        return self._listen(connected, tls)

    # ---- gRPC

    def grpc(self, name: str) -> int:
        """Every unary method answers JSON bytes: backend, method (`/package.Service/Method`), metadata."""
        self.seen[name] = []

        class AnyMethod(grpc.GenericRpcHandler):
            def service(self, details: Any) -> Any:
                async def answer(_: bytes, context: Any) -> bytes:
                    metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
                    record = {"backend": name, "method": details.method, "metadata": metadata}
                    seen.append(record)
                    return json.dumps(record).encode()

                return grpc.unary_unary_rpc_method_handler(answer)

        seen = self.seen[name]

        async def start() -> int:
            server = grpc.aio.server()
            server.add_generic_rpc_handlers((AnyMethod(),))
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            self._grpc.append(server)
            return port

        port: int = self._run(start())
        return port

    # ---- TCP

    def tcp(self, name: str, tls: ssl.SSLContext | None = None) -> int:
        """Greets with `NAME\\n`, then gives back every line. `seen` are the connections: backend, tls."""
        seen = self.seen[name] = []

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append({"backend": name, **_tls(writer)})
            with suppress(OSError):
                writer.write(f"{name}\n".encode())
                while line := await reader.readline():
                    writer.write(line)
                    await writer.drain()
            writer.close()

        return self._listen(connected, tls)


async def _head(reader: asyncio.StreamReader) -> Head | None:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, protocol = first.split(" ", 2)
    pairs = [line.split(":", 1) for line in lines]
    return method, path, protocol, [(key.lower(), value.strip()) for key, value in pairs]


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> None:
    if headers.get("transfer-encoding") == "chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        await reader.readexactly(int(headers.get("content-length", "0")))


def _record(name: str, head: Head, writer: asyncio.StreamWriter) -> dict[str, Any]:
    method, path, protocol, headers = head
    lists: dict[str, list[str]] = {}
    for key, value in headers:
        lists.setdefault(key, []).append(value)
    record: dict[str, Any] = {"backend": name, "method": method, "path": path, "protocol": protocol, "headers": lists}
    record["host"] = lists.get("host", [""])[0]
    return {**record, **_tls(writer)}


def _tls(writer: asyncio.StreamWriter) -> dict[str, dict[str, str | None]]:
    """`tls` of a connection: the name asked for and the client's certificate; nothing if it has none."""
    if (tls := writer.get_extra_info("ssl_object")) is None:
        return {}
    shown = tls.getpeercert(binary_form=True)
    client = ssl.DER_cert_to_PEM_cert(shown) if shown else ""
    return {"tls": {"sni": getattr(tls, "asked_name", None), "client": client}}


def _query(path: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in path.partition("?")[2].split("&") if part)
    return {key: value for key, _, value in pairs}


def _asked_headers(query: dict[str, str]) -> list[tuple[str, str]]:
    """`?headers=a:1,b:2` adds these to the answer."""
    pairs = (part.partition(":") for part in query.get("headers", "").split(",") if part)
    return [(key, value) for key, _, value in pairs]


async def _websocket(
    name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: dict[str, str]
) -> None:
    """RFC 6455, texts of less than 126 bytes."""
    key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    lines = ("HTTP/1.1 101 X", "upgrade: websocket", "connection: upgrade", f"sec-websocket-accept: {accept}", "", "")
    writer.write("\r\n".join(lines).encode())
    while True:
        first, length = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(await reader.readexactly(length & 0x7F)))
        if first & 0x0F == 8:
            writer.write(bytes((0x88, len(text))) + text)
            break
        answer = f"{name}: ".encode() + text if first & 0x0F == 1 else text
        writer.write(bytes((first, len(answer))) + answer)
        await writer.drain()
    writer.close()
