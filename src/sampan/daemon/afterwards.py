"""What follows a change without being waited for: counters, times, the log's diagnostics, the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from sampan.daemon.keeper import Keeper
from sampan.daemon.ledger import Ledger
from sampan.model.diagnostic import Diagnostic
from sampan.model.names import Ref
from sampan.model.snapshot import Change
from sampan.model.status import Condition, Status
from sampan.sources.last_good import LastGood

SECONDS = 0.1


class Afterwards:
    """Runs at most every `SECONDS`. `statuses`, `diagnostics`, `last_good`, `health` (what is wrong with each source)
    and `problems` (of writing to disk) are asked for what is true then; `say` writes a line to the log; `caught_up` is
    called when all that is done."""

    def __init__(self, ledger: Ledger, keeper: Keeper, now: Callable[[], str], say: Callable[[str], None]) -> None:
        self.statuses: Callable[[], Mapping[Ref, Status]] = dict
        self.diagnostics: Callable[[], Iterable[Diagnostic]] = tuple
        self.last_good: Callable[[], LastGood] = LastGood
        self.health: Callable[[], Mapping[str, Sequence[Diagnostic]]] = dict
        self.problems: Callable[[], Iterable[str]] = lambda: (keeper.problem,)
        self.caught_up: Callable[[], None] = lambda: None
        self._ledger, self._keeper = ledger, keeper
        self._now, self._say = now, say
        self._changes: list[Change] = []
        self._seen: Mapping[Ref, Status] = {}
        self._said: dict[Diagnostic, None] = {}
        self._ready: set[Ref] = set()
        self._problems: set[str] = set()
        self._unwell: set[str] = set()
        self._wake = asyncio.Event()

    def note(self, change: Change | None = None) -> None:
        """Something changed: objects, or what proxies have."""
        if change:
            self._changes.append(change)
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(SECONDS)
            self._wake.clear()
            self.catch_up()

    def count(self) -> None:
        """Generations and times as of now: also before anybody is shown an object, or a new spec would be seen with
        the generation of the old one."""
        changes, self._changes = self._changes, []
        for change in changes:
            self._ledger.observe(change)
        statuses = self.statuses()
        self._ledger.observe_statuses(self._seen, statuses, self._now())
        self._seen = statuses

    def catch_up(self) -> None:
        self.count()
        self._keeper.note(self.last_good())
        self._tell_ready()
        self._tell()
        self.caught_up()

    def _tell_ready(self) -> None:
        """Each Gateway once, when it serves for the first time; another time when it was gone in between."""
        self._ready &= self._seen.keys()
        for ref, status in self._seen.items():
            serving = [item.name for item in status.listeners if _holds(item.conditions)]
            if ref.kind == "Gateway" and ref not in self._ready and serving and _holds(status.conditions):
                self._ready.add(ref)
                self._say(f"{ref} is ready: {', '.join(serving)}")

    def _tell(self) -> None:
        """New diagnostics, and how many old ones are mended."""
        found = dict.fromkeys(self.diagnostics())
        for item in found:
            if item not in self._said:
                self._say(f"{item.origin}: {item.severity}[{item.code.id}]: {item.code.title}: {item.reason}")
                if item.hint:
                    self._say(f"  hint: {item.hint}")
        unwell = {name for name, said in self.health().items() if said}
        for name in sorted(self._unwell - unwell):
            self._say(f"{name} can be read again")
        self._unwell = unwell
        gone = len(self._said.keys() - found.keys())
        if gone:
            self._say(f"{gone} mended, {len(found)} left" if found else f"{gone} mended: no mistakes are left")
        self._said = found
        problems = set(filter(None, self.problems()))
        for problem in sorted(problems - self._problems):
            self._say(f"warning: {problem}")
        self._problems = problems


def _holds(conditions: Iterable[Condition]) -> bool:
    return any(item.type == "Programmed" and item.status == "True" for item in conditions)
