"""Every message inside a message, through `google.protobuf.Any` too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sampan.envoy import protos

Visit = Callable[[Any], bool]
_MESSAGE = 11  # FieldDescriptor.TYPE_MESSAGE


def walk(message: Any, visit: Visit) -> bool:
    """Calls `visit` on the message and all within, outer ones first. `visit` says whether it changed its message in
    place; an Any around a changed message is packed again. Messages without a Python class are passed over."""
    changed = visit(message)
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        return _walk_any(message, visit) or changed
    for field, value in message.ListFields():
        if field.type != _MESSAGE:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].type == _MESSAGE:
                for key in list(value):
                    changed = walk(value[key], visit) or changed
        elif field.is_repeated:
            for item in value:
                changed = walk(item, visit) or changed
        else:
            changed = walk(value, visit) or changed
    return changed


def _walk_any(packed: Any, visit: Visit) -> bool:
    message_class = protos.message_class(packed.type_url)
    if message_class is None:
        return False
    message = message_class.FromString(packed.value)
    if not walk(message, visit):
        return False
    packed.value = message.SerializeToString(deterministic=True)
    return True
