"""How a command ends early: with a sentence for the user, and what to do about it."""

from __future__ import annotations

FAILED = 1
USAGE = 2


class UserError(Exception):
    """Printed as `error: REASON` and `hint: HINT` on stderr; the process ends with `exit_code`."""

    def __init__(self, reason: str, hint: str = "", *, exit_code: int = FAILED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.exit_code = exit_code
