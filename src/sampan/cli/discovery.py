"""Which registry `up` and `demo` go by: one of their own, a Consul that runs already, or none. Never two."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from sampan.cli.problem import USAGE, UserError
from sampan.registry import place

OFF = "off"
REGISTRY_VARIABLE, CONSUL_VARIABLE = "SAMPAN_REGISTRY", "SAMPAN_CONSUL_ADDR"
DEFAULT_HTTP, DEFAULT_DNS = "127.0.0.1:8500", "127.0.0.1:8600"

Registry = Annotated[
    str,
    typer.Option(
        "--registry",
        envvar=REGISTRY_VARIABLE,
        metavar="HOST:PORT|off",
        show_default=False,
        help=f"Where the embedded registry listens. [default: {DEFAULT_HTTP}]",
    ),
]
RegistryDns = Annotated[
    str,
    typer.Option(
        "--registry-dns",
        envvar="SAMPAN_REGISTRY_DNS",
        metavar="HOST:PORT|off",
        show_default=False,
        help=f"Where it answers DNS. [default: {DEFAULT_DNS}]",
    ),
]
Consul = Annotated[
    str,
    typer.Option(
        "--consul",
        envvar=CONSUL_VARIABLE,
        metavar="URL",
        show_default=False,
        help="Go by the Consul there, and start no registry. Token and TLS: Consul's own variables.",
    ),
]
Datacenters = Annotated[
    list[str] | None,
    typer.Option(
        "--consul-datacenter", metavar="DC", show_default=False, help="A further one of that Consul's; repeatable."
    ),
]
TokenFile = Annotated[
    str,
    typer.Option("--consul-token-file", metavar="PATH", show_default=False, help="A file that holds Consul's token."),
]


@dataclass(frozen=True, slots=True)
class Discovery:
    """`registry` and `dns` are of the one to start, "" for none; `consul` is the address of one that runs already.
    `warning` is a sentence, or ""."""

    registry: str = ""
    dns: str = ""
    consul: str = ""
    datacenters: tuple[str, ...] = ()
    token_file: str = ""
    warning: str = ""

    @property
    def any(self) -> bool:
        return bool(self.registry or self.consul)

    def registry_arguments(self) -> list[str]:
        return ["--http", self.registry, "--dns", self.dns or OFF]

    def control_arguments(self) -> list[str]:
        """For the control plane, which never sees a token on its command line: the environment has it."""
        if self.registry:
            return ["--registry", self.registry]
        if not self.consul:
            return []
        further = [part for name in self.datacenters for part in ("--consul-datacenter", name)]
        file = ["--consul-token-file", self.token_file] if self.token_file else []
        return ["--consul", self.consul, *further, *file]


NOTHING = Discovery()


def discovery(
    registry: str = "",
    dns: str = "",
    consul: str = "",
    datacenters: Sequence[str] = (),
    token_file: str = "",
    environment: Mapping[str, str] = os.environ,
) -> Discovery:
    """What was asked for: the command line counts before the environment. Raises UserError for what makes no sense, or
    is not safe."""
    by_variable = (registry == environment.get(REGISTRY_VARIABLE), consul == environment.get(CONSUL_VARIABLE))
    if registry not in ("", OFF) and consul and by_variable == (True, False):
        registry = ""
    if registry and consul and by_variable == (False, True):
        consul = ""
    if consul:
        return _consul(registry, consul, datacenters, token_file, environment)
    for option, given in (("--consul-datacenter", datacenters), ("--consul-token-file", token_file)):
        if given:
            raise UserError(f"{option} is about a Consul", "name that with --consul URL", exit_code=USAGE)
    if registry == OFF:
        return NOTHING
    http = _address("--registry", registry or DEFAULT_HTTP)
    _check_open(http, environment)
    if dns == OFF:
        return Discovery(str(http), "", warning=_elsewhere(http, environment))
    names = _address("--registry-dns", dns or DEFAULT_DNS)
    _check_open(names, environment)
    return Discovery(str(http), str(names), warning=_elsewhere(http, environment))


def _check_open(address: place.Address, environment: Mapping[str, str]) -> None:
    try:
        place.check_open(address, environment.get(place.TOKEN_VARIABLE, ""))
    except place.PlaceError as error:
        hint = f"set ${place.TOKEN_VARIABLE} to a secret that clients bring along, or listen on 127.0.0.1"
        raise UserError(str(error), hint, exit_code=USAGE) from error


def _consul(
    registry: str, consul: str, datacenters: Sequence[str], token_file: str, environment: Mapping[str, str]
) -> Discovery:
    if registry not in ("", OFF):
        raise UserError(
            f"--consul {consul} goes by a registry that runs already, and --registry {registry} starts another one: "
            "services would register in one and be looked for in the other",
            f"give one of the two (${CONSUL_VARIABLE} and ${REGISTRY_VARIABLE} count too)",
            exit_code=USAGE,
        )
    from sampan.consul.target import TargetError, target

    file = os.path.abspath(token_file) if token_file else ""
    try:
        found = target(environment, consul, token_file=file)
        found.tls()
    except TargetError as error:
        raise UserError(f"--consul: {error}", exit_code=USAGE) from error
    return Discovery(consul=found.address, datacenters=tuple(dict.fromkeys(datacenters)), token_file=file)


def _address(option: str, text: str) -> place.Address:
    try:
        return place.parse(text)
    except place.PlaceError as error:
        raise UserError(f"{option}: {error}, and not `{OFF}`", exit_code=USAGE) from error


def _elsewhere(http: place.Address, environment: Mapping[str, str]) -> str:
    """Clients that were started from here would go elsewhere: `consul`, and most libraries, read this variable."""
    named = environment.get("CONSUL_HTTP_ADDR", "")
    bare = named.partition("://")[2] or named
    same = {str(http), f"localhost:{http.port}"} if http.loopback else {str(http)}
    if not named or bare.rstrip("/") in same:
        return ""
    return (
        f"CONSUL_HTTP_ADDR sends clients to {named}, and the registry here is another one, at {http}: "
        f"`--consul {named}` goes by that one, `--registry {OFF}` starts none"
    )
