"""A transaction's JSON into operations, as Consul's decoder reads it. Pure."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable, Mapping
from dataclasses import replace
from string import ascii_letters, digits
from typing import Any, TypeVar

from sampan.registry.registration import catalogue, decode
from sampan.registry.registration.catalogue import NodeEntry
from sampan.registry.registration.decode import Fields, RegistrationError
from sampan.registry.transactions.checks import CheckOperation
from sampan.registry.transactions.keys import KeyOperation
from sampan.registry.transactions.nodes import NodeOperation
from sampan.registry.transactions.operation import Operation
from sampan.registry.transactions.services import ServiceOperation

Given = Mapping[str, Any]
Entry = TypeVar("Entry")


def operations(value: Any) -> list[Operation]:
    """Raises RegistrationError (400): the body as a whole is not understood. An empty operation is none."""
    if value is not None and not isinstance(value, list):
        given = {dict: "object", str: "string", bool: "bool"}.get(type(value), "number")
        raise RegistrationError(f"json: cannot unmarshal {given} into Go value of type api.TxnOps")
    found = decode.many(decode.nested(_OPERATION), "api.TxnOp")(value or [], "")
    result: list[Operation] = []
    for one in found:
        kind = next((kind for kind in _READERS if kind in one), None)
        if kind is not None:
            result.append(_READERS[kind](one[kind]))
    return result


def _key(given: Given) -> KeyOperation:
    return KeyOperation(
        given.get("Verb", ""),
        given.get("Key", ""),
        given.get("Value"),
        given.get("Flags", 0),
        given.get("Index", 0),
        given.get("Session", ""),
    )


def _node(given: Given) -> NodeOperation:
    verb, node = given.get("Verb", ""), given.get("Node", {})
    name, node_id = node.get("Node", ""), node.get("ID", "")
    value = {"Node": name, "ID": node_id, "Address": node.get("Address"), "SkipNodeUpdate": True}
    value |= {"TaggedAddresses": node.get("TaggedAddresses"), "NodeMeta": node.get("Meta")}
    entry, refused = _checked(verb, value, lambda read: replace(read, keep_node=False))
    if verb in _DELETES and not name:
        refused = "Must provide node"
    return NodeOperation(verb, name, node_id.lower(), node.get("ModifyIndex", 0), entry, refused)


def _service(given: Given) -> ServiceOperation:
    verb, node, service = given.get("Verb", ""), given.get("Node", ""), given.get("Service", {})
    wanted = {name: value for name, value in service.items() if name not in _NOT_REGISTERED}
    entry, refused = _checked(verb, {"Node": node, "Service": wanted}, lambda read: read.service)
    service_id = service.get("ID") or service.get("Service", "")
    if verb in _DELETES and service_id and not service.get("Service"):
        refused = "Must provide service name with ID"
    return ServiceOperation(verb, node, service_id, service.get("ModifyIndex", 0), entry, refused)


def _check(given: Given) -> CheckOperation:
    verb, check = given.get("Verb", ""), given.get("Check", {})
    node, check_id = check.get("Node", ""), check.get("CheckID") or check.get("Name", "")
    entry, refused = _checked(verb, {"Node": node, "Check": check.get(_RAW)}, lambda read: read.checks[0])
    return CheckOperation(verb, node, check_id, check.get("ModifyIndex", 0), entry, refused)


def _checked(verb: str, value: dict[str, Any], part: Callable[[NodeEntry], Entry | None]) -> tuple[Entry | None, str]:
    """(what is registered, why it is refused), by the rules of `PUT /v1/catalog/register`; nothing for other verbs."""
    if verb not in ("set", "cas"):
        return None, ""
    try:
        return part(catalogue.of_register({"SkipNodeUpdate": True, **value})), ""
    except RegistrationError as error:
        if error.status == 400:
            raise
        return None, str(error)


def _raw_check(value: Any, path: str) -> dict[str, Any]:
    """As read and as it is: what has been read, with its durations in seconds, cannot be read again."""
    return {**decode.record(value, catalogue.CHECK, path), _RAW: value}


def _base64(value: Any, path: str) -> str | None:
    text = decode.text(value, path).replace("\r", "").replace("\n", "")
    try:
        body = b64decode(text, validate=True)
    except (Error, ValueError):
        at = next((at for at, letter in enumerate(text) if letter not in _BASE64), len(text))
        raise RegistrationError(f"illegal base64 data at input byte {at}") from None
    return b64encode(body).decode() if body else None


def _unsigned(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise RegistrationError(f"json: cannot unmarshal {value!r} into Go struct field {path} of type uint64")
    return value


_BASE64 = frozenset(ascii_letters + digits + "+/")
_DELETES = ("delete", "delete-cas")
_RAW = "as given"
_KEY: Fields = decode.fields(
    Verb=decode.text,
    Key=decode.text,
    Value=_base64,
    Flags=_unsigned,
    Index=_unsigned,
    Session=decode.text,
    Namespace=decode.text,
    Partition=decode.text,
)
_NODE: Fields = decode.fields(
    ID=decode.text,
    Node=decode.text,
    Address=decode.text,
    Datacenter=decode.text,
    TaggedAddresses=decode.text_by_key,
    Meta=decode.text_by_key,
    CreateIndex=_unsigned,
    ModifyIndex=_unsigned,
    Partition=decode.text,
    PeerName=decode.text,
    Locality=decode.as_given,
)
_SERVICE: Fields = {
    **catalogue.SERVICE,
    **decode.fields(ContentHash=decode.text, Datacenter=decode.text),
}
# What a client may send back as it read it, and a registration has not.
_NOT_REGISTERED = ("ContentHash", "Datacenter")
_OPERATION: Fields = decode.fields(
    KV=decode.nested(_KEY),
    Node=decode.nested(decode.fields(Verb=decode.text, Node=decode.nested(_NODE))),
    Service=decode.nested(
        decode.fields(Verb=decode.text, Node=decode.text, Service=decode.nested(_SERVICE), Partition=decode.text)
    ),
    Check=decode.nested(decode.fields(Verb=decode.text, Check=_raw_check)),
)
# If one has several, the first counts, in this order.
_READERS: Mapping[str, Callable[[Given], Operation]] = {"KV": _key, "Node": _node, "Service": _service, "Check": _check}
