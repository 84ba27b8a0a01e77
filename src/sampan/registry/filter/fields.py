"""What each kind of answer may be asked: its fields, what they hold, and so which operators they take.

Consul derives this from its Go structures (agent/structs, 1.8), which is why a few fields of the API are not there
(indexes, a check's definition) and some are that no open edition fills (Proxy).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sampan.registry.filter.tree import Operator

_EQUALITY = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})
_MEMBERS = frozenset({Operator.IN, Operator.NOT_IN})
_EMPTINESS = frozenset({Operator.IS_EMPTY, Operator.IS_NOT_EMPTY})
_EXPRESSIONS = frozenset({Operator.MATCHES, Operator.NOT_MATCHES})


@dataclass(frozen=True, slots=True)
class Field:
    """`scalar`: str, int or bool, of which there are many if `shape` is list. A list or dict of records has `members`;
    a dict's are all alike, under `any_key`."""

    shape: type
    operators: frozenset[Operator] = frozenset()
    scalar: type = str
    members: Fields = field(default_factory=lambda: MappingProxyType({}))
    any_key: Field | None = None


Fields = Mapping[str, Field]

_TEXT = Field(str, _EQUALITY | _MEMBERS | _EXPRESSIONS)
_NUMBER = Field(int, _EQUALITY, int)
_TRUTH = Field(bool, _EQUALITY, bool)
_TEXTS = Field(list, _MEMBERS | _EMPTINESS)


def _record(members: Fields) -> Field:
    return Field(dict, members=members)


def _records(members: Fields) -> Field:
    return Field(list, _EMPTINESS, members=members)


def _by_key(value: Field) -> Field:
    return Field(dict, _MEMBERS | _EMPTINESS, any_key=value)


def _fields(groups: Mapping[str, Field]) -> Fields:
    return MappingProxyType({name: of for names, of in groups.items() for name in names.split()})


_ADDRESSES = _by_key(_record(_fields({"Address": _TEXT, "Port": _NUMBER})))
_WEIGHTS = _record(_fields({"Passing Warning": _NUMBER}))
_CONNECT = _record(_fields({"Native": _TRUTH}))
_GATEWAY = _record(_fields({"Mode": _TEXT}))
_UPSTREAM = _fields(
    {
        "DestinationType DestinationNamespace DestinationName Datacenter LocalBindAddress": _TEXT,
        "LocalBindPort": _NUMBER,
        "MeshGateway": _GATEWAY,
    }
)
_PATH = _fields({"Path Protocol": _TEXT, "ListenerPort LocalPathPort": _NUMBER, "ParsedFromCheck": _TRUTH})
_PROXY = _record(
    _fields(
        {
            "DestinationServiceName DestinationServiceID LocalServiceAddress": _TEXT,
            "LocalServicePort": _NUMBER,
            "Upstreams": _records(_UPSTREAM),
            "MeshGateway": _GATEWAY,
            "Expose": _record(_fields({"Checks": _TRUTH, "Paths": _records(_PATH)})),
        }
    )
)

NODE = _fields({"ID Node Address Datacenter": _TEXT, "TaggedAddresses Meta": _by_key(_TEXT)})
"""/v1/catalog/nodes."""

SERVICE = _fields(
    {
        "Kind ID Service Address": _TEXT,
        "Tags": _TEXTS,
        "TaggedAddresses": _ADDRESSES,
        "Meta": _by_key(_TEXT),
        "Port": _NUMBER,
        "Weights": _WEIGHTS,
        "EnableTagOverride": _TRUTH,
        "Proxy": _PROXY,
        "Connect": _CONNECT,
    }
)
"""/v1/agent/services, /v1/catalog/node/:node (its services), /v1/catalog/node-services/:node."""

CATALOG_SERVICE = _fields(
    {
        "ID Node Address Datacenter ServiceKind ServiceID ServiceName ServiceAddress": _TEXT,
        "TaggedAddresses NodeMeta ServiceMeta": _by_key(_TEXT),
        "ServiceTags": _TEXTS,
        "ServiceTaggedAddresses": _ADDRESSES,
        "ServicePort": _NUMBER,
        "ServiceWeights": _WEIGHTS,
        "ServiceEnableTagOverride": _TRUTH,
        "ServiceProxy": _PROXY,
        "ServiceConnect": _CONNECT,
    }
)
"""/v1/catalog/service/:service, /v1/catalog/connect/:service."""

CHECK = _fields(
    {"Node CheckID Name Status Notes Output ServiceID ServiceName Type": _TEXT, "ServiceTags": _TEXTS},
)
"""/v1/agent/checks, /v1/health/checks/:service, /v1/health/node/:node, /v1/health/state/:state."""

INSTANCE = _fields({"Node": _record(NODE), "Service": _record(SERVICE), "Checks": _records(CHECK)})
"""/v1/health/service/:service, /v1/health/connect/:service."""
