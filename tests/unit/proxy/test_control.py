from __future__ import annotations

from pathlib import Path

import pytest

from sampan.proxy.control import RequestError, parse_proxies
from sampan.proxy.run import Wanted


def test_a_desired_set_is_read(tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.json"
    file.touch()
    asked = {"default/shop": {"bootstrap": str(file), "version": "abc", "arguments": ["--concurrency", "2"]}}
    assert parse_proxies(asked) == {"default/shop": Wanted(file, "abc", ("--concurrency", "2"))}


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("", {}, "name"),
        ("..", {}, "name"),
        ("a~b", {}, "without ~"),
        ("a\nb", {}, "printable"),
        ("x" * 318, {}, "317 bytes"),
        ("shop", {"bootstrap": None}, "absolute path"),
        ("shop", {"bootstrap": "relative.json"}, "absolute path"),
        ("shop", {"bootstrap": "/nowhere/at/all"}, "no bootstrap at"),
        ("shop", {"version": 3}, '"version"'),
        ("shop", {"version": ""}, '"version"'),
        ("shop", {"arguments": "--concurrency 2"}, "list of texts"),
        ("shop", {"arguments": ["a\0b"]}, "list of texts"),
        ("shop", {"argument": []}, "no field 'argument'"),
    ],
)
def test_a_mistake_gets_a_sentence(tmp_path: Path, name: str, change: dict[str, object], said: str) -> None:
    file = tmp_path / "bootstrap.json"
    file.touch()
    with pytest.raises(RequestError, match=said):
        parse_proxies({name: {"bootstrap": str(file), "version": "1", **change}})


@pytest.mark.parametrize("value", [None, [], "shop", {"shop": None}, {"shop": ["/a"]}])
def test_another_shape_gets_a_sentence(value: object) -> None:
    with pytest.raises(RequestError, match="must be an object"):
        parse_proxies(value)
