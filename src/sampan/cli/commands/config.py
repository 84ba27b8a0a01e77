"""`sampan config`."""

from __future__ import annotations

from typing import Annotated

import typer

from sampan.cli import api, completion, output
from sampan.cli.options import Data, DataOption, Type, TypeOption
from sampan.cli.state import State

ProxyName = Annotated[
    str,
    typer.Argument(
        metavar="PROXY",
        help="NAMESPACE/NAME of the Gateway, or NAME in `default`.",
        autocompletion=completion.proxy_names,
    ),
]


def command(
    proxy: ProxyName,
    type_: TypeOption = None,
    form: DataOption = Data.YAML,
    state: State = "",
) -> None:
    """Show the Envoy configuration of a proxy, without secrets."""
    found = api.running(state).config(proxy, str(type_) if type_ else "")
    by_type = {f"{word.removesuffix('s')}s": resources for word, resources in found.items()}
    output.emit({str(name): by_type[name] for name in Type if name in by_type}, form)
