"""`sampan compile`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sampan.cli import output
from sampan.cli.options import Data, DataOption, Paths, Registered, Type, TypeOption
from sampan.cli.problem import FAILED, USAGE, UserError

if TYPE_CHECKING:
    from sampan.cli.reading import Reading
    from sampan.model.plan import Plan

Gateway = Annotated[
    str,
    typer.Option("--gateway", metavar="NAME", show_default=False, help="Only this one: NAME or NAMESPACE/NAME."),
]


def command(
    paths: Paths,
    gateway: Gateway = "",
    type_: TypeOption = None,
    registered: Registered = None,
    form: DataOption = Data.YAML,
) -> None:
    """Print the Envoy configuration that documents give, without secrets.

    By Gateway and type. Mistakes are told on stderr and exit 1; what is right is compiled all the same.
    """
    with output.busy("reading the documents"):
        from sampan.cli.reading import read
        from sampan.model.diagnostic import record

        reading = read(paths, registered or ())
    records = [record(item) for item in reading.diagnostics]
    if records:
        output.tell(output.render_diagnostics(records, sys.stderr))
    compiled = {plan.view.proxy: resources(reading, plan, type_) for plan in _chosen(reading, gateway)}
    output.emit(compiled, form)
    if output.counts(records)[0]:
        raise typer.Exit(FAILED)


def _chosen(reading: Reading, gateway: str) -> list[Plan]:
    plans = sorted(reading.resolution.plans.values(), key=lambda plan: plan.view)
    if not gateway:
        return plans
    proxy = gateway if "/" in gateway else f"default/{gateway}"
    chosen = [plan for plan in plans if plan.view.proxy == proxy]
    if not chosen:
        known = ", ".join(plan.view.proxy for plan in plans) or "none"
        raise UserError(f"there is no Gateway {proxy} that is accepted", f"those are: {known}", exit_code=USAGE)
    return chosen


def resources(reading: Reading, plan: Plan, type_: Type | None) -> dict[str, list[dict[str, Any]]]:
    """Everything that the Gateway's Envoy would be sent, by type."""
    from sampan.compile.endpoints import endpoint_row
    from sampan.compile.engine import compile_plan
    from sampan.compile.memo import Memo
    from sampan.envoy import types
    from sampan.envoy.readable import readable
    from sampan.resolve import endpoint_group

    table = compile_plan(plan, reading.policies, Memo()).table
    groups = {up.group: up for up in plan.upstreams.values() if up.discovery == "endpoints"}
    endpoints = [endpoint_row(endpoint_group(reading.snapshot, upstream)) for _, upstream in sorted(groups.items())]
    rows = {
        Type.LISTENERS: table.of(types.LISTENER).values(),
        Type.ROUTES: table.of(types.ROUTE).values(),
        Type.CLUSTERS: table.of(types.CLUSTER).values(),
        Type.ENDPOINTS: endpoints,
        Type.SECRETS: table.of(types.SECRET).values(),
    }
    return {
        str(name): [readable(row) for row in sorted(found, key=lambda row: row.name)]
        for name, found in rows.items()
        if type_ in (None, name)
    }
