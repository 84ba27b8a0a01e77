"""What most cases begin with: a namespace, a Gateway `same` with one HTTP listener, and Services `a`, `b`, `c`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .settled import WHOLE, settled
from .world import Answer, Document, Wanted, World, free_port, gateway, http_listener, http_route, service

Expected = str | int
"""A Service's name, or a status."""


class Stage:
    """Of one case. Its only file is the basis and the documents given.

    `apply` writes it and waits until everything in it is taken and in force; `write` leaves that to the case."""

    def __init__(self, world: World, *listeners: Document) -> None:
        self.world = world
        self.namespace = world.namespace()
        self.port = free_port()
        self.file = f"{self.namespace}-all"
        self.files = [self.namespace, self.file]
        names = ("a", "b", "c")
        ports = {name: world.backends.http(self.backend(name)) for name in names}
        self.basis: list[Document] = [
            gateway(self.namespace, "same", *(listeners or (http_listener(self.port),))),
            *(part for name in names for part in service(self.namespace, name, ports[name])),
        ]

    def backend(self, name: str) -> str:
        """What the server behind the Service calls itself: unique over all cases."""
        return f"{self.namespace}-{name}"

    def write(self, *documents: Document) -> None:
        self.world.apply(self.file, *self.basis, *documents)

    def apply(self, *documents: Document) -> None:
        self.write(*documents)
        settled(self.world, (*self.basis, *documents))

    def settled(self, *documents: Document, routes: Sequence[Wanted] = WHOLE) -> None:
        """Until these of the written documents, and the basis, are taken and in force."""
        settled(self.world, (*self.basis, *documents), routes)

    def route(self, *rules: Document, name: str = "route", **spec: Any) -> Document:
        return http_route(self.namespace, name, "same", *rules, **spec)

    def expect(self, wanted: Expected, path: str = "/", host: str = "example.com", **more: Any) -> Answer:
        """Asks until that Service answers with 200, or the status comes."""
        port = more.pop("port", self.port)
        if isinstance(wanted, int):
            return self.world.until_status(wanted, port, path, host, **more)
        return self.world.until_backend(self.backend(wanted), port, path, host, **more)
