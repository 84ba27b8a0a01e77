"""What every source gives, and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sampan.documents.load import Loaded
from sampan.model.diagnostic import Diagnostic

CONSUL_KV = "consul-kv"

SHARED = frozenset({CONSUL_KV})
"""Names of sources that many machines read, and many people write. Where a machine has a document of its own for the
same object, that one counts: who may write to the store does not thereby get at what the machine's owner laid down."""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """Whether a source can be read as a whole; `diagnostics` say what is wrong with it (not with its documents)."""

    ok: bool = True
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class Records:
    """What changed in a source. A key is whatever holds documents there: a file's path, a key of a store.

    A key that cannot be read comes as a `Loaded` with `broken=(Broken(None, …),)`. Keys that are, or lie under, one of
    `unavailable` (a folder that vanished) are not known to be gone. With `whole` these records are all that the source
    has: other keys of it, unless unavailable, are removed.
    """

    source: str
    changed: Mapping[str, Loaded] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    whole: bool = False
    unavailable: frozenset[str] = frozenset()
    health: SourceHealth = SourceHealth()


Emit = Callable[[Records], None]


class Source(Protocol):
    """Something that documents come from."""

    @property
    def name(self) -> str:
        """Unique among the sources; in every Origin."""
        ...

    async def run(self, emit: Emit) -> None:
        """Emits everything once (`whole`), then what changes, until cancelled. `emit` returns at once."""
        ...


def under(key: str, prefixes: frozenset[str]) -> bool:
    """Whether `key` is one of `prefixes` or lies below one."""
    return any(key == prefix or key.startswith(prefix.rstrip("/") + "/") for prefix in prefixes)
