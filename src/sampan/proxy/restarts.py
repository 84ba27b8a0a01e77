"""When to start what died again, and when silence means death. Pure: time is passed in, in seconds of one clock."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Backoff:
    """`delays`: seconds before the first, second … restart, the last one for all others. Whoever was well for
    `stable_after` seconds begins anew."""

    delays: tuple[float, ...]
    stable_after: float


ENVOY = Backoff((0.0, 0.2, 0.5, 1.0, 2.0, 5.0), stable_after=5.0)
CONTROL = Backoff((0.0, 0.5, 1.0, 2.0, 4.0, 5.0), stable_after=10.0)
REPLAY = Backoff((0.2, 1.0, 5.0), stable_after=10.0)
COMPANION = Backoff((0.0, 0.5, 1.0, 2.0, 5.0), stable_after=10.0)


@dataclass(frozen=True, slots=True)
class History:
    """How often it died in a row."""

    deaths: int = 0

    def after_death(self, backoff: Backoff, well_for: float) -> tuple[History, float]:
        """The next History and the seconds to wait. `well_for`: how long it ran (the control plane: was ready)."""
        deaths = 0 if well_for >= backoff.stable_after else self.deaths
        return History(deaths + 1), backoff.delays[min(deaths, len(backoff.delays) - 1)]


def ends_everything(status: int, ever_ready: bool) -> bool:
    """Whether an exit of the control plane ends the supervisor: it had nothing to do (0) or a wrong argument (2).

    Once a control plane was ready, the same command line is known to be good and any exit is an accident.
    """
    return not ever_ready and status in (0, 2)


@dataclass(frozen=True, slots=True)
class Liveness:
    """What is known of one control plane from its heartbeats."""

    ready_at: float | None = None
    last_beat: float = 0.0
    last_tick: float = 0.0
    connected: bool = False

    def ready(self, now: float) -> Liveness:
        return replace(self, ready_at=now if self.ready_at is None else self.ready_at, last_beat=now, connected=True)

    def beat(self, now: float) -> Liveness:
        return replace(self, last_beat=now)

    def disconnected(self) -> Liveness:
        return replace(self, connected=False)

    def tick(self, now: float, interval: float) -> Liveness:
        """To be called each `interval`. A late call means that we ourselves were stopped (Ctrl-Z, a sleeping laptop,
        a starved machine), and the other side must not pay for it."""
        pause = max(0.0, now - self.last_tick - 2 * interval) if self.last_tick else 0.0
        return replace(self, last_tick=now, last_beat=self.last_beat + pause)

    def hung(self, now: float, limit: float) -> bool:
        """Was ready, and said nothing for `limit` seconds. One that never was ready may still be starting."""
        return self.ready_at is not None and now - self.last_beat >= limit

    def available(self, now: float, limit: float) -> bool:
        """Whether an Envoy that starts now would get its configuration from it."""
        return self.connected and self.ready_at is not None and now - self.last_beat < limit

    def well_for(self, now: float) -> float:
        return 0.0 if self.ready_at is None else now - self.ready_at
