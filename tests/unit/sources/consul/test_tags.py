"""Tags: plain ones, and go-micro's in both of its formats."""

from __future__ import annotations

import json
import zlib

from sampan.sources.consul.tags import read


def packed(letter: str, value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return f"{letter}-{zlib.compress(text.encode()).hex()}"


def test_pairs_and_words() -> None:
    found = read(("primary", "version=2", "zone=a=b", "traefik.enable=true", "version=3"))
    assert found.words == ("primary",)
    assert found.pairs == {"version": "2", "zone": "a=b", "traefik.enable": "true"}
    assert found.version == "2"


def test_what_go_micro_writes_today() -> None:
    tags = (
        packed("t", {"protocol": "mucp"}),
        packed("t", {"zone": "a"}),
        packed("e", {"name": "Greeter.Hello", "request": {}, "metadata": {}}),
        packed("v", "1.2.3"),
    )
    found = read(tags)
    assert (found.version, found.micro, found.pairs, found.words) == (
        "1.2.3",
        {"protocol": "mucp", "zone": "a"},
        {},
        (),
    )


def test_what_go_micro_wrote_once() -> None:
    found = read(('t={"zone":"a"}', 'e={"name":"Greeter.Hello"}', "v=1.2.3"))
    assert (found.version, found.micro, found.words) == ("1.2.3", {"zone": "a"}, ())


def test_what_only_looks_like_go_micro() -> None:
    found = read(("t-shirt", "v-2", "e-mail", "v-", "t-00", "v-78 9c"))
    assert found.words == ("t-shirt", "v-2", "e-mail", "v-", "t-00", "v-78 9c")


def test_a_bomb_stays_small() -> None:
    assert len(read((packed("v", "1" * 50_000_000),)).version) <= 64 * 1024


def test_nonsense_within_is_no_metadata() -> None:
    tags = (packed("t", "[1]"), packed("t", "{"), packed("t", {"a": 1, "b": "x"}), packed("t", "[" * 50_000))
    assert read(tags).micro == {"b": "x"}
