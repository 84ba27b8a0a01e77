"""`SuccessBeforePassing`, `FailuresBeforeWarning`, `FailuresBeforeCritical`: how often a finding must repeat to count.

Each is the number in a row that it takes. The first finding after a start counts at once.
"""

from __future__ import annotations

from sampan.registry.rows import DefinitionRow, Status


class Thresholds:
    """Of one check, from one start to the next."""

    def __init__(self, definition: DefinitionRow) -> None:
        self._successes_needed = definition.get("SuccessBeforePassing", 0)
        self._failures_needed = definition.get("FailuresBeforeCritical", 0)
        # Consul since 1.12; before it, and without it, there is no warning on the way.
        self._warning_from = definition.get("FailuresBeforeWarning") or self._failures_needed
        self._successes = self._successes_needed
        self._failures = self._failures_needed

    def counted(self, status: Status) -> Status | None:
        """What the check is now; None: what it was."""
        if status != "critical":
            self._successes += 1
            self._failures = 0
            return status if self._successes >= self._successes_needed else None
        self._failures += 1
        self._successes = 0
        if self._failures >= self._failures_needed:
            return "critical"
        return "warning" if self._failures >= self._warning_from else None
