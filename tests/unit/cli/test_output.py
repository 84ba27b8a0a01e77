"""Tables, colours, YAML, and diagnostics as compilers print them."""

from __future__ import annotations

import io

import pytest

from sampan.cli import output
from sampan.model.codes import Code
from sampan.model.diagnostic import Diagnostic, record
from sampan.model.meta import Origin
from sampan.model.names import GATEWAY_API, Ref

WRONG = Code("SMP9999", "wrong value")
ODD = Code("SMP9998", "odd value", "warning")
ROUTE = Ref(GATEWAY_API, "HTTPRoute", "default", "shop")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _diagnostic(code: Code = WRONG, reason: str = "port 0 is not a port") -> Diagnostic:
    field = ("spec", "rules", 0, "backendRefs", 1, "port")
    return Diagnostic(code, reason, Origin("files", "shop.yaml", 12, 9), ROUTE, field, "ports go from 1 to 65535")


def test_a_diagnostic_reads_like_a_compilers() -> None:
    text = output.render_diagnostics([record(_diagnostic())], io.StringIO())
    assert text.splitlines() == [
        "shop.yaml:12:9: error[SMP9999]: port 0 is not a port",
        "  object: HTTPRoute/default/shop",
        "   field: spec.rules[0].backendRefs[1].port",
        "    hint: ports go from 1 to 65535",
    ]


def test_what_is_not_known_of_a_diagnostic_is_left_out() -> None:
    found = record(Diagnostic(ODD, "the folder is empty", Origin("files", "shop.d")))
    assert output.render_diagnostics([found], io.StringIO()) == "shop.d: warning[SMP9998]: the folder is empty"


def test_texts_of_documents_cannot_command_the_terminal() -> None:
    found = record(_diagnostic(reason="'\x1b[2J\nevil' is not a name"))
    assert r"'\x1b[2J\nevil' is not a name" in output.render_diagnostics([found], io.StringIO())
    assert r"a\x1b[31mb" in output.table(["NAME"], [["a\x1b[31mb"]])


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert output.paint("x", output.RED, Terminal()) == "\x1b[31;1mx\x1b[0m"
    assert output.paint("x", output.RED, io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.paint("x", output.RED, Terminal()) == "x"
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert output.paint("x", output.RED, Terminal()) == "x"


def test_tables_align_and_name_what_is_empty() -> None:
    text = output.table(["NAME", "AGE"], [["shop", "3s"], ["much-longer", ""]])
    assert text.splitlines() == ["NAME          AGE", "shop          3s", "much-longer   <none>"]


def test_yaml_repeats_what_is_the_same_and_keeps_order() -> None:
    shared = {"b": 1, "a": 2}
    assert output.as_yaml({"x": shared, "w": shared}) == "x:\n  b: 1\n  a: 2\nw:\n  b: 1\n  a: 2\n"


def test_progress_shows_on_a_terminal_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for stream, expected in ((Terminal(), "reading …\r\x1b[K"), (io.StringIO(), "")):
        monkeypatch.setattr("sys.stderr", stream)
        with output.busy("reading"):
            pass
        assert stream.getvalue() == expected
