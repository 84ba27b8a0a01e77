"""`sampan demo`."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import Annotated

import typer

from sampan.cli.commands.up import Envoy
from sampan.cli.discovery import DEFAULT_HTTP, Registry, RegistryDns, discovery
from sampan.cli.options import Format, FormatOption
from sampan.cli.problem import UserError

Check = Annotated[bool, typer.Option("--check", help="Ask for everything once; exit 0 if all is well, 1 if not.")]
Port = Annotated[int, typer.Option("--port", metavar="N", min=1, max=65535, help="For HTTP and gRPC.")]
TcpPort = Annotated[int, typer.Option("--tcp-port", metavar="N", min=1, max=65535, help="For TCP.")]
Rate = Annotated[float, typer.Option("--rate", metavar="N", min=0.1, max=10_000, help="Requests per second.")]
# Not $SAMPAN_STATE: that is where the user's own Sampan runs.
Folder = Annotated[
    str,
    typer.Option(
        "--state", metavar="DIR", show_default=False, help="Where to put files. [default: a temporary folder]"
    ),
]


def command(
    check: Check = False,
    port: Port = 8080,
    tcp_port: TcpPort = 9000,
    rate: Rate = 50.0,
    form: FormatOption = Format.TEXT,
    envoy: Envoy = "",
    registry: Registry = "",
    registry_dns: RegistryDns = "",
    state: Folder = "",
) -> None:
    """Run a small shop behind a gateway, with traffic. Ctrl-C ends it all.

    Shows which instance is where, and live from Envoy's statistics who gets what. --check asks for everything once.
    """
    from sampan.cli import state as states
    from sampan.cli.commands import up
    from sampan.cli.demo_show import Demo, Wishes
    from sampan.cli.until_signal import run_until_signal

    found = discovery(registry, registry_dns)
    if not found.registry:
        raise UserError("the shop's services register, and the registry is off", f"give it `--registry {DEFAULT_HTTP}`")
    binary = up.find_envoy(envoy)
    with ExitStack() as cleanup:
        if not state:
            temporary = tempfile.TemporaryDirectory(prefix="sampan-demo-", ignore_cleanup_errors=True)
            state = cleanup.enter_context(temporary)
        folder = states.folder(state)
        states.prepare(folder)
        up.refuse_second(folder)
        up.make_room(folder, found, needed=True)
        wishes = Wishes(
            folder=folder, port=port, tcp_port=tcp_port, rate=rate, form=form, envoy=binary, discovery=found
        )
        demo = Demo(wishes)
        code = run_until_signal(demo.check if check else demo.show)
    raise typer.Exit(code)
