"""The Gateway API's condition types and reasons (v1.6), and the conditions that say that all is well."""

from __future__ import annotations

from sampan.model.status import Condition

CONTROLLER = "sampan.dev/gateway-controller"

ACCEPTED = Condition("Accepted", "True", "Accepted", "Accepted")
RESOLVED_REFS = Condition("ResolvedRefs", "True", "ResolvedRefs", "All references are resolved")
PROGRAMMED = Condition("Programmed", "True", "Programmed", "Programmed")
NO_CONFLICTS = Condition("Conflicted", "False", "NoConflicts", "No conflicts")


def not_accepted(reason: str, message: str) -> Condition:
    return Condition("Accepted", "False", reason, message)


def unresolved(reason: str, message: str) -> Condition:
    return Condition("ResolvedRefs", "False", reason, message)


def not_programmed(reason: str, message: str) -> Condition:
    return Condition("Programmed", "False", reason, message)


def conflicted(reason: str, message: str) -> Condition:
    return Condition("Conflicted", "True", reason, message)
