"""An Object and its Status back to a plain dictionary in Kubernetes' shape, for `get -o yaml|json` and goldens.

Pure: times are handed in. What a Secret holds is never in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from sampan.documents.kinds.instance import Instance
from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.kinds.secret import REDACTED, Secret
from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.status import Condition, ListenerStatus, ParentStatus, Status

CONTROLLER_NAME = "sampan.dev/gateway-controller"

TransitionKey = tuple[str, str]
"""Which condition: (where, type), where is "", `listeners/<name>`, `parents/<index>` or `ancestors/<index>`."""


def rendered(
    item: Object,
    kinds: KindSet,
    status: Status | None = None,
    *,
    generation: int = 0,
    transitions: Mapping[TransitionKey, str] | None = None,
    controller: str = CONTROLLER_NAME,
) -> dict[str, Any]:
    """The document as it was written (defaults are not added), with its status.

    `generation` becomes metadata.generation and every observedGeneration, if it is not 0. `transitions` holds RFC 3339
    times by condition; where there is none lastTransitionTime is left out.
    """
    kind = kinds.get(item.ref.group, item.ref.kind)
    api_version = kind.api_version if kind else f"{item.ref.group}/v1".lstrip("/")
    result: dict[str, Any] = {"apiVersion": api_version, "kind": item.ref.kind, "metadata": _metadata(item, generation)}
    if isinstance(item.spec, Instance):
        return result | _instance(item.spec)
    body = plain(item.spec.model_dump(by_alias=True, exclude_unset=True))
    if kind is not None and kind.top_level:
        result |= body
    elif body:
        result["spec"] = body
    if status is not None:
        writer = _StatusWriter(generation, transitions or {}, controller)
        if written := writer.status(status):
            result["status"] = written
    return result


def _instance(instance: Instance) -> dict[str, Any]:
    """What it is, and how it is. What nobody said is left out. By hand: twenty thousand may be asked for at once."""
    said = {
        "address": instance.address,
        "hostname": instance.hostname,
        "unix": instance.unix,
        "port": instance.port,
        "zone": instance.zone,
        "region": instance.region,
        "protocol": instance.protocol,
        "service": instance.service,
        "node": instance.node,
        "id": instance.id,
        "tags": list(instance.tags),
        "meta": dict(instance.meta),
    }
    spec = {key: value for key, value in said.items() if value} | {"weight": instance.weight}
    checks = [{"name": item.name, "status": item.status, "output": item.output} for item in instance.checks]
    return {"spec": spec, "status": {"state": instance.state, "checks": checks}}


def _metadata(item: Object, generation: int) -> dict[str, Any]:
    result: dict[str, Any] = {"name": item.ref.name}
    if item.ref.namespace:
        result["namespace"] = item.ref.namespace
    if item.meta.labels:
        result["labels"] = dict(item.meta.labels)
    if item.meta.annotations:
        result["annotations"] = _annotations(item)
    if item.meta.created:
        result["creationTimestamp"] = item.meta.created
    if generation or item.meta.generation:
        result["generation"] = generation or item.meta.generation
    return result


# `kubectl apply` keeps the whole document in it, what a Secret holds included.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _annotations(item: Object) -> dict[str, str]:
    found = dict(item.meta.annotations)
    if isinstance(item.spec, Secret) and _LAST_APPLIED in found:
        found[_LAST_APPLIED] = REDACTED
    return found


def plain(value: Any) -> Any:
    """Only dictionaries, lists and scalars, as YAML and JSON writers want it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str):
        return str(value)
    return [plain(item) for item in value] if isinstance(value, Sequence) else value


class _StatusWriter:
    """Status in Kubernetes' shape, with what only the caller knows: generation and times."""

    def __init__(self, generation: int, transitions: Mapping[TransitionKey, str], controller: str) -> None:
        self.generation, self.transitions, self.controller = generation, transitions, controller

    def status(self, status: Status) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if status.conditions:
            result["conditions"] = self._conditions("", status.conditions)
        if status.listeners:
            result["listeners"] = [self._listener(listener) for listener in status.listeners]
        if status.parents:
            result["parents"] = self._parents("parents", "parentRef", status.parents)
        if status.ancestors:
            result["ancestors"] = self._parents("ancestors", "ancestorRef", status.ancestors)
        return result | {key: plain(value) for key, value in status.extra}

    def _listener(self, listener: ListenerStatus) -> dict[str, Any]:
        return {
            "name": listener.name,
            "supportedKinds": [{"group": group, "kind": kind} for group, kind in listener.supported_kinds],
            "attachedRoutes": listener.attached_routes,
            "conditions": self._conditions(f"listeners/{listener.name}", listener.conditions),
        }

    def _parents(self, where: str, name: str, parents: Sequence[ParentStatus]) -> list[dict[str, Any]]:
        return [
            {
                name: plain(parent.parent_ref),
                "controllerName": self.controller,
                "conditions": self._conditions(f"{where}/{index}", parent.conditions),
            }
            for index, parent in enumerate(parents)
        ]

    def _conditions(self, where: str, conditions: Sequence[Condition]) -> list[dict[str, Any]]:
        return [self._condition(where, item) for item in conditions]

    def _condition(self, where: str, item: Condition) -> dict[str, Any]:
        result: dict[str, Any] = {"type": item.type, "status": item.status}
        if self.generation:
            result["observedGeneration"] = self.generation
        if time := self.transitions.get((where, item.type)):
            result["lastTransitionTime"] = time
        return result | {"reason": item.reason, "message": item.message}


class _Dumper(yaml.CSafeDumper):
    """No aliases for values that happen to be equal, and text of several lines as such."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def to_yaml(documents: Sequence[Mapping[str, Any]]) -> str:
    """Documents with `---` between them. Keys keep their order; text that YAML 1.1 would misread is quoted."""
    return "---\n".join(
        yaml.dump(plain(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        for document in documents
    )


def to_json(documents: Sequence[Mapping[str, Any]]) -> str:
    """One object, or a `List` of several, as kubectl has it."""
    items = [plain(document) for document in documents]
    whole = items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def name_of(ref: Ref) -> str:
    """`httproute.gateway.networking.k8s.io/shop`, as `kubectl get -o name` has it."""
    kind = ref.kind.lower()
    return f"{kind}.{ref.group}/{ref.name}" if ref.group else f"{kind}/{ref.name}"
