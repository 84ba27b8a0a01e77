"""`/v1/catalog`: nodes and what is on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sampan.registry import catalog_entries, names, rows
from sampan.registry.api.answer import RefusalError
from sampan.registry.api.application import Route
from sampan.registry.api.blocking import Reading, View
from sampan.registry.api.question import Question
from sampan.registry.api.selection import Filter, NodeMeta, instances_in_order, nearest, tagged, tags
from sampan.registry.catalog import Catalog, MissingError
from sampan.registry.filter import fields
from sampan.registry.registration import catalogue
from sampan.registry.registration.decode import RegistrationError
from sampan.registry.registry import Registry
from sampan.registry.rows import NodeRow, NodeService, ServiceRow
from sampan.registry.tables import Topic


async def register(registry: Registry, question: Question) -> bool:
    try:
        entry = catalogue.of_register(await question.json())
        _same_datacenter(registry, entry.datacenter)
        with registry.tables.write() as write:
            catalog_entries.register(registry.catalog, write, entry)
    except RegistrationError as error:
        raise RefusalError(error.status, str(error)) from None
    except MissingError as error:
        raise RefusalError(500, str(error)) from None
    return True


async def deregister(registry: Registry, question: Question) -> bool:
    """True for what is not there, too."""
    try:
        removal = catalogue.of_deregister(await question.json())
    except RegistrationError as error:
        raise RefusalError(error.status, str(error)) from None
    _same_datacenter(registry, removal.datacenter)
    with registry.tables.write() as write:
        catalog_entries.deregister(registry.catalog, write, removal)
    return True


async def datacenters(registry: Registry, _: Question) -> list[str]:
    return [registry.identity.datacenter]


async def nodes(registry: Registry, question: Question) -> View:
    table = registry.catalog.nodes
    narrow, of_nodes, first = Filter(question, fields.NODE), NodeMeta(question), nearest(registry, question)

    def body() -> list[NodeRow]:
        chosen = [row for row in table.rows.values() if of_nodes.has(row)]
        return narrow.of(sorted(chosen, key=lambda row: (row["Node"].lower() != first, row["Node"].lower())))

    return lambda: Reading(registry.tables.index_of(rows.NODES), (rows.NODES,), body)


async def services(registry: Registry, question: Question) -> View:
    catalog, of_nodes = registry.catalog, NodeMeta(question)
    topics = (rows.SERVICES, rows.NODES) if of_nodes else (rows.SERVICES,)

    def body() -> dict[str, list[str]]:
        if of_nodes:
            found = names.of(row for row in catalog.services.rows.values() if of_nodes.has(catalog.node(row["Node"])))
        else:
            found = catalog.tags.all()
        return {name: found[name] for name in sorted(found)}

    return lambda: Reading(registry.tables.index_of(*topics), topics, body, cached=True)


async def service(registry: Registry, question: Question) -> View:
    name = question.required("service", "Missing service name")
    topics = (rows.service_topic(name),)
    return _instances(registry, question, topics, lambda: registry.catalog.instances(name))


async def connect(registry: Registry, question: Question) -> View:
    name = question.required("service", "Missing service name")
    topics = (rows.SERVICES, rows.NODES)
    return _instances(registry, question, topics, lambda: registry.catalog.connected(name))


async def node(registry: Registry, question: Question) -> View:
    """By name, by id, or by the beginning of an id; null for none."""
    name, narrow = question.required("node", "Missing node name"), Filter(question, fields.SERVICE)

    def body(found: NodeRow | None) -> dict[str, Any] | None:
        if found is None:
            return None
        on_it = {row["ID"]: row for row in _on(registry.catalog, found)}
        return {"Node": found, "Services": narrow.of_named(on_it)}

    return _of_node(registry, name, body)


async def node_services(registry: Registry, question: Question) -> View:
    name, narrow = question.required("node", "Missing node name"), Filter(question, fields.SERVICE)

    def body(found: NodeRow | None) -> dict[str, Any]:
        on_it = narrow.of(_on(registry.catalog, found)) if found is not None else None
        # What is no list at all in Consul, if there is nothing in it.
        return {"Node": found, "Services": on_it or None}

    return _of_node(registry, name, body)


def _of_node(registry: Registry, name: str, body: Callable[[NodeRow | None], Any]) -> View:
    def view() -> Reading:
        found = registry.catalog.node(name) or registry.catalog.node_by_id(name)
        topics = (rows.node_topic(found["Node"] if found is not None else name), *(() if found else (rows.NODES,)))
        return Reading(registry.tables.index_of(*topics), topics, lambda: body(found))

    return view


def _on(catalog: Catalog, node: NodeRow) -> list[NodeService]:
    return sorted((row["Service"] for row in catalog.services_of(node["Node"])), key=lambda row: row["ID"].lower())


def _instances(
    registry: Registry, question: Question, topics: tuple[Topic, ...], found: Callable[[], Iterable[ServiceRow]]
) -> View:
    catalog = registry.catalog
    narrow, of_nodes = Filter(question, fields.CATALOG_SERVICE), NodeMeta(question)
    wanted, first = tags(question), nearest(registry, question)

    def body() -> list[dict[str, Any]]:
        ordered = instances_in_order(found(), first)
        return narrow.of(
            [
                _flat(node, row["Service"])
                for row in ordered
                if (node := catalog.node(row["Node"])) is not None
                and of_nodes.has(node)
                and tagged(wanted, row["Service"]["Tags"])
            ]
        )

    return lambda: Reading(registry.tables.index_of(*topics), topics, body, cached=True)


def _flat(node: NodeRow, service: NodeService) -> dict[str, Any]:
    """ServiceNode: an instance with its node, in one."""
    tagged_addresses = service.get("TaggedAddresses")
    return {
        "ID": node["ID"],
        "Node": node["Node"],
        "Address": node["Address"],
        "Datacenter": node["Datacenter"],
        "TaggedAddresses": node["TaggedAddresses"],
        "NodeMeta": node["Meta"],
        "ServiceKind": service.get("Kind", ""),
        "ServiceID": service["ID"],
        "ServiceName": service["Service"],
        "ServiceTags": service["Tags"],
        "ServiceAddress": service["Address"],
        **({"ServiceTaggedAddresses": tagged_addresses} if tagged_addresses else {}),
        "ServiceWeights": service["Weights"],
        # Consul makes a map of none on its way out (PartialClone).
        "ServiceMeta": service["Meta"] or {},
        "ServicePort": service["Port"],
        **({"ServiceSocketPath": service["SocketPath"]} if "SocketPath" in service else {}),
        **({"ServiceLocality": service["Locality"]} if "Locality" in service else {}),
        "ServiceEnableTagOverride": service["EnableTagOverride"],
        "ServiceProxy": service["Proxy"],
        "ServiceConnect": service["Connect"],
        "CreateIndex": service["CreateIndex"],
        "ModifyIndex": service["ModifyIndex"],
    }


def _same_datacenter(registry: Registry, named: str) -> None:
    if named and named != registry.identity.datacenter:
        raise RefusalError(500, "No path to datacenter")


ROUTES = (
    Route("PUT", "/v1/catalog/register", register),
    Route("PUT", "/v1/catalog/deregister", deregister),
    Route("GET", "/v1/catalog/datacenters", datacenters),
    Route("GET", "/v1/catalog/nodes", nodes),
    Route("GET", "/v1/catalog/services", services),
    Route("GET", "/v1/catalog/service/{service:.*}", service),
    Route("GET", "/v1/catalog/connect/{service:.*}", connect),
    Route("GET", "/v1/catalog/node/{node:.*}", node),
    Route("GET", "/v1/catalog/node-services/{node:.*}", node_services),
)
