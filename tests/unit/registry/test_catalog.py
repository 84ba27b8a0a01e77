"""The catalogue's rules: what a change is, whom it wakes, what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sampan.registry import names, rows
from sampan.registry import registry as registries
from sampan.registry.catalog import Catalog, MissingError
from sampan.registry.identity import Identity
from sampan.registry.registry import Registry
from sampan.registry.store import Store
from sampan.registry.tables import Topic, Write

from . import told

NODE = told.IDENTITY.node
WEB, API = rows.service_topic("web"), rows.service_topic("api")


def registry(*names: str) -> Registry:
    made = told.registry()
    with made.tables.write() as write:
        for name in names:
            made.catalog.register_service(write, NODE, told.service(Service=name))
    return made


def moved(made: Registry, change: Callable[[Catalog, Write], Any], *topics: Topic) -> list[bool]:
    """Which of the topics a write has moved."""
    before = [made.tables.index_of(topic) for topic in topics]
    with made.tables.write() as write:
        change(made.catalog, write)
    return [made.tables.index_of(topic) > index for topic, index in zip(topics, before, strict=True)]


def check(catalog: Catalog, write: Write, check_id: str = "c", **given: Any) -> None:
    catalog.register_check(write, NODE, check_id, **{"name": check_id, **given})


def test_our_own_node_is_there_and_lives() -> None:
    catalog = registry().catalog
    node = catalog.node(NODE)
    assert node is not None
    assert (node["ID"], node["Address"], node["Datacenter"]) == (told.IDENTITY.node_id, "127.0.0.1", "dc1")
    assert [row["CheckID"] for row in catalog.checks_of(NODE, "")] == ["serfHealth"]


def test_a_service_moves_its_own_index_and_no_other() -> None:
    made = registry("api")

    def register(catalog: Catalog, write: Write) -> None:
        catalog.register_service(write, NODE, told.service(Service="web"))

    assert moved(made, register, WEB, rows.SERVICES, rows.node_topic(NODE), API, rows.NODES) == [True] * 3 + [False] * 2
    index = made.tables.index
    assert moved(made, register, WEB, rows.SERVICES) == [False, False], "the same again changes nothing"
    assert made.tables.index == index


def test_a_deregistration_wakes_who_watches_the_service() -> None:
    made = registry("web", "api")
    with made.tables.write() as write:
        check(made.catalog, write, service_id="web", definition={"TTL": 10.0})
    gone = moved(made, lambda catalog, write: catalog.deregister_service(write, NODE, "web"), WEB, rows.CHECKS, API)
    assert gone == [True, True, False]
    assert not made.catalog.instances("web")
    assert made.catalog.check(NODE, "c") is None
    assert not made.catalog.definitions.rows


def test_a_check_of_a_service_moves_that_service() -> None:
    made = registry("web", "api")
    assert moved(made, lambda catalog, write: check(catalog, write, service_id="web"), WEB, API) == [True, False]


def test_a_check_of_the_node_moves_all_that_is_on_it() -> None:
    made = registry("web", "api")
    assert moved(made, check, WEB, API) == [True, True]
    assert moved(made, lambda catalog, write: catalog.deregister_check(write, NODE, "c"), WEB, API) == [True, True]


def test_what_changes_nothing_wakes_nobody() -> None:
    made = registry("web")
    with made.tables.write() as write:
        check(made.catalog, write, status="passing", output="well")
    index = made.tables.index
    with made.tables.write() as write:
        made.catalog.set_check_status(write, NODE, "c", "passing", "well")
    assert made.tables.index == index


def test_another_address_of_a_node_moves_its_services() -> None:
    made = told.registry([{"Node": "n1", "Address": "10.0.0.1", "Service": {"Service": "web"}}])
    assert moved(made, lambda catalog, write: catalog.register_node(write, "n1", "10.0.0.2"), WEB) == [True]


def test_an_instance_under_another_name_moves_both_and_its_checks_say_so() -> None:
    made = registry("web")
    with made.tables.write() as write:
        check(made.catalog, write, service_id="web")

    def rename(catalog: Catalog, write: Write) -> None:
        catalog.register_service(write, NODE, told.service(ID="web", Service="api", Tags=["new"]))

    assert moved(made, rename, WEB, API) == [True, True]
    assert [row["ServiceName"] for row in made.catalog.checks_about("api")] == ["api"]
    assert [row["ServiceTags"] for row in made.catalog.checks_about("api")] == [["new"]]


def test_a_check_that_changes_its_service_moves_both() -> None:
    made = registry("web", "api")
    with made.tables.write() as write:
        check(made.catalog, write, service_id="web")
    assert moved(made, lambda catalog, write: check(catalog, write, service_id="api"), WEB, API) == [True, True]


def test_two_instances_with_one_id_are_one_and_the_later_counts() -> None:
    made = registry()
    for port in (1, 2):
        with made.tables.write() as write:
            made.catalog.register_service(write, NODE, told.service(ID="one", Service="web", Port=port))
    assert [row["Service"]["Port"] for row in made.catalog.instances("web")] == [2]


def test_services_and_their_tags_are_those_of_the_instances_whatever_happens() -> None:
    made = registry()
    tags = {"a": ["x"], "b": ["y", "x"], "c": []}

    def change(number: int) -> None:
        with made.tables.write() as write:
            service_id = f"id-{number % 7}"
            if number % 5 == 4:
                made.catalog.deregister_service(write, NODE, service_id)
                return
            name = ("web", "WEB", "api")[number % 3]
            given = tags["abc"[number % 2]]
            made.catalog.register_service(write, NODE, told.service(ID=service_id, Service=name, Tags=given))
            if number % 4 == 3:
                raise LookupError

    for number in range(200):
        with suppress(LookupError):
            change(number)
        found = made.catalog.tags.all()
        expected = names.of(made.catalog.services.rows.values())
        assert {name: sorted(own) for name, own in found.items()} == {
            name: sorted(own) for name, own in expected.items()
        }
    assert {"web", "WEB", "api"} >= set(found) != set()


def test_names_are_found_whatever_their_case_is() -> None:
    made = registry("Web")
    assert [row["Service"]["Service"] for row in made.catalog.instances("wEB")] == ["Web"]
    assert made.catalog.service(NODE.upper(), "WEB") is not None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda catalog, write: check(catalog, write, service_id="none"), "Missing service registration"),
        (lambda catalog, write: catalog.register_check(write, "none", "c", name="c"), "Missing node registration"),
        (
            lambda catalog, write: catalog.register_service(write, "none", told.service(Service="x")),
            "Missing node registration",
        ),
        (
            lambda catalog, write: catalog.set_check_status(write, NODE, "none", "passing", ""),
            'Unknown check "none"',
        ),
        (
            lambda catalog, write: catalog.report(write, "serfHealth", "passing", ""),
            'CheckID "serfHealth" does not have associated TTL',
        ),
    ],
)
def test_what_needs_something_that_is_not_there_changes_nothing(
    change: Callable[[Catalog, Write], Any], sentence: str
) -> None:
    made = registry("web")
    before = {name: dict(table.rows) for name, table in made.tables.tables.items()}

    def both(catalog: Catalog, write: Write) -> None:
        catalog.register_service(write, NODE, told.service(Service="before"))
        change(catalog, write)

    with pytest.raises(MissingError) as refused:
        moved(made, both)
    assert str(refused.value) == sentence
    assert {name: table.rows for name, table in made.tables.tables.items()} == before


def test_hooks_hear_before_and_after_in_the_same_write() -> None:
    made, heard = registry(), []
    made.catalog.after_service.append(lambda write, before, after: heard.append((before, after)))
    made.catalog.after_check.append(lambda write, before, after: heard.append((before, after)))
    with made.tables.write() as write:
        made.catalog.register_service(write, NODE, told.service(Service="web"))
        check(made.catalog, write, service_id="web")
        made.catalog.set_check_status(write, NODE, "c", "passing", "")
        made.catalog.deregister_service(write, NODE, "web")
    shown = [tuple(row and row.get("Status", "service") for row in pair) for pair in heard]
    assert shown == [
        (None, "service"),
        (None, "critical"),
        ("critical", "passing"),
        ("passing", None),
        ("service", None),
    ]


def test_a_hook_that_fails_undoes_all_of_the_write() -> None:
    made = registry()

    def broken(write: Write, before: object, after: object) -> None:
        raise LookupError

    made.catalog.after_service.append(broken)
    with pytest.raises(LookupError):
        moved(made, lambda catalog, write: catalog.register_service(write, NODE, told.service(Service="web")))
    assert not made.catalog.instances("web")


def test_a_report_is_heard_even_if_it_says_nothing_new() -> None:
    made, heard = registry(), []
    made.catalog.on_report.append(lambda write, check_id: heard.append(check_id))
    with made.tables.write() as write:
        check(made.catalog, write, definition={"TTL": 10.0}, status="passing")
    index = made.tables.index
    with made.tables.write() as write:
        made.catalog.report(write, "c", "passing", "")
    assert heard == ["c"]
    assert made.tables.index == index


@pytest.mark.parametrize(("limit", "most"), [(0, 4096), (10, 10), (10000, 4096)])
def test_a_report_is_cut_to_what_a_check_may_say(limit: int, most: int) -> None:
    made = registry()
    with made.tables.write() as write:
        check(made.catalog, write, definition={"TTL": 10.0, "OutputMaxSize": limit})
        made.catalog.report(write, "c", "passing", "x" * 5000)
    found = made.catalog.check(NODE, "c")
    assert found is not None
    assert found["Output"] == "x" * most + f" ... (captured {most} of 5000 bytes)"


def test_how_a_check_is_run_is_told_whenever_our_own_is_registered() -> None:
    """The same again, too: whoever registers a TTL again has it begin anew."""
    made, heard = registry(), []
    made.catalog.after_definition.append(lambda write, check_id, before, after: heard.append((before, after)))
    for ttl in (10.0, 10.0, 20.0):
        with made.tables.write() as write:
            check(made.catalog, write, definition={"TTL": ttl})
    with made.tables.write() as write:
        made.catalog.register_node(write, "n1", "10.0.0.1")
        made.catalog.register_check(write, "n1", "c", name="of another node")
        made.catalog.deregister_check(write, "n1", "c")
    first, second = {"TTL": 10.0}, {"TTL": 20.0}
    assert heard == [(None, first), (first, first), (first, second)], "another node's check is not ours"
    with made.tables.write() as write:
        made.catalog.deregister_check(write, NODE, "c")
    assert heard[-1] == ({"TTL": 20.0}, None)


def test_a_node_goes_with_all_that_is_on_it() -> None:
    made = told.registry([{"Node": "n1", "Address": "10.0.0.1", "Service": {"Service": "web"}}])
    with made.tables.write() as write:
        made.catalog.register_check(write, "n1", "c", name="c", service_id="web")
        made.catalog.register_check(write, "n1", "d", name="d")
    gone = moved(made, lambda catalog, write: catalog.deregister_node(write, "n1"), WEB, rows.NODES, rows.CHECKS)
    assert gone == [True] * 3
    assert [row["Node"] for row in made.catalog.checks.rows.values()] == [NODE]
    assert list(made.catalog.nodes.rows) == [NODE]


@contextmanager
def kept(folder: Path, identity: Identity = told.IDENTITY) -> Iterator[Registry]:
    """With what the folder's file holds."""
    with closing(Store(folder / "registry.db")) as store:
        yield registries.build(identity, store)


