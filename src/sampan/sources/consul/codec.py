"""The last answer about a service as bytes, so that a control plane that starts while Consul is away knows it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sampan.documents.kinds.instance import KIND, Check, Instance
from sampan.documents.kinds.service import Service, ServicePort
from sampan.documents.kinds.shape import FrozenDict
from sampan.model.meta import Meta, Object, Origin
from sampan.model.names import CORE, REGISTERED_NAME, REGISTERED_PORT, Ref
from sampan.sources.consul.convert import Key, Registered, Setting

_VERSION = 1
_INSTANCE = tuple(field.name for field in fields(Instance))
_CHECK = tuple(field.name for field in fields(Check))


def encode(item: Registered) -> bytes:
    """Without its diagnostics, which the next answer brings."""
    service = item.services[0] if item.services else None
    body: dict[str, Any] = {
        "version": _VERSION,
        "names": item.names,
        "selector": dict(service.spec.selector) if service else {},
        "protocol": service.spec.ports[0].app_protocol if service else "",
        "instances": [
            {"name": name, "labels": known.meta.labels, "spec": _fields(known.spec)}
            for name, known in item.instances.items()
        ],
    }
    return json.dumps(body, separators=(",", ":")).encode()


def _fields(spec: Instance) -> dict[str, Any]:
    """As `dataclasses.asdict`, which copies deeply and takes ten times as long."""
    found = {name: getattr(spec, name) for name in _INSTANCE}
    found["checks"] = [{name: getattr(check, name) for name in _CHECK} for check in spec.checks]
    return found


def decode(key: Key, data: bytes, setting: Setting) -> Registered | None:
    """None for what another version wrote, or nobody."""
    try:
        body = json.loads(data)
        if body["version"] != _VERSION:
            return None
        return Registered(key, _services(key, body, setting), _instances(key, body, setting))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _services(key: Key, body: Mapping[str, Any], setting: Setting) -> tuple[Object, ...]:
    names = [str(name) for name in body["names"]]
    spec = Service(
        selector=FrozenDict(body["selector"]), ports=(ServicePort(port=REGISTERED_PORT, app_protocol=body["protocol"]),)
    )
    annotations = FrozenDict({REGISTERED_NAME: key.name} if names and names[0].partition("@")[0] != key.name else {})
    meta = Meta(annotations=annotations, origin=Origin(setting.source, key.origin))
    return tuple(Object(Ref(CORE, "Service", setting.namespace, name), meta, spec) for name in names)


def _instances(key: Key, body: Mapping[str, Any], setting: Setting) -> Mapping[str, Object]:
    found = {}
    for item in body["instances"]:
        name, spec = str(item["name"]), item["spec"]
        spec["tags"] = tuple(spec["tags"])
        spec["meta"] = FrozenDict(spec["meta"])
        spec["checks"] = tuple(Check(**check) for check in spec["checks"])
        meta = Meta(FrozenDict(item["labels"]), origin=Origin(setting.source, key.origin))
        found[name] = Object(Ref(*KIND, setting.namespace, name), meta, Instance(**spec))
    return found


def datacenter_of(item: Registered, label: str) -> str:
    """The datacentre that the item was read in, by its Services' selector."""
    return next((known.spec.selector.get(label, "") for known in item.services), "")
