"""YAML text to plain values, as Kubernetes users expect it: YAML 1.2's core schema, with marks for every mistake.

libyaml does the parsing; the values are built here, because PyYAML's own construction makes a bool of `on`, a date of
`2026-01-31`, and lets the last of two equal keys win. Depth and the number of nodes are bounded: PyYAML's composer
recurses in C, so a hundred thousand `[` would end the process, and nine lines of aliases can stand for billions of
values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yaml import MappingNode, MarkedYAMLError, Node, ScalarNode, SequenceNode, YAMLError
from yaml._yaml import CParser

from sampan.model.codes import DUPLICATE_KEY, NOT_TEXT, SYNTAX, TOO_NESTED, Code

MAX_DEPTH = 100
# Without aliases a text cannot hold more nodes than characters; this much more is left for honest aliases.
SPARE_NODES = 100_000

_PLAIN, _QUOTED = "plain", "quoted"


@dataclass(slots=True)
class TextError(Exception):
    """What is wrong with the text itself; line and column count from 1 within the text."""

    code: Code
    reason: str
    line: int = 1
    column: int = 1
    hint: str = ""


class _DepthError(Exception):
    """`node` is the last one that was allowed."""

    def __init__(self, node: Node) -> None:
        self.node = node


class _Parser(CParser):
    """libyaml's composer. It asks `resolve` for a tag where none is written: here only whether quotes were used."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def resolve(self, kind: type, _value: object, implicit: Any) -> str:
        return _PLAIN if kind is not ScalarNode or implicit[0] else _QUOTED

    def descend_resolver(self, parent: Node, _index: object) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _DepthError(parent)

    def ascend_resolver(self) -> None:
        self.depth -= 1


def compose(text: str) -> Node | None:
    """The one document of `text` as nodes, None if it is empty. Raises TextError."""
    try:
        parser = _Parser(text)
        node = parser.get_single_node()
    except _DepthError as error:
        raise _too_deep(error.node.start_mark) from None
    except MarkedYAMLError as error:
        raise _syntax_mistake(text, error) from None
    except (YAMLError, UnicodeEncodeError):
        raise _character_mistake(text) from None
    return node


_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# What libyaml says, and what people should do. Searched in order.
_HINTS: tuple[tuple[str, str], ...] = (
    ("mapping values are not allowed", "put text that holds ': ' in quotes, or check the indentation"),
    ("could not find expected ':'", "a key needs ':' and a space; text over several lines needs '|' or quotes"),
    ("did not find expected key", "check the indentation: fields of one object start in the same column"),
    ("did not find expected '-' indicator", "check the indentation: items of one list start in the same column"),
    ("block sequence entries are not allowed", "start the list on a line of its own"),
    ("did not find expected ',' or", "a bracket or brace is not closed, or a comma is missing"),
    ("found unexpected end of stream", "a quote or bracket is not closed"),
    ("found unexpected document separator", "a quote is not closed"),
    (
        "undefined alias",
        "'*' starts an alias in YAML: put the text in quotes, or define the anchor with '&' in this document",
    ),
    ("tab character that violates indentation", "YAML is indented by spaces"),
    ("did not find expected node content", "a value is missing, or a bracket or brace is not closed"),
    ("did not find expected alphabetic", "'*' and '&' start an alias or anchor in YAML: put the text in quotes"),
    ("unknown escape character", "use single quotes, in which a backslash is a backslash"),
    ("expected a single document", "separate documents by a line '---'"),
)


_CONFLICT = re.compile(r"^(?:<{7} |>{7} |={7}$)", re.MULTILINE)  # as git leaves it


def _syntax_mistake(text: str, error: MarkedYAMLError) -> TextError:
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        return TextError(SYNTAX, "a merge conflict that is not resolved", line, 1, "choose one of the two versions")
    problem = error.problem or error.context or "not YAML"
    if "maximum nesting depth" in problem:  # libyaml >= 0.2.6 has a limit of its own, which its scanner meets first
        return _too_deep(error.problem_mark or error.context_mark)
    mark = error.problem_mark or error.context_mark
    if "end of stream" in problem or "document separator" in problem:
        # Where the quote begins says more than where the text ends.
        mark = error.context_mark or mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    if "cannot start any token" in problem:
        character = _character_at(text, line, column)
        if character == "\t":
            return TextError(SYNTAX, "a tab in the indentation", line, column, "YAML is indented by spaces")
        return TextError(SYNTAX, f"text may not start with {character!r}", line, column, "put the text in quotes")
    hint = next((hint for part, hint in _HINTS if part in problem), "")
    where = f" ({error.context})" if error.context and error.context != problem else ""
    return TextError(SYNTAX, f"{problem}{where}", line, column, hint)


def _character_at(text: str, line: int, column: int) -> str:
    lines = text.split("\n")
    row = lines[line - 1] if line <= len(lines) else ""
    return row[column - 1] if column <= len(row) else ""


