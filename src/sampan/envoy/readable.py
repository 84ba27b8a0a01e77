"""Rows for people: as JSON, without their secrets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf.json_format import MessageToDict

from sampan.envoy import protos
from sampan.envoy.table import Row
from sampan.envoy.walk import walk

REDACTED = "<redacted>"
_MESSAGE, _STRING, _BYTES = 11, 9, 12  # FieldDescriptor.TYPE_*


def readable(row: Row) -> dict[str, Any]:
    """The row's message in Envoy's own JSON, fields named as in its documentation. What Envoy's protos mark as
    sensitive (private keys, passwords) reads `<redacted>`."""
    message_class = protos.message_class(row.type)
    if message_class is None:
        raise ValueError(f"there is no message class for {row.type}")
    message = message_class.FromString(row.body)
    walk(message, _redact)
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found


def _redact(message: Any) -> bool:
    """Blanks the sensitive fields of one message."""
    sensitive = [field for field, _ in message.ListFields() if _is_sensitive(field)]
    for field in sensitive:
        if field.type == _MESSAGE:
            _blank_within(message, field)
        else:
            _blank(message, (field,))
    return bool(sensitive)


def _blank(message: Any, fields: Iterable[Any]) -> None:
    """Every text and every run of bytes in these fields, and in messages within; the names of files stay."""
    present = {field.name for field, _ in message.ListFields()}
    for field in fields:
        if field.name not in present or field.name in ("filename", "environment_variable"):
            continue
        if field.type == _MESSAGE:
            _blank_within(message, field)
        elif field.type in (_STRING, _BYTES):
            _blank_text(message, field)
    if "inline_bytes" in present:  # DataSource: text reads better than base64 of "<redacted>"
        message.inline_string = REDACTED


def _blank_within(message: Any, field: Any) -> None:
    value = getattr(message, field.name)
    if field.message_type.GetOptions().map_entry:
        if field.message_type.fields_by_name["value"].type != _MESSAGE:
            message.ClearField(field.name)
            return
        parts = list(value.values())
    else:
        parts = value if field.is_repeated else [value]
    for part in parts:
        _blank(part, part.DESCRIPTOR.fields)


def _blank_text(message: Any, field: Any) -> None:
    blank: Any = REDACTED if field.type == _STRING else REDACTED.encode()
    if field.is_repeated:
        value = getattr(message, field.name)
        value[:] = [blank] * len(value)
    else:
        setattr(message, field.name, blank)


def _is_sensitive(field: Any) -> bool:
    from udpa.annotations import sensitive_pb2

    return bool(field.GetOptions().Extensions[sensitive_pb2.sensitive])
