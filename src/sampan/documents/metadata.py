"""`metadata` of a document: its name and what else is known beside the spec. By hand: every document has one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sampan.documents.kinds.kind_set import Kind
from sampan.documents.kinds.scalars import (
    LABEL_KEY_PATTERN,
    LABEL_VALUE_PATTERN,
    NAME_PATTERN,
    NAMESPACE_PATTERN,
    WORDS,
)
from sampan.documents.kinds.shape import NO_STRINGS, FrozenDict, Mistake
from sampan.documents.words import found_words, shown, unknown_field
from sampan.model.codes import BAD_NAME, BAD_VALUE, BROKEN_RULE, MISSING_FIELD, WRONG_TYPE
from sampan.model.names import CORE

DEFAULT_NAMESPACE = "default"

_NAME = re.compile(NAME_PATTERN[1:-1])
_LABEL = re.compile(NAMESPACE_PATTERN[1:-1])
_LABEL_KEY = re.compile(LABEL_KEY_PATTERN[1:-1])
_LABEL_VALUE = re.compile(LABEL_VALUE_PATTERN[1:-1])
# RFC 3339 with seconds, as Kubernetes writes it.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")

_READ = ("name", "namespace", "labels", "annotations", "creationTimestamp", "generation")
_IGNORED = (
    "generateName",
    "uid",
    "resourceVersion",
    "selfLink",
    "managedFields",
    "ownerReferences",
    "finalizers",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
# Names of these become DNS labels (Kubernetes: RFC 1035 for Services, RFC 1123 for Namespaces).
_SHORT_NAMED = frozenset({(CORE, "Service"), (CORE, "Namespace")})


@dataclass(frozen=True, slots=True)
class Metadata:
    """What was read; `name` is "" if it is missing or not usable."""

    name: str
    namespace: str
    labels: Mapping[str, str] = NO_STRINGS
    annotations: Mapping[str, str] = NO_STRINGS
    created: str = ""
    generation: int = 0


def read(data: Any, kind: Kind, mistakes: list[Mistake]) -> Metadata:
    """`mistakes` grows by all that is wrong, fields from the document's root."""
    if not isinstance(data, dict):
        if data is None:
            mistakes.append(
                Mistake("'metadata' is missing", ("metadata",), "add 'metadata:' with a 'name'", MISSING_FIELD)
            )
        else:
            reason = f"expected an object, found {found_words(data)}"
            mistakes.append(Mistake(reason, ("metadata",), "", WRONG_TYPE))
        return Metadata("", DEFAULT_NAMESPACE)
    unknown = (key for key in data if key not in _READ and key not in _IGNORED)
    mistakes.extend(unknown_field(("metadata", key), list(_READ)) for key in unknown)
    return Metadata(
        _name(data, kind, mistakes),
        _namespace(data, kind, mistakes),
        _labels(data.get("labels"), mistakes) if "labels" in data else NO_STRINGS,
        _annotations(data.get("annotations"), mistakes) if "annotations" in data else NO_STRINGS,
        _created(data["creationTimestamp"], mistakes) if "creationTimestamp" in data else "",
        _generation(data.get("generation", 0), mistakes),
    )


def _name(data: dict[str, Any], kind: Kind, mistakes: list[Mistake]) -> str:
    name = data.get("name")
    at = ("metadata", "name")
    if name is None:
        mistakes.append(Mistake("'name' is missing", at, "add 'name:'", MISSING_FIELD))
        return ""
    short = kind.key in _SHORT_NAMED
    pattern, longest = (_LABEL, 63) if short else (_NAME, 253)
    words = WORDS[NAMESPACE_PATTERN if short else NAME_PATTERN]
    if _checked_text(name, at, pattern, words, longest, mistakes):
        return str(name)
    return ""


def _checked_text(
    value: Any, at: tuple[str, ...], pattern: re.Pattern[str], words: str, longest: int, mistakes: list[Mistake]
) -> bool:
    if not isinstance(value, str):
        hint = f'put it in quotes: "{value}"' if isinstance(value, int | float) and not isinstance(value, bool) else ""
        mistakes.append(Mistake(f"expected text, found {found_words(value)}", at, hint, WRONG_TYPE))
    elif len(value) > longest:
        mistakes.append(Mistake(f"longer than {longest} characters", at, "", BAD_NAME))
    elif not pattern.fullmatch(value):
        suggestion = re.sub(r"[^a-z0-9.-]+", "-", value.lower()).strip("-.")
        hint = f"write '{suggestion}'" if pattern.fullmatch(suggestion) else ""
        mistakes.append(Mistake(f"{shown(value)} is not allowed: {words}", at, hint, BAD_NAME))
    else:
        return True
    return False


def _namespace(data: dict[str, Any], kind: Kind, mistakes: list[Mistake]) -> str:
    given = data.get("namespace")
    at = ("metadata", "namespace")
    if kind.cluster_scoped:
        if given:
            mistakes.append(Mistake(f"a {kind.name} belongs to no namespace", at, "remove 'namespace'", BROKEN_RULE))
        return ""
    if given is None or given == "":
        return DEFAULT_NAMESPACE
    return str(given) if _checked_text(given, at, _LABEL, WORDS[NAMESPACE_PATTERN], 63, mistakes) else DEFAULT_NAMESPACE


def _strings(value: Any, field: str, mistakes: list[Mistake]) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        mistakes.append(Mistake(f"expected an object, found {found_words(value)}", ("metadata", field), "", WRONG_TYPE))
        return
    for key, text in value.items():
        at = ("metadata", field, key)
        if not isinstance(text, str):
            word = str(text).lower() if isinstance(text, bool) else text
            hint = f'put it in quotes: "{word}"' if isinstance(text, int | float) else ""
            mistakes.append(Mistake(f"expected text, found {found_words(text)}", at, hint, WRONG_TYPE))
        elif len(key) > 317 or not _LABEL_KEY.fullmatch(key):
            mistakes.append(Mistake(f"{shown(key)} is not allowed: {WORDS[LABEL_KEY_PATTERN]}", at, "", BAD_VALUE))
        else:
            yield key, text


def _labels(value: Any, mistakes: list[Mistake]) -> Mapping[str, str]:
    labels = dict(_strings(value, "labels", mistakes))
    for key, text in labels.items():
        if len(text) > 63 or not _LABEL_VALUE.fullmatch(text):
            reason = f"{shown(text)} is not allowed: at most 63 {WORDS[LABEL_VALUE_PATTERN]}"
            mistakes.append(Mistake(reason, ("metadata", "labels", key), "", BAD_VALUE))
    return FrozenDict(labels)


def _annotations(value: Any, mistakes: list[Mistake]) -> Mapping[str, str]:
    return FrozenDict(_strings(value, "annotations", mistakes))


def _created(value: Any, mistakes: list[Mistake]) -> str:
    """In UTC without fractions: `2026-01-31T12:00:00Z`, which sorts as text."""
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, OverflowError):
            pass
    reason = f"{shown(value)} is not a time such as '2026-01-31T12:00:00Z'"
    mistakes.append(Mistake(reason, ("metadata", "creationTimestamp"), "", BAD_VALUE))
    return ""


def _generation(value: Any, mistakes: list[Mistake]) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    mistakes.append(Mistake("expected a whole number from 0", ("metadata", "generation"), "", WRONG_TYPE))
    return 0
