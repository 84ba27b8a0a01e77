"""What only Envoy refuses is refused part by part, and what stands in for it is taken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sampan.compile.engine import compile_plan
from sampan.compile.memo import Memo
from sampan.compile.routes import Part, trial
from sampan.envoy.static import trial_bootstrap
from sampan.model.plan import Entry, Forward, Match, PathMatch, Plan, Share
from sampan.model.policy import Effective, PolicyKind
from sampan.policies import discover
from sampan.proxy.binary import find

pytestmark = pytest.mark.envoy

PLUGIN = Path(__file__).parents[2] / "plugins" / "raw_route"


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PolicyKind, ...]]:
    """All policies, the tests' RawRoute by its entry point among them."""
    monkeypatch.syspath_prepend(PLUGIN)
    yield discover()
    for name in [name for name in sys.modules if name.partition(".")[0] == "raw_route_plugin"]:
        del sys.modules[name]


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[Iterable[Part]], str]:
    """What Envoy says against parts, "" if it takes them."""

    def ask(parts: Iterable[Part]) -> str:
        file = tmp_path / "trial.pb"
        file.write_bytes(trial_bootstrap(trial("http", parts).body))
        command = [find(), "--mode", "validate", "-c", file, "--log-level", "error", "--disable-hot-restart"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return "" if done.returncode == 0 else done.stderr

    return ask


def raw(kinds: Iterable[PolicyKind], pattern: str) -> dict[str, Effective]:
    kind = next(kind for kind in kinds if kind.kind == "RawRoute")
    return {"RawRoute": Effective("RawRoute", kind.shipped.model_copy(update={"path_regex": pattern}), {})}


def test_one_part_is_refused_and_its_stand_in_taken(kinds: Any, refusal: Any, shop: Any) -> None:
    shop.upstream("a")
    entries = [
        Entry(
            Match(PathMatch("prefix", f"/{name}")),
            shop.action(name, Share(1, Forward("a"), policies=raw(kinds, pattern))),
        )
        for name, pattern in (("good", "a+"), ("bad", "(?<x>a)("), ("fine", "b+"))
    ]
    plan: Plan = shop.plan(*entries)
    memo = Memo()
    parts = compile_plan(plan, kinds, memo).parts["http"]
    assert [bool(refusal([part])) for part in parts] == [False, True, False]
    assert "bad" not in refusal(parts)  # Envoy's words do not name the route
    stand_ins = compile_plan(plan, kinds, memo, refused={parts[1].key: None}).parts["http"]
    assert refusal(stand_ins) == ""
    assert [part.name for part in stand_ins] == ["good", "bad", "fine"]


def test_a_match_that_is_refused(kinds: Any, refusal: Any, shop: Any) -> None:
    """The answer in its place has the same match, so it is refused too: then nothing stands there."""
    shop.upstream("a")
    entry = Entry(Match(PathMatch("regex", "/(")), shop.action("bad", Share(1, Forward("a"))))
    plan: Plan = shop.plan(entry)
    memo = Memo()
    (part,) = compile_plan(plan, kinds, memo).parts["http"]
    refused: dict[str, bytes | None] = {part.key: None}
    (answer,) = compile_plan(plan, kinds, memo, refused=refused).parts["http"]
    assert refusal([answer])
    refused[answer.key] = None
    compiled = compile_plan(plan, kinds, memo, refused=refused)
    assert [item.body for item in compiled.parts["http"]] == [b""]
    assert compiled.replaced() == {part.key, answer.key}
    assert not compile_plan(plan, kinds, memo).replaced()
