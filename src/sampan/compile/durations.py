"""Milliseconds, as documents and policies have them, into `google.protobuf.Duration`."""

from __future__ import annotations

from typing import Any


def fill_duration(message: Any, milliseconds: int) -> None:
    """0 makes a present Duration of zero, which most of Envoy's timeouts read as "none"."""
    message.SetInParent()
    message.seconds, rest = divmod(milliseconds, 1000)
    message.nanos = rest * 1_000_000
