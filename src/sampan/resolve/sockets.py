"""Ports of a Gateway: which connections go to which application.

Plain HTTP listeners of a port share one application, told apart by host. Listeners that speak TLS are chains told apart
by SNI; an HTTPS chain answers 421 for hosts that another HTTPS listener of the port has (RFC 9110 15.5.20).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sampan.model.names import Ref, hostname_covers, resource_name
from sampan.model.plan import Chain, Host, HttpApplication, Respond, Share, Socket, TcpApplication
from sampan.model.policy import Policies
from sampan.resolve.frames import Frame
from sampan.resolve.listeners import Door, more_specific
from sampan.resolve.sharing import field_values
from sampan.resolve.tables import Table


class Sockets:
    """Makes the sockets of one Gateway, again and again; parts that come out the same stay the same objects."""

    def __init__(self) -> None:
        self._former: dict[tuple[Any, ...], Any] = {}
        self._current: dict[tuple[Any, ...], Any] = {}

    def make(self, frame: Frame, tables: Mapping[str, Table]) -> tuple[Socket, ...]:
        """All ports that the Gateway serves, by number. `tables` by the listener's name."""
        self._former, self._current = self._current, {}
        ports = sorted({door.port for door in frame.facts.doors if frame.served(door)})
        return tuple(self._socket(frame, port, tables) for port in ports)

    def _kept(self, part: Any, *place: Any) -> Any:
        """The former part at this place if all its fields are the same. Fields are parts or values: `==` is shallow."""
        former = self._current.get(place) or self._former.get(place)
        values = field_values(type(part))
        if former is not None and type(former) is type(part) and values(former) == values(part):
            part = former
        self._current[place] = part
        return part

    def _socket(self, frame: Frame, port: int, tables: Mapping[str, Table]) -> Socket:
        doors = tuple(door for door in frame.facts.doors if door.port == port and frame.served(door))
        protocol = doors[0].protocol
        if protocol == "HTTP":
            chains = [self._plain(frame, doors, tables)]
        elif protocol == "TCP":
            chains = [self._tcp(frame, doors[0], tables[doors[0].name])]
        else:
            chains = [chain for door in doors for chain in self._tls(frame, door, doors, tables)]
            if not chains:
                chains = [self._closed(port, frame.gateway_policies)]
        kept = tuple(self._kept(chain, "chain", port, chain.name) for chain in chains)
        inspect = protocol in ("HTTPS", "TLS")
        made: Socket = self._kept(
            Socket(resource_name("port", port), port, kept, frame.facts.addresses, inspect), "socket", port
        )
        return made

    def _plain(self, frame: Frame, doors: tuple[Door, ...], tables: Mapping[str, Table]) -> Chain:
        hosts = tuple(host for door in doors for host in tables[door.name].hosts(door, doors))
        name = resource_name("http", doors[0].port)
        # Connections are not told apart by host yet, so a listener's own policies count only where all listeners agree.
        policies = {id(frame.policies[door.index]): frame.policies[door.index] for door in doors}
        agreed = next(iter(policies.values())) if len(policies) == 1 else frame.gateway_policies
        application = self._kept(HttpApplication(name, hosts, agreed), "application", name)
        return Chain(name, application, listeners=tuple(door.name for door in doors))

    def _tls(self, frame: Frame, door: Door, doors: tuple[Door, ...], tables: Mapping[str, Table]) -> Iterator[Chain]:
        if not frame.enters(door):
            return
        if door.protocol == "HTTPS":
            yield self._https(frame, door, doors, tables)
        else:
            yield from self._streams(frame, door, doors, tables[door.name])

    def _https(self, frame: Frame, door: Door, doors: tuple[Door, ...], tables: Mapping[str, Table]) -> Chain:
        name = resource_name("https", door.port, door.name)
        others = tuple(other for other in doors if other.protocol == "HTTPS")
        hosts = (
            *tables[door.name].hosts(door, others),
            *(self._misdirected(other.hostname) for other in others if other is not door),
        )
        application = self._kept(HttpApplication(name, hosts, frame.policies[door.index]), "application", name)
        names = (door.hostname,) if door.hostname else ()
        return Chain(name, application, names, frame.tls[door.index].tls, (door.name,))

    def _misdirected(self, hostname: str) -> Host:
        domain = hostname or "*"
        made: Host = self._kept(
            Host(resource_name("misdirected", domain), domain, (), misdirected=True), "misdirected", domain
        )
        return made

    def _streams(self, frame: Frame, door: Door, doors: tuple[Door, ...], table: Table) -> Iterator[Chain]:
        """The oldest route has a host name. Names that another listener has more specifically are that one's."""
        taken: dict[str, Ref] = {}
        for ref in table.by_age():
            for common, _ in table.attachments[ref].hosts:
                if not _foreign(common, door, doors):
                    taken.setdefault(common, ref)
        names: dict[Ref, list[str]] = {}
        for common, ref in sorted(taken.items()):
            names.setdefault(ref, []).append(common)
        for ref, commons in names.items():
            stream = table.attachments[ref].stream
            if stream is not None:
                name = resource_name("tls", door.port, door.name, ref.namespace, ref.name)
                yield Chain(name, stream, tuple(filter(None, commons)), frame.tls[door.index].tls, (door.name,))

    def _tcp(self, frame: Frame, door: Door, table: Table) -> Chain:
        """The oldest route has all connections (GEP-2644)."""
        name = resource_name("tcp", door.port)
        oldest = table.by_age()[:1]
        stream = table.attachments[oldest[0]].stream if oldest else None
        if stream is None:
            stream = self._nobody(name, frame.policies[door.index])
        return Chain(name, stream, listeners=(door.name,))

    def _closed(self, port: int, policies: Policies) -> Chain:
        """A port whose listeners have nothing to serve yet is open all the same; connections are closed."""
        name = resource_name("closed", port)
        return Chain(name, self._nobody(name, policies))

    def _nobody(self, name: str, policies: Policies) -> TcpApplication:
        share = self._kept(Share(1, Respond(503, "no route"), policies=policies), "nobody", name)
        made: TcpApplication = self._kept(TcpApplication(name, (share,), policies=policies), "application", name)
        return made


def _foreign(common: str, door: Door, doors: tuple[Door, ...]) -> bool:
    return bool(common) and any(
        more_specific(other.hostname, door.hostname) and hostname_covers(other.hostname, common) for other in doors
    )
