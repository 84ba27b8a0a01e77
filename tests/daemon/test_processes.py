"""Killing what can be killed: no request fails that need not, nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time

import pytest

from .conftest import Echo, Sampan, backend, gateway, joined, route, until

pytestmark = pytest.mark.envoy

# The goal is one second; a busy machine gets more before this fails.
BACK_SECONDS = 5.0


@pytest.fixture
def serving(sampan: Sampan, one: Echo) -> Sampan:
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), route("a", {"one": 1})))
    sampan.start()
    sampan.until_ready()
    sampan.until_answer("one")
    return sampan


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_control_plane_fails_no_request_and_the_next_one_adopts(serving: Sampan, two: Echo) -> None:
    before = serving.children()
    with serving.load() as seen:
        os.kill(before["control"], signal.SIGKILL)
        until(lambda: serving.children().get("control", before["control"]) != before["control"])
        until(serving.ready, lambda: serving.log)
        # The new one changes things in the very same Envoy.
        serving.write("more.yaml", joined(backend("two", two.port), route("b", {"two": 1}, path="/two")))
        serving.until_answer("two", "/two")
    assert set(seen) == {200}
    assert serving.children()["envoy"] == before["envoy"]


def test_a_killed_envoy_is_back(serving: Sampan) -> None:
    before = serving.children()["envoy"]
    began = time.monotonic()
    os.kill(before, signal.SIGKILL)
    until(lambda: serving.children().get("envoy") not in (None, before), seconds=BACK_SECONDS)
    serving.until_answer("one")
    assert time.monotonic() - began < BACK_SECONDS


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_an_envoy_that_starts_without_a_control_plane_has_its_last_configuration(
    serving: Sampan, how: signal.Signals
) -> None:
    until(lambda: list((serving.folder / "rows").glob("*.rows")), lambda: serving.log)
    before = serving.children()
    if how is signal.SIGKILL:
        (serving.folder / "supervisor.sock").unlink()  # the next one finds no supervisor, so none comes back
    os.kill(before["control"], how)
    if how is signal.SIGSTOP:
        until(lambda: not _beats(serving), seconds=BACK_SECONDS)
    os.kill(before["envoy"], signal.SIGKILL)
    until(lambda: serving.children().get("envoy") not in (None, before["envoy"]), lambda: serving.log)
    serving.until_answer("one")
    assert "serving the last configuration of 1 proxies" in serving.log
    if how is signal.SIGSTOP:
        os.kill(before["control"], signal.SIGCONT)


def _beats(serving: Sampan) -> bool:
    """Whether the supervisor counts on its control plane."""
    from sampan.proxy.client import call

    return bool(call(serving.folder / "supervisor.sock", {"op": "hello"})["control_ready"])


def test_killing_the_supervisor_leaves_nothing(serving: Sampan) -> None:
    children = serving.children()
    assert serving.process is not None
    serving.process.kill()
    serving.process.wait()
    until(lambda: not any(alive(pid) for pid in children.values()), lambda: children)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", serving.port)) != 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_lets_requests_in_flight_finish(serving: Sampan, one: Echo, number: signal.Signals) -> None:
    children = serving.children()
    answers: list[tuple[int, str]] = []
    slow = threading.Thread(target=lambda: answers.append(serving.ask("/slow?1", timeout=20)))
    slow.start()
    assert one.waiting.wait(20)
    assert serving.stop(number) == 0
    slow.join()
    assert answers == [(200, "one")], serving.log
    assert not any(alive(pid) for pid in children.values())
    assert not list(serving.folder.glob("*.sock")), "no socket is left that nobody listens at"


def test_down_ends_everything(serving: Sampan) -> None:
    from sampan.proxy.client import call

    children = serving.children()
    call(serving.folder / "supervisor.sock", {"op": "down"})
    assert serving.process is not None
    assert serving.process.wait(20) == 0
    assert not any(alive(pid) for pid in children.values())


def test_a_gateway_without_routes_answers_404_and_one_that_goes_stops_listening(sampan: Sampan, one: Echo) -> None:
    sampan.write("all.yaml", gateway(sampan.port))
    sampan.start()
    sampan.until_answer(404)
    sampan.remove("all.yaml")
    until(lambda: sampan.ask()[0] == 0, lambda: sampan.log)
    until(lambda: "envoy" not in sampan.children(), sampan.children)
