"""What several commands take: the values of `-o` and `--type`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sampan.cli import completion


class Format(StrEnum):
    """Of `-o` where there is text for people beside the data."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class Data(StrEnum):
    """Of `-o` where there is nothing but data."""

    YAML = "yaml"
    JSON = "json"


class View(StrEnum):
    """Of `-o` where objects are listed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class Result(StrEnum):
    """Of `-o` where what was done is told, object by object."""

    NAME = "name"
    JSON = "json"
    YAML = "yaml"


class Type(StrEnum):
    """The types of Envoy's resources, as people name them."""

    LISTENERS = "listeners"
    ROUTES = "routes"
    CLUSTERS = "clusters"
    ENDPOINTS = "endpoints"
    SECRETS = "secrets"


class LogLevel(StrEnum):
    """Envoy's."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    OFF = "off"


FormatOption = Annotated[Format, typer.Option("-o", "--output", help="text, json or yaml.", show_default=True)]
ResultOption = Annotated[Result, typer.Option("-o", "--output", help="name, json or yaml.", show_default=True)]
DataOption = Annotated[Data, typer.Option("-o", "--output", help="yaml or json.", show_default=True)]
TypeOption = Annotated[Type | None, typer.Option("--type", help="Only this type.", show_default=False)]
Namespace = Annotated[str, typer.Option("-n", "--namespace", help="Which namespace.", show_default=True)]
ObjectName = Annotated[
    str, typer.Argument(metavar="[NAME]", show_default=False, autocompletion=completion.object_names)
]
Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, and folders of files.")]

Registered = Annotated[
    list[str] | None,
    typer.Option(
        "--registered",
        metavar="NAME",
        show_default=False,
        help="A service that will be registered, so that documents may refer to it; repeatable.",
    ),
]
