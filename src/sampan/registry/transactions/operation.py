"""What every operation of a transaction is, and running them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sampan.registry.catalog import MissingError
from sampan.registry.locks import LockError
from sampan.registry.registry import Registry
from sampan.registry.tables import Write

Result = dict[str, Any]
"""`{"KV": row}`."""


class OperationError(Exception):
    """This operation fails, and the transaction with it; the text is Consul's."""


class Operation(Protocol):
    @property
    def writes(self) -> bool:
        """Whether its verb changes anything; a transaction of others is a read."""

    def problem(self, registry: Registry) -> str:
        """Why it is refused before any operation is run; "" if it is not."""

    def run(self, registry: Registry, write: Write) -> list[Result]:
        """Raises OperationError, MissingError, LockError."""


class CatalogOperation:
    """What operations on nodes, services and checks share. `refused` says why what was given is none of its kind."""

    __slots__ = ()
    verb: str
    refused: str

    @property
    def writes(self) -> bool:
        return self.verb != "get"

    def problem(self, _: Registry) -> str:
        return self.refused


@dataclass(frozen=True, slots=True)
class Outcome:
    """`errors`: (number of the operation, what). None was done if there are any."""

    results: Sequence[Result] = ()
    errors: Sequence[tuple[int, str]] = ()


class _UndoError(Exception):
    """Takes the write back."""


def run(registry: Registry, operations: Sequence[Operation]) -> Outcome:
    """All of them; with every mistake that there is, not the first alone. Raises StoreError."""
    refused = [(number, why) for number, one in enumerate(operations) if (why := one.problem(registry))]
    if refused:
        return Outcome(errors=refused)
    results: list[Result] = []
    errors: list[tuple[int, str]] = []
    try:
        with registry.tables.write() as write:
            for number, operation in enumerate(operations):
                try:
                    results += operation.run(registry, write)
                except (OperationError, MissingError, LockError) as error:
                    errors.append((number, str(error)))
            if errors:
                raise _UndoError
    except _UndoError:
        return Outcome(errors=errors)
    return Outcome(results)


Verb = Callable[[Any, Registry, Write], list[Result]]


def verb(verbs: Mapping[str, Verb], kind: str, name: str) -> Verb:
    """Raises OperationError."""
    found = verbs.get(name)
    if found is None:
        raise OperationError(f'unknown {kind} verb "{name}"')
    return found


def is_of(index: int, row: Mapping[str, Any] | None) -> bool:
    """Whether what is there is of this index; 0 stands for nothing there."""
    return index == (row["ModifyIndex"] if row is not None else 0)


def own_name(registry: Registry, node: str) -> str:
    """As the node is registered: it is found whatever its case is, and what is on it is kept under its name."""
    found = registry.catalog.node(node)
    return found["Node"] if found is not None else node
