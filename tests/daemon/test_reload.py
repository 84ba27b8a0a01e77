"""Documents that change, break, vanish and come back while requests run."""

from __future__ import annotations

import os

import pytest

from .conftest import Echo, Sampan, backend, gateway, joined, route, until

pytestmark = pytest.mark.envoy


@pytest.fixture
def serving(sampan: Sampan, one: Echo, two: Echo) -> Sampan:
    sampan.write("base.yaml", joined(gateway(sampan.port), backend("one", one.port), backend("two", two.port)))
    sampan.write("route.yaml", route("a", {"one": 1}))
    sampan.start()
    sampan.until_answer("one")
    return sampan


def test_an_edit_is_in_force_and_no_request_fails(serving: Sampan) -> None:
    with serving.load() as seen:
        serving.write("route.yaml", route("a", {"two": 1}))
        serving.until_answer("two")
        serving.write("route.yaml", route("a", {"one": 1, "two": 1}))
        until(lambda: {serving.ask()[1] for _ in range(20)} == {"one", "two"})
    assert set(seen) == {200}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("kind: [unclosed\n", "SMP0104"),
        (route("a", {"two": 1}).replace("HTTPRoute", "HTTPRout"), "SMP0114"),
        (route("a", {"two": 1}).replace("backendRefs", "backendRef"), "SMP0103"),
        (route("a", {"two": 1}).replace('"weight": 1', '"weight": "much"'), "SMP0109"),
    ],
)
def test_what_cannot_be_read_keeps_its_last_good_version(serving: Sampan, text: str, code: str) -> None:
    serving.write("route.yaml", text)
    told = serving.until_diagnostic(code)
    assert told["file"].endswith("route.yaml")
    assert told["line"] >= 1
    assert serving.ask() == (200, "one")
    # Over a restart too, and everything else goes on.
    assert serving.stop() == 0
    serving.write("more.yaml", route("b", {"two": 1}, path="/two"))
    serving.start()
    serving.until_answer("two", "/two")
    assert serving.ask() == (200, "one")
    # Mended, the new version is in force.
    serving.write("route.yaml", route("a", {"two": 1}))
    serving.until_answer("two")
    until(lambda: not serving.diagnostics(), serving.diagnostics)


def test_a_file_written_in_place_in_two_halves_is_believed_when_it_is_whole(serving: Sampan) -> None:
    whole = route("a", {"two": 1})
    with serving.load() as seen, (serving.documents / "route.yaml").open("w") as file:
        file.write(whole[: len(whole) // 2])
        file.flush()
        os.fsync(file.fileno())
        file.write(whole[len(whole) // 2 :])
        file.flush()
        serving.until_answer("two")
    assert set(seen) == {200}


def test_a_removed_file_removes_its_objects(serving: Sampan) -> None:
    serving.remove("route.yaml")
    serving.until_answer(404)
    assert serving.api.objects("HTTPRoute") == []


def test_a_mounted_folder_whose_data_link_is_swapped(sampan: Sampan, one: Echo, two: Echo) -> None:
    """As Kubernetes mounts a ConfigMap: files are links through `..data`, which is replaced."""
    documents = sampan.documents
    base = joined(gateway(sampan.port), backend("one", one.port), backend("two", two.port))
    for version, name in (("..1", "one"), ("..2", "two")):
        (documents / version).mkdir()
        (documents / version / "all.yaml").write_text(joined(base, route("a", {name: 1})))
    (documents / "..data").symlink_to("..1")
    (documents / "all.yaml").symlink_to("..data/all.yaml")
    sampan.start()
    sampan.until_answer("one")
    (documents / "..data.new").symlink_to("..2")
    os.replace(documents / "..data.new", documents / "..data")
    sampan.until_answer("two")


def test_generations_and_transition_times_outlive_a_restart(serving: Sampan) -> None:
    def seen() -> tuple[object, ...]:
        item = serving.api.objects("HTTPRoute", "default", "a")[0]
        conditions = item["status"]["parents"][0]["conditions"]
        accepted = next(found for found in conditions if found["type"] == "Accepted")
        return item["metadata"]["generation"], accepted["observedGeneration"], accepted.get("lastTransitionTime")

    serving.until_ready()  # requests are answered a moment before questions are
    serving.write("route.yaml", route("a", {"two": 1}))
    serving.until_answer("two")
    until(lambda: seen()[0] == 2 and seen()[2], seen)
    before = seen()
    assert serving.stop() == 0
    serving.start()
    serving.until_ready()
    until(lambda: seen() == before, seen)
