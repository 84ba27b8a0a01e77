"""Instance: one registered instance of a service. Sources make these; nobody writes them as documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sampan.documents.kinds.shape import NO_STRINGS
from sampan.model.names import SAMPAN

KIND = (SAMPAN, "Instance")

InstanceState = Literal["ready", "down"]


@dataclass(frozen=True, slots=True)
class Check:
    """One health check, in the registry's words."""

    name: str
    status: str
    output: str = ""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: one of `address` (an IP address), `hostname` and `unix` is given. Its object's labels say what a
    Service's selector can ask for.

    A plain dataclass and no `Spec`: twenty thousand come in a burst, from a source that has checked what it hands on.
    """

    address: str = ""
    hostname: str = ""
    unix: str = ""
    port: int = 0
    weight: int = 1
    """Share among the endpoints. 0 sends nothing."""
    zone: str = ""
    region: str = ""
    state: InstanceState = "ready"
    protocol: str = ""
    """What is spoken, as a Service's `appProtocol` has it; "" if nobody said."""
    service: str = ""
    """The service's name as registered."""
    node: str = ""
    id: str = ""
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = NO_STRINGS
    checks: tuple[Check, ...] = ()

    @property
    def place(self) -> str:
        """Where it is reached: an address, a name, or a socket's path."""
        return self.address or self.hostname or self.unix
