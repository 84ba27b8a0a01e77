"""A running Sampan for all cases: documents go in, requests go through, statuses come out.

Each case has a namespace and Gateways of its own, on free ports. What upstream's suite polls is polled here too: a
change is in force soon, not at once.
"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from sampan.cli.api import Api
from sampan.cli.problem import UserError

from .backends import Backends

GATEWAY_API = "gateway.networking.k8s.io/v1"
DEADLINE_SECONDS = 15.0
STEADY = 3  # as often in a row an answer must be right (upstream: the same)

Document = dict[str, Any]
Wanted = tuple[str, str, str | Sequence[str]]
"""A condition: type, status, reason (one, one of several, or () for any)."""


def until(what: Callable[[], Any], said: Callable[[], object] = str, seconds: float = DEADLINE_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {said()}")


def conditions_are(conditions: Sequence[Document], generation: int, wanted: Iterable[Wanted]) -> bool:
    """All of `wanted` are there, and nothing is of an older generation of the object."""
    if any(found["observedGeneration"] != generation for found in conditions):
        return False
    by_type = {found["type"]: found for found in conditions}
    for type_, status, reason in wanted:
        found = by_type.get(type_, {})
        reasons = (reason,) if isinstance(reason, str) else reason
        if found.get("status") != status or (reasons and found.get("reason") not in reasons):
            return False
    return True


def _conditions(status: Document) -> Iterable[Document]:
    """All in a status, of the object and of its parts."""
    yield from status.get("conditions", [])
    for parts in ("listeners", "parents", "ancestors"):
        for part in status.get(parts, []):
            yield from part["conditions"]


def _of_parents(status: Document) -> Iterable[list[Document]]:
    return [parent["conditions"] for parent in status.get("parents", [])]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Answer:
    """Of the gateway. `body` is the backend's JSON, {} if the answer was none; status 0 with `error` if none came."""

    status: int
    headers: list[tuple[str, str]]
    body: dict[str, Any]
    error: str = ""

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def backend(self) -> str:
        return str(self.body.get("backend", ""))

    def sent(self, name: str) -> list[str]:
        """A header as the backend got it."""
        found: list[str] = self.body.get("headers", {}).get(name.lower(), [])
        return found


