"""What an exception while resolving or compiling comes to. It is our bug, or a plugin's, and harms nothing else: what
was in force stays so, the log has the traceback, and a Diagnostic tells."""

from __future__ import annotations

import sys
import traceback

from sampan.model.codes import OWN_MISTAKE
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin


def caught(what: str, error: Exception) -> Diagnostic:
    """To be called where the exception is caught. `what` was being done: "compiling for default/shop"."""
    traceback.print_exception(error, file=sys.stderr)
    reason = f"{what} ended in {type(error).__name__}: {error}"
    hint = "what was in force before stays so; the log has the traceback: please report it"
    return Diagnostic(OWN_MISTAKE, reason, Origin("sampan"), hint=hint)
