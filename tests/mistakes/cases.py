"""Every mistake that documents and files can hold, each with what has to be said of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..conformance.certificates import authority, tls_secret

GATEWAY_API = "gateway.networking.k8s.io/v1"

Make = Callable[[Path], None]


@dataclass(frozen=True)
class Mistake:
    """`make` puts it into a folder, under `file`. What is said has `code`, its line (0: any), field and hint."""

    name: str
    make: Make
    code: str
    line: int = 0
    field: str = ""
    hint: str = ""
    file: str = ""

    @property
    def place(self) -> str:
        return self.file or f"{self.name}.yaml"


def text(name: str, content: str | bytes) -> Make:
    def make(folder: Path) -> None:
        body = content.encode() if isinstance(content, str) else content
        (folder / f"{name}.yaml").write_bytes(body)

    return make


def route(name: str, rule: str, more: str = "") -> str:
    return f"""\
apiVersion: {GATEWAY_API}
kind: HTTPRoute
metadata: {{name: {name}}}
spec:
  parentRefs: [{{name: shop}}]
  hostnames: [{name}.example]
  rules:
    - {rule}
{more}"""


def gateway(name: str, listeners: str) -> str:
    return f"""\
apiVersion: {GATEWAY_API}
kind: Gateway
metadata: {{name: {name}}}
spec:
  gatewayClassName: sampan
  listeners:
{listeners}"""


GOOD = "backendRefs: [{group: sampan.dev, kind: Backend, name: one}]"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
)


def secret(name: str, pair: tuple[str, str]) -> str:
    import yaml

    return str(yaml.safe_dump(tls_secret("default", name, pair)))


def https(name: str, port: int) -> str:
    listener = f"    - {{name: https, protocol: HTTPS, port: {port}, tls: {{certificateRefs: [{{name: {name}}}]}}}}\n"
    return gateway(name, listener)


def mismatched() -> str:
    return secret("mismatched", (authority().leaf("a.example")[0], authority().leaf("a.example")[1]))


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "fifo.yaml")


def loop(folder: Path) -> None:
    (folder / "loop.yaml").symlink_to("loop.yaml")


def huge(folder: Path) -> None:
    with (folder / "huge.yaml").open("wb") as file:
        file.truncate(1 << 40)


MISTAKES = (
    Mistake("syntax", text("syntax", "kind: [unclosed\n"), "SMP0104", 2),
    Mistake("tabs", text("tabs", f"apiVersion: {GATEWAY_API}\n\tkind: HTTPRoute\n"), "SMP0104", 2),
    Mistake(
        "unknown-kind",
        text("unknown-kind", route("r1", GOOD).replace("HTTPRoute", "HTTPRout")),
        "SMP0114",
        2,
        "kind",
        "HTTPRoute",
    ),
    Mistake(
        "unknown-field",
        text("unknown-field", route("r2", GOOD.replace("backendRefs", "backendRef"))),
        "SMP0103",
        8,
        "spec.rules[0].backendRef",
        "backendRefs",
    ),
    Mistake(
        "wrong-type",
        text("wrong-type", route("r3", GOOD.replace("name: one", "name: one, weight: much"))),
        "SMP0109",
        8,
        "spec.rules[0].backendRefs[0].weight",
    ),
    Mistake(
        "bad-regex",
        text("bad-regex", route("r4", 'matches: [{path: {type: RegularExpression, value: "/(?=x)"}}]')),
        "SMP0112",
        8,
        "spec.rules[0].matches[0].path.value",
        "RE2",
    ),
    Mistake(
        "missing-reference",
        text("missing-reference", route("r5", GOOD.replace("name: one", "name: onn"))),
        "SMP0311",
        8,
        "spec.rules[0].backendRefs[0].name",
        "one",
    ),
    Mistake("missing-field", text("missing-field", "apiVersion: v1\nkind: Service\nmetadata: {}\n"), "SMP0108"),
    Mistake("duplicate-key", text("duplicate-key", "apiVersion: v1\nkind: Service\nkind: Secret\n"), "SMP0105", 3),
    Mistake("twice", text("twice", route("r6", GOOD) + "---\n" + route("r6", GOOD)), "SMP0201", 10, "", "rename"),
    Mistake(
        "conflict",
        text(
            "conflict",
            gateway(
                "conflict",
                "    - {name: a, protocol: HTTP, port: 18391}\n    - {name: b, protocol: TCP, port: 18391}\n",
            ),
        ),
        "SMP0304",
        7,
        "spec.listeners[0].protocol",
    ),
    Mistake(
        "header",
        text(
            "header",
            route(
                "r7",
                'filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x, value: "a\\nb"}]}}]',
            ),
        ),
        "SMP0110",
        8,
    ),
    Mistake("binary", text("binary", bytes(range(256)) * 40), "SMP0101"),
    Mistake("latin", text("latin", "metadata: {name: caf\xe9}\n".encode("latin-1")), "SMP0101", 1),
    Mistake(
        "bomb",
        text(
            "bomb",
            f"apiVersion: {GATEWAY_API}\nkind: HTTPRoute\nspec:\n"
            + "".join(f"  {line}\n" for line in BOMB.splitlines()),
        ),
        "SMP0106",
    ),
    Mistake("deep", text("deep", "a: " + "[" * 5000 + "]" * 5000), "SMP0106"),
    Mistake(
        "mismatched",
        lambda folder: text("mismatched", mismatched() + "---\n" + https("mismatched", 18392))(folder),
        "SMP0308",
        hint="",
    ),
    Mistake("fifo", fifo, "SMP0203"),
    Mistake("loop", loop, "SMP0202"),
    Mistake("huge", huge, "SMP0102"),
)

FINE = (
    text("empty", ""),
    text("only-marks", "---\n---\n---\n"),
    text("windows", ("\ufeff" + route("crlf", GOOD)).replace("\n", "\r\n")),
    text("comment", "# nothing here yet\n"),
)
"""What is no mistake."""
