"""How much a check may say (`check_output_max_size`, `OutputMaxSize`)."""

from __future__ import annotations

from sampan.registry.rows import DefinitionRow

LARGEST = 4096


def largest(definition: DefinitionRow) -> int:
    """In bytes. A check may have less than the agent's limit, not more."""
    return min(definition.get("OutputMaxSize") or LARGEST, LARGEST)


def reported(definition: DefinitionRow, output: str) -> str:
    """What is kept of a report: its beginning, with Consul's words for the rest."""
    raw, most = output.encode(), largest(definition)
    if len(raw) <= most:
        return output
    return f"{raw[:most].decode(errors='replace')} ... (captured {most} of {len(raw)} bytes)"
