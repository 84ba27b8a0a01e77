"""What only Envoy can refuse: found, isolated, told; everything else goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .conftest import Echo, Sampan, backend, gateway, joined, raw_route, route, until

pytestmark = pytest.mark.envoy

MANY = 1000
# The goal is one second on a quiet machine; a test that fails on a busy one would say nothing about the product. The
# figure itself is measured by `bench propagate`.
ISOLATED_SECONDS = 5.0


def many_routes(echo: Echo, bad: str = "") -> str:
    routes = [route(f"r{number:04d}", {"one": 1}, path=f"/p{number:04d}") for number in range(MANY)]
    documents = [gateway(0), backend("one", echo.port), *routes]
    return joined(*documents, *([raw_route("bad", bad, "(")] if bad else []))


def with_port(text: str, sampan: Sampan) -> str:
    return text.replace('"port": 0', f'"port": {sampan.port}')


def test_one_bad_route_in_a_thousand_is_isolated_while_running(sampan_with_raw_route: Sampan, one: Echo) -> None:
    sampan = sampan_with_raw_route
    sampan.write("all.yaml", with_port(many_routes(one), sampan))
    sampan.start()
    sampan.until_answer("one", "/p0999")
    with sampan.load(path="/p0500") as seen:
        sampan.write("bad.yaml", raw_route("bad", "r0637", "("))
        told = sampan.until_diagnostic("SMP0501", ISOLATED_SECONDS)
        # A change that comes with or after it is in force all the same.
        sampan.write("more.yaml", route("more", {"one": 1}, path="/more"))
        sampan.until_answer("one", "/more")
    assert set(seen) == {200}
    assert told["object"] == "HTTPRoute/default/r0637"
    assert told["field"] == "spec.rules[0]"
    assert told["file"].endswith("all.yaml")
    assert "missing )" in told["reason"]
    assert sampan.ask("/p0637") == (200, "one"), "the last good version stays in force"
    # Mended, nothing is left of it.
    sampan.remove("bad.yaml")
    until(lambda: not sampan.diagnostics(), sampan.diagnostics)
    assert sampan.ask("/p0637") == (200, "one")


def test_at_a_cold_start_only_the_bad_route_answers_500(sampan_with_raw_route: Sampan, one: Echo) -> None:
    sampan = sampan_with_raw_route
    sampan.write("all.yaml", with_port(many_routes(one, bad="r0637"), sampan))
    sampan.start()
    sampan.until_answer("one", "/p0000")
    assert sampan.ask("/p0637")[0] == 500
    assert sampan.ask("/p0638") == (200, "one")
    assert sampan.until_diagnostic("SMP0501")["object"] == "HTTPRoute/default/r0637"


def test_what_was_refused_is_known_after_a_restart(sampan_with_raw_route: Sampan, one: Echo) -> None:
    sampan = sampan_with_raw_route
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), route("a", {"one": 1})))
    sampan.start()
    sampan.until_answer("one")
    sampan.write("bad.yaml", raw_route("bad", "a", "("))
    sampan.until_diagnostic("SMP0501")
    assert sampan.stop() == 0
    refused = sampan.log.count("rejected: missing )")
    assert refused
    sampan.start()
    sampan.until_answer("one")
    assert sampan.until_diagnostic("SMP0501")["hint"] == "its last good version stays in force"
    assert sampan.log.count("rejected: missing )") == refused, "Envoy is not asked again what it refused before"


def test_several_bad_routes_at_once(sampan_with_raw_route: Sampan, one: Echo) -> None:
    sampan = sampan_with_raw_route
    names = [f"r{number}" for number in range(12)]
    routes = [route(name, {"one": 1}, path=f"/{name}") for name in names]
    bad = [raw_route(f"bad-{name}", name, "(") for name in ("r2", "r3", "r11")]
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), *routes, *bad))
    sampan.start()
    sampan.until_answer("one", "/r0")
    until(lambda: len(sampan.diagnostics()) == 3, sampan.diagnostics)
    assert {item["object"] for item in sampan.diagnostics()} == {f"HTTPRoute/default/{n}" for n in ("r2", "r3", "r11")}
    answers = {name: sampan.ask(f"/{name}")[0] for name in names}
    assert answers == {name: 500 if name in ("r2", "r3", "r11") else 200 for name in names}


def test_a_port_in_use_is_told_and_taken_when_it_is_free(sampan: Sampan, one: Echo, two: Echo) -> None:
    taken = gateway(two.port, "other")
    sampan.write("all.yaml", joined(gateway(sampan.port), taken, backend("one", one.port), route("a", {"one": 1})))
    sampan.start()
    sampan.until_answer("one")
    told = sampan.until_diagnostic("SMP0601")
    assert told["object"] == "Gateway/default/other"
    assert told["field"] == "spec.listeners[0].port"
    assert f"{two.port} is in use by" in told["reason"]
    assert sampan.ask(port=two.port) == (200, "two"), "who has the port keeps it"
    status = sampan.api.objects("Gateway", "default", "other")[0]["status"]
    programmed = next(item for item in status["conditions"] if item["type"] == "Programmed")
    assert (programmed["status"], programmed["reason"]) == ("False", "AddressNotUsable")
    two.stop()
    sampan.until_answer(404, port=two.port)
    until(lambda: not sampan.diagnostics(), sampan.diagnostics)


def test_isolation_takes_less_than_its_limit(sampan_with_raw_route: Sampan, one: Echo, tmp_path: Path) -> None:
    """Not a measurement: a search that tried every route in turn would take a minute."""
    sampan = sampan_with_raw_route
    sampan.write("all.yaml", with_port(many_routes(one), sampan))
    sampan.start()
    sampan.until_answer("one", "/p0999")
    began = time.monotonic()
    sampan.write("bad.yaml", raw_route("bad", "r0001", "("))
    sampan.until_diagnostic("SMP0501", ISOLATED_SECONDS)
    print(f"isolated after {time.monotonic() - began:.2f} s")


def test_a_bug_in_a_policy_keeps_what_was_in_force_and_is_told(sampan_with_raw_route: Sampan, one: Echo) -> None:
    sampan = sampan_with_raw_route
    documents = joined(gateway(sampan.port), backend("one", one.port), route("r", {"one": 1}, path="/r"))
    sampan.write("all.yaml", documents)
    sampan.start()
    sampan.until_answer("one", "/r")
    with sampan.load(path="/r") as seen:
        sampan.write("bug.yaml", raw_route("bug", "r", "x").replace('"pathRegex"', '"bug"'))
        told = sampan.until_diagnostic("SMP0603")
        sampan.write("more.yaml", route("more", {"one": 1}, path="/more"))
        # Without the bug everything that came meanwhile is in force.
        sampan.remove("bug.yaml")
        sampan.until_answer("one", "/more")
    assert set(seen) == {200}
    assert "RuntimeError: x" in told["reason"]
    until(lambda: not sampan.diagnostics(), sampan.diagnostics)
