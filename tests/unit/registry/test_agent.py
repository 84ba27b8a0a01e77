"""What the agent makes of registrations: ids of checks, what is kept over them, maintenance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sampan.registry import agent, catalog_entries
from sampan.registry.catalog import MissingError
from sampan.registry.registration import catalogue, checks, services
from sampan.registry.registration.decode import RegistrationError
from sampan.registry.registry import Registry

from . import told

TTL = {"TTL": "1h"}


def register(made: Registry, given: dict[str, Any], *, replace: bool = False) -> None:
    with made.tables.write() as write:
        agent.register_service(made.catalog, write, services.of_agent(given), replace=replace)


def found(made: Registry, *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(check[field] for field in fields) for check in agent.checks(made.catalog)]  # type: ignore[literal-required]


def test_checks_have_ids_after_their_service() -> None:
    made = told.registry()
    register(made, {"Name": "one", "Check": TTL})
    register(made, {"Name": "two", "ID": "t", "Checks": [TTL, {**TTL, "CheckID": "own", "Name": "Own"}]})
    assert found(made, "CheckID", "Name", "Status", "Type") == [
        ("service:one", "Service 'one' check", "critical", "ttl"),
        ("service:t:1", "Service 'two' check", "critical", "ttl"),
        ("own", "Own", "critical", "ttl"),
    ]


def test_a_service_that_registers_again_does_not_flap() -> None:
    made = told.registry()
    register(made, {"Name": "web", "Check": {**TTL, "Status": "warning"}})
    assert found(made, "Status", "Output") == [("warning", "")]
    with made.tables.write() as write:
        made.catalog.report(write, "service:web", "passing", "well")
    index = made.tables.index
    register(made, {"Name": "web", "Check": {**TTL, "Status": "warning"}})
    assert found(made, "Status", "Output") == [("passing", "well")]
    assert made.tables.index == index


def test_other_checks_stay_unless_they_are_to_be_replaced() -> None:
    made = told.registry()
    register(made, {"Name": "web", "Check": TTL})
    register(made, {"Name": "web", "Check": {**TTL, "CheckID": "own"}})
    assert found(made, "CheckID") == [("service:web",), ("own",)]
    register(made, {"Name": "web", "Check": {**TTL, "CheckID": "own"}}, replace=True)
    assert found(made, "CheckID") == [("own",)]
    assert list(made.catalog.definitions.rows) == ["own"]


def test_a_check_of_a_service_that_is_not_there() -> None:
    made = told.registry()
    with pytest.raises(MissingError, match='ServiceID "none" does not exist'), made.tables.write() as write:
        agent.register_check(made.catalog, write, checks.of_agent({"Name": "c", **TTL, "ServiceID": "none"}))


def enter(made: Registry, given: dict[str, Any]) -> None:
    with made.tables.write() as write:
        catalog_entries.register(made.catalog, write, catalogue.of_register(given))


def test_nobody_says_that_our_own_node_is_dead_or_elsewhere() -> None:
    made = told.registry()
    dead = {"CheckID": "serfHealth", "Status": "critical"}
    enter(made, {"Node": told.IDENTITY.node, "Address": "10.0.0.9", "Check": dead})
    [check] = made.catalog.checks_of(told.IDENTITY.node, "")
    assert check["Status"] == "passing"
    assert made.catalog.node(told.IDENTITY.node)["Address"] == "127.0.0.1"  # type: ignore[index]
    for given in ({"Name": "serfHealth", **TTL}, {"Name": "x", "ID": "serfHealth", **TTL}):
        with pytest.raises(RegistrationError, match="serfHealth is the check of the node itself"):
            checks.of_agent(given)
    with pytest.raises(RegistrationError, match="serfHealth is the check of the node itself"):
        services.of_agent({"Name": "web", "Check": {"CheckID": "serfHealth", **TTL}})


def test_what_somebody_else_says_of_our_check_does_not_end_it() -> None:
    made = told.registry()
    register(made, {"Name": "web", "Check": TTL})
    said = {"CheckID": "service:web", "ServiceID": "web", "Status": "passing"}
    enter(made, {"Node": told.IDENTITY.node, "Address": "10.0.0.9", "Check": said})
    assert found(made, "CheckID", "Status") == [("service:web", "passing")]
    assert made.catalog.definitions.rows == {"service:web": {"TTL": 3600.0}}


@pytest.mark.parametrize(
    ("switch", "check_id", "what"),
    [
        (
            lambda made, write, **how: agent.set_service_maintenance(made.catalog, write, "web", **how),
            "_service_maintenance:web",
            "service",
        ),
        (
            lambda made, write, **how: agent.set_node_maintenance(made.catalog, write, **how),
            "_node_maintenance",
            "node",
        ),
    ],
)
def test_maintenance_is_a_critical_check(switch: Callable[..., None], check_id: str, what: str) -> None:
    made = told.registry()
    register(made, {"Name": "web"})
    for reason in ("", "a second time changes nothing"):
        with made.tables.write() as write:
            switch(made, write, on=True, reason=reason)
    [(found_id, status, kind, notes)] = found(made, "CheckID", "Status", "Type", "Notes")
    assert (found_id, status, kind) == (check_id, "critical", "maintenance")
    assert notes.startswith(f"Maintenance mode is enabled for this {what}, but no reason")
    for _ in range(2):
        with made.tables.write() as write:
            switch(made, write, on=False, reason="")
    assert found(made, "CheckID") == []


def test_no_maintenance_of_a_service_that_is_not_there() -> None:
    made = told.registry()
    with pytest.raises(MissingError, match='No service registered with ID "none"'), made.tables.write() as write:
        agent.set_service_maintenance(made.catalog, write, "none", on=True, reason="")