class World:
    """`apply` and `remove` documents, `ask` through a port, look at `status`."""

    def __init__(self, documents: Path, api: Api, log: Callable[[], str]) -> None:
        self.backends = Backends()
        self.api = api
        self.log = log
        self._documents = documents
        self._numbers = itertools.count(1)

    # ---- documents

    def namespace(self, **labels: str) -> str:
        """A new one, with a Namespace document."""
        name = f"case-{next(self._numbers)}"
        metadata = {"name": name, "labels": labels}
        self.apply(name, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        return name

    def apply(self, file: str, *documents: Document) -> None:
        """Writes a file of documents (over an earlier one) and waits until Sampan has read it and the proxies are in
        step."""
        mark = f"mark-{next(self._numbers)}"
        marker = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": mark}, "data": {}}
        text = yaml.safe_dump_all([*documents, marker], sort_keys=False)
        partial = self._documents / f".{file}.partial"
        partial.write_text(text)
        partial.rename(self._documents / f"{file}.yaml")
        until(lambda: self._object("ConfigMap", "default", mark), self.log)
        until(lambda: self.api.health()["ready"], self.log)

    def remove(self, *files: str) -> None:
        for file in files:
            with suppress(FileNotFoundError):
                (self._documents / f"{file}.yaml").unlink()

    # ---- statuses

    def _object(self, kind: str, namespace: str, name: str) -> Document | None:
        try:
            return next(iter(self.api.objects(kind, namespace, name)), None)
        except UserError as error:
            raise AssertionError(f"{error}\n{self.log()}") from error

    def object(self, kind: str, namespace: str, name: str) -> Document:
        """As `get -o json` shows it."""
        found: Document = until(lambda: self._object(kind, namespace, name), self.log)
        return found

    def status(self, kind: str, namespace: str, name: str) -> Document:
        status: Document = self.object(kind, namespace, name).get("status", {})
        return status

    def parents(self, kind: str, namespace: str, name: str) -> list[Document]:
        """Of a route: `status.parents`."""
        found: list[Document] = self.status(kind, namespace, name).get("parents", [])
        return found

    def until_condition(
        self,
        kind: str,
        namespace: str,
        name: str,
        pick: Callable[[Document], Iterable[list[Document]]],
        *wanted: Wanted,
    ) -> None:
        """Until each list of conditions that `pick` finds in the status has all that is wanted, and all that it has is
        of the object's generation. No list at all is not yet."""
        last: list[Document] = []

        def found() -> bool:
            last[:] = [self.object(kind, namespace, name)]
            generation = last[0]["metadata"]["generation"]
            lists = list(pick(last[0].get("status", {})))
            return bool(lists) and all(conditions_are(conditions, generation, wanted) for conditions in lists)

        until(found, lambda: (kind, namespace, name, wanted, last[0].get("status")))

    def until_generation(self, kind: str, namespace: str, name: str, generation: int) -> None:
        """Until the object is of that generation, and all of its conditions (of which there are some) are too."""
        last: list[Document] = []

        def found() -> bool:
            last[:] = [self.object(kind, namespace, name)]
            every = list(_conditions(last[0].get("status", {})))
            numbers = {last[0]["metadata"]["generation"], *(item["observedGeneration"] for item in every)}
            return bool(every) and numbers == {generation}

        until(found, lambda: (generation, last))

    def until_route(
        self, kind: str, namespace: str, name: str, type_: str, status: str, reason: str | Sequence[str] = ()
    ) -> None:
        """Until every parent of a route has this condition."""
        self.until_condition(kind, namespace, name, _of_parents, (type_, status, reason))

    def until_gateway(
        self, namespace: str, name: str, type_: str, status: str, reason: str | Sequence[str] = (), listener: str = ""
    ) -> None:
        """Until a Gateway, or one of its listeners, has this condition."""

        def pick(found: Document) -> Iterable[list[Document]]:
            if not listener:
                return [found["conditions"]] if found.get("conditions") else []
            return (item["conditions"] for item in found.get("listeners", []) if item["name"] == listener)

        self.until_condition("Gateway", namespace, name, pick, (type_, status, reason))

    # ---- requests

    def ask(
        self,
        port: int,
        path: str = "/",
        host: str = "example.com",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        tls: ssl.SSLContext | None = None,
        sni: str = "",
        address: str = "127.0.0.1",
        timeout: float = 5.0,
        http2: bool = False,
    ) -> Answer:
        """One request over HTTP/1.1 or HTTP/2, over TLS with `tls` (then `sni` is the name asked for, else the host).
        HTTP/2 without TLS is by prior knowledge."""
        if http2:
            return _ask_http2(port, path, host, method, tls, sni or host.partition(":")[0], timeout)
        connection = http.client.HTTPConnection(address, port, timeout=timeout)
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        try:
            connection.connect()
            if tls is not None:
                tls.set_alpn_protocols(["http/1.1"])
                connection.sock = tls.wrap_socket(connection.sock, server_hostname=sni or host.partition(":")[0])
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("host", host)
            for key, value in pairs:
                connection.putheader(key, value)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
            return Answer(response.status, response.getheaders(), _json(body))
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, [], {}, repr(error))
        finally:
            connection.close()

    def until_answer(
        self, port: int, path: str = "/", host: str = "example.com", *, right: Callable[[Answer], Any], **more: Any
    ) -> Answer:
        """Asks until the answer is right, STEADY times in a row."""
        last: list[Answer] = []

        def steady() -> bool:
            for _ in range(STEADY):
                last[:] = [self.ask(port, path, host, **more)]
                if not right(last[0]):
                    return False
            return True

        until(steady, lambda: (path, host, more, last))
        return last[0]

    def until_backend(
        self,
        backend: str,
        port: int,
        path: str = "/",
        host: str = "example.com",
        *,
        changes: Collection[str] = (),
        **more: Any,
    ) -> Answer:
        """Until that backend answers, having got the method, path, host and headers that were sent: all but those
        parts that the gateway `changes`, which the case looks at itself."""
        sent = {"method": more.get("method", "GET"), "path": path, "host": host}
        headers = dict(more.get("headers", ())) if "headers" not in changes else {}

        def right(answer: Answer) -> bool:
            return (
                answer.status == 200
                and answer.backend == backend
                and all(answer.body[part] == value for part, value in sent.items() if part not in changes)
                and all(",".join(answer.sent(name)) == value for name, value in headers.items())
            )

        return self.until_answer(port, path, host, right=right, **more)

    def until_status(self, status: int, port: int, path: str = "/", host: str = "example.com", **more: Any) -> Answer:
        return self.until_answer(port, path, host, right=lambda answer: answer.status == status, **more)


