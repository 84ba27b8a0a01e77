"""Documents as a user would write them, in any number: a Gateway, Services with their EndpointSlices, routes."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROUTES_PER_HOST = 10
SEPARATOR = "---\n"


@dataclass(frozen=True, slots=True)
class Listener:
    """`certificate` names a Secret and makes the listener HTTPS."""

    name: str
    port: int
    certificate: str = ""
    hostname: str = ""


def gateway(listeners: Sequence[Listener], name: str = "bench") -> str:
    """On the loopback address only."""
    return f"""\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: {name}}}
spec:
  gatewayClassName: sampan
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners:
{"".join(map(_listener, listeners))}"""


def _listener(one: Listener) -> str:
    tls = f", tls: {{certificateRefs: [{{name: {one.certificate}}}]}}" if one.certificate else ""
    hostname = f', hostname: "{one.hostname}"' if one.hostname else ""
    protocol = "HTTPS" if one.certificate else "HTTP"
    return f"    - {{name: {one.name}, port: {one.port}, protocol: {protocol}{hostname}{tls}}}\n"


def service(name: str, protocol: str = "") -> str:
    """`protocol` is the port's appProtocol, `kubernetes.io/h2c` for instance."""
    says = f", appProtocol: {protocol}" if protocol else ""
    return f"""\
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  ports: [{{name: http, port: 80{says}}}]
"""


def endpoint_slice(owner: str, ports: Iterable[int], address: str = "127.0.0.1", suffix: str = "a") -> str:
    """One endpoint for each port; since a slice has one port for all, one slice for each."""
    return SEPARATOR.join(
        f"""\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {owner}-{suffix}-{number}, labels: {{kubernetes.io/service-name: {owner}}}}}
addressType: IPv4
ports: [{{name: http, port: {port}}}]
endpoints: [{{addresses: ["{address}"]}}]
"""
        for number, port in enumerate(ports)
    )


def service_with_endpoints(name: str, *ports: int, protocol: str = "") -> str:
    return service(name, protocol) + SEPARATOR + endpoint_slice(name, ports)


def http_route(
    name: str,
    backends: Sequence[tuple[str, int]],
    *,
    path: str,
    hostname: str = "",
    parent: str = "bench",
    section: str = "",
    header: str = "",
) -> str:
    """`backends` are names of Services with weights; `header` is a value set on answers as `x-bench`."""
    hosts = f'  hostnames: ["{hostname}"]\n' if hostname else ""
    where = f", sectionName: {section}" if section else ""
    references = ", ".join(f"{{name: {backend}, port: 80, weight: {weight}}}" for backend, weight in backends)
    changed = (
        f"      filters: [{{type: ResponseHeaderModifier, responseHeaderModifier: "
        f'{{set: [{{name: x-bench, value: "{header}"}}]}}}}]\n'
        if header
        else ""
    )
    return f"""\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}}}
spec:
  parentRefs: [{{name: {parent}{where}}}]
{hosts}  rules:
    - matches: [{{path: {{type: PathPrefix, value: {path}}}}}]
{changed}      backendRefs: [{references}]
"""


def grpc_route(name: str, backends: Sequence[tuple[str, int]], *, service_name: str, parent: str = "bench") -> str:
    """All methods of a gRPC service."""
    references = ", ".join(f"{{name: {backend}, port: 80, weight: {weight}}}" for backend, weight in backends)
    return f"""\
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {{name: {name}}}
spec:
  parentRefs: [{{name: {parent}}}]
  hostnames: [grpc.example.com]
  rules:
    - matches: [{{method: {{service: {service_name}}}}}]
      backendRefs: [{references}]
"""


def secret(name: str, certificate: bytes, key: bytes) -> str:
    """Of type kubernetes.io/tls; both as PEM."""
    return f"""\
apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
type: kubernetes.io/tls
data:
  tls.crt: {base64.b64encode(certificate).decode()}
  tls.key: {base64.b64encode(key).decode()}
"""


def no_retries(gateway_name: str = "bench") -> str:
    """Switches off the retries that Sampan ships with, for everything behind a Gateway."""
    return f"""\
apiVersion: sampan.dev/v1alpha1
kind: Retry
metadata: {{name: none}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: {gateway_name}}}]
  attempts: 0
"""


# ---- many


@dataclass(frozen=True, slots=True)
class Town:
    """So many services and routes, all served at one port; ten routes share a host, as ten services a domain."""

    services: int
    routes: int
    upstream: int
    listen: int
    other: int = 0
    """Another upstream, for endpoints that move."""

    def hostname(self, number: int) -> str:
        return f"host-{number // ROUTES_PER_HOST}.example.com"

    def path(self, number: int) -> str:
        return f"/route-{number}"

    def gateway(self) -> str:
        return gateway([Listener("web", self.listen)])

    def service(self, number: int) -> str:
        return service_with_endpoints(f"service-{number}", self.upstream)

    def route(self, number: int, header: str = "") -> str:
        return http_route(
            f"route-{number}",
            [(f"service-{number % self.services}", 1)],
            path=self.path(number),
            hostname=self.hostname(number),
            header=header,
        )

    def all_services(self) -> str:
        return SEPARATOR.join(map(self.service, range(self.services)))

    def all_routes(self, headers: Mapping[int, str] | str = "") -> str:
        """With one header for all, or for some of them by number."""
        one = headers if isinstance(headers, str) else ""
        some = {} if isinstance(headers, str) else headers
        return SEPARATOR.join(self.route(number, some.get(number, one)) for number in range(self.routes))

    def write(self, folder: Path, *, apart: bool) -> None:
        """`apart` gives each service and each route a file of its own; else there is one file with everything."""
        folder.mkdir(parents=True, exist_ok=True)
        if not apart:
            whole = SEPARATOR.join((self.gateway(), self.all_services(), self.all_routes()))
            put(folder / "all.yaml", whole)
            return
        put(folder / "gateway.yaml", self.gateway())
        for number in range(self.services):
            put(folder / f"service-{number}.yaml", self.service(number))
        for number in range(self.routes):
            put(folder / f"route-{number}.yaml", self.route(number))


def put(path: Path, text: str) -> None:
    """As an editor saves: a new file beside it, moved over it. Whoever watches sees the old text or the new."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    os.replace(fresh, path)
