"""A small world for tests: documents as users write them, resolved step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.kinds.kind_set import KindSet
from sampan.documents.load import load
from sampan.model.diagnostic import Diagnostic
from sampan.model.meta import Object
from sampan.model.names import GATEWAY_API, SAMPAN, Ref
from sampan.model.plan import Chain, Host, HttpApplication, Plan, TcpApplication, View
from sampan.model.policy import PolicyKind
from sampan.model.snapshot import Snapshot
from sampan.model.status import Condition, ListenerStatus, Status, condition
from sampan.resolve import Memo, Resolution, index_of, resolve

NOW = "2026-01-01T00:00:00Z"

GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web}
spec:
  gatewayClassName: sampan
  listeners:
  - {name: http, port: 8080, protocol: HTTP}
"""


def service(name: str, port: int = 80, extra: str = "", namespace: str = "default", app_protocol: str = "") -> str:
    protocol = f", appProtocol: {app_protocol}" if app_protocol else ""
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  ports: [{{name: main, port: {port}{protocol}}}]
{extra}"""


def objects(*texts: str, kinds: KindSet = BUILT_IN) -> dict[Ref, Object]:
    loaded = load("\n---\n".join(texts), "test.yaml", kinds)
    assert not loaded.diagnostics, loaded.diagnostics
    return {item.ref: item for item in loaded.objects}


def gateway(*listeners: str, name: str = "web", extra: str = "", created: str = "") -> str:
    stamp = f', creationTimestamp: "{created}"' if created else ""
    items = "\n".join(f"  - {item}" for item in listeners)
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: {name}{stamp}}}
spec:
  gatewayClassName: sampan
{extra}
  listeners:
{items}
"""


def route(
    name: str, path: str, section: str = "", hosts: str = "", parent: str = "web", namespace: str = "default"
) -> str:
    where = f", sectionName: {section}" if section else ""
    hostnames = f"\n  hostnames: {hosts}" if hosts else ""
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  parentRefs: [{{name: {parent}, namespace: default{where}}}]{hostnames}
  rules:
  - matches: [{{path: {{value: {path}}}}}]
    backendRefs: [{{name: shop, port: 80}}]
"""


def served(world: World, application: str = "http/8080") -> dict[str, list[str]]:
    """Paths by host."""
    return {
        host.domain: ["misdirected"] if host.misdirected else [entry.match.path.value for entry in host.entries]
        for host in world.http(application).hosts
    }


class World:
    """Documents applied one after the other; every step is resolved with the same memo."""

    def __init__(
        self, *texts: str, policies: Sequence[PolicyKind] = (), kinds: KindSet = BUILT_IN, now: str = NOW
    ) -> None:
        self.policies = policies
        self.kinds = kinds
        self.now = now
        self.snapshot = Snapshot(index_of)
        self.memo = Memo()
        self.resolution = Resolution()
        self.apply(*texts)

    def apply(self, *texts: str) -> World:
        return self.change(objects(*texts, kinds=self.kinds) if texts else {})

    def delete(self, kind: str, name: str, namespace: str = "default", group: str = GATEWAY_API) -> World:
        return self.change({Ref(group, kind, namespace, name): None})

    def change(self, changes: Mapping[Ref, Object | None]) -> World:
        self.snapshot = self.snapshot.with_changes(changes)
        self.resolution = resolve(self.snapshot, self.policies, self.memo, now=self.now)
        return self

    def fresh(self) -> Resolution:
        """The same snapshot resolved from nothing."""
        return resolve(self.snapshot, self.policies, Memo(), now=self.now)

    # ---- looking

    def plan(self, gateway: str = "web", namespace: str = "default") -> Plan:
        return self.resolution.plans[View(Ref(GATEWAY_API, "Gateway", namespace, gateway))]

    def chain(self, name: str, gateway: str = "web") -> Chain:
        chains = {chain.name: chain for socket in self.plan(gateway).sockets for chain in socket.chains}
        return chains[name]

    def http(self, name: str = "http/8080", gateway: str = "web") -> HttpApplication:
        application = self.chain(name, gateway).application
        assert isinstance(application, HttpApplication)
        return application

    def tcp(self, name: str, gateway: str = "web") -> TcpApplication:
        application = self.chain(name, gateway).application
        assert isinstance(application, TcpApplication)
        return application

    def host(self, domain: str = "*", application: str = "http/8080", gateway: str = "web") -> Host:
        return next(host for host in self.http(application, gateway).hosts if host.domain == domain)

    def status(self, kind: str, name: str, namespace: str = "default", group: str = GATEWAY_API) -> Status:
        return self.resolution.statuses[Ref(group, kind, namespace, name)]

    def policy(self, kind: str, name: str, namespace: str = "default") -> Condition:
        return found(self.status(kind, name, namespace, SAMPAN).ancestors[0].conditions, "Accepted")

    def listener(self, name: str, gateway: str = "web") -> ListenerStatus:
        return next(item for item in self.status("Gateway", gateway).listeners if item.name == name)

    def gateway(self, type_: str, gateway: str = "web", namespace: str = "default") -> Condition:
        return found(self.status("Gateway", gateway, namespace).conditions, type_)

    def route(
        self, name: str, type_: str, parent: int = 0, kind: str = "HTTPRoute", namespace: str = "default"
    ) -> Condition:
        return found(self.status(kind, name, namespace).parents[parent].conditions, type_)

    def said(self, id_: str | None = None) -> list[Diagnostic]:
        return [item for item in self.resolution.diagnostics if id_ in (None, item.code.id)]


def found(conditions: tuple[Condition, ...], type_: str) -> Condition:
    item = condition(conditions, type_)
    assert item is not None, f"no condition {type_} in {conditions}"
    return item


def words(item: Condition) -> tuple[str, str]:
    return (item.status, item.reason)


def lines(host: Host) -> list[tuple[str, str]]:
    """(path, where to) of each entry, in order."""
    return [
        (f"{entry.match.path.kind} {entry.match.path.value}", targets(entry.action.shares)) for entry in host.entries
    ]


def targets(shares: Sequence[Any]) -> str:
    parts = []
    for share in shares:
        target = share.target
        parts.append(getattr(target, "upstream", None) or str(target.status))
    return ",".join(parts)
