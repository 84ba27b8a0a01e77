"""The demo for a reader: tables on a terminal, plain lines on a pipe. Returns what to print and prints nothing."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from sampan.demo.check import Result
from sampan.demo.instance import Instance
from sampan.demo.live import Row


def instances_table(instances: Iterable[Instance]) -> Table:
    """What is where."""
    table = _table("service", "version", "instance", "address", "pid")
    table.columns[-1].justify = "right"
    for instance in instances:
        table.add_row(*(Text(cell) for cell in _cells(instance)))
    return table


def instances_lines(instances: Iterable[Instance]) -> str:
    return "\n".join("\t".join(_cells(instance)) for instance in instances)


def _cells(instance: Instance) -> tuple[str, ...]:
    return instance.service, instance.version, instance.name, instance.address, str(instance.pid)


def rows_table(rows: Iterable[Row]) -> Table:
    """Who got what, for rich.live.Live."""
    table = _table("route", "requests/s", "errors/s", "p50 ms", "p99 ms", "requests", "errors")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        trouble = "bold red" if row.error_rate else ""
        idle = "dim" if not row.request_rate else ""
        table.add_row(
            Text(row.label, style=idle),
            Text(f"{row.request_rate:.1f}", style=idle),
            Text(f"{row.error_rate:.1f}", style=trouble or idle),
            Text(milliseconds(row.p50), style=idle),
            Text(milliseconds(row.p99), style=idle),
            Text(f"{row.requests:,}", style="dim"),
            Text(f"{row.errors:,}", style="dim"),
        )
    return table


def rows_line(rows: Iterable[Row]) -> str:
    """One line for one interval: each route that had requests."""
    busy = [row for row in rows if row.request_rate]
    return (
        " | ".join(
            f"{row.label}: {row.request_rate:.1f}/s, {row.error_rate:.1f} errors/s, "
            f"p50 {milliseconds(row.p50)} ms, p99 {milliseconds(row.p99)} ms"
            for row in busy
        )
        or "no requests"
    )


def results_table(results: Iterable[Result]) -> Table:
    table = _table("", "what", "asked", "seen")
    for result in results:
        mark = Text("✓", style="green") if result.ok else Text("✗", style="bold red")
        table.add_row(mark, Text(result.name), Text(result.asked, style="dim"), Text(result.seen))
    return table


def results_lines(results: Iterable[Result]) -> str:
    return "\n".join(
        f"{'ok' if result.ok else 'FAILED'}\t{result.name}\t{result.asked}\t{result.seen}" for result in results
    )


def milliseconds(value: float | None) -> str:
    """Envoy keeps whole milliseconds, so 0 means less than one."""
    if value is None:
        return "–"
    return "<1" if value < 1 else f"{value:.0f}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table
