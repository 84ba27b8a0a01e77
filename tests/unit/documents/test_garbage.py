"""Whatever is in a text, reading it ends, soon, with objects or with words; it never raises."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
import yaml

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import load

TEXTS = [
    case["text"]
    for case in yaml.safe_load(Path(__file__).with_name("mistakes.yaml").read_text(encoding="utf-8"))
    if len(case["text"]) < 3000
]
BITS = [
    "\n", "  ", "- ", ": ", "{", "}", "[", "]", "'", '"', "&a ", "*a", "<<: ", "|", "\t", "---\n", "...\n", "null",
    "1e9",
    "?", "!", "%", "@", "0x", "~", "true", "\0", "\x85", "\u2028", "é", "\U0001f600", "#", ",",
]  # fmt: skip


def changed(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 5)):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.randint(0, 12))
        other = chance.choice(TEXTS)
        cut = chance.randrange(len(other) + 1)
        text = chance.choice(
            [
                text[:start] + chance.choice(BITS) + text[start:],
                text[:start] + text[end:],
                text[:start] + other[cut : cut + 80] + text[start:],
                text[:start] + text[start:end] * 2 + text[end:],
            ]
        )
    return text


@pytest.mark.parametrize("seed", range(4))
def test_nothing_raises_and_nothing_is_lost_in_silence(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(500):
        loaded = load(changed(chance.choice(TEXTS), chance), "a.yaml", BUILT_IN)
        assert not loaded.broken or loaded.diagnostics
        assert all(item.origin.line >= 1 and item.origin.column >= 1 for item in loaded.diagnostics)
        assert all(hash(item.spec) is not None for item in loaded.objects)


ROUTE = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: a}\nspec: "
SIZE = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * SIZE,
        "{a: " * SIZE,
        "- " * SIZE,
        "? " * SIZE,
        "  k: v\n" * (SIZE // 7),
        "x: [\n---\n" * (SIZE // 20),
        "x: &a 1\ny: [" + "*a," * (SIZE // 3) + "]",
        "x: " + "9" * SIZE,
        "'" + "a\n\n" * (SIZE // 3),
        "\r" * SIZE,
        "%a\n" * (SIZE // 3),
        ROUTE + "{hostnames: [" + "A," * (SIZE // 2) + "]}",
        ROUTE + "{rules: [{filters: [" + "{typ: a}," * (SIZE // 9) + "]}]}",
    ],
    ids=lambda text: repr(text[:10]) if not text.startswith("api") else text[-30:-20],
)
def test_large_garbage_costs_no_more_than_its_size(text: str) -> None:
    before = time.process_time()
    loaded = load(text, "a.yaml", BUILT_IN)
    # Measured: 0.7 s at most. A quadratic step would take minutes.
    assert time.process_time() - before < 10
    assert loaded.objects == ()


def test_not_all_mistakes_of_garbage_are_shown() -> None:
    loaded = load(ROUTE + "{hostnames: [" + "A," * 5000 + "]}", "a.yaml", BUILT_IN)
    assert len(loaded.diagnostics) == 101
    assert loaded.diagnostics[-1].reason == "only the first 100 mistakes of this document are shown"
