"""Operations on keys."""

from __future__ import annotations

from dataclasses import dataclass

from sampan.registry.registry import Registry
from sampan.registry.tables import Write
from sampan.registry.transactions.operation import OperationError, Result, Verb, verb
from sampan.registry.trees import KeyRow

_WRITES = frozenset({"set", "delete", "delete-cas", "delete-tree", "cas", "lock", "unlock"})


@dataclass(frozen=True, slots=True)
class KeyOperation:
    """`value` is base64, None for no bytes."""

    verb: str
    key: str
    value: str | None = None
    flags: int = 0
    index: int = 0
    session: str = ""

    @property
    def writes(self) -> bool:
        return self.verb in _WRITES

    def problem(self, registry: Registry) -> str:
        if not self.key and self.verb != "delete-tree":
            return "Must provide key"
        if self.verb == "lock" and registry.sessions.locks.delayed(self.key):
            return f'failed to lock key "{self.key}" due to lock delay'
        return ""

    def run(self, registry: Registry, write: Write) -> list[Result]:
        return verb(_VERBS, "KV", self.verb)(self, registry, write)


def _set(one: KeyOperation, registry: Registry, write: Write) -> list[Result]:
    return _told(registry.keys.set(write, one.key, one.value, one.flags), "")


def _cas(one: KeyOperation, registry: Registry, write: Write) -> list[Result]:
    row = registry.keys.set_if(write, one.key, one.value, one.flags, one.index)
    return _told(row, f'failed to set key "{one.key}", index is stale')


def _lock(one: KeyOperation, registry: Registry, write: Write) -> list[Result]:
    row = registry.sessions.locks.lock(write, one.key, one.value, one.flags, one.session)
    return _told(row, f'failed to lock key "{one.key}", lock is already held')


def _unlock(one: KeyOperation, registry: Registry, write: Write) -> list[Result]:
    row = registry.sessions.locks.unlock(write, one.key, one.value, one.flags, one.session)
    return _told(row, f'failed to unlock key "{one.key}", lock isn\'t held, or is held by another session')


def _delete(one: KeyOperation, registry: Registry, write: Write) -> list[Result]:
    registry.keys.delete(write, one.key)
    return []


def _delete_tree(one: KeyOperation, registry: Registry, write: Write) -> list[Result]:
    registry.keys.delete_under(write, one.key)
    return []


def _delete_cas(one: KeyOperation, registry: Registry, write: Write) -> list[Result]:
    if not registry.keys.delete_if(write, one.key, one.index):
        raise OperationError(f'failed to delete key "{one.key}", index is stale')
    return []


def _get(one: KeyOperation, registry: Registry, _: Write) -> list[Result]:
    row = registry.keys.get(one.key)
    if row is None:
        raise OperationError(f'key "{one.key}" doesn\'t exist')
    return [{"KV": row}]


def _get_tree(one: KeyOperation, registry: Registry, _: Write) -> list[Result]:
    return [{"KV": row} for row in registry.keys.under(one.key)]


def _check_index(one: KeyOperation, registry: Registry, _: Write) -> list[Result]:
    row = registry.keys.get(one.key)
    if row is None:
        raise OperationError(f'failed to check index, key "{one.key}" doesn\'t exist')
    index = row["ModifyIndex"]
    if index != one.index:
        raise OperationError(f'failed index check for key "{one.key}", current modify index {index} != {one.index}')
    return _told(row, "")


def _check_session(one: KeyOperation, registry: Registry, _: Write) -> list[Result]:
    row = registry.keys.get(one.key)
    if row is None:
        raise OperationError(f'failed to check session, key "{one.key}" doesn\'t exist')
    holder = row.get("Session", "")
    if holder != one.session:
        raise OperationError(f'failed session check for key "{one.key}", current session "{holder}" != "{one.session}"')
    return _told(row, "")


def _check_not_exists(one: KeyOperation, registry: Registry, _: Write) -> list[Result]:
    if registry.keys.get(one.key) is not None:
        raise OperationError(f'key "{one.key}" exists')
    return []


def _told(row: KeyRow | None, otherwise: str) -> list[Result]:
    """Without the value: only reads give it."""
    if row is None:
        raise OperationError(otherwise)
    return [{"KV": {**row, "Value": None}}]


_VERBS: dict[str, Verb] = {
    "set": _set,
    "cas": _cas,
    "lock": _lock,
    "unlock": _unlock,
    "get": _get,
    "get-tree": _get_tree,
    "check-index": _check_index,
    "check-session": _check_session,
    "check-not-exists": _check_not_exists,
    "delete": _delete,
    "delete-tree": _delete_tree,
    "delete-cas": _delete_cas,
}
