"""`/v1/coordinate`: how far nodes are from each other. There is one that gossips, so it is at the origin.

https://developer.hashicorp.com/consul/api-docs/coordinate.
"""

from __future__ import annotations

from typing import Any

from sampan.registry.api.answer import RefusalError
from sampan.registry.api.application import Route
from sampan.registry.api.blocking import Reading, View
from sampan.registry.api.question import Question
from sampan.registry.registry import Registry

# Vivaldi's start, as Serf has it (DefaultConfig in serf/coordinate): eight dimensions, the largest error.
_ORIGIN = {"Vec": [0.0] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 1e-05}
_COORDINATES = "coordinates"
"""Topic; never touched: they do not change."""


async def nodes(registry: Registry, question: Question) -> View:
    return lambda: _reading(registry, question, _place(registry))


async def node(registry: Registry, question: Question) -> View:
    if question.path("node").lower() != registry.identity.node.lower():
        raise RefusalError(404, "")
    return lambda: _reading(registry, question, _place(registry))


async def datacenters(registry: Registry, _: Question) -> list[dict[str, Any]]:
    place = {"Datacenter": registry.identity.datacenter, "AreaID": "wan", "Coordinates": _place(registry)}
    return [place]


ROUTES = (
    Route("GET", "/v1/coordinate/nodes", nodes),
    Route("GET", "/v1/coordinate/node/{node:.*}", node),
    Route("GET", "/v1/coordinate/datacenters", datacenters),
)


def _place(registry: Registry) -> list[dict[str, Any]]:
    return [{"Node": registry.identity.node, "Segment": "", "Coord": _ORIGIN}]


def _reading(registry: Registry, question: Question, found: list[dict[str, Any]]) -> Reading:
    shown = [] if question.one("segment") else found
    return Reading(registry.tables.index_of(_COORDINATES), [_COORDINATES], lambda: shown)
