"""`/v1/agent/service…`: services of our own node."""

from __future__ import annotations

import asyncio
import json
from hashlib import blake2b
from typing import Any

from aiohttp import web

from sampan.registry import agent, rows
from sampan.registry.api.answer import RefusalError, done, encode, plain_json, refusal
from sampan.registry.api.application import Route
from sampan.registry.api.question import Question
from sampan.registry.api.selection import Filter
from sampan.registry.catalog import MissingError
from sampan.registry.filter import fields
from sampan.registry.registration import services
from sampan.registry.registration.decode import RegistrationError
from sampan.registry.registry import Registry
from sampan.registry.rows import NodeService

_IN_THE_MESH = ("connect-proxy", "mesh-gateway", "terminating-gateway", "ingress-gateway")


async def all_services(registry: Registry, question: Question) -> Any:
    narrow = Filter(question, fields.SERVICE)
    return narrow.of_named({row["Service"]["ID"]: shown(row["Service"]) for row in agent.services(registry.catalog)})


async def one_service(registry: Registry, question: Question) -> web.Response:
    """With `?hash=` it waits until the content's hash is another one."""
    service_id, catalog = question.path("id"), registry.catalog
    topics = (rows.node_topic(catalog.identity.node),)
    loop = asyncio.get_running_loop()
    end = loop.time() + question.wait
    while True:
        found = catalog.service(catalog.identity.node, service_id)
        if found is None:
            return refusal(404, f"unknown service ID: {service_id}")
        content = shown(found)
        content["ContentHash"] = blake2b(encode(content), digest_size=8).hexdigest()
        left = end - loop.time()
        if question.hash != content["ContentHash"] or left <= 0:
            answer = plain_json(content, pretty=question.pretty)
            answer.headers["X-Consul-ContentHash"] = content["ContentHash"]
            return answer
        await registry.tables.changed(topics, left)


async def register(registry: Registry, question: Question) -> web.Response:
    replace = question.has("replace-existing-checks") and question.one("replace-existing-checks") in ("", "true")
    try:
        registration = services.of_agent(await question.json())
    except RegistrationError as error:
        raise RefusalError(error.status, str(error)) from None
    with registry.tables.write() as write:
        agent.register_service(registry.catalog, write, registration, replace=replace)
    return done()


async def deregister(registry: Registry, question: Question) -> web.Response:
    """200 for what is not there, too."""
    service_id = question.path("id")
    if not service_id:
        raise RefusalError(500, "ServiceID missing")
    with registry.tables.write() as write:
        registry.catalog.deregister_service(write, registry.identity.node, service_id)
    return done()


async def maintenance(registry: Registry, question: Question) -> web.Response:
    service_id = question.path("id")
    if not service_id:
        raise RefusalError(400, "Missing service ID")
    on = switched_on(question)
    try:
        with registry.tables.write() as write:
            agent.set_service_maintenance(registry.catalog, write, service_id, on=on, reason=question.one("reason"))
    except MissingError as error:
        raise RefusalError(404, str(error)) from None
    return done()


def switched_on(question: Question) -> bool:
    """`?enable=`. Raises RefusalError."""
    if not question.has("enable"):
        raise RefusalError(400, "Missing value for enable")
    on = question.truth("enable")
    if on is None:
        raise RefusalError(400, f"Invalid value for enable: {json.dumps(question.one('enable'))}")
    return on


def shown(service: NodeService) -> dict[str, Any]:
    """As the agent says a service: without indexes, and without a proxy where there is none (buildAgentService)."""
    kind = service.get("Kind", "")
    said: dict[str, Any] = {"Kind": kind} if kind else {}
    said["ID"] = service["ID"]
    said["Service"] = service["Service"]
    said["Tags"] = service["Tags"]
    said["Meta"] = service["Meta"] or {}
    said["Port"] = service["Port"]
    said["Address"] = service["Address"]
    said.update({name: service[name] for name in _WHERE_GIVEN if name in service})  # type: ignore[literal-required]
    said["Weights"] = service["Weights"]
    said["EnableTagOverride"] = service["EnableTagOverride"]
    if kind in _IN_THE_MESH:
        said["Proxy"] = service["Proxy"]
    if service["Connect"]:
        said["Connect"] = service["Connect"]
    return said


_WHERE_GIVEN = ("TaggedAddresses", "Ports", "SocketPath", "Locality")

ROUTES = (
    Route("GET", "/v1/agent/services", all_services),
    Route("PUT", "/v1/agent/service/register", register),
    Route("PUT", "/v1/agent/service/deregister/{id:.*}", deregister),
    Route("PUT", "/v1/agent/service/maintenance/{id:.*}", maintenance),
    Route("GET", "/v1/agent/service/{id:.*}", one_service),
)
