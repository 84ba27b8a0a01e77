"""What is known of all services: the catalogues, the last answers and their indexes. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sampan.consul.wire import Answer
from sampan.model.names import DATACENTER_LABEL, qualified, registered_name
from sampan.sources.consul.codec import datacenter_of
from sampan.sources.consul.convert import NOT_ROUTED, Key, Registered, Setting, registered
from sampan.sources.consul.notices import Trouble
from sampan.sources.consul.states import Affected


class Books:
    """`items` holds what was read, or kept from the last run. `unread` are services without an answer of this run."""

    def __init__(self, setting: Setting, kept: Iterable[Registered] = ()) -> None:
        self.items: dict[Key, Registered] = {item.key: item for item in kept}
        self.indexes: dict[Key, int] = {}
        self.changed: dict[Key, int] = {}
        """In which order services changed after their first answer."""
        self.keys: set[Key] = set()
        self.unread: set[Key] = set()
        self.failing: dict[Key, Trouble] = {}
        self.away: set[str] = set()
        """Datacentres whose catalogue gives no answer."""
        self._count = 0
        local = (item for item in self.items.values() if not item.key.datacenter)
        known = next((name for item in local if (name := datacenter_of(item, DATACENTER_LABEL))), "")
        self.setting = replace(setting, datacenter=setting.datacenter or known)

    def locate(self, datacenter: str, node: str = "") -> None:
        """The names of the datacentre that is asked, and of our own node in it."""
        self.setting = replace(self.setting, datacenter=datacenter, node=node)

    def list(self, datacenter: str, names: Iterable[str]) -> tuple[set[Key], set[Key]]:
        """Takes a catalogue; gives what is new, and what is gone."""
        now = {Key(datacenter, name) for name in names if name not in NOT_ROUTED}
        before = {key for key in self.keys if key.datacenter == datacenter}
        kept = {key for key in self.items if key.datacenter == datacenter}
        added, gone = now - before, (before | kept) - now
        self.keys = (self.keys - gone) | added
        self.unread = (self.unread - gone) | added
        for key in gone:
            self.items.pop(key, None)
            self.changed.pop(key, None)
            self.indexes.pop(key, None)
            self.failing.pop(key, None)
        return added, gone

    def take(self, key: Key, answer: Answer, followed: bool) -> bool:
        """Takes an answer; whether something changed. GarbageError if it is none.

        A service that is read now and then may be read from a server that lags behind the one of the last time; what
        it says is older than what is known. A watch sees to that itself.
        """
        if key not in self.keys:
            return False
        index = self.indexes.get(key, 0)
        fresh = key not in self.unread
        if fresh and not followed and 0 < answer.index <= index:
            return False
        before = self.items.get(key)
        if before is not None and before.instances and answer.body == []:
            # A service without instances is in no catalogue, and that tells that it is gone. An answer without any is
            # one from which access rules hide them, or of a server that lags behind.
            self.indexes[key] = answer.index
            self.unread.discard(key)
            return False
        now = registered(key, answer.body, self.setting, before)
        self.indexes[key] = answer.index
        self.unread.discard(key)
        if now is before:
            return False
        if fresh:
            self._count += 1
            self.changed[key] = self._count
        self.items[key] = now
        return True

    def start_over(self, datacenter: str) -> None:
        """The indexes of a datacentre mean nothing any more."""
        for key in [key for key in self.indexes if key.datacenter == datacenter]:
            del self.indexes[key]

    def affected(self, datacenter: str, what: Affected) -> set[Key]:
        """The services whose health may have changed."""
        found = {Key(datacenter, name) for name in what.services}
        if what.nodes:
            found |= {item.key for item in self._of(datacenter) if not what.nodes.isdisjoint(item.nodes)}
        return found & self.keys

    def unhealthy(self, datacenter: str) -> set[Key]:
        """The services some check of which did not pass when they were read."""
        return {item.key for item in self._of(datacenter) if _is_unhealthy(item)} & self.keys

    def _of(self, datacenter: str) -> Iterator[Registered]:
        return (item for item in self.items.values() if item.key.datacenter == datacenter)


def _is_unhealthy(item: Registered) -> bool:
    return any(check.status != "passing" for known in item.instances.values() for check in known.spec.checks)


def names_of(key: Key, source: str) -> tuple[str, ...]:
    """The object names by which documents can refer to a service."""
    name = registered_name(key.name)
    return (qualified(name, key.datacenter),) if key.datacenter else (name, qualified(name, source))
