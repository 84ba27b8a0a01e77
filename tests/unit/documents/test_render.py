"""Objects and their status as documents again."""

from __future__ import annotations

import json

import yaml

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import load
from sampan.documents.render import rendered, to_json, to_yaml
from sampan.model.meta import Object
from sampan.model.status import Condition, ListenerStatus, ParentStatus, Status

ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1beta1
kind: HTTPRoute
metadata:
  name: shop
  labels: {app: "yes"}
spec:
  parentRefs:
  - name: edge
  hostnames: [shop.example.com]
  rules:
  - timeouts: {request: 1m30s}
    backendRefs:
    - name: a
      port: 80
"""


def only(text: str) -> Object:
    return load(text, "a.yaml", BUILT_IN).objects[0]


def test_a_document_comes_back_as_it_was_written() -> None:
    result = rendered(only(ROUTE), BUILT_IN)
    written = yaml.safe_load(ROUTE)
    written["apiVersion"] = "gateway.networking.k8s.io/v1"
    written["metadata"]["namespace"] = "default"
    assert result == written
    again = load(to_yaml([result, result | {"metadata": {"name": "other"}}]), "b.yaml", BUILT_IN)
    assert again.diagnostics == ()
    assert [item.spec for item in again.objects] == [only(ROUTE).spec] * 2
    assert json.loads(to_json([result])) == result
    assert json.loads(to_json([result, result]))["kind"] == "List"


def test_status_with_times_and_generation() -> None:
    status = Status(
        conditions=(Condition("Accepted", "True", "Accepted", "fine"),),
        listeners=(
            ListenerStatus(
                "web", (("gateway.networking.k8s.io", "HTTPRoute"),), 2, (Condition("Programmed", "False", "Pending"),)
            ),
        ),
        parents=(ParentStatus({"name": "edge"}, (Condition("ResolvedRefs", "True", "ResolvedRefs"),)),),
        extra=(("addresses", ({"type": "IPAddress", "value": "127.0.0.1"},)),),
    )
    times = {("", "Accepted"): "2026-01-31T12:00:00Z", ("listeners/web", "Programmed"): "2026-02-01T12:00:00Z"}
    result = rendered(only(ROUTE), BUILT_IN, status, generation=3, transitions=times)
    assert result["metadata"]["generation"] == 3
    assert result["status"] == {
        "conditions": [
            {
                "type": "Accepted",
                "status": "True",
                "observedGeneration": 3,
                "lastTransitionTime": "2026-01-31T12:00:00Z",
                "reason": "Accepted",
                "message": "fine",
            }
        ],
        "listeners": [
            {
                "name": "web",
                "supportedKinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
                "attachedRoutes": 2,
                "conditions": [
                    {
                        "type": "Programmed",
                        "status": "False",
                        "observedGeneration": 3,
                        "lastTransitionTime": "2026-02-01T12:00:00Z",
                        "reason": "Pending",
                        "message": "",
                    }
                ],
            }
        ],
        "parents": [
            {
                "parentRef": {"name": "edge"},
                "controllerName": "sampan.dev/gateway-controller",
                "conditions": [
                    {
                        "type": "ResolvedRefs",
                        "status": "True",
                        "observedGeneration": 3,
                        "reason": "ResolvedRefs",
                        "message": "",
                    }
                ],
            }
        ],
        "addresses": [{"type": "IPAddress", "value": "127.0.0.1"}],
    }


def test_a_secret_keeps_its_values() -> None:
    text = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: kubernetes.io/tls\nstringData: {tls.key: hunter2}\n"
    )
    result = to_yaml([rendered(only(text), BUILT_IN)])
    assert "hunter2" not in result
    assert yaml.safe_load(result)["stringData"] == {"tls.key": "<redacted>"}


def test_text_of_several_lines_and_text_that_looks_otherwise() -> None:
    text = to_yaml([{"a": "x\ny\n", "b": "on", "c": "1", "d": True}])
    assert text == "a: |\n  x\n  y\nb: 'on'\nc: '1'\nd: true\n"
