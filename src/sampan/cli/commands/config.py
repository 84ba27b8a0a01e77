"""`sampan config`."""

from __future__ import annotations

from typing import Annotated

import typer

from sampan.cli import api, output
from sampan.cli.options import Data, DataOption, TypeOption
from sampan.cli.state import State


def command(
    proxy: Annotated[str, typer.Argument(metavar="PROXY", help="NAMESPACE/NAME of the Gateway, or NAME in `default`.")],
    type_: TypeOption = None,
    form: DataOption = Data.YAML,
    state: State = "",
) -> None:
    """Show the Envoy configuration that a proxy has, without its secrets."""
    resources = api.running(state).config(proxy, str(type_) if type_ else "")
    output.emit(resources, form)
