"""The source of the documents in Consul's KV: one blocking query for all of them; only changed keys are read again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing

from sampan.consul.client import Away, Client
from sampan.consul.errors import ConsulError, RefusedError, UnreachableError
from sampan.consul.kv import Tree, kv_get, kv_watch
from sampan.consul.wire import Entry
from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.load import Loaded
from sampan.model.codes import STORE_AWAY
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin
from sampan.sources.consul.document_keys import DOCUMENTS, LEADER, Scheme, is_folder
from sampan.sources.consul.document_values import read_value
from sampan.sources.source import CONSUL_KV, Emit, Records, SourceHealth

# How long the start waits for Consul before it goes on with the last good version: a registry that is started beside
# the control plane is there after some tenths of a second.
START_PATIENCE = 2.0
DOUBT_SECONDS = 5.0
_LOST = "Consul's KV is empty, and has lost its data; the documents stay as they were last read"
_LOST_HINT = "restore Consul's data, or apply the documents again: what is there then counts"
_EVERYTHING = frozenset({DOCUMENTS.rstrip("/")})

Watch = Callable[[Client, str], AsyncIterator[Tree | Away]]


async def has_served(client: Client) -> bool:
    """Whether this KV is one that control planes have worked with: they leave the key of their lock behind, and make it
    only once they have read the documents. A KV without it, where documents were, has lost its data. RefusedError if
    the token may not read documents: a recursive read only leaves out what it may not show."""
    await kv_get(client, DOCUMENTS)
    try:
        return await kv_get(client, LEADER) is not None
    except RefusedError:
        return False


class ConsulDocuments:
    """While Consul is away, and when it comes back with nothing after its data was lost, every document stays.

    `expected`: there were documents when the program ended last. If not, the start waits for nothing.
    """

    def __init__(
        self,
        client: Client,
        kinds: KindSet,
        expected: bool = True,
        name: str = CONSUL_KV,
        watch: Watch = kv_watch,
        has_served: Callable[[Client], Awaitable[bool]] = has_served,
        patience: float = START_PATIENCE,
        doubt: float = DOUBT_SECONDS,
    ) -> None:
        self.name = name
        self.read = asyncio.Event()
        """Set once all documents were read."""
        self._client, self._kinds, self._expected, self._watch = client, kinds, expected, watch
        self._has_served = has_served
        self._patience, self._doubt = patience, doubt
        self._scheme = Scheme(kinds)
        self._known: dict[str, tuple[int, Loaded]] = {}
        self._index = 0
        self._lost = False
        self._whole = False
        self._patient = patience > 0
        self._said: Diagnostic | None = None
        self._error: ConsulError = UnreachableError(f"{client.target.address}: no answer within {patience:g} s")

    async def run(self, emit: Emit) -> None:
        if not self._expected:
            self._whole = True
            emit(Records(self.name, whole=True, unavailable=_EVERYTHING))

        def tell(records: Records | None) -> None:
            if records is not None:
                emit(records)

        patience = asyncio.get_running_loop().call_later(self._patience, lambda: tell(self._end_of_patience()))
        try:
            while await self._follow(tell, patience):
                # A token may read again without any document having changed: nothing would wake us.
                await asyncio.sleep(self._doubt)
        finally:
            patience.cancel()

    async def _follow(self, tell: Callable[[Records | None], None], patience: asyncio.TimerHandle) -> bool:
        """Until an answer is not believed (then True), or for ever."""
        async with aclosing(self._watch(self._client, DOCUMENTS)) as events:  # type: ignore[type-var]
            async for event in events:
                if isinstance(event, Away):
                    self._error = event.error
                    tell(None if self._patient else self._away())
                    continue
                patience.cancel()
                self._patient = False
                entries = [entry for entry in event.entries if not is_folder(entry.key)]
                if not entries and await self._is_doubtful(event.index):
                    tell(self._held(_LOST, _LOST_HINT) if self._lost else self._away())
                    return True
                # Ten thousand documents take seconds, in which the loop has other things to do.
                tell(await asyncio.to_thread(self._changes, entries, event.index))
                self.read.set()
        return False

    def _end_of_patience(self) -> Records | None:
        was, self._patient = self._patient, False
        return self._away() if was else None

    def _away(self) -> Records | None:
        return self._held(f"{self._error}; the documents stay as they were last read", _hint(self._error))

    def _held(self, reason: str, hint: str) -> Records | None:
        """Nothing is known of any key. None if that was said already."""
        said = Diagnostic(STORE_AWAY, reason, Origin(self.name, DOCUMENTS), hint=hint)
        if said == self._said:
            return None
        self._said = said
        whole, self._whole = not self._whole, True
        return Records(self.name, whole=whole, unavailable=_EVERYTHING, health=SourceHealth(False, (said,)))

    async def _is_doubtful(self, index: int) -> bool:
        """Where documents were and none is now: whether nobody removed them, as with a folder that vanished."""
        if not self._known and (not self._expected or self.read.is_set()):
            return False
        try:
            served = await self._has_served(self._client)
        except ConsulError as error:
            self._error = error
            return True
        # The indexes of a Consul never fall.
        self._lost |= (0 < index < self._index) if self._known else not served
        return self._lost

    def _changes(self, entries: Sequence[Entry], index: int) -> Records | None:
        began_anew, self._index, self._lost = 0 < index < self._index, index, False
        changed: dict[str, Loaded] = {}
        for entry in entries:
            known = self._known.get(entry.key)
            if known is not None and known[0] == entry.modify_index and not began_anew:
                continue
            memo = known[1].memo if known is not None else None
            loaded = read_value(entry.key, entry.value, self._scheme, self._kinds, self.name, memo)
            if known is None or loaded != known[1] or not self._whole:
                changed[entry.key] = loaded
            self._known[entry.key] = (entry.modify_index, loaded)
        gone = self._known.keys() - {entry.key for entry in entries}
        for key in gone:
            del self._known[key]
        back = self._said is not None
        whole, self._whole, self._said = not self._whole or back, True, None
        if whole:
            changed = {key: loaded for key, (_, loaded) in self._known.items()}
        elif not changed and not gone:
            return None
        return Records(self.name, changed, frozenset(gone), whole)


def _hint(error: ConsulError) -> str:
    if isinstance(error, RefusedError) and error.forbidden:
        return f"give Sampan a token that may read keys below {DOCUMENTS} (CONSUL_HTTP_TOKEN)"
    return "it is tried again without end; `sampan get diagnostics` no longer shows this once it answers"
