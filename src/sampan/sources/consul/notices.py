"""What a source that cannot be read says of itself. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sampan.consul.errors import ConsulError, RefusedError
from sampan.model import codes
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Origin
from sampan.sources.consul.convert import Key
from sampan.sources.source import SourceHealth

_KEPT = "the services stay as they were last seen"
_RULES = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'


@dataclass(frozen=True, slots=True)
class Trouble:
    """Since when (RFC 3339) there is no good answer, and why."""

    since: str
    error: ConsulError


class HiddenError(ConsulError):
    """The token sees no service any more; not even those of Consul itself, which are always there."""

    def __str__(self) -> str:
        return "the token is not allowed to see any service any more"


def health(
    source: str, address: str, away: Mapping[str, Trouble], failing: Mapping[Key, Trouble], hiding: Collection[str]
) -> SourceHealth:
    """`away`: datacentres whose catalogue cannot be read; `failing`: single services; `hiding`: datacentres that show
    a part."""
    found = [_away(source, address, name, trouble) for name, trouble in sorted(away.items())]
    found += [_hidden(source, name) for name in sorted(hiding) if name not in away]
    if not away:
        found += _failing(source, failing)
    return SourceHealth(not found, tuple(found))


def _away(source: str, address: str, datacenter: str, trouble: Trouble) -> Diagnostic:
    place = address + (f" (datacentre {datacenter})" if datacenter else "")
    error = trouble.error
    if isinstance(error, HiddenError) or (isinstance(error, RefusedError) and error.forbidden):
        reason = f"{place}: {error}, since {trouble.since}; {_KEPT}"
        return Diagnostic(codes.REGISTRY_FORBIDDEN, reason, Origin(source), hint=_permission(error))
    reason = f"{place} gives no answer since {trouble.since}: {str(error).removeprefix(f'{address}: ')}; {_KEPT}"
    return Diagnostic(codes.REGISTRY_AWAY, reason, Origin(source), hint=_hint(error))


def _hidden(source: str, datacenter: str) -> Diagnostic:
    where = f" of datacentre {datacenter}" if datacenter else ""
    return Diagnostic(
        codes.REGISTRY_FORBIDDEN,
        f"the token does not show all services{where}",
        Origin(source),
        hint=f"give it the rules {_RULES}",
    )


def _failing(source: str, failing: Mapping[Key, Trouble]) -> Iterator[Diagnostic]:
    if not failing:
        return
    key = min(failing)
    trouble = failing[key]
    more = f" and {len(failing) - 1} more" if len(failing) > 1 else ""
    forbidden = isinstance(trouble.error, RefusedError) and trouble.error.forbidden
    yield Diagnostic(
        codes.REGISTRY_FORBIDDEN if forbidden else codes.REGISTRY_AWAY,
        f"{key.origin}{more} cannot be read since {trouble.since}: {trouble.error}; what was last seen stays",
        Origin(source),
        hint=_permission(trouble.error) if forbidden else _hint(trouble.error),
    )


def _permission(error: ConsulError) -> str:
    if isinstance(error, RefusedError) and "ACL not found" in error.text:
        return "Consul does not know this token: give one that it knows in CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE"
    return f"the token in CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE needs the rules {_RULES}"


def _hint(error: ConsulError) -> str:
    if isinstance(error, RefusedError) and error.limited:
        return "raise Consul's limits.http_max_conns_per_client or limits.request_limits"
    return "see whether Consul runs there; CONSUL_HTTP_ADDR or --consul says where it is"
