"""Notices of changed paths where there is no inotify, by the Rust library behind `watchfiles`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

# The library sleeps a step between two looks at what came in, and hands it over when a step brought nothing new: a
# write is told 5 to 11 ms later, at 0.3 % of a core while nothing happens. Changes without end are told every 30 ms.
_STEP = 5
_SLOW_STEP = 50
_DEBOUNCE = 30


class Watch:
    """Watches some folders from its construction on. `told` is called in the watching thread with the changed paths, or
    with None when notices were lost and the watch has ended. What is not `urgent` is told some 50 ms later."""

    def __init__(
        self, paths: Iterable[str], recursive: bool, told: Callable[[set[str] | None], None], urgent: bool = True
    ) -> None:
        self._stop = threading.Event()
        self._told = told
        self._step = _STEP if urgent else _SLOW_STEP
        # The second False: never by polling. Raises OSError where the system's limits do not allow it.
        try:
            self._notify = RustNotify(sorted(paths), False, False, 300, recursive, True)
        except WatchfilesRustInternalError as error:
            raise OSError(str(error)) from None
        self._thread = threading.Thread(target=self._run, name="sampan-files", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                found = self._notify.watch(max(_DEBOUNCE, self._step), self._step, 0, self._stop)
            except (WatchfilesRustInternalError, RuntimeError):
                self._told(None)
                return
            if found == "stop":
                return
            if not isinstance(found, str):
                self._told({path for _, path in found})

    def close(self) -> None:
        """Ends within a step."""
        self._stop.set()
        self._thread.join()
        self._notify.close()
