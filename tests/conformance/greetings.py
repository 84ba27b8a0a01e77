"""A talk with a TCP backend, which speaks first: what takes a stream for HTTP does not get far with it."""

from __future__ import annotations

import socket
import ssl


def greeting(port: int, tls: ssl.SSLContext | None = None, name: str = "") -> str:
    """The backend that greeted at a port and gave two lines back, with `tls` by that server's name; "" if the
    connection was closed without, or the certificate is not trusted."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return _talk(connection if tls is None else tls.wrap_socket(connection, server_hostname=name))
    except OSError:
        return ""


def _talk(connection: socket.socket) -> str:
    with connection, connection.makefile() as lines:
        backend = lines.readline().strip()
        for line in ("and back\n", "and again\n"):
            connection.sendall(line.encode())
            if lines.readline() != line:
                return ""
        return backend
