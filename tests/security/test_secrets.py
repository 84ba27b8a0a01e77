"""What a Secret holds is nowhere but where it must be: a recognisable one is planted, and everything is searched."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from ..conformance.certificates import authority, tls_secret
from ..daemon.conftest import Echo, Sampan, backend, free_port, gateway, joined, route

pytestmark = pytest.mark.envoy

WORD = "xyzzy-plugh-5309"
# As `kubectl apply` leaves it on what it wrote.
APPLIED = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"stringData": {"password": WORD}})}
REFUSED = Path(__file__).parents[1] / "mistakes" / "rsa-pss.yaml"
"""A certificate that is fine for us, and not for Envoy."""


def documents(port: int, tls: int, upstream: int) -> str:
    """A good certificate, and Secrets that are broken in several ways with the word in them."""
    pairs = [authority("security").leaf("shop.example") for _ in range(3)]
    good = tls_secret("default", "good", pairs[0])
    mismatched = tls_secret("default", "mismatched", (pairs[1][0], pairs[2][1]))
    refused = yaml.safe_load(REFUSED.read_text())
    about = {"apiVersion": "v1", "kind": "Secret"}
    odd = [
        {**about, "metadata": {"name": "opaque", "annotations": APPLIED}, "stringData": {"password": WORD}},
        {**about, "metadata": {"name": "encoded"}, "data": {"password": base64.b64encode(WORD.encode()).decode()}},
        {**about, "metadata": {"name": "not-base64"}, "data": {"password": f"{WORD}!!"}},
        {**about, "metadata": {"name": "wrong-type"}, "data": [WORD]},
        {**about, "metadata": {"name": "wrong-field"}, "strinData": {"password": WORD}},
        {
            **about,
            "metadata": {"name": "not-pem"},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": f"-----BEGIN CERTIFICATE-----\n{WORD}\n", "tls.key": f"-----BEGIN {WORD}"},
        },
    ]
    listeners = [
        {
            "name": f"l{number}",
            "protocol": "HTTPS",
            "port": tls,
            "hostname": f"h{number}.example",
            "tls": {"certificateRefs": [{"name": name}]},
        }
        for number, name in enumerate(("good", "not-pem", "opaque", "mismatched", "odd.example"))
    ]
    spec = {"gatewayClassName": "sampan", "listeners": listeners}
    secure = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "tls"},
        "spec": spec,
    }
    basis = joined(gateway(port), backend("one", upstream), route("a", {"one": 1}))
    return basis + "---\n" + yaml.safe_dump_all([good, mismatched, refused, *odd, secure])


def words(text: str) -> list[str]:
    """What must not be seen: the word, plain and encoded, and every line of the keys."""
    found = [WORD, base64.b64encode(WORD.encode()).decode().rstrip("=")]
    for item in yaml.safe_load_all(text):
        if item["kind"] == "Secret" and isinstance(item.get("data"), dict) and "tls.key" in item["data"]:
            key = item["data"]["tls.key"]
            lines = base64.b64decode(key).decode().splitlines()
            found += [key[:60], *(line for line in lines if len(line) > 20 and not line.startswith("-----"))]
    return found


def run(sampan: Sampan, *arguments: str) -> str:
    environment = {**os.environ, "SAMPAN_STATE": str(sampan.folder)}
    command = [sys.executable, "-m", "sampan.cli", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_secrets_are_seen_nowhere(sampan: Sampan, one: Echo) -> None:
    text = documents(sampan.port, free_port(), one.port)
    sampan.write("all.yaml", text)
    sampan.start()
    sampan.until_answer("one")
    sampan.until_diagnostic("SMP0308")
    sampan.until_diagnostic("SMP0501")  # what Envoy itself says of a certificate
    folder = str(sampan.documents)
    outputs = {
        "check": run(sampan, "check", folder),
        "check json": run(sampan, "check", folder, "-o", "json"),
        "compile": run(sampan, "compile", folder),
        "get yaml": run(sampan, "get", "secrets", "-A", "-o", "yaml"),
        "get all": run(sampan, "get", "all", "-A", "-o", "json"),
        "describe": "".join(
            run(sampan, "describe", "secret", name) for name in ("good", "opaque", "encoded", "not-pem")
        ),
        "config": run(sampan, "config", "default/tls"),
        "proxies": run(sampan, "proxies", "-o", "json"),
        "diagnostics": run(sampan, "get", "diagnostics", "-o", "json"),
    }
    for pid in sampan.children().values():
        with suppress(OSError):
            outputs[f"arguments of {pid}"] = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            outputs[f"environment of {pid}"] = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    bootstraps = sampan.folder.glob("proxies/*/bootstrap.json")
    outputs |= {str(path): path.read_text() for path in bootstraps}
    assert sampan.stop() == 0
    outputs["log"] = sampan.log
    assert "redacted" in outputs["config"], "the certificate's key is there, and hidden"
    assert all(outputs.values())
    found = {name: word for name, output in outputs.items() for word in words(text) if word in output}
    assert not found


def test_what_is_kept_is_open_to_its_user_alone(sampan: Sampan, one: Echo) -> None:
    sampan.write("all.yaml", documents(sampan.port, free_port(), one.port))
    mask = os.umask(0)
    try:
        sampan.start()
    finally:
        os.umask(mask)
    sampan.until_answer("one")
    assert stat.S_IMODE(sampan.folder.stat().st_mode) == 0o700
    assert sampan.stop() == 0
    for path in sampan.folder.rglob("*"):
        mode = path.lstat()
        if stat.S_ISREG(mode.st_mode) and ("state.db" in path.name or path.suffix == ".rows"):
            assert stat.S_IMODE(mode.st_mode) == 0o600, path
        if stat.S_ISSOCK(mode.st_mode):
            assert stat.S_IMODE(mode.st_mode) & 0o077 == 0, path


def test_sockets_are_open_to_their_user_alone(sampan: Sampan, one: Echo) -> None:
    sampan.write("all.yaml", joined(gateway(sampan.port), backend("one", one.port), route("a", {"one": 1})))
    mask = os.umask(0)
    try:
        sampan.start()
    finally:
        os.umask(mask)
    sampan.until_answer("one")
    sampan.until_ready()  # the API opens after the first proxies are served
    sockets = [path for path in sampan.folder.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
    assert len(sockets) >= 4  # the API, the supervisor, xDS, Envoy's admin
    for path in sockets:
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path