def test_a_machine_with_another_name_keeps_what_is_registered(tmp_path: Path) -> None:
    with kept(tmp_path) as made, made.tables.write() as write:
        made.catalog.register_service(write, NODE, told.service(Service="web"))
        check(made.catalog, write, service_id="web", definition={"TTL": 10.0})
    with kept(tmp_path, replace(told.IDENTITY, node="travel")) as renamed:
        assert list(renamed.catalog.nodes.rows) == ["travel"]
        assert [row["Node"] for row in renamed.catalog.instances("web")] == ["travel"]
        assert [row["Node"] for row in renamed.catalog.checks_about("web")] == ["travel"]
        assert renamed.catalog.definitions.rows == {"c": {"TTL": 10.0}}


def test_a_restart_finds_the_same_rows_and_moves_no_index(tmp_path: Path) -> None:
    with kept(tmp_path) as made:
        with made.tables.write() as write:
            for number in range(3):
                service_id = f"web-{number}"
                made.catalog.register_service(
                    write, NODE, told.service(ID=service_id, Service="web", Tags=["a", "b"], Meta={"version": "1"})
                )
                check(made.catalog, write, f"service:{service_id}", service_id=service_id, definition={"TTL": 10.0})
        before, index = {name: table.rows for name, table in made.tables.tables.items()}, made.tables.index
    with kept(tmp_path) as again:
        assert {name: table.rows for name, table in again.tables.tables.items()} == before
        assert again.tables.index == index
        tags = {id(row["Service"]["Tags"]) for row in again.catalog.instances("web")}
        tags |= {id(row["ServiceTags"]) for row in again.catalog.checks_about("web")}
        assert len(tags) == 1, "what all say alike is kept once"


def test_the_beginning_of_an_id_is_enough_if_it_is_no_others() -> None:
    made = registry()
    with made.tables.write() as write:
        made.catalog.register_node(write, "n1", "10.0.0.1", node_id="40e4a748-2192-161a-0510-9bf59fe950b5")
        made.catalog.register_node(write, "n2", "10.0.0.2", node_id="40ffa748-2192-161a-0510-9bf59fe950b5")
    found = {prefix: made.catalog.node_by_id(prefix) for prefix in ("40", "40e4", "40f", "40ff", "")}
    named = {prefix: row["Node"] if row else None for prefix, row in found.items()}
    assert named == {"40": None, "40e4": "n1", "40f": None, "40ff": "n2", "": None}
