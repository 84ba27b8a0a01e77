"""What the tags of a registered instance say: `version=2`, `key=value`, plain words, and go-micro's.

go-micro writes its metadata, version and endpoints into tags, since v1 as a letter, '-' and the hexadecimal digits of
zlib's output (`t-…`, `v-…`, `e-…`), before that as a letter, '=' and the text itself. Its reader takes the first of the
two formats that it sees in a tag list; a service of today writes one of them only.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

# A tag of a few hundred bytes can unpack to megabytes.
_LARGEST = 64 * 1024
# 0x78 is how zlib's output begins (RFC 1950, with the usual window of 32 KiB).
_HEXADECIMAL = re.compile(r"78(?:[0-9a-f]{2})+")


@dataclass(frozen=True, slots=True)
class Tags:
    """`pairs` are `key=value` tags, `micro` go-micro's metadata, `words` all others."""

    version: str = ""
    pairs: Mapping[str, str] = field(default_factory=dict)
    micro: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()


@lru_cache(maxsize=8192)
def read(tags: tuple[str, ...]) -> Tags:
    """Instances of one service mostly have the same tags, and keep them."""
    pairs: dict[str, str] = {}
    micro: dict[str, str] = {}
    words: list[str] = []
    micro_version = ""
    for tag in tags:
        packed = _packed(tag)
        if packed is not None:
            if tag[0] == "t":
                micro |= _metadata(packed)
            elif tag[0] == "v":
                micro_version = micro_version or packed
            continue
        key, equals, value = tag.partition("=")
        if not equals:
            words.append(tag)
        elif key in ("t", "e") and value.startswith("{"):
            if key == "t":
                micro |= _metadata(value)
        else:
            pairs.setdefault(key, value)
    return Tags(pairs.get("version") or micro_version or pairs.get("v", ""), pairs, micro, tuple(words))


def _packed(tag: str) -> str | None:
    """What a tag of go-micro's newer format holds; None for any other tag."""
    if tag[:2] not in ("t-", "v-", "e-") or not _HEXADECIMAL.fullmatch(tag, 2):
        return None
    if tag[0] == "e":
        return ""  # what the service offers, which is not asked for here
    try:
        stream = zlib.decompressobj()
        text = stream.decompress(bytes.fromhex(tag[2:]), _LARGEST)
        return text.decode() if stream.eof or stream.unconsumed_tail else None
    except (ValueError, zlib.error):
        return None


def _metadata(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return _strings(found.items()) if isinstance(found, dict) else {}


def _strings(items: Iterable[tuple[object, object]]) -> dict[str, str]:
    return {key: value for key, value in items if isinstance(key, str) and isinstance(value, str)}
