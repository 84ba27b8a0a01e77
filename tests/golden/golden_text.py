"""An outcome as text to be read and compared: diagnostics, statuses, and what each Envoy gets.

Only what is not as usual is shown; the usual is what the case `gateway/plain` gives, which is shown whole. So a case
is as long as what it is about, and a changed default changes one golden.
"""

from __future__ import annotations

import base64
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from cryptography import x509
from golden_case import KINDS, Outcome

from sampan.documents.render import CONTROLLER_NAME, rendered
from sampan.envoy import types
from sampan.envoy.readable import readable
from sampan.envoy.table import Row, Table
from sampan.model.diagnostic import Diagnostic

ABSENT = "<absent>"
TITLES = {
    types.CLUSTER: "clusters",
    types.ENDPOINT: "endpoints",
    types.SECRET: "secrets",
    types.LISTENER: "listeners",
    types.ROUTE: "routes",
}
# What tells one from another is always shown.
TELLING = frozenset(("name", "service_name", "cluster", "stat_prefix", "route_config_name"))


class Flow(dict[str, Any]):
    """A mapping on one line."""


class Writer(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _one_line(writer: yaml.SafeDumper, item: Flow) -> yaml.Node:
    return writer.represent_mapping("tag:yaml.org,2002:map", item, flow_style=True)


Writer.add_representer(Flow, _one_line)
Writer.add_representer(OrderedDict, lambda writer, item: writer.represent_dict(item.items()))


def golden(outcome: Outcome, usual: Mapping[str, Any] | None) -> str:
    """`usual` None: everything is shown."""
    content: dict[str, Any] = {}
    if outcome.diagnostics:
        content["diagnostics"] = [_diagnostic(item) for item in outcome.diagnostics]
    known = usual["status"] if usual else {}
    if statuses := {ref: _against(status, known) for ref, status in statuses_of(outcome) if known.get(ref) != status}:
        content["status"] = statuses
    for proxy, table in sorted(outcome.tables.items()):
        content.setdefault("envoy", {})[proxy] = _resources(table, usual)
    return yaml.dump(content, Dumper=Writer, sort_keys=False, width=1000, allow_unicode=True)


# ---- what users see


def _diagnostic(item: Diagnostic) -> dict[str, Any]:
    place = f"{item.origin.file.removesuffix('.in.yaml')}:{item.origin.line}:{item.origin.column}"
    said = {f"{item.code.id} {item.code.title}": f"{item.severity} at {place}"}
    parts = {"object": str(item.object) if item.object else "", "field": item.field_text}
    parts |= {"reason": item.reason, "hint": item.hint}
    return said | {name: text for name, text in parts.items() if text}


def statuses_of(outcome: Outcome) -> Iterator[tuple[str, Any]]:
    for ref, status in sorted(outcome.resolution.statuses.items()):
        item = outcome.snapshot.get(ref)
        if item is not None:
            yield str(ref), _brief(rendered(item, KINDS, status).get("status", {}))


def _against(status: Any, known: Mapping[str, Any]) -> Any:
    """A status that is one of the usual ones, but for the number of attached routes, in a few words."""
    if status in known.values():
        return "as usual"
    listeners = status.get("listeners", [])
    attached = ", ".join(str(listener["attachedRoutes"]) for listener in listeners)
    alike = {**status, "listeners": [{**listener, "attachedRoutes": 1} for listener in listeners]}
    if alike in known.values():
        return f"as usual, attached routes: {attached}"
    return _shortened(status, list(_conditions(list(known.values()))))


def _conditions(value: Any) -> Iterator[Any]:
    """Every list of conditions in statuses."""
    if isinstance(value, list):
        for item in value:
            yield from _conditions(item)
    elif isinstance(value, dict):
        yield from (item for key, item in value.items() if key == "conditions")
        yield from _conditions(list(value.values()))


def _shortened(value: Any, usual: list[Any]) -> Any:
    if isinstance(value, list):
        return [_shortened(item, usual) for item in value]
    if not isinstance(value, dict) or isinstance(value, Flow):
        return value
    kept = {key: "as usual" if item in usual else _shortened(item, usual) for key, item in value.items()}
    if kinds := value.get("supportedKinds"):
        kept["supportedKinds"] = ", ".join(kind["kind"] for kind in kinds)
    return kept


def _brief(value: Any) -> Any:
    """A condition on one line; our own controller's name is not repeated."""
    if isinstance(value, list):
        return [_brief(item) for item in value]
    if isinstance(value, dict):
        kept = {key: _brief(item) for key, item in value.items() if (key, item) != ("controllerName", CONTROLLER_NAME)}
        leaf = not any(isinstance(item, dict | list) for item in kept.values())
        return Flow(kept) if leaf else kept
    return value


# ---- what Envoy gets


def usual_of(outcome: Outcome) -> dict[str, Any]:
    """All statuses, the first resource of each type, the first Route, and what its host says for its Routes, as what is
    usual."""
    (table,) = outcome.tables.values()
    found: dict[str, Any] = {"status": dict(statuses_of(outcome))}
    for type_url in (types.CLUSTER, types.LISTENER, types.ROUTE):
        found[type_url] = readable(next(iter(table.of(type_url).values())))
    host = found[types.ROUTE]["virtual_hosts"][0]
    found["route"], found["host"] = host["routes"][0], {"retry_policy": host["retry_policy"]}
    return found


def _resources(table: Table, usual: Mapping[str, Any] | None) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for type_url in types.PUSH_ORDER:
        rows = sorted(table.of(type_url).values(), key=lambda row: row.name)
        if rows:
            content[TITLES[type_url]] = [_resource(row, usual) for row in rows]
    return content


def _resource(row: Row, usual: Mapping[str, Any] | None) -> Any:
    if row.type == types.ENDPOINT:
        return {row.name: ", ".join(_endpoints(readable(row)))}
    if row.type == types.SECRET:
        return {row.name: _secret(readable(row))}
    message = readable(row)
    if usual is None:
        return message
    if row.type != types.ROUTE:
        name = usual[row.type]["name"]
        return _unusual(message, json.loads(json.dumps(usual[row.type]).replace(f'"{name}"', f'"{row.name}"')))
    hosts = message.pop("virtual_hosts", [])
    brief = _unusual(message, usual[row.type])
    brief.pop("virtual_hosts", None)
    return {**brief, "hosts": [_host(host, usual) for host in hosts]}


def _host(host: dict[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Its routes with the match on one line; name and statistics' prefix, which are the same, once."""
    routes = []
    forwards = any("route" in route for route in host.get("routes", []))
    said = {key: host.pop(key) for key in usual["host"] if key in host}
    for route in host.get("routes", []):
        match = json.dumps(route["match"], ensure_ascii=False).replace('"', "")
        brief = _unusual(route, usual["route"] if "route" in route else {})
        brief.pop("match", None)
        if own := route.get("route", {}).get("retry_policy"):
            brief["route"]["retry_policy"] = _unusual(own, usual["host"]["retry_policy"]) or "as usual"
        if brief.get("name") == brief.get("stat_prefix"):
            brief.pop("stat_prefix", None)
        routes.append({"match": match, **brief})
    said = _unusual(said, usual["host"] if forwards else {})
    return {**host, "domains": ", ".join(host["domains"]), **said, "routes": routes}


def _unusual(value: Any, usual: Any) -> Any:
    """What of `value` differs from `usual`; all of it if it is of another type."""
    if isinstance(value, dict) and isinstance(usual, dict):
        if any(value.get(key) != usual.get(key) for key in ("@type", "type")):
            return value
        kept = {key: _unusual(item, usual.get(key)) for key, item in value.items() if _shown(key, item, usual)}
        return kept | dict.fromkeys(sorted(usual.keys() - value.keys() - TELLING), ABSENT)
    if isinstance(value, list) and isinstance(usual, list) and usual:
        return [_unusual(item, usual[min(index, len(usual) - 1)]) for index, item in enumerate(value)]
    return value


def _shown(key: str, item: Any, usual: Mapping[str, Any]) -> bool:
    return key in TELLING or key not in usual or item != usual[key] or (key == "route" and "cluster" in item)


def _endpoints(assignment: dict[str, Any]) -> Iterator[str]:
    for zone in assignment.get("endpoints", []):
        for item in zone.get("lb_endpoints", []):
            address = item["endpoint"]["address"]
            place = address.get("pipe", {}).get("path") or "{address}:{port_value}".format(**address["socket_address"])
            words = [place]
            if "load_balancing_weight" in item:
                words.append(f"weight {item['load_balancing_weight']}")
            if "health_status" in item:
                words.append(item["health_status"].lower())
            if "locality" in zone:
                words.append(f"in {' '.join(zone['locality'].values())}")
            yield " ".join(words)


def _secret(secret: dict[str, Any]) -> str:
    """Certificates by what they are for; a key must have been blanked."""
    if "tls_certificate" in secret:
        pair = secret["tls_certificate"]
        return f"certificate of {_names(pair['certificate_chain'])}, key {pair['private_key']['inline_string']}"
    return f"trust in {_names(secret['validation_context']['trusted_ca'])}"


def _names(source: dict[str, Any]) -> str:
    pem = base64.b64decode(source["inline_bytes"])
    return ", ".join(found.subject.rfc4514_string() for found in x509.load_pem_x509_certificates(pem))
