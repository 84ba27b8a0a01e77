"""Envoy's runtime keys that Sampan sets: the same in the bootstrap of a proxy and in trials, or trials would lie."""

from __future__ import annotations

from typing import Any

from sampan.envoy import wire

RUNTIME = {
    # Envoy refuses a regular expression with a program of more than 100 instructions, such as `[a-z]{1,50}`
    # (seen with 1.40). Documents are checked against the same limit (`documents.regex.MAX_PROGRAM_SIZE`).
    "re2.max_program_size.error_level": 32768,
    "re2.max_program_size.warn_level": 32768,
}
LAYER = "sampan"
_LAYERED_RUNTIME = 17  # Bootstrap.layered_runtime


def layered_runtime() -> dict[str, Any]:
    """Bootstrap.layered_runtime, as JSON. The layer of the admin interface stays possible (`/runtime_modify`)."""
    return {"layers": [{"name": LAYER, "static_layer": RUNTIME}, {"name": "admin", "admin_layer": {}}]}


def runtime_field() -> bytes:
    """The same as a field of a serialised Bootstrap, without the admin layer."""
    from envoy.config.bootstrap.v3 import bootstrap_pb2

    runtime = bootstrap_pb2.LayeredRuntime()
    layer = runtime.layers.add(name=LAYER)
    layer.static_layer.update(RUNTIME)
    return wire.field(_LAYERED_RUNTIME, runtime.SerializeToString(deterministic=True))