def _character_mistake(text: str) -> TextError:
    found = _UNPRINTABLE.search(text)
    if found is None:
        return TextError(SYNTAX, "not YAML")
    line = text.count("\n", 0, found.start()) + 1
    column = found.start() - text.rfind("\n", 0, found.start())
    reason = f"a character that no text holds: U+{ord(found.group()):04X}"
    return TextError(NOT_TEXT, reason, line, column, "remove it, or give the file a name that is not .yaml or .json")


_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_REAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {"": None, "~": None}
_WORDS |= dict.fromkeys(("null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
_WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
_WORDS |= {word: float("inf") for word in (".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF")}
_WORDS |= {word: float("-inf") for word in ("-.inf", "-.Inf", "-.INF")}
_WORDS |= {word: float("nan") for word in (".nan", ".NaN", ".NAN")}
_FIRST_OF_NUMBER = frozenset("-+.0123456789")


def scalar(text: str) -> str | int | float | bool | None:
    """A plain scalar by YAML 1.2's core schema (10.3.2)."""
    if text in _WORDS:
        word: bool | float | None = _WORDS[text]
        return word
    # Python reads no integer of more than 4300 digits; Kubernetes none beyond 64 bits.
    if text[0] not in _FIRST_OF_NUMBER or len(text) > 400:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if _REAL.fullmatch(text) else text


def key_text(node: Node) -> str:
    """A key as text, whatever it looks like: `on`, `1` and `true` are names here, as in JSON."""
    if not isinstance(node, ScalarNode):
        hint = "put text that starts with '{' or '[' in quotes; '{{ … }}' of a template has to be filled in first"
        raise _at(node, SYNTAX, "a key is a piece of text, not a list or an object", hint)
    return str(node.value)


def _too_deep(mark: Any) -> TextError:
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    return TextError(TOO_NESTED, f"nested deeper than {MAX_DEPTH} levels", line, column, "look for brackets too many")


def _at(node: Node, code: Code, reason: str, hint: str) -> TextError:
    return TextError(code, reason, node.start_mark.line + 1, node.start_mark.column + 1, hint)


class Build:
    """Nodes to values. `duplicates` collects keys written twice; the first one counts."""

    def __init__(self, text: str) -> None:
        self.left = len(text) + SPARE_NODES
        self.duplicates: list[TextError] = []

    def value(self, node: Node, depth: int = 0) -> Any:
        self.left -= 1
        if self.left < 0:
            raise _at(
                node, TOO_NESTED, "aliases multiply into too many values", "write the values out, or use fewer aliases"
            )
        if depth > MAX_DEPTH:
            raise _at(node, TOO_NESTED, f"nested deeper than {MAX_DEPTH} levels", "an alias may not contain itself")
        if isinstance(node, ScalarNode):
            tag = node.tag
            return scalar(node.value) if tag is _PLAIN else node.value if tag is _QUOTED else _tagged(node)
        if node.tag is not _PLAIN:
            _check_tag(node)
        if isinstance(node, MappingNode):
            return self._mapping(node, depth)
        return [self.value(item, depth + 1) for item in node.value]

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        """An entry without a value is an absent entry, as Kubernetes has it."""
        result: dict[str, Any] = {}
        seen: dict[str, int] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            key = key_text(key_node)
            if key == "<<" and key_node.tag is _PLAIN:
                merged.append(value_node)
                continue
            if key in seen:
                above = key_node.start_mark.line - seen[key]
                # Counted from here, because a document may move in its file without being read again.
                where = f"{above} line{'s' * (above > 1)} above" if above else "in the same line"
                reason = f"'{key}' is already written {where}"
                self.duplicates.append(_at(key_node, DUPLICATE_KEY, reason, "keep one of the two"))
                continue
            seen[key] = key_node.start_mark.line
            value = self.value(value_node, depth + 1)
            if value is not None:
                result[key] = value
        for source in merged:
            for key, value in self._merge(source, depth):
                if key not in seen and key not in result:
                    result[key] = value
        return result

    def _merge(self, node: Node, depth: int) -> Iterator[tuple[str, Any]]:
        for source in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(source, MappingNode):
                raise _at(
                    source, SYNTAX, "'<<' takes an object or a list of objects", "put '<<' in quotes if it is a name"
                )
            yield from self.value(source, depth + 1).items()


_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset({"null", "bool", "int", "float"})


def _tagged(node: ScalarNode) -> Any:
    short = node.tag.removeprefix(_TAG)
    if short == "str" or node.tag == "!":
        return node.value
    if short in _SCALAR_TAGS:
        return scalar(node.value)
    raise _tag_mistake(node)


def _check_tag(node: Node) -> None:
    if node.tag.removeprefix(_TAG) not in ("map", "seq"):
        raise _tag_mistake(node)


def _tag_mistake(node: Node) -> TextError:
    # The tag is not shown: an unquoted password that starts with '!' would be one.
    return _at(
        node, SYNTAX, "text that starts with '!' is a tag in YAML, and means nothing here", "put the text in quotes"
    )
