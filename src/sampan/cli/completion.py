"""What the shell proposes for an argument. A shell that waits for us must not be made to: errors propose nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from sampan.cli import kinds, state
from sampan.cli.api import Api
from sampan.cli.problem import UserError

TIMEOUT_SECONDS = 1.0


def kind_words(incomplete: str) -> list[str]:
    """Plurals, and the short names once somebody began one."""
    plurals = [kind.plural for kind in kinds.KINDS]
    words = (
        [*plurals, kinds.ALL] if not incomplete else [*plurals, kinds.ALL, *(n for k in kinds.KINDS for n in k.short)]
    )
    return [word for word in words if word.startswith(incomplete)]


def object_names(context: typer.Context, incomplete: str) -> list[str]:
    """Names of the kind that stands before."""

    def ask(api: Api) -> list[str]:
        kind = kinds.find(str(context.params.get("kind") or ""))
        namespace = str(context.params.get("namespace") or "default") if kind.namespaced else ""
        return [str(item["metadata"]["name"]) for item in api.objects(kind.kind, namespace)]

    return _proposed(context, incomplete, ask)


def proxy_names(context: typer.Context, incomplete: str) -> list[str]:
    return _proposed(context, incomplete, lambda api: [str(proxy["proxy"]) for proxy in api.proxies()])


def _proposed(context: typer.Context, incomplete: str, ask: Callable[[Api], list[Any]]) -> list[str]:
    try:
        found = ask(Api(state.folder(str(context.params.get("state") or "")), TIMEOUT_SECONDS))
    except UserError:
        return []
    return [name for name in found if name.startswith(incomplete)]
