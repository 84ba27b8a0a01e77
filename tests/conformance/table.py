"""The table of cases: which test of ours stands for each, and whether it passes.

    python -m tests.conformance.table           the page as the tests' marks say
    python -m tests.conformance.table --write   runs the cases, and writes docs/conformance.md as they ended

A test says `@case("ShortName")`. One that does not pass yet says `@failing("why")` too: it is run all the same, and
once it passes that mark makes it fail. So the page, the marks and a green run say the same, or one of the tests fails.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from .upstream import ABSENT, CASES, RELEASE, WITHOUT_CASE

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "conformance.md"
MARKS = ("case", "feature", "failing", "void")

INTRODUCTION = f"""\
# Conformance

The Gateway API's own conformance suite ({RELEASE}) runs in a Kubernetes cluster.
Sampan has each of its cases that concerns GatewayClass, Gateway, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute,
ReferenceGrant and BackendTLSPolicy as a test of its own, without Kubernetes: the same situation in documents of our
own, the same requests and conditions asserted, through `sampan up` and a real Envoy.
Well-known ports are free ports here, but where a case is about the port.

`python -m tests.conformance.table --write` runs the cases and writes this page.
A missing row fails the tests; so does a case marked as failing that passes, and a feature that `GatewayClass` claims
while a case of it fails.
"""


@dataclass(frozen=True, slots=True)
class Test:
    """`failing` and `void` are reasons, or ""."""

    name: str
    file: str
    case: str = ""
    feature: str = ""
    failing: str = ""
    void: str = ""

    @property
    def expected(self) -> str:
        """What the row says if the test ends as its marks say."""
        if self.void:
            return f"void: {self.void}"
        return f"fail: {self.failing}" if self.failing else "pass"


def tests() -> Iterator[Test]:
    """Every test that stands for a case or a feature, by looking into the files."""
    for path in sorted(FOLDER.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and (marks := dict(_marks(node))):
                yield Test(node.name, path.name, **marks)


def _marks(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id in MARKS:
            argument = mark.args[0]
            assert isinstance(argument, ast.Constant), f"{function.name}: {mark.func.id} takes a text"
            yield mark.func.id, str(argument.value)


def page(ended: Mapping[str, str] | None = None) -> str:
    """`ended`: by `file::name` what a row says; without it, what the marks say."""
    found = list(tests())
    results = {
        test: test.expected if ended is None else ended.get(f"{test.file}::{test.name}", "not run") for test in found
    }
    cases = {test.case: test for test in found if test.case}
    features = {test.feature: test for test in found if test.feature}
    return "\n".join(
        (
            INTRODUCTION,
            _score(results),
            "",
            *_rows("case", CASES, cases, results),
            "",
            "## Features without a case",
            "",
            "The Gateway API names these features; its suite has no case for them.",
            "",
            *_rows("feature", dict.fromkeys(WITHOUT_CASE, ()), features, results),
            "",
            "## Not here",
            "",
            *(f"- {count} cases of {group}: {reason}" for group, count, reason in ABSENT),
            "",
        )
    )


def _score(results: Mapping[Test, str]) -> str:
    asked = [result for test, result in results.items() if test.case and not test.void]
    passed = f"**{asked.count('pass')} of {len(asked)} cases pass.**"
    return f"{passed} {len(CASES) - len(asked)} more are void: the suite skips them for a gateway with our features."


def _rows(
    title: str, names: Mapping[str, Sequence[str]], found: Mapping[str, Test], results: Mapping[Test, str]
) -> Iterator[str]:
    yield f"| {title} | our test | result |"
    yield "|---|---|---|"
    for name, features in names.items():
        needs = f"<br>needs {', '.join(features)}" if features and features != (name,) else ""
        test = found.get(name)
        link, result = ("", "**missing**") if test is None else (_link(test), results[test])
        yield f"| {name}{needs} | {link} | {result} |"


def _link(test: Test) -> str:
    return f"[{test.name}](../tests/conformance/{test.file})"


class Run:
    """A plugin that notes how each test ended."""

    def __init__(self) -> None:
        self.ended: dict[str, str] = {}
        self._expected = {f"{test.file}::{test.name}": test for test in tests()}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        place = f"{Path(report.fspath).name}::{report.location[2].partition('[')[0]}"
        test = self._expected.get(place)
        if test is None or (report.when != "call" and report.passed) or place in self.ended:
            return
        if report.skipped:
            self.ended[place] = test.expected if hasattr(report, "wasxfail") else "not run"
        elif report.passed:
            self.ended[place] = test.expected
        else:
            self.ended[place] = f"fail: {str(report.longreprtext).strip().splitlines()[-1]}".replace("|", "¦")


def main(arguments: list[str]) -> int:
    """The exit status."""
    if arguments != ["--write"]:
        sys.stdout.write(page())
        return 0
    run = Run()
    status = pytest.main(["-q", str(FOLDER), "-k", "not test_the_page_is_current"], [run])
    PAGE.write_text(page(run.ended))
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
