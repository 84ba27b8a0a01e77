"""`/v1/agent/health/service`: one answer for load balancers, with a status of HTTP that says it all."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sampan.registry import agent, rows
from sampan.registry.api.agent_services import shown
from sampan.registry.api.answer import RefusalError, plain_json
from sampan.registry.api.application import Route
from sampan.registry.api.question import Question
from sampan.registry.registry import Registry
from sampan.registry.rows import CheckRow

# https://developer.hashicorp.com/consul/api-docs/agent/service#get-local-service-health; maintenance is 503.
_CODES = {"passing": 200, "warning": 429, "critical": 503, "maintenance": 503}
_WORST_FIRST = ("maintenance", "critical", "warning", "passing")
# What the API's own type says of a definition that it does not have (api.HealthCheckDefinition).
_NO_DEFINITION = {
    "Interval": "0s",
    "Timeout": "0s",
    "DeregisterCriticalServiceAfter": "0s",
    "HTTP": "",
    "Header": None,
    "Method": "",
    "Body": "",
    "TLSSkipVerify": False,
    "TCP": "",
}


async def by_id(registry: Registry, question: Question) -> web.Response:
    service_id = question.path("id")
    if not service_id:
        raise RefusalError(400, "Bad request: Missing serviceID")
    found = registry.catalog.service(registry.identity.node, service_id)
    if found is None:
        reason = f"ServiceId {service_id} not found"
        nothing = {"AggregatedStatus": "critical", "Service": None, "Checks": None}
        return _answer(question, 404, reason, reason if _as_text(question) else nothing)
    status, own = _health(registry, service_id)
    said = {"AggregatedStatus": status, "Service": shown(found), "Checks": own}
    return _answer(question, _CODES[status], status, said, text=_as_text(question))


async def by_name(registry: Registry, question: Question) -> web.Response:
    """All instances here; the worst of them decides."""
    name = question.path("name")
    if not name:
        raise RefusalError(400, "Bad request: Missing service Name")
    found = [row["Service"] for row in agent.services(registry.catalog) if row["Service"]["Service"] == name]
    health = [(shown(service), *_health(registry, service["ID"])) for service in found]
    said = [{"AggregatedStatus": status, "Service": service, "Checks": own} for service, status, own in health]
    if not health:
        return _answer(question, 404, f"ServiceName {name} Not Found", said, text=_as_text(question))
    worst = min((status for _, status, _ in health), key=_WORST_FIRST.index)
    return _answer(question, _CODES[worst], worst, said, text=_as_text(question))


def _health(registry: Registry, service_id: str) -> tuple[str, list[dict[str, Any]]]:
    """Of the service's checks and the node's, but for the one that is the catalogue's alone."""
    catalog, node = registry.catalog, registry.identity.node
    own = [*catalog.checks_of(node, service_id), *catalog.checks_of(node, "")]
    own = [check for check in own if check["CheckID"] != rows.SERF_HEALTH]
    return _aggregated(own), [_said(check) for check in own]


def _aggregated(checks: list[CheckRow]) -> str:
    """HealthChecks.AggregatedStatus in Consul's api package."""
    found: set[str] = {check["Status"] for check in checks}
    if any(check["CheckID"].startswith((rows.NODE_MAINTENANCE, rows.SERVICE_MAINTENANCE)) for check in checks):
        found.add("maintenance")
    return next((status for status in _WORST_FIRST if status in found), "passing")


def _said(check: CheckRow) -> dict[str, Any]:
    return {
        **check,
        "ServiceTags": check["ServiceTags"] or None,
        "Type": "",
        "Definition": _NO_DEFINITION,
        "CreateIndex": 0,
        "ModifyIndex": 0,
    }


def _as_text(question: Question) -> bool:
    if question.request.headers.get("Accept", "").startswith("text/plain"):
        return True
    return question.one("format") == "text"


def _answer(question: Question, code: int, reason: str, said: Any, *, text: bool = False) -> web.Response:
    answer = (
        web.Response(status=code, body=reason.encode(), content_type="text/plain")
        if text
        else plain_json(said, pretty=question.pretty, status=code)
    )
    # A header is one line of ASCII, whatever a service calls itself.
    answer.headers["X-Consul-Reason"] = "".join(one if one.isascii() and one.isprintable() else "?" for one in reason)
    return answer


ROUTES = (
    Route("GET", "/v1/agent/health/service/id/{id:.*}", by_id),
    Route("GET", "/v1/agent/health/service/name/{name:.*}", by_name),
)
