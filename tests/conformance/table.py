"""The table of cases: which test of ours stands for each, and whether it passes.

    python tests/conformance/table.py > docs/conformance.md

A test says `@case("ShortName")`. One that does not pass yet says `@failing("why")` too: it is run all the same, and
once it passes that mark makes it fail. So what this table says is what the tests say.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))

from upstream import CASES, ELSEWHERE, RELEASE  # noqa: E402

INTRODUCTION = f"""\
# Conformance

The Gateway API's own conformance suite ({RELEASE}) runs in a Kubernetes cluster.
Sampan has each of its cases that concerns GatewayClass, Gateway, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute,
ReferenceGrant and BackendTLSPolicy as a test of its own, without Kubernetes: the same situation in documents of our
own, the same requests and conditions asserted, through `sampan up` and a real Envoy.
Well-known ports are free ports here.
A missing row fails the tests; so does a case marked as failing that passes.
Not in the table are the cases of ListenerSet, UDPRoute and the mesh, which Sampan does not have yet.

"""


@dataclass(frozen=True, slots=True)
class Test:
    case: str
    name: str
    file: str
    failing: str


def tests() -> Iterator[Test]:
    """Every test that stands for a case, by looking into the files."""
    for path in sorted(FOLDER.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                marks = dict(_marks(node))
                if "case" in marks:
                    yield Test(marks["case"], node.name, path.name, marks.get("failing", ""))


def _marks(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id in ("case", "failing"):
            argument = mark.args[0]
            assert isinstance(argument, ast.Constant), f"{function.name}: {mark.func.id} takes a text"
            yield mark.func.id, str(argument.value)


def page() -> str:
    found = {test.case: test for test in tests()}
    passing = sum(not test.failing for test in found.values())
    lines = [f"**{passing} of {len(CASES) - len(ELSEWHERE)} pass.**", "", "| case | extended features | our test | |"]
    lines.append("|---|---|---|---|")
    for name, features in CASES.items():
        if name in ELSEWHERE:
            lines.append(f"| {name} | {', '.join(features)} | | not asked: {ELSEWHERE[name]} |")
        elif (test := found.get(name)) is not None:
            link = f"[{test.name}](../tests/conformance/{test.file})"
            lines.append(
                f"| {name} | {', '.join(features)} | {link} | {f'fail: {test.failing}' if test.failing else 'pass'} |"
            )
        else:
            lines.append(f"| {name} | {', '.join(features)} | | **missing** |")
    return INTRODUCTION + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
