"""Labels of an instance: what its meta and tags say, as far as it can be a label."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from sampan.documents.kinds.scalars import LABEL_KEY_PATTERN, LABEL_VALUE_PATTERN
from sampan.model.names import TAG_LABEL_PREFIX, VERSION_LABEL
from sampan.sources.consul.tags import Tags

_KEY = re.compile(LABEL_KEY_PATTERN)
_VALUE = re.compile(LABEL_VALUE_PATTERN)
_LONGEST_VALUE = 63
_LONGEST_KEY = 317
_OURS = "sampan.dev/"

# IANA's names and Kubernetes', as a Service's `appProtocol` has them. `mucp` is go-micro's own protocol, over HTTP/1.1.
_PROTOCOLS = {
    "http": "http",
    "http2": "kubernetes.io/h2c",
    "h2c": "kubernetes.io/h2c",
    "grpc": "grpc",
    "tcp": "tcp",
    "mucp": "http",
}


def labels(meta: Mapping[str, str], tags: Tags) -> dict[str, str]:
    """Of what is said twice, meta counts before tags, and tags before go-micro's metadata."""
    found = {f"{TAG_LABEL_PREFIX}{word}": "true" for word in tags.words if _is_value(word) and word}
    for pairs in (tags.micro, tags.pairs, meta):
        found |= {key: value for key, value in pairs.items() if _is_key(key) and _is_value(value)}
    version = meta.get("version") or tags.version or tags.micro.get("version", "")
    if version and (text := _as_value(version)):
        found[VERSION_LABEL] = text
    return found


def said(name: str, meta: Mapping[str, str], tags: Tags) -> str:
    """What the instance says of itself under that name."""
    return meta.get(name) or tags.pairs.get(name) or tags.micro.get(name, "")


def protocol(meta: Mapping[str, str], tags: Tags) -> str:
    """An `appProtocol`, or "" if nothing that we know is said."""
    return _PROTOCOLS.get(said("protocol", meta, tags).lower(), "")


@lru_cache(maxsize=16384)
def _is_key(key: str) -> bool:
    """Keys of our own are not for a service to choose: by them it could pass for another."""
    if len(key) > _LONGEST_KEY or _OURS in key:
        return False
    return _KEY.fullmatch(key) is not None and len(key.rpartition("/")[2]) <= _LONGEST_VALUE


def _is_value(value: str) -> bool:
    return len(value) <= _LONGEST_VALUE and _VALUE.fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _as_value(version: str) -> str:
    """`1.2.3+build.5` is a version, and `+` no character of a label's value."""
    if _is_value(version):
        return version
    return re.sub(r"[^A-Za-z0-9._-]+", "_", version)[:_LONGEST_VALUE].strip("._-")
