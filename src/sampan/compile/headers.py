"""HeaderChanges → the header fields of a Route or a weighted cluster.

Within one message Envoy removes first, then sets and adds in the order given: the order that HeaderChanges has. Between
messages (cluster, route) its order is the other way round from the Gateway API's, so the changes of a rule and of a
backend are put together here (`then`) and stand in one message.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sampan.envoy import protos
from sampan.model.plan import HeaderChanges

HOST = "host"


def fill_request(message: Any, changes: HeaderChanges) -> None:
    if changes:
        _fill(message.request_headers_to_add, message.request_headers_to_remove, changes)


def fill_response(message: Any, changes: HeaderChanges) -> None:
    if changes:
        _fill(message.response_headers_to_add, message.response_headers_to_remove, changes)


def then(first: HeaderChanges, second: HeaderChanges) -> HeaderChanges:
    """One HeaderChanges that does what `first` and after it `second` do."""
    if not first or not second:
        return first or second
    gone = {name.lower() for name in second.remove} | {name.lower() for name, _ in second.set}
    return HeaderChanges(
        set=(*_without(first.set, gone), *second.set),
        add=(*_without(first.add, gone), *second.add),
        remove=(*first.remove, *second.remove),
    )


def without_host(changes: HeaderChanges) -> tuple[HeaderChanges, str]:
    """The changes but those of Host, and the Host that they set ("" if none). Envoy refuses a Route that changes Host
    as a header: setting it is a host rewrite, adding or removing it means nothing."""
    if not any(name.lower() == HOST for name in _names(changes)):
        return changes, ""
    host = next((value for name, value in reversed(changes.set) if name.lower() == HOST), "")
    remove = tuple(name for name in changes.remove if name.lower() != HOST)
    only_host = {HOST}
    kept = replace(changes, set=_without(changes.set, only_host), add=_without(changes.add, only_host), remove=remove)
    return kept, host


def _names(changes: HeaderChanges) -> tuple[str, ...]:
    return (*changes.remove, *(name for name, _ in (*changes.set, *changes.add)))


def _without(pairs: tuple[tuple[str, str], ...], names: set[str]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in pairs if pair[0].lower() not in names)


def literal(value: str) -> str:
    """A header's value as Envoy's substitution language must have it: `%` starts a command there, `%%` is a percent
    sign, so text from a document stays text."""
    return value.replace("%", "%%")


def _fill(to_add: Any, to_remove: Any, changes: HeaderChanges) -> None:
    to_remove.extend(changes.remove)
    replace = protos.core.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    append = protos.core.HeaderValueOption.APPEND_IF_EXISTS_OR_ADD
    for pairs, action in ((changes.set, replace), (changes.add, append)):
        for name, value in pairs:
            option = to_add.add()
            option.header.key = name
            option.header.value = literal(value)
            option.append_action = action
            option.keep_empty_value = True
