"""A registry beside the documents: what is registered is routed to, and stays so while the registry is away."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from sampan.registry import place

from ..consul_binary import running
from .conftest import Echo, Sampan, backend, document, free_port, gateway, joined, route, route_to_service, until
from .registering import Registry

pytestmark = pytest.mark.envoy


@pytest.fixture
def serving(sampan_with_registry: Sampan, one: Echo) -> Sampan:
    """A route to the registered service `web`, which `one` serves."""
    sampan = sampan_with_registry
    sampan.write("all.yaml", joined(gateway(sampan.port), route_to_service("a", "web")))
    sampan.start()
    sampan.until_ready()
    Registry.of(sampan.folder).register("web", one.port)
    sampan.until_answer("one")
    return sampan


def until_kept(sampan: Sampan, service: str) -> None:
    """Until the next control plane would know it without the registry."""

    def kept() -> bool:
        with suppress(sqlite3.Error), closing(sqlite3.connect(sampan.folder / "state.db")) as database:
            return any(service in key for (key,) in database.execute("SELECT key FROM registered"))
        return False

    until(kept, lambda: sampan.log)


def test_what_is_registered_is_routed_to_and_what_is_deregistered_is_not(serving: Sampan, two: Echo) -> None:
    registry = Registry.of(serving.folder)
    assert serving.diagnostics() == []
    registry.register("web", two.port, "web-2")
    serving.until_answer("two")
    registry.deregister("web")
    until(lambda: {serving.ask() for _ in range(4)} == {(200, "two")}, lambda: serving.log)
    registry.deregister("web-2")
    serving.until_answer(500)
    (found,) = serving.diagnostics()
    assert (found["code"], found["reason"]) == ("SMP0331", "Service/default/web does not exist")


def test_an_instance_whose_check_fails_gets_no_requests(serving: Sampan, two: Echo) -> None:
    registry = Registry.of(serving.folder)
    registry.register("web", two.port, "web-2", Check={"TTL": "1h", "Status": "passing"})
    serving.until_answer("two")
    registry.call("PUT", "/v1/agent/check/fail/service:web-2")
    until(lambda: {serving.ask() for _ in range(4)} == {(200, "one")}, lambda: serving.log)
    registry.call("PUT", "/v1/agent/check/pass/service:web-2")
    serving.until_answer("two")


def test_a_publication_routes_to_what_is_registered_with_no_document_touched(serving: Sampan, two: Echo) -> None:
    public = {"matchLabels": {"tag.sampan.dev/public": "true"}}
    place = {"hostnames": ["shop.example"], "trimPrefix": "go.micro.api."}
    spec = {"parentRefs": [{"name": "shop"}], "services": public, **place}
    serving.write("all-public.yaml", document("sampan.dev/v1alpha1", "Publication", "public") + json.dumps(spec))
    registry = Registry.of(serving.folder)
    registry.register("go.micro.api.greeter", two.port, "greeter-1", Tags=["public"])
    registry.register("secret", two.port)
    serving.until_answer("two", "/greeter")
    # The route of a document stays; what is not public is not there.
    assert serving.ask("/secret") == (200, "one")
    registry.deregister("greeter-1")
    serving.until_answer("one", "/greeter")
    assert serving.diagnostics() == []


def test_a_killed_registry_fails_no_request_and_comes_back_with_what_it_knew(serving: Sampan, two: Echo) -> None:
    registry = Registry.of(serving.folder)
    before = serving.children()
    with serving.load() as seen:
        os.kill(before["registry"], signal.SIGKILL)
        until(lambda: serving.children().get("registry") not in (None, before["registry"]), lambda: serving.log)
        until(lambda: _there(registry), lambda: serving.log)
        # The same place, the same registrations, and the control plane listens again.
        assert registry.instances() == {"web"}
        registry.register("web", two.port, "web-2")
        serving.until_answer("two")
    assert set(seen) == {200}
    assert serving.children() | {"registry": 0} == before | {"registry": 0}
    assert "the registry ended (signal 9 (SIGKILL)), starts again at once" in serving.log


def _there(registry: Registry) -> bool:
    with suppress(OSError):
        return registry.call("GET", "/v1/status/leader")[0] == 200
    return False


def test_a_control_plane_that_starts_while_the_registry_is_away_keeps_the_endpoints(serving: Sampan, two: Echo) -> None:
    until_kept(serving, "web")
    before = serving.children()
    with serving.load() as seen:
        os.kill(before["registry"], signal.SIGSTOP)
        os.kill(before["control"], signal.SIGKILL)
        until(lambda: serving.children().get("control") not in (None, before["control"]), lambda: serving.log)
        until(serving.ready, lambda: serving.log)
        # It publishes: another document takes effect.
        serving.write("more.yaml", route_to_service("b", "web", host="more.example"))
        serving.until_answer("one", host="more.example")
        os.kill(before["registry"], signal.SIGCONT)
        Registry.of(serving.folder).register("web", two.port, "web-2")
        serving.until_answer("two")
    assert set(seen) == {200}
    assert serving.children()["envoy"] == before["envoy"]


def test_a_restart_knows_what_was_registered(serving: Sampan) -> None:
    registry = Registry.of(serving.folder)
    assert serving.stop() == 0
    assert not (serving.folder / "registry.json").exists()
    serving.start()
    serving.until_answer("one")
    assert Registry.of(serving.folder).instances() == {"web"}
    assert registry.address in serving.log


def test_a_torn_file_of_the_registry_stops_no_gateway_and_is_left_as_it_is(folder: Path, one: Echo) -> None:
    sampan = Sampan(folder, options=("--registry", f"127.0.0.1:{free_port()}", "--registry-dns", "off"))
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), route("a", {"one": 1})))
    sampan.folder.mkdir(mode=0o700)
    torn = b"SQLite format 3\0" + b"what somebody registered" * 100
    (sampan.folder / "registry.db").write_bytes(torn)
    sampan.start()
    try:
        sampan.until_answer("one")
        sampan.until_diagnostic("SMP0210")
        until(lambda: "the registry ended (status 1), starts again in 0.5 s" in sampan.log, lambda: sampan.log)
        assert f"registry | error: {sampan.folder}/registry.db cannot be used" in sampan.log
        assert "it is left as it is: move it away" in sampan.log
        assert (sampan.folder / "registry.db").read_bytes() == torn
    finally:
        sampan.stop()


def test_what_was_registered_is_routed_to_when_the_registry_does_not_start(serving: Sampan) -> None:
    until_kept(serving, "web")
    assert serving.stop() == 0
    (serving.folder / "registry.db").write_bytes(b"SQLite format 3\0" + b"torn" * 1000)
    serving.start()
    serving.until_answer("one")
    serving.until_diagnostic("SMP0210")
    assert "registry.db cannot be used" in serving.log


def test_with_a_token_it_serves_the_network_and_the_control_plane_has_it(
    folder: Path, one: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMPAN_REGISTRY_TOKEN", "open-sesame")
    sampan = Sampan(folder, options=("--registry", "0.0.0.0:0", "--registry-dns", "off"))
    sampan.write("all.yaml", joined(gateway(sampan.port), route_to_service("a", "web")))
    sampan.start()
    try:
        sampan.until_ready()
        registry = Registry.of(sampan.folder, "open-sesame")
        assert Registry(registry.address).call("GET", "/v1/agent/services")[0] == 403
        registry.register("web", one.port)
        sampan.until_answer("one")
        assert sampan.diagnostics() == []
        assert "open-sesame" not in sampan.log
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in sampan.children().values()]
        assert not any("open-sesame" in command for command in commands)
    finally:
        sampan.stop()


def test_no_documents_are_needed_to_begin(sampan_with_registry: Sampan) -> None:
    sampan = sampan_with_registry
    sampan.start_with(*sampan.options)
    sampan.until_ready()
    until(lambda: [source["name"] for source in sampan.api.health()["sources"]] == ["consul", "consul-kv", "files"])


def test_a_second_registry_at_the_same_place_is_refused(serving: Sampan, folder: Path) -> None:
    address = Registry.of(serving.folder).address
    (folder / "second").mkdir()
    second = Sampan(folder / "second", options=("--registry", address, "--registry-dns", "off"))
    second.start()
    assert second.process is not None
    assert second.process.wait(20) == 1
    assert second.log == (
        f"error: {address}, where the registry is to listen, is taken by the registry of another Sampan "
        "(datacentre dc1)\n"
        f"hint: `--consul http://{address}` goes by that one, `--registry 127.0.0.1:PORT` starts it at another port, "
        "`--registry off` starts none\n"
    )


@pytest.mark.consul
def test_a_consul_that_goes_and_comes_back(sampan: Sampan, one: Echo, two: Echo) -> None:
    ports = {"http": free_port(), "dns": free_port()}
    registry = Registry(f"127.0.0.1:{ports['http']}")
    sampan.options = ("--consul", f"http://{registry.address}")
    sampan.write("all.yaml", joined(gateway(sampan.port), route_to_service("a", "web")))
    with ExitStack() as first:
        first.enter_context(running(ports=ports))
        registry.register("web", one.port)
        sampan.start()
        sampan.until_ready()
        sampan.until_answer("one")
        assert "registry" not in sampan.children()
        found = place.read(sampan.folder)  # where `sampan apply` goes
        assert found is not None
        assert found.http == f"http://{registry.address}"
        with sampan.load() as seen:
            first.close()
            sampan.until_diagnostic("SMP0210")
            until(lambda: f"http://{registry.address} gives no answer" in sampan.log, lambda: sampan.log)
        assert set(seen) == {200}
    with running(ports=ports):  # in memory: it comes back empty, and the service registers again
        registry.register("web", one.port)
        registry.register("web", two.port, "web-2")
        sampan.until_answer("two")
        until(lambda: "consul can be read again" in sampan.log, lambda: sampan.log)
    assert sampan.stop() == 0
    assert place.read(sampan.folder) is None
