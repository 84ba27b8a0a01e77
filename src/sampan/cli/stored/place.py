"""Which Consul, or embedded registry, the documents are in; and what to say when it does not answer."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sampan.cli import state as states
from sampan.cli.problem import USAGE, UserError
from sampan.registry import place as registries

if TYPE_CHECKING:
    from sampan.consul.client import Client
    from sampan.consul.target import Target

Result = TypeVar("Result")

CONSUL_VARIABLE = "SAMPAN_CONSUL_ADDR"

Consul = Annotated[
    str,
    typer.Option(
        "--consul",
        envvar=CONSUL_VARIABLE,
        metavar="URL",
        show_default=False,
        help="Which Consul. [default: the running Sampan's registry, else $CONSUL_HTTP_ADDR, else 127.0.0.1:8500]",
    ),
]


@dataclass(frozen=True, slots=True)
class Place:
    """`why` says for people how this one was chosen."""

    target: Target
    why: str

    def __str__(self) -> str:
        return f"{self.target.address} ({self.why})"


def choose(consul: str, state: str, environment: Mapping[str, str] = os.environ) -> Place:
    """What `--consul` says, else the running Sampan's registry, else what Consul's own tools take. Raises UserError."""
    from sampan.consul.target import TargetError, target

    try:
        if consul:
            return Place(target(environment, consul), f"--consul or ${CONSUL_VARIABLE}")
        folder = states.folder(state)
        announced = registries.living(folder)
        if announced is not None:
            found = target(environment, registries.reached_text(announced.http))
            token = environment.get(registries.TOKEN_VARIABLE, "")
            return Place(replace(found, token=token) if token else found, f"the registry of the Sampan at {folder}")
        named = environment.get("CONSUL_HTTP_ADDR", "")
        return Place(
            target(environment), "$CONSUL_HTTP_ADDR" if named else "the default; no Sampan with one is running"
        )
    except TargetError as error:
        raise UserError(str(error), exit_code=USAGE) from error


def ask(place: Place, work: Callable[[Client], Awaitable[Result]]) -> Result:
    """Runs `work` with a client there. Raises UserError."""
    import asyncio

    from sampan.consul.client import Client

    async def main() -> Result:
        async with Client(place.target) as client:
            return await work(client)

    with explained(place):
        return asyncio.run(main())


@contextmanager
def explained(place: Place) -> Iterator[None]:
    """Errors of Consul's as a sentence, with what to do."""
    from sampan.consul.errors import ConsulError, RefusedError, UnreachableError
    from sampan.consul.target import TargetError

    try:
        yield
    except TargetError as error:
        raise UserError(str(error), exit_code=USAGE) from error
    except UnreachableError as error:
        hint = "`sampan up` starts a registry; --consul URL names a Consul that runs elsewhere"
        raise UserError(f"no answer from {place}: {error}", hint) from error
    except RefusedError as error:
        hint = "a token goes into CONSUL_HTTP_TOKEN; it must be allowed to read and write keys below sampan/"
        raise UserError(f"{place.target.address} refused: {error}", hint if error.forbidden else "") from error
    except ConsulError as error:
        raise UserError(f"{place.target.address}: {error}", "is this the HTTP port of a Consul?") from error
