"""What the user may have meant: the nearest name among those that exist."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from difflib import get_close_matches
from operator import attrgetter

from sampan.documents.words import shown
from sampan.model.names import Ref, registered_name
from sampan.resolve.units import Reader, unit

# Only neighbours in the order of names are compared, so that a thousand dangling references stay cheap.
_NEIGHBOURS = 32
_LISTED = 3
_by_ref = attrgetter("ref")


def nearest(wanted: str, names: Iterable[str]) -> str:
    """The name most like `wanted`, or ""."""
    found = get_close_matches(wanted, list(names), n=1, cutoff=0.6)
    return found[0] if found else ""


def did_you_mean(wanted: str, names: Iterable[str]) -> str:
    """A hint that names the nearest, or ""."""
    name = nearest(wanted, names)
    return f"did you mean '{name}'?" if name else ""


@unit(tier=1)
def other_names(reader: Reader, wanted: Ref) -> str:
    """A hint for an object that does not exist: one of the same kind with a name like it, or in another namespace, or
    what there is."""
    near = _near(reader, wanted)
    return _registered(reader, wanted) or _like(wanted, near) or _present(wanted, near)


@unit(tier=1)
def like_names(reader: Reader, wanted: Ref) -> str:
    """The same, "" where none is like it."""
    return _like(wanted, _near(reader, wanted))


def _registered(reader: Reader, wanted: Ref) -> str:
    """For who writes a registered service's own name where that is no object's name."""
    name = registered_name(wanted.name)
    if wanted.kind != "Service" or name == wanted.name or reader.get(wanted._replace(name=name)) is None:
        return ""
    return f"the registered service {shown(wanted.name)} is called '{name}' here"


def _present(wanted: Ref, near: list[Ref]) -> str:
    # Every registered service is there a second time, under its name with '@' and the source.
    names = (ref.name for ref in near if ref.namespace == wanted.namespace and "@" not in ref.name)
    present = [f"'{name}'" for name in names][:_LISTED]
    if present:
        return f"there is {', '.join(present)}{' and maybe more' if len(present) == _LISTED else ''}"
    where = f" in namespace '{wanted.namespace}'" if wanted.namespace else ""
    return f"there is no {wanted.kind}{where}: {'add or register' if wanted.kind == 'Service' else 'add'} it"


def _near(reader: Reader, wanted: Ref) -> list[Ref]:
    bucket = reader.bucket((wanted.group, wanted.kind))
    place = bisect_left(bucket, wanted, key=_by_ref)
    return [item.ref for item in bucket[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]]


def _like(wanted: Ref, near: list[Ref]) -> str:
    name = nearest(wanted.name, (ref.name for ref in near if ref.namespace == wanted.namespace))
    if name:
        return f"did you mean '{name}'?"
    elsewhere = next((ref for ref in near if ref.name == wanted.name), None)
    return f"there is one in namespace '{elsewhere.namespace}'" if elsewhere else ""
