"""`sampan check` and `sampan compile`, on real files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import Result

Run = Callable[..., Result]

GOOD = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: shop}
spec:
  gatewayClassName: sampan
  listeners:
    - {name: web, protocol: HTTP, port: 18080}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart}
spec:
  parentRefs: [{name: shop}]
  rules:
    - backendRefs: [{name: cart, port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec:
  selector: {app: cart}
  ports: [{port: 80}]
---
apiVersion: sampan.dev/v1alpha1
kind: Backend
metadata: {name: cart-1, labels: {app: cart}}
spec:
  endpoints: [{address: 127.0.0.1, port: 9001}]
"""
BAD = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: bad}
spec:
  parentRefs: [{name: shop}]
  rulez: []
  hostnames: [7]
"""
STRANGE = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cart}\n"


@pytest.fixture
def documents(folder: Path) -> Path:
    path = folder / "documents"
    path.mkdir()
    (path / "shop.yaml").write_text(GOOD)
    return path


def test_right_documents_say_so_on_stderr_alone(sampan: Run, documents: Path) -> None:
    result = sampan("check", str(documents))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "no mistakes in 4 objects of 1 file\n"


def test_all_mistakes_at_once_each_at_its_line(sampan: Run, documents: Path) -> None:
    (documents / "bad.yaml").write_text(BAD)
    (documents / "torn.yaml").write_text("kind: [\n")
    result = sampan("check", str(documents))
    assert result.exit_code == 1
    places = [line.split(" ")[0] for line in result.stdout.splitlines() if "error[SMP" in line]
    assert f"{documents}/bad.yaml:6:3:" in places
    assert f"{documents}/bad.yaml:7:15:" in places
    assert any(place.startswith(f"{documents}/torn.yaml:") for place in places)
    assert "   field: spec.rulez" in result.stdout
    assert "rules" in result.stdout
    assert result.stderr.startswith(f"{len(places)} errors in ")


def test_json_has_every_mistake_and_the_counts(sampan: Run, documents: Path) -> None:
    (documents / "bad.yaml").write_text(BAD)
    result = sampan("check", str(documents), "-o", "json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["errors"] == sum(item["severity"] == "error" for item in found["items"]) >= 2
    assert found["files"] == 2
    first = next(item for item in found["items"] if item["field"] == "spec.rulez")
    assert first["object"] == "HTTPRoute/default/bad"
    assert (first["file"], first["line"], first["column"]) == (f"{documents}/bad.yaml", 6, 3)
    assert first["code"].startswith("SMP")
    assert first["reason"]
    assert first["hint"]


def test_warnings_alone_pass_unless_strict(sampan: Run, documents: Path) -> None:
    (documents / "other.yaml").write_text(STRANGE)
    result = sampan("check", str(documents))
    assert result.exit_code == 0
    assert "warning[SMP" in result.stdout
    assert result.stderr == "1 warning in 4 objects of 2 files\n"
    assert sampan("check", str(documents), "--strict").exit_code == 1


def test_a_missing_reference_is_found_by_resolving(sampan: Run, documents: Path) -> None:
    (documents / "shop.yaml").write_text(GOOD.replace("backendRefs: [{name: cart,", "backendRefs: [{name: gone,"))
    result = sampan("check", str(documents))
    assert result.exit_code == 1
    assert "gone" in result.stdout
    assert "shop.yaml:15:" in result.stdout


def test_a_path_that_is_not_there_is_a_mistake_like_others(sampan: Run, documents: Path) -> None:
    result = sampan("check", str(documents), "/nowhere/shop.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith("/nowhere/shop.yaml: error[SMP")


def test_a_folder_without_documents_is_a_sentence(sampan: Run, folder: Path) -> None:
    (folder / "empty").mkdir()
    result = sampan("check", str(folder / "empty"))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: there are no documents in {folder}/empty\nhint: ")


def test_an_empty_path_is_wrong_usage(sampan: Run) -> None:
    assert sampan("check", "").exit_code == 2


def test_check_loads_no_protobufs_and_no_grpc(documents: Path, folder: Path) -> None:
    code = (
        "import sys\nfrom sampan.cli.main import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "check", str(documents)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stderr.split())
    assert "sampan.resolve.world" in loaded
    assert not {"google.protobuf", "grpc", "envoy", "sampan.envoy", "sampan.compile", "rich"} & loaded


def test_compile_prints_what_envoy_is_sent(sampan: Run, documents: Path) -> None:
    result = sampan("compile", str(documents))
    assert (result.exit_code, result.stderr) == (0, "")
    resources = yaml.safe_load(result.stdout)["default/shop"]
    assert list(resources) == ["listeners", "routes", "clusters", "endpoints", "secrets"]
    assert [cluster["name"] for cluster in resources["clusters"]] == ["service/default/cart/80"]
    (assignment,) = resources["endpoints"]
    address = assignment["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert address == {"address": "127.0.0.1", "port_value": 9001}
    assert resources["listeners"][0]["address"]["socket_address"]["port_value"] == 18080
    assert resources["routes"]


def test_compile_one_type_of_one_gateway(sampan: Run, documents: Path) -> None:
    result = sampan("compile", str(documents), "--gateway", "shop", "--type", "clusters", "-o", "json")
    assert list(json.loads(result.stdout)["default/shop"]) == ["clusters"]
    unknown = sampan("compile", str(documents), "--gateway", "shoop")
    assert unknown.exit_code == 2
    assert "there is no Gateway default/shoop" in unknown.stderr
    assert "default/shop" in unknown.stderr.splitlines()[-1]


def test_compile_tells_mistakes_and_compiles_the_rest(sampan: Run, documents: Path) -> None:
    (documents / "bad.yaml").write_text(BAD)
    result = sampan("compile", str(documents), "-o", "json")
    assert result.exit_code == 1
    assert "error[SMP" in result.stderr
    assert json.loads(result.stdout)["default/shop"]["clusters"]


def test_private_keys_do_not_show(sampan: Run, documents: Path) -> None:
    chain, key = _certificate()
    (documents / "tls.pem").write_bytes(chain)
    (documents / "tls.key").write_bytes(key)
    (documents / "tls.yaml").write_text(TLS)
    result = sampan("compile", str(documents), "-o", "json")
    assert result.exit_code == 0, result.stderr
    (secret,) = json.loads(result.stdout)["default/secure"]["secrets"]
    assert secret["tls_certificate"]["private_key"] == {"inline_string": "<redacted>"}
    for command in (("check",), ("compile",)):
        output = sampan(*command, str(documents)).output
        assert "PRIVATE KEY" not in output
        assert key.decode().splitlines()[1] not in output


TLS = """\
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata:
  name: shop
  annotations:
    files.sampan.dev/tls.crt: tls.pem
    files.sampan.dev/tls.key: tls.key
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: secure}
spec:
  gatewayClassName: sampan
  listeners:
    - name: https
      protocol: HTTPS
      port: 18443
      tls: {certificateRefs: [{name: shop}]}
"""


def _certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(encoding), private


def test_what_will_be_registered_may_be_referred_to(sampan: Run, documents: Path) -> None:
    text = GOOD.replace("backendRefs: [{name: cart,", "backendRefs: [{name: Order_Service,")
    (documents / "shop.yaml").write_text(text)
    result = sampan("check", str(documents))
    assert result.exit_code == 1
    assert "--registered NAME" in result.stdout
    result = sampan("check", str(documents), "--registered", "Order_Service")
    assert "is called 'order-service-b170912c' here" in result.stdout
    (documents / "shop.yaml").write_text(text.replace("name: Order_Service", "name: order-service-b170912c"))
    result = sampan("check", str(documents), "--registered", "Order_Service")
    assert result.exit_code == 0, result.stdout
