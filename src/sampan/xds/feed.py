"""One resource type on one stream: what was asked for, what the proxy has, what is still to be sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sampan.envoy.table import Row


@dataclass(frozen=True, slots=True)
class Sent:
    """A response that is not answered yet. `since` is the oldest revision it carries."""

    nonce: str
    rows: tuple[Row, ...]
    removed: tuple[str, ...]
    since: int


@dataclass(slots=True)
class Feed:
    """Coalesces, never queues: `dirty` are names, and what is sent of them is what counts at the time of sending.

    greeted   something was sent
    known     what the proxy has: the Row, or only a version where it came with that from before (another control plane)
    forced    dirty names to send although the proxy has that version
    owed      names to send once more before they count as confirmed, at the latest when they are asked for
    parts     parts of a response that was refused as a whole, to be sent one by one until the bad resource is found
    leaving   names the proxy has and should not: to be removed after everything that might use them was moved away
    condemned the same, with the time when the removal goes out
    expelled  the same, with the removal among the dirty
    """

    type: str
    subscribed: bool = False
    wildcard: bool = False
    greeted: bool = False
    names: set[str] = field(default_factory=set)
    known: dict[str, Row | str] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)
    forced: set[str] = field(default_factory=set)
    owed: set[str] = field(default_factory=set)
    parts: list[tuple[tuple[str, ...], int]] = field(default_factory=list)
    leaving: set[str] = field(default_factory=set)
    condemned: dict[str, float] = field(default_factory=dict)
    expelled: set[str] = field(default_factory=set)
    sent: Sent | None = None
    since: int = 0

    def wants(self, name: str) -> bool:
        return self.wildcard or name in self.names

    def has(self, name: str, version: str) -> bool:
        """Whether the proxy is known to have that version."""
        known = self.known.get(name)
        return known is not None and (known if isinstance(known, str) else known.version) == version

    @property
    def clean(self) -> bool:
        """Nothing to send, nothing unanswered."""
        return not (self.dirty or self.sent or self.parts)

    @property
    def oldest(self) -> int | None:
        """The oldest revision of which something is not answered yet."""
        open_ = [since for _, since in self.parts]
        if self.dirty:
            open_.append(self.since)
        if self.sent:
            open_.append(self.sent.since)
        return min(open_, default=None)

    def mark(self, names: Iterable[str], revision: int, forced: bool = False) -> None:
        """Names to look at with the next response."""
        fresh = list(names)
        if not fresh:
            return
        self.since = min(self.since, revision) if self.dirty else revision
        self.dirty.update(fresh)
        if forced:
            self.forced.update(fresh)

    def take(self) -> tuple[tuple[str, ...], int]:
        """The names of the next response, and the oldest revision among them."""
        if self.parts:
            return self.parts.pop(0)
        names, self.dirty = tuple(sorted(self.dirty)), set()
        return names, self.since

    def one_by_one(self, names: tuple[str, ...], since: int) -> tuple[str, ...]:
        """The first of the names; the others wait for responses of their own.

        So for secrets: Envoy confirms one that it has refused when it comes a second time, as its hash is not news
        (SdsApi::onConfigUpdate in its source). Halves would not show which of several was meant.
        """
        self.parts[:0] = [((name,), since) for name in names[1:]]
        return names[:1]

    def split(self, refused: Sent) -> None:
        """Both halves of a refused response, to be sent again one by one."""
        names = (*(item.name for item in refused.rows), *refused.removed)
        middle = len(names) // 2
        self.parts[:0] = [(names[:middle], refused.since), (names[middle:], refused.since)]
        self.forced.update(item.name for item in refused.rows)
        self.expelled.update(refused.removed)

    def stays(self, name: str) -> None:
        """The name is wanted after all."""
        self.leaving.discard(name)
        self.condemned.pop(name, None)
        self.expelled.discard(name)

    def forget(self, name: str) -> None:
        """The proxy gave the name up."""
        self.names.discard(name)
        if not self.wildcard:
            self.known.pop(name, None)
            self.dirty.discard(name)
            self.forced.discard(name)
            self.stays(name)

    def condemn(self, due: float) -> None:
        """Sets the hour for what is leaving."""
        for name in self.leaving:
            self.condemned.setdefault(name, due)
        self.leaving.clear()

    def expel(self, now: float, revision: int) -> None:
        """Moves what is due to the dirty names."""
        if not self.condemned:
            return
        due = [name for name, at in self.condemned.items() if at <= now]
        for name in due:
            del self.condemned[name]
        self.expelled.update(due)
        self.mark(due, revision)