def _ask_http2(
    port: int, path: str, host: str, method: str, tls: ssl.SSLContext | None, sni: str, timeout: float
) -> Answer:
    scheme, verify = ("http", True) if tls is None else ("https", tls)
    try:
        with httpx.Client(http1=False, http2=True, verify=verify, timeout=timeout) as client:
            url = f"{scheme}://127.0.0.1:{port}{path}"
            response = client.request(method, url, headers={"Host": host}, extensions={"sni_hostname": sni})
    except httpx.TransportError as error:
        return Answer(0, [], {}, repr(error))
    assert response.http_version == "HTTP/2"
    return Answer(response.status_code, list(response.headers.multi_items()), _json(response.content))


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# ---- documents


def document(
    kind: str, namespace: str, name: str, spec: Document, version: str = GATEWAY_API, **metadata: Any
) -> Document:
    about = {"name": name, **({"namespace": namespace} if namespace else {}), **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": about, "spec": spec}


def gateway(namespace: str, name: str, *listeners: Document, **spec: Any) -> Document:
    return document("Gateway", namespace, name, {"gatewayClassName": "sampan", "listeners": list(listeners), **spec})


def http_listener(port: int, name: str = "http", *, routes: str = "Same", **more: Any) -> Document:
    """`routes`: from which namespaces (Same, All)."""
    return {
        "name": name,
        "port": port,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": routes}},
        **more,
    }


def route(
    kind: str, namespace: str, name: str, parents: Sequence[Document], rules: Sequence[Document], **spec: Any
) -> Document:
    return document(kind, namespace, name, {"parentRefs": list(parents), "rules": list(rules), **spec})


def http_route(namespace: str, name: str, gateway_name: str, *rules: Document, **spec: Any) -> Document:
    """With one parent in the same namespace."""
    return route("HTTPRoute", namespace, name, [{"name": gateway_name}], rules, **spec)


def to(*backends: str | Document, **rule: Any) -> Document:
    """A rule to Services by name (port 8080), or to backendRefs as they are."""
    references = [{"name": item, "port": 8080} if isinstance(item, str) else item for item in backends]
    return {**rule, "backendRefs": references}


def service(
    namespace: str, name: str, port: int, *, app_protocol: str = "", number: int = 8080
) -> tuple[Document, Document]:
    """A Service whose only endpoint is a local port, with its EndpointSlice."""
    about: Document = {"name": "main", "port": number, **({"appProtocol": app_protocol} if app_protocol else {})}
    slice_: Document = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "main", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
    }
    return document("Service", namespace, name, {"ports": [about]}, "v1"), slice_


def grant(namespace: str, name: str, origin: Document, target: Document) -> Document:
    """A ReferenceGrant from {group, kind, namespace} to {group, kind[, name]}."""
    return document(
        "ReferenceGrant", namespace, name, {"from": [origin], "to": [target]}, "gateway.networking.k8s.io/v1beta1"
    )
