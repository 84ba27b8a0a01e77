"""What users see: lines, tables, JSON and YAML on stdout; words on stderr; colours on a terminal only.

Records of diagnostics have the same keys everywhere: in `sampan check -o json`, in the daemon's `/v1/diagnostics`, and
in what is rendered here.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from sampan.cli.problem import UserError
from sampan.model.printable import one_line

Record = Mapping[str, Any]

BOLD, RED, GREEN, YELLOW, CYAN, FAINT = "1", "31;1", "32", "33;1", "36", "2"


# ---- words


def say(text: str) -> None:
    """Data, on stdout. Nothing printed here is a word to the user. Raises UserError if it cannot be written."""
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on (`| head`): main ends quietly
        raise
    except OSError as error:
        sys.stdout = None  # or Python would try again when it ends, and complain
        raise UserError(f"the output cannot be written: {error.strerror}") from error


def tell(text: str) -> None:
    """Words, on stderr."""
    print(text, file=sys.stderr)


def complain(reason: str, hint: str = "") -> None:
    tell(f"{paint('error:', RED, sys.stderr)} {reason}")
    if hint:
        tell(f"{paint('hint:', CYAN, sys.stderr)} {hint}")


def warn(reason: str) -> None:
    tell(f"{paint('warning:', YELLOW, sys.stderr)} {reason}")


@contextmanager
def busy(doing: str) -> Iterator[None]:
    """Says what takes a while, on a terminal, for as long as it takes."""
    visible = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if visible:
        print(f"{doing} …", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if visible:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def colourful(stream: IO[str]) -> bool:
    """Whether to colour: a terminal that is not `dumb`, and no NO_COLOR (https://no-color.org: set and not empty)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def paint(text: str, style: str, stream: IO[str]) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if text and colourful(stream) else text


# ---- data


def emit(data: Any, form: str) -> None:
    """Data on stdout, as `json` or `yaml`; keys keep their order, as they are the order people know."""
    say(as_yaml(data) if form == "yaml" else as_json(data))


# What JSON itself lets stand in its texts: DEL, the C1 controls (U+009B starts an escape sequence as ESC [ does), and
# marks that turn or break the line that people see, and what stands for bytes of a path that are no UTF-8. YAML's
# writer escapes the controls by itself.
_COMMANDS = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def as_json(data: Any) -> str:
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return _COMMANDS.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def as_yaml(data: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Without anchors: what a document says twice shall stand there twice."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    # protobuf's JSON has OrderedDicts in it.
    Dumper.add_multi_representer(dict, yaml.SafeDumper.represent_dict)
    text: str = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as kubectl prints them: three spaces apart, an empty cell as `<none>`, nothing but text."""
    lines = [list(headings), *([one_line(cell) or "<none>" for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("   ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


# ---- diagnostics


def render_diagnostics(records: Iterable[Record], stream: IO[str]) -> str:
    """As compilers print them, `file:line:column: error[SMP0103]: reason`, with object, field and hint below."""
    return "\n".join(_render(record, stream) for record in records)


def _render(record: Record, stream: IO[str]) -> str:
    severity = str(record["severity"])
    label = paint(f"{severity}[{record['code']}]:", RED if severity == "error" else YELLOW, stream)
    lines = [f"{paint(_place(record), BOLD, stream)} {label} {one_line(record['reason'])}"]
    details = [(name, record[name]) for name in ("object", "field", "hint") if record.get(name)]
    lines += [f"  {paint(f'{name:>6}:', CYAN, stream)} {one_line(text)}" for name, text in details]
    return "\n".join(lines)


def _place(record: Record) -> str:
    file, line, column = str(record.get("file") or ""), record.get("line"), record.get("column")
    return one_line(f"{file}:{line}:{column or 1}:" if line else f"{file}:")


def counts(records: Sequence[Record]) -> tuple[int, int]:
    """How many errors and warnings."""
    errors = sum(record["severity"] == "error" for record in records)
    return errors, len(records) - errors


def plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def mistakes_text(errors: int, warnings: int) -> str:
    """`2 errors and 1 warning`."""
    parts = [plural(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    return " and ".join(parts) or "no mistakes"
