"""What is odd about one Gateway, or about one file's name, harms no other."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import yaml

from ..conformance.certificates import authority, tls_secret
from ..daemon.conftest import Echo, Sampan, backend, document, free_port, gateway, joined, route, until

pytestmark = pytest.mark.envoy

LONGEST = "-".join(["a" * 62] * 4) + "b"
HOST = ".".join(["h" * 61] * 4)


def test_the_longest_names_are_taken(sampan: Sampan, one: Echo) -> None:
    assert len(LONGEST) == 252
    port, namespace = free_port(), "n" * 63
    spec = {
        "gatewayClassName": "sampan",
        "listeners": [
            {
                "name": LONGEST,
                "protocol": "HTTPS",
                "port": port,
                "hostname": HOST,
                "tls": {"certificateRefs": [{"name": LONGEST}]},
            }
        ],
    }
    refs = [{"group": "sampan.dev", "kind": "Backend", "name": LONGEST}]
    rule = {"name": LONGEST, "backendRefs": refs}
    routed = {"parentRefs": [{"name": LONGEST, "sectionName": LONGEST}], "hostnames": [HOST], "rules": [rule]}
    ours = joined(
        document("gateway.networking.k8s.io/v1", "Gateway", LONGEST) + json.dumps(spec) + "\n",
        document("gateway.networking.k8s.io/v1", "HTTPRoute", LONGEST) + json.dumps(routed) + "\n",
        backend(LONGEST, one.port),
    ).replace("metadata: {", f"metadata: {{namespace: {namespace}, ")
    secret = tls_secret(namespace, LONGEST, authority().leaf(HOST))
    sampan.write("long.yaml", ours + "---\n" + yaml.safe_dump(secret))
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), route("a", {"one": 1})))
    sampan.start()
    sampan.until_answer("one")
    sampan.until_ready()
    assert sampan.diagnostics() == []

    def long_one() -> dict[str, Any]:
        return next(item for item in sampan.api.proxies() if item["proxy"] == f"{namespace}/{LONGEST}")

    until(lambda: long_one()["state"] == "ready", long_one)
    assert all(sync["in_sync"] for sync in long_one()["types"].values())


def test_a_bootstrap_that_cannot_be_written_keeps_its_gateway_alone_waiting(sampan: Sampan, one: Echo) -> None:
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), route("a", {"one": 1})))
    sampan.start()
    sampan.until_answer("one")
    children = sampan.children()
    in_the_way = sampan.folder / "proxies" / "default~second"
    in_the_way.write_text("")
    second = free_port()
    sampan.write("second.yaml", gateway(second, "second"))
    until(lambda: "the bootstrap of default/second cannot be written" in sampan.log, lambda: sampan.log)
    sampan.write("more.yaml", route("more", {"one": 1}, host="more.example"))
    sampan.until_answer("one", host="more.example")
    assert sampan.children() == children, "the control plane goes on"
    in_the_way.unlink()
    sampan.until_answer(404, port=second)


def test_a_file_name_that_is_no_utf_8_harms_nothing(sampan: Sampan, one: Echo) -> None:
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), route("a", {"one": 1})))
    (sampan.documents / os.fsdecode(b"b\xe4ckerei.yaml")).write_text(route("more", {"one": 1}, host="more.example"))
    (sampan.documents / os.fsdecode(b"bad\xff.yaml")).write_text("kind: [\n")
    sampan.start()
    sampan.until_answer("one", host="more.example")
    told = sampan.until_diagnostic("SMP0104")
    assert told["file"].endswith("bad\\xff.yaml")
    control = sampan.children()["control"]
    assert sampan.stop() == 0  # everything was put on disk
    assert "Traceback" not in sampan.log
    sampan.start()
    sampan.until_answer("one", host="more.example")
    assert sampan.children()["control"] != control
    assert "starts again" not in sampan.log
