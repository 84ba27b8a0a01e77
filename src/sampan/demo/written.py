"""The documents of the shop in the folder it runs in: the package's own, with the ports that were asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml


def names() -> tuple[str, ...]:
    """The documents of the package, sorted."""
    return tuple(sorted(entry.name for entry in _documents().iterdir() if entry.name.endswith((".yaml", ".proto"))))


def text(name: str) -> str:
    content: str = (_documents() / name).read_text("utf-8")
    return content


def write_documents(folder: Path, ports: Mapping[str, int]) -> None:
    """Copies the documents into `folder`; the Gateway's listeners take their ports from `ports`, by listener name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names():
        content = text(name)
        _replace(folder / name, with_ports(content, ports) if name == "gateway.yaml" else content)


def with_ports(gateway: str, ports: Mapping[str, int]) -> str:
    """The text of a Gateway with other listener ports: only the numbers change, comments and layout stay."""
    listeners = _entry(_entry(yaml.compose(gateway, yaml.SafeLoader), "spec"), "listeners").value
    for listener in reversed(listeners):  # from the end, so that the places of the others stay true
        port = ports.get(_entry(listener, "name").value)
        if port is not None:
            place = _entry(listener, "port")
            gateway = gateway[: place.start_mark.index] + str(int(port)) + gateway[place.end_mark.index :]
    return gateway


def _entry(node: Any, name: str) -> Any:
    return next(value for key, value in node.value if key.value == name)


def _replace(path: Path, content: str) -> None:
    """Atomically: whoever watches the folder sees the old text or the new."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(content, "utf-8")
    os.replace(partial, path)


def _documents() -> Any:
    return files("sampan.demo") / "documents"
