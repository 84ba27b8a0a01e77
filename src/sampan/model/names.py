"""The grammar of every name: objects here, Envoy resources and statistics in `resource_name`, and what a registry's
names become.

This is the only module that formats or parses a name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

CORE = ""
GATEWAY_API = "gateway.networking.k8s.io"
DISCOVERY = "discovery.k8s.io"
SAMPAN = "sampan.dev"

CLUSTER_SCOPED = frozenset({(GATEWAY_API, "GatewayClass"), (CORE, "Namespace")})


class Ref(NamedTuple):
    """Which object: group ("" is the core group), kind, namespace ("" when cluster-scoped) and name.

    A named tuple because every dictionary of a Snapshot is keyed by it: hash, equality and order run in C.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`HTTPRoute/default/shop`: how people meet an object in messages and tables."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


@lru_cache(maxsize=4096)
def slot(text: str) -> str:
    """One slot of a resource name, safe in a statistic's name: Envoy splits statistics at dots.

    DNS names hold no underscore, so dot to underscore stays one-to-one for them; every other character outside
    `[A-Za-z0-9_-]` (`*` of a wildcard host, `$` of a registry's name) becomes `~` and two hexadecimal digits per byte.
    """
    if text.replace("-", "").replace(".", "").isalnum() and text.isascii():
        return text.replace(".", "_")
    return "".join(
        "_" if char == "." else char if (char.isascii() and char.isalnum()) or char == "-" else _escaped(char)
        for char in text
    )


def _escaped(char: str) -> str:
    return "".join(f"~{byte:02x}" for byte in char.encode())


def dns_name(text: str) -> str:
    """The DNS name that became this slot."""
    return text.replace("_", ".")


def resource_name(*slots: str | int) -> str:
    """Fixed slots joined by `/`: `service/default/reviews/8080`. The name is also the one in Envoy's statistics."""
    return "/".join(map(slot, map(str, slots)))


def hostname_covers(pattern: str, hostname: str) -> bool:
    """Whether `pattern` (exact, `*.suffix` or "" for every host) covers `hostname`, which may itself be a wildcard.

    `*.example.com` covers `a.b.example.com` and not `example.com` (Gateway API, Listener.hostname).
    """
    if not pattern or pattern == "*":
        return True
    if pattern.startswith("*."):
        return hostname.endswith(pattern[1:]) and hostname != pattern[1:]
    return pattern == hostname


def hostname_intersection(left: str, right: str) -> str | None:
    """The narrower of two hostnames that meet, or None if no host satisfies both. "" stands for every host."""
    if hostname_covers(left, right) and right:
        return right
    if hostname_covers(right, left):
        return left
    return None


# ---- what is registered somewhere

CONSUL = "consul"
"""The source of what is registered here: the embedded registry and a real Consul alike."""
REGISTERED_PORT = 80
"""A registered service's port in documents, as a client would write http://NAME/."""
SERVICE_LABEL = "sampan.dev/service"
"""On an Instance: the object name of its service (`registered_name`). In a Service's selector it takes them in."""
SOURCE_LABEL = "sampan.dev/source"
DATACENTER_LABEL = "sampan.dev/datacenter"
TAG_LABEL_PREFIX = "tag.sampan.dev/"
VERSION_LABEL = "version"
REGISTERED_NAME = "sampan.dev/registered-name"
"""Annotation of a Service whose registered name is another than its object's."""

# RFC 1123 subdomain, and short enough for a label's value.
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME = 63
_LONGEST_STEM = 54


@lru_cache(maxsize=65536)
def registered_name(name: str) -> str:
    """The object name, and value of the label `sampan.dev/service`, of what a registry calls `name`.

    What is an object's name already stays as it is (`go.micro.api.greeter`). Anything else is brought near to one, and
    ends in eight hexadecimal digits of its SHA-256, so that `Order_Service` and `order-service` do not meet.
    """
    if len(name) <= _LONGEST_NAME and _OBJECT_NAME.fullmatch(name):
        return name
    stem = re.sub(r"[.-]{2,}", "-", re.sub(r"[^a-z0-9.-]+", "-", name.lower())).strip("-.")
    stem = stem[:_LONGEST_STEM].rstrip("-.") or "service"
    # A registry's JSON may hold half of a surrogate pair, which UTF-8 has no bytes for.
    return f"{stem}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def qualified(name: str, place: str) -> str:
    """`reviews@consul`, `reviews@dc2`: no document's name holds an '@', so this never meets one."""
    return f"{name}@{place}"


def bare(name: str) -> tuple[str, str]:
    """What `qualified` made, taken apart: `("reviews", "consul")`; the place is "" in a name without one."""
    stem, _, place = name.partition("@")
    return stem, place


def published(publication: str, service: str) -> str:
    """Of the route that a Publication makes for a service: `everything:reviews`. No document's name holds a colon."""
    return f"{publication}:{service}"


def instance_name(service: str, node: str, instance: str) -> str:
    """Of one instance, unique in its namespace: `reviews@node-1/reviews-8080`. `service` is an object name; the others
    are of any characters, so a `/` in a node's name is written as `%2F`."""
    return f"{service}@{node.replace('%', '%25').replace('/', '%2F')}/{instance}"
