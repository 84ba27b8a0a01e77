"""Where a round of changes stands, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from sampan.envoy.types import CLUSTER, ENDPOINT, SECRET

UPSTREAM_TYPES = (CLUSTER, ENDPOINT, SECRET)
Resource = tuple[str, str]  # type, name


class Phase(Enum):
    IDLE = "idle"
    UPSTREAM = "clusters, endpoints, secrets"
    DOWNSTREAM = "listeners, routes"


@dataclass(slots=True)
class Round:
    """`awaited` resources have to be confirmed before the phase ends, or `hold` seconds go by without progress; with
    each the revision that waits for it. `since` is the oldest revision that the round brings."""

    hold: float
    phase: Phase = Phase.IDLE
    since: int = 0
    awaited: dict[Resource, int] = field(default_factory=dict)
    deadline: float = 0.0

    def enter(self, phase: Phase, now: float) -> None:
        self.phase = phase
        self.deadline = now + self.hold

    def wait_for(self, resource: Resource, revision: int) -> None:
        self.awaited.setdefault(resource, revision)

    def waive(self, resource: Resource) -> None:
        """Nothing to wait for: the proxy has it, or there is none."""
        self.awaited.pop(resource, None)

    def arrived(self, resource: Resource, now: float) -> None:
        if self.awaited.pop(resource, None) is not None:
            self.progress(now)

    def progress(self, now: float) -> None:
        self.deadline = now + self.hold

    @property
    def blocking(self) -> list[Resource]:
        """What keeps this phase from ending."""
        return [key for key in self.awaited if self.phase is Phase.DOWNSTREAM or key[0] in UPSTREAM_TYPES]

    def give_up(self) -> tuple[Resource, ...]:
        """Stops waiting; gives what was waited for."""
        given_up = tuple(sorted(self.blocking))
        for resource in given_up:
            del self.awaited[resource]
        return given_up

    def stop(self) -> None:
        self.phase = Phase.IDLE
        self.awaited.clear()
