"""`/v1/agent/metrics`: how much there is, under the names of Consul's own metrics."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from sampan.registry.api.application import Route
from sampan.registry.api.question import Question
from sampan.registry.registry import Registry


async def metrics(registry: Registry, question: Question) -> Any:
    """As JSON, or with `?format=prometheus` in its text format."""
    gauges = _gauges(registry)
    if question.one("format") == "prometheus":
        lines = (f"# TYPE {_flat(name)} gauge\n{_flat(name)} {value}\n" for name, value in gauges.items())
        return web.Response(text="".join(lines), content_type="text/plain")
    return {
        "Timestamp": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC"),
        "Gauges": [{"Name": name, "Value": value, "Labels": {}} for name, value in gauges.items()],
        "Points": [],
        "Counters": [],
        "Samples": [],
    }


def _gauges(registry: Registry) -> dict[str, int]:
    """https://developer.hashicorp.com/consul/docs/reference/agent/telemetry."""
    catalog, tables = registry.catalog, registry.tables
    return {
        "consul.state.nodes": len(catalog.nodes.rows),
        "consul.state.services": len(catalog.names()),
        "consul.state.service_instances": len(catalog.services.rows),
        "consul.raft.applied_index": tables.index,
        "consul.rpc.queries_blocking": tables.waiting(),
    }


def _flat(name: str) -> str:
    return name.replace(".", "_")


ROUTES = (Route("GET", "/v1/agent/metrics", metrics),)
