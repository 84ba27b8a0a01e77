"""`/v1/health`: instances with their checks, and checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sampan.registry import rows
from sampan.registry.api.answer import RefusalError
from sampan.registry.api.application import Route
from sampan.registry.api.blocking import Reading, View
from sampan.registry.api.question import Question
from sampan.registry.api.selection import Filter, NodeMeta, instances_in_order, nearest, tagged, tags
from sampan.registry.catalog import Catalog
from sampan.registry.filter import fields
from sampan.registry.registry import Registry
from sampan.registry.rows import CheckRow, ServiceRow
from sampan.registry.tables import Topic


async def service(registry: Registry, question: Question) -> View:
    name = question.required("service", "Missing service name")
    topics = (rows.service_topic(name),)
    return _instances(registry, question, topics, lambda: registry.catalog.instances(name))


async def connect(registry: Registry, question: Question) -> View:
    """Proxies in front of a service, and instances that speak Consul's mesh themselves."""
    name = question.required("service", "Missing service name")
    topics = (rows.SERVICES, rows.CHECKS, rows.NODES)
    return _instances(registry, question, topics, lambda: registry.catalog.connected(name))


async def ingress(registry: Registry, question: Question) -> View:
    """No service of ours is behind an ingress gateway of Consul's mesh."""
    question.required("service", "Missing service name")
    return lambda: Reading(1, (), list)


async def checks(registry: Registry, question: Question) -> View:
    name = question.required("service", "Missing service name")
    return _checks(registry, question, (rows.service_topic(name),), lambda: registry.catalog.checks_about(name))


async def node(registry: Registry, question: Question) -> View:
    name = question.required("node", "Missing node name")
    of_node = registry.catalog.checks
    return _checks(registry, question, (rows.node_topic(name),), lambda: of_node.group("node", name.lower()))


async def state(registry: Registry, question: Question) -> View:
    wanted = question.required("state", "Missing check state")
    everything = registry.catalog.checks.rows
    return _checks(
        registry,
        question,
        (rows.CHECKS,),
        lambda: (check for check in everything.values() if wanted in ("any", check["Status"])),
    )


def _instances(
    registry: Registry, question: Question, topics: tuple[Topic, ...], found: Callable[[], Iterable[ServiceRow]]
) -> View:
    catalog, tables = registry.catalog, registry.tables
    narrow, of_nodes, wanted = Filter(question, fields.INSTANCE), NodeMeta(question), tags(question)
    passing, first = _passing(question), nearest(registry, question)

    def body() -> list[dict[str, Any]]:
        chosen = [
            row
            for row in instances_in_order(found(), first)
            if tagged(wanted, row["Service"]["Tags"]) and (not of_nodes or of_nodes.has(catalog.node(row["Node"])))
        ]
        entries = narrow.of([_entry(catalog, row) for row in chosen])
        if passing:
            return [entry for entry in entries if all(check["Status"] == "passing" for check in entry["Checks"])]
        return entries

    return lambda: Reading(tables.index_of(*topics), topics, body, cached=True)


def _entry(catalog: Catalog, row: ServiceRow) -> dict[str, Any]:
    node, service_id = row["Node"], row["Service"]["ID"]
    own = [*_sorted(catalog.checks_of(node, "")), *_sorted(catalog.checks_of(node, service_id))]
    return {"Node": catalog.node(node), "Service": row["Service"], "Checks": own}


def _sorted(found: Iterable[CheckRow]) -> list[CheckRow]:
    return sorted(found, key=lambda check: check["CheckID"])


def _checks(
    registry: Registry, question: Question, topics: tuple[Topic, ...], found: Callable[[], Iterable[CheckRow]]
) -> View:
    catalog, tables = registry.catalog, registry.tables
    narrow, of_nodes, first = Filter(question, fields.CHECK), NodeMeta(question), nearest(registry, question)
    topics = (*topics, rows.NODES) if of_nodes else topics

    def body() -> list[CheckRow]:
        ordered = sorted(found(), key=lambda check: (check["Node"].lower() != first, check["Node"], check["CheckID"]))
        return narrow.of([row for row in ordered if not of_nodes or of_nodes.has(catalog.node(row["Node"]))])

    return lambda: Reading(tables.index_of(*topics), topics, body)


def _passing(question: Question) -> bool:
    """`?passing`, or with a truth as Go reads it."""
    if not question.has("passing"):
        return False
    value = question.one("passing")
    truth = question.truth("passing") if value else True
    if truth is None:
        raise RefusalError(400, "Invalid value for ?passing")
    return truth


ROUTES = (
    Route("GET", "/v1/health/service/{service:.*}", service),
    Route("GET", "/v1/health/connect/{service:.*}", connect),
    Route("GET", "/v1/health/ingress/{service:.*}", ingress),
    Route("GET", "/v1/health/checks/{service:.*}", checks),
    Route("GET", "/v1/health/node/{node:.*}", node),
    Route("GET", "/v1/health/state/{state:.*}", state),
)
