"""What is said of registered services and their instances."""

from __future__ import annotations

from sampan.daemon.registered import instances, service_status
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.kinds.instance import Check
from sampan.documents.kinds.shape import FrozenDict
from sampan.documents.load import load
from sampan.documents.render import rendered
from sampan.model.meta import Object
from sampan.model.names import CORE, Ref
from sampan.model.snapshot import Snapshot
from sampan.resolve import index_of

from ... import registered
from ...registered import instance

DOWN = instance(
    "reviews",
    "10.0.0.2",
    version="v2",
    state="down",
    weight=3,
    checks=(Check("http", "critical", "503\nbody"),),
    tags=("fast",),
    meta=FrozenDict({"team": "a"}),
)
V2 = """apiVersion: v1
kind: Service
metadata: {name: reviews-v2}
spec: {selector: {sampan.dev/service: reviews, version: v2}, ports: [{port: 9080}]}
"""


def snapshot() -> Snapshot:
    loaded = registered.registered("reviews", instance("reviews", "10.0.0.1", version="v1"), DOWN)
    documents = {item.ref: item for item in load(V2, "a.yaml", BUILT_IN).objects}
    return Snapshot(index_of).with_changes({**registered.objects(loaded), **documents})


def service(name: str) -> Object:
    return snapshot().objects[Ref(CORE, "Service", "default", name)]


def test_a_service_says_how_many_endpoints_it_has_and_where_it_comes_from() -> None:
    for name in ("reviews", "reviews@consul"):
        assert service_status(service(name), snapshot()) == {
            "source": "consul",
            "endpoints": {"ready": 1, "total": 2},
        }
    assert service_status(service("reviews-v2"), snapshot()) == {
        "source": "files",
        "endpoints": {"ready": 0, "total": 1},
    }


def test_a_service_names_its_instances_those_that_are_down_too() -> None:
    assert [item["address"] for item in instances(service("reviews"), snapshot())] == ["10.0.0.1", "10.0.0.2"]
    assert instances(service("reviews-v2"), snapshot()) == [
        {
            "name": "reviews@n1/10.0.0.2:8080",
            "source": "consul",
            "id": "10.0.0.2:8080",
            "node": "n1",
            "address": "10.0.0.2",
            "port": 8080,
            "version": "v2",
            "weight": 3,
            "state": "down",
            "checks": [{"name": "http", "status": "critical", "output": "503\nbody"}],
            "tags": ["fast"],
            "meta": {"team": "a"},
        }
    ]
    assert instances(DOWN.object, snapshot()) == []


def test_an_instance_is_shown_as_an_object() -> None:
    assert rendered(DOWN.object, BUILT_IN) == {
        "apiVersion": "sampan.dev/v1alpha1",
        "kind": "Instance",
        "metadata": {
            "name": "reviews@n1/10.0.0.2:8080",
            "namespace": "default",
            "labels": {
                "sampan.dev/service": "reviews",
                "sampan.dev/source": "consul",
                "sampan.dev/datacenter": "dc1",
                "version": "v2",
            },
        },
        "spec": {
            "address": "10.0.0.2",
            "port": 8080,
            "service": "reviews",
            "node": "n1",
            "id": "10.0.0.2:8080",
            "tags": ["fast"],
            "meta": {"team": "a"},
            "weight": 3,
        },
        "status": {"state": "down", "checks": [{"name": "http", "status": "critical", "output": "503\nbody"}]},
    }
