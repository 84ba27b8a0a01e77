"""Ten thousand registrations that a broken client could send: each is read or refused with a sentence, none breaks."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from sampan.registry import agent, catalog_entries
from sampan.registry.api.answer import encode
from sampan.registry.catalog import MissingError
from sampan.registry.registration import catalogue, checks, services
from sampan.registry.registration.decode import RegistrationError
from sampan.registry.registry import Registry

from . import told

ROUNDS = 10_000
WORDS = (
    *("", "a", "web", "ü", "\0", "\ud800", "\x1f", "x" * 600),
    *("0.0.0.0", "::1", "10s", "-1ns", "passing", "connect-proxy"),
)
NAMES = (
    *("ID", "Name", "Service", "Node", "Address", "Port", "Tags", "Meta", "Weights", "Check", "Checks", "Kind"),
    *("Proxy", "TaggedAddresses", "Connect", "TTL", "HTTP", "Interval", "Status", "ServiceID", "CheckID", "Header"),
    *("Definition", "Passing", "Warning", "Native", "SidecarService", "DestinationServiceName", "AliasService"),
    *("NodeMeta", "Locality", "EnableTagOverride", "OutputMaxSize", "SkipNodeUpdate", "lan_ipv4", "Upstreams"),
    *("SocketPath", "id", "no"),
)


def anything(source: random.Random, depth: int = 0) -> Any:
    kind = source.randrange(8 if depth < 3 else 5)
    if kind == 0:
        return None
    if kind == 1:
        return source.choice((True, False))
    if kind == 2:
        return source.choice((0, 1, -1, 80, 65536, 1 << 40, 1 << 70, 1.5, 1e300))
    if kind in (3, 4):
        return source.choice(WORDS)
    if kind == 5:
        return [anything(source, depth + 1) for _ in range(source.randrange(3))]
    return {source.choice(NAMES): anything(source, depth + 1) for _ in range(source.randrange(1, 7))}


def broken(source: random.Random, right: dict[str, Any]) -> dict[str, Any]:
    """Often; in a field that it has, or in one more."""
    if source.random() < 0.4:
        right[source.choice((*right, source.choice(NAMES)))] = anything(source)
    return right


def service(source: random.Random) -> Any:
    """What is right, with something broken in it: so that more than the first mistake is met."""
    check = {"CheckID": source.choice(WORDS), "Name": "c", "TTL": "10s", "Status": source.choice(("", "passing"))}
    right = {
        "ID": source.choice(WORDS),
        "Name": source.choice(WORDS),
        "Port": source.choice((0, 80)),
        "Tags": ["a"],
        "Meta": {"k": source.choice(WORDS)},
        "Weights": {"Passing": 1},
        "Checks": [broken(source, check)],
    }
    return broken(source, right)


def entry(source: random.Random) -> Any:
    right = {
        "Node": source.choice(("n1", "n2", told.IDENTITY.node, *WORDS)),
        "Address": "10.0.0.1",
        "Service": broken(source, {"Service": source.choice(WORDS), "ID": source.choice(WORDS)}),
        "Checks": [broken(source, {"CheckID": source.choice(WORDS), "ServiceID": "web", "Status": "passing"})],
    }
    return broken(source, right)


def register(made: Registry, given: Any, *, replace: bool) -> str | None:
    """By the call that it looks like. What it is refused with."""
    try:
        with made.tables.write() as write:
            if isinstance(given, dict) and "Node" in given:
                catalog_entries.register(made.catalog, write, catalogue.of_register(given))
            elif isinstance(given, dict) and "TTL" in given:
                agent.register_check(made.catalog, write, checks.of_agent(given))
            else:
                agent.register_service(made.catalog, write, services.of_agent(given), replace=replace)
    except (RegistrationError, MissingError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_that_is_sent_breaks_the_registry(seed: int) -> None:
    source, made, done = random.Random(seed), told.registry(), 0
    for _ in range(ROUNDS):
        given = source.choice((anything, service, service, entry, entry))(source)
        index = made.tables.index
        refused = register(made, json.loads(json.dumps(given)), replace=source.random() < 0.5)
        if refused is None:
            done += 1
        else:
            assert refused
            assert made.tables.index == index
    assert done > ROUNDS / 10, "most of it must not be refused at the first field, or nothing else is met"
    for table in made.tables.tables.values():
        for key, row in table.rows.items():
            key.encode()
            encode(row)
            json.dumps(row, ensure_ascii=False).encode()
    for check in made.catalog.checks.rows.values():
        assert made.catalog.node(check["Node"]) is not None
        assert not check["ServiceID"] or made.catalog.service(check["Node"], check["ServiceID"]) is not None
