"""How registered instances are shown: where they are, how they are and why, what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sampan.model.printable import one_line

Item = Mapping[str, Any]

HEADINGS = ("ID", "NODE", "VERSION", "ADDRESS", "WEIGHT", "STATE", "WHY")

# From bad to worse.
_STATUSES = ("warning", "critical", "maintenance")
_LONGEST = 60


def row(item: Item) -> list[str]:
    """Of one instance as `describe` has it, for `HEADINGS`."""
    names = [str(item.get(key) or "") for key in ("id", "node", "version")]
    state = [str(item.get(key, "")) for key in ("weight", "state")]
    return [*names, address(item), *state, why(item.get("checks") or ())]


def said(item: Item) -> Iterator[str]:
    """Its tags and meta, a line for each. go-micro's tags are hexadecimal digits by the hundred: `-o json` has all."""
    pairs = [f"{key}={value}" for key, value in (item.get("meta") or {}).items()]
    for title, values in (("tags", item.get("tags") or ()), ("meta", pairs)):
        if values:
            yield f"{one_line(item.get('id'))} {title}: {', '.join(_short(one_line(value)) for value in values)}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def address(place: Item) -> str:
    """`10.0.0.1:8080`, `[::1]:8080`, `shop.test:80`, `/run/shop.sock`."""
    host = str(place.get("address") or place.get("hostname") or place.get("unix") or "")
    if host.startswith("/"):
        return host
    return f"[{host}]:{place.get('port')}" if ":" in host else f"{host}:{place.get('port')}"


def why(checks: Iterable[Item]) -> str:
    """What a registry's checks complain of, the worst first, the first line of each: `http: critical: HTTP GET …`."""
    bad = sorted((item for item in checks if item.get("status") != "passing"), key=_severity, reverse=True)
    return "; ".join(": ".join(filter(None, _words(item))) for item in bad)


def _severity(check: Item) -> int:
    status = str(check.get("status"))
    return _STATUSES.index(status) if status in _STATUSES else -1


def _words(check: Item) -> Sequence[str]:
    output = str(check.get("output") or "").strip()
    return (str(check.get("name") or ""), str(check.get("status") or ""), output.partition("\n")[0])
