"""The source of files and folders given by path: read at first, then watched; a change costs what changed."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence

from sampan.documents.kinds.kind_set import KindSet
from sampan.model.codes import NOT_WATCHED
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin
from sampan.sources.files.tree import Tree, Watched
from sampan.sources.source import Emit, Records

if sys.platform == "linux":
    from sampan.sources.files.inotify import Watch
else:
    from sampan.sources.files.notify import Watch

# Roots are mounted, unmounted and replaced without a notice: they are asked every 2 s (one `stat` each). Everything is
# compared every 60 s (one `stat` for each file), for lost notices and for network file systems, which send none.
_ROOTS_EVERY = 2.0
_ALL_EVERY = 60.0
_ALL_EVERY_UNWATCHED = 1.0


class Files:
    """`paths` are files and folders as users type them; messages show them so."""

    def __init__(
        self, paths: Sequence[str], kinds: KindSet, name: str = "files", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._tree = Tree(paths, kinds, name)
        self._clock = clock
        self._told: set[str] = set()
        self._compare_all = False
        self._watch_again = False
        self._wake = asyncio.Event()
        self._watched: Watched | None = None
        self._watches: list[Watch] = []
        self._not_watched: Diagnostic | None = None

    async def run(self, emit: Emit) -> None:
        try:
            # Watched first and read then, so that no change falls between the two.
            await self._watch_what_is_needed()
            self._compare_all = False
            records = await asyncio.to_thread(self._tree.read_all, self._clock())
            await self._watch_what_is_needed()
            emit(self._tree.with_note(records, self._not_watched))
            await self._follow(emit)
        finally:
            for watch in self._watches:
                watch.close()
            self._watches = []

    async def _follow(self, emit: Emit) -> None:
        roots_at, all_at = self._clock() + _ROOTS_EVERY, self._clock() + _ALL_EVERY
        while True:
            if self._not_watched:
                all_at = min(all_at, self._clock() + _ALL_EVERY_UNWATCHED)
            await self._sleep(min(roots_at, all_at, self._tree.next_deadline))
            now = self._clock()
            told, self._told = self._told, set()
            everything = self._compare_all or now >= all_at
            self._compare_all = False
            records = await asyncio.to_thread(self._tree.update, told, now, everything)
            await self._watch_what_is_needed()
            if records is not None:
                emit(self._tree.with_note(records, self._not_watched))
            if now >= roots_at:
                roots_at = now + _ROOTS_EVERY
            if everything:
                all_at = now + _ALL_EVERY

    async def _sleep(self, until: float) -> None:
        """Until `until`, or earlier when something is told."""
        if not self._compare_all and not self._told:
            try:
                async with asyncio.timeout(max(0.0, until - self._clock())):
                    await self._wake.wait()
            except TimeoutError:
                pass
        self._wake.clear()

    async def _watch_what_is_needed(self) -> None:
        """Watches what is to be watched now, if that is something else than before."""
        wanted = self._tree.watched()
        if wanted == self._watched and not self._watch_again:
            return
        former, self._watches = self._watches, []
        self._watched, self._watch_again, self._not_watched = wanted, False, None
        folders, alone = wanted
        self._watch(frozenset(path for path, _ in folders), True, urgent=True)
        # The parents of folders tell only that a folder was replaced; those of single files tell of edits.
        self._watch(alone, False, urgent=self._tree.has_single_files)
        # What changed before the new watches began is found by comparing.
        self._compare_all = True
        for watch in former:
            await asyncio.to_thread(watch.close)

    def _watch(self, paths: frozenset[str], recursive: bool, urgent: bool) -> None:
        if not paths:
            return
        loop = asyncio.get_running_loop()

        def told(found: set[str] | None) -> None:
            loop.call_soon_threadsafe(self._hear, found)

        try:
            self._watches.append(Watch(paths, recursive, told, urgent))
        except (FileNotFoundError, NotADirectoryError):
            # Gone since it was looked at; the next look finds that out.
            self._watched = None
        except OSError as error:
            hint = "on Linux raise fs.inotify.max_user_watches and fs.inotify.max_user_instances (sysctl)"
            reason = f"the system does not watch these files ({error}); they are looked at every second instead"
            self._not_watched = Diagnostic(NOT_WATCHED, reason, Origin(self.name), hint=hint)

    def _hear(self, paths: set[str] | None) -> None:
        if paths is None:
            self._watch_again = self._compare_all = True
        else:
            self._told |= paths
        self._wake.set()


def read_once(paths: Sequence[str], kinds: KindSet, name: str = "files") -> Records:
    """What the files say now, for commands that look once."""
    return Tree(paths, kinds, name).read_all(0.0)
