"""The order of a host's entries: keys that sort the rule that wins first.

HTTPRouteRule.matches and GRPCRouteRule.matches in v1.6: host name, then path, method, headers, query parameters (for
gRPC: service, method, headers), then the oldest route, then its namespace and name, then the rule's place.
"""

from __future__ import annotations

from sampan.model.meta import Object
from sampan.model.plan import Match

MatchKey = tuple[int, int, int, int, int]
EntryKey = tuple[int, int, int, int, int, int, int, tuple[str, str, str], int, int]
"""Host (two numbers), match (five), age of the route, rule, match."""

_RANKS = {"exact": 0, "regex": 1, "prefix": 2}


def http_key(match: Match) -> MatchKey:
    """Exact, then regular expressions by length, then prefixes by length.

    Where regular expressions stand is left to implementations. They come before prefixes because a rule for "/" would
    otherwise hide every one of them.
    """
    path = match.path
    rank = _RANKS[path.kind]
    length = -len(path.value) if rank else 0
    return (rank, length, 0 if match.method else 1, -len(match.headers), -len(match.query))


def grpc_key(service: str, method: str, match: Match) -> MatchKey:
    return (0, -len(service), -len(method), -len(match.headers), 0)


def host_key(hostname: str) -> tuple[int, int]:
    """Of the route's own host name that covers the host: longest exact one, then longest wildcard, then none."""
    if hostname.startswith("*"):
        return (0, -len(hostname))
    return (-len(hostname), -len(hostname))


def age_of(route: Object) -> tuple[str, str, str]:
    return route.age_key
