"""What is known of a Service beside its document: how many endpoints, where it comes from, its registered instances."""

from __future__ import annotations

from typing import Any

from sampan.documents.kinds.instance import Instance
from sampan.documents.kinds.service import Service
from sampan.model.meta import Object
from sampan.model.names import VERSION_LABEL
from sampan.model.snapshot import Snapshot
from sampan.resolve.endpoints import endpoints_of, selected


def service_status(item: Object, snapshot: Snapshot) -> dict[str, Any]:
    """`source` is where the Service itself comes from: `files`, or the name of a registry."""
    ports = item.spec.ports
    found = endpoints_of(snapshot, item.ref, ports[0].port) if ports else ()
    ready = sum(endpoint.state == "ready" for endpoint in found)
    return {"source": item.meta.origin.source, "endpoints": {"ready": ready, "total": len(found)}}


def instances(item: Object, snapshot: Snapshot) -> list[dict[str, Any]]:
    """The registered instances that a Service takes, those that are down included, with why."""
    if not isinstance(item.spec, Service):
        return []
    return [_instance(found, found.spec) for found in selected(snapshot, item) if isinstance(found.spec, Instance)]


def _instance(found: Object, instance: Instance) -> dict[str, Any]:
    checks = [{"name": check.name, "status": check.status, "output": check.output} for check in instance.checks]
    return {
        "name": found.ref.name,
        "source": found.meta.origin.source,
        "id": instance.id,
        "node": instance.node,
        "address": instance.place,
        "port": instance.port,
        "version": found.meta.labels.get(VERSION_LABEL, ""),
        "weight": instance.weight,
        "state": instance.state,
        "checks": checks,
        "tags": list(instance.tags),
        "meta": dict(instance.meta),
    }
