"""HTTP over a Unix socket. A module of its own because `http.client` takes 20 ms to load (it loads ssl)."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def get(path: Path, target: str, timeout: float) -> tuple[int, bytes]:
    """Status and body. `timeout` in seconds is for each read. Raises OSError, for an answer that is no HTTP too."""
    connection = _Connection(path, timeout)
    try:
        connection.request("GET", target, headers={"accept": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise OSError(f"it does not speak HTTP: {error!r}") from error
    finally:
        connection.close()
