"""Text from documents goes where it belongs and nowhere else."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ..daemon.conftest import Echo, Sampan, backend, document, gateway, joined, route, until

pytestmark = pytest.mark.envoy


def with_filters(name: str, *filters: dict[str, object]) -> str:
    rule = {"filters": list(filters), "backendRefs": [{"group": "sampan.dev", "kind": "Backend", "name": "one"}]}
    spec = {"parentRefs": [{"name": "shop"}], "hostnames": [f"{name}.example"], "rules": [rule]}
    return document("gateway.networking.k8s.io/v1", "HTTPRoute", name) + json.dumps(spec) + "\n"


def answer(port: int, host: str, path: str = "/") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"host": host})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


OPERATORS = "%REQ(host)% %DOWNSTREAM_REMOTE_ADDRESS% 100% %%"


def test_envoys_format_operators_are_plain_text(sampan: Sampan, one: Echo) -> None:
    change = {"set": [{"name": "x-odd", "value": OPERATORS}]}
    to = {"hostname": "else.example", "path": {"type": "ReplaceFullPath", "replaceFullPath": "/a%25REQ(host)%25b"}}
    sampan.write(
        "all.yaml",
        joined(
            gateway(sampan.port),
            backend("one", one.port),
            with_filters("headers", {"type": "ResponseHeaderModifier", "responseHeaderModifier": change}),
            document("gateway.networking.k8s.io/v1", "HTTPRoute", "redirect")
            + json.dumps(
                {
                    "parentRefs": [{"name": "shop"}],
                    "hostnames": ["redirect.example"],
                    "rules": [{"filters": [{"type": "RequestRedirect", "requestRedirect": to}]}],
                }
            )
            + "\n",
        ),
    )
    sampan.start()
    sampan.until_answer("one", host="headers.example")
    assert answer(sampan.port, "headers.example").getheader("x-odd") == OPERATORS
    location = answer(sampan.port, "redirect.example").getheader("location") or ""
    assert location.endswith("/a%25REQ(host)%25b")


@pytest.mark.parametrize("text", ["a\r\nevil: 1", "a\nevil: 1", "a\x00b", "a\x1b[2J", "ü"])
def test_control_characters_never_get_into_headers(tmp_path: Path, text: str) -> None:
    change = {"set": [{"name": "x-odd", "value": text}]}
    (tmp_path / "all.yaml").write_text(
        joined(
            gateway(18399),
            backend("one", 18398),
            with_filters("a", {"type": "RequestHeaderModifier", "requestHeaderModifier": change}),
        )
    )
    command = [sys.executable, "-m", "sampan.cli", "check", str(tmp_path), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert [item["code"] for item in json.loads(done.stdout)["items"]] == ["SMP0110"]


EVIL = "x\x1b[2J\x07\nsupervisor | all is well\r\x9b2J\u202e"


def test_no_text_commands_the_terminal_or_forges_a_log_line(sampan: Sampan, one: Echo) -> None:
    http_route = document("gateway.networking.k8s.io/v1", "HTTPRoute", "bad")
    annotated = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "annotations": {"a": EVIL}}}
    referring = document("gateway.networking.k8s.io/v1", "HTTPRoute", "refers") + json.dumps(
        {"parentRefs": [{"name": "shop"}], "rules": [{"backendRefs": [{"name": EVIL, "port": 80}]}]}
    )
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), route("a", {"one": 1})))
    sampan.write("bad.yaml", http_route + json.dumps({EVIL: 1, "parentRefs": EVIL}) + "\n")
    sampan.write("more.yaml", joined(json.dumps({**annotated, "data": {"k": EVIL}}) + "\n", referring))
    (sampan.documents / "e\x1b[31mvil\n.yaml").write_text("kind: [")
    sampan.start()
    sampan.until_answer("one")
    until(lambda: "SMP0103" in sampan.log, lambda: sampan.log)
    folder, state = str(sampan.documents), ("--state", str(sampan.folder))
    outputs = [
        command(*arguments)
        for arguments in (
            ("check", folder),
            ("check", folder, "-o", "json"),
            ("check", folder, "-o", "yaml"),
            ("compile", folder),
            ("get", "all", "-A", *state),
            ("get", "all", "-A", "-o", "json", *state),
            ("get", "all", "-A", "-o", "yaml", *state),
            ("describe", "configmap", "c", *state),
            ("describe", "httproute", "refers", *state),
            ("describe", "httproute", "refers", "-o", "json", *state),
            ("config", "shop", *state),
        )
    ]
    assert sampan.stop() == 0
    for output in (*outputs, sampan.log):
        assert output
        assert not set(output) & {"\x1b", "\x07", "\r", "\x9b"}, output
        assert "\nsupervisor | all is well" not in output


def command(*arguments: str) -> str:
    """What a command prints, to both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "sampan.cli", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("path", ["../outside.pem", "/etc/hostname", "link.pem", "sub/../../outside.pem"])
def test_documents_name_no_files_outside_their_folder(sampan: Sampan, path: str) -> None:
    (sampan.documents.parent / "outside.pem").write_text("outside")
    (sampan.documents / "link.pem").symlink_to("../outside.pem")
    text = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "ca", "annotations": {"files.sampan.dev/ca.crt": path}},
            "data": {},
        }
    )
    (sampan.documents / "all.yaml").write_text(text)
    command = [sys.executable, "-m", "sampan.cli", "check", str(sampan.documents), "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert [item["code"] for item in json.loads(done.stdout)["items"]] == ["SMP0206"]


def test_garbage_on_the_sockets_harms_nothing(sampan: Sampan, one: Echo) -> None:
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), route("a", {"one": 1})))
    sampan.start()
    sampan.until_answer("one")
    sampan.until_ready()  # the API opens after the first proxies are served
    garbage = (
        b"\x00\xff" * 100 + b"\n",
        b"{}\n[1]\n",
        b"GET /v1/\xff HTTP/9\r\n\r\n",
        b'{"op": "apply", "proxies": 3}\n',
    )
    for name in ("api.sock", "supervisor.sock", "xds.sock"):
        for data in garbage:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(os.path.realpath(sampan.folder / name))
                connection.sendall(data)
    children = sampan.children()
    assert sampan.ready()
    assert sampan.ask() == (200, "one")
    assert sampan.children() == children
    assert "Traceback" not in sampan.log


def test_a_state_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("")
    folder = tmp_path / "state"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    command = [sys.executable, "-m", "sampan.cli", "up", "-f", str(tmp_path / "all.yaml"), "--state", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "open to other users" in done.stderr
