"""Ports of the registry that somebody else has: who it is, and the ways out. Asked before anything is started."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from sampan.cli.discovery import OFF, Discovery
from sampan.cli.problem import UserError
from sampan.registry import place
from sampan.registry.place import Address

ASK_SECONDS = 1.0


def refuse_taken(wanted: Discovery, *, needed: bool = False) -> None:
    """Raises UserError if the registry could not listen where it is to. `needed`: nothing works without one of our
    own."""
    if wanted.registry:
        _refuse_http(place.parse(wanted.registry), needed)
    if wanted.dns:
        _refuse_dns(place.parse(wanted.dns))


def _refuse_http(address: Address, needed: bool) -> None:
    error = _bound(address, socket.SOCK_STREAM)
    if error is None:
        return
    ways = [f"`--registry {_with_port(address)}` starts it at another port"]
    ways += [] if needed else [f"`--registry {OFF}` starts none"]
    if error.errno != errno.EADDRINUSE:
        raise UserError(f"the registry cannot listen on {address}: {error.strerror}", ", ".join(ways))
    there = _who(address)
    if there.speaks and not needed:
        ways.insert(0, f"`--consul http://{place.reached(address)}` goes by that one")
    raise UserError(f"{address}, where the registry is to listen, is taken by {there.words}", ", ".join(ways))


def _refuse_dns(address: Address) -> None:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        error = _bound(address, kind)
        if error is not None:
            hint = f"`--registry-dns {_with_port(address)}` chooses another port, `--registry-dns {OFF}` does without"
            taken = f"{address}, where the registry is to answer DNS, is taken by {_holder(address)}"
            other = f"the registry cannot answer DNS at {address}: {error.strerror}"
            raise UserError(taken if error.errno == errno.EADDRINUSE else other, hint)


def _bound(address: Address, kind: socket.SocketKind) -> OSError | None:
    """Why it cannot be listened on there; None if it can."""
    with socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, kind) as probe:
        try:
            if kind is socket.SOCK_STREAM:
                # Connections of a predecessor in TIME_WAIT do not make a port taken.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address.host, address.port))
            if kind is socket.SOCK_STREAM:
                probe.listen(1)
        except OSError as error:
            return error
    return None


@dataclass(frozen=True, slots=True)
class Found:
    """Who has the port. `speaks`: it answers as Consul does."""

    words: str
    speaks: bool


def _who(address: Address) -> Found:
    import http.client
    import json

    connection = http.client.HTTPConnection(str(place.reached(address)), timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/v1/agent/self", headers={"connection": "close"})
        answer = connection.getresponse()
        ours = (answer.getheader("server") or "").startswith("Sampan")
        if answer.status == 403:  # without a token that may know: little but a Consul says so at this path
            return Found("the registry of another Sampan" if ours else "what may be a Consul with tokens", True)
        config = json.loads(answer.read(1 << 20))["Config"]
        where, version = str(config["Datacenter"])[:64], str(config["Version"])[:32]
        name = "the registry of another Sampan" if ours else f"a Consul agent, version {version}"
        return Found(f"{name} (datacentre {where})", True)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return Found(_holder(address), False)
    finally:
        connection.close()


def _holder(address: Address) -> str:
    from sampan.proxy import ports

    return ", ".join(ports.holders(address.port)) or "another program"


def _with_port(address: Address) -> str:
    return str(Address(address.host, 0)).removesuffix("0") + "PORT"
