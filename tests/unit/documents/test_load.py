"""From a text to documents: splitting, scalars, lists, moves, what is skipped, and what is no text at all."""

from __future__ import annotations

import pytest

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.kinds.secret import ConfigMap
from sampan.documents.load import MAX_BYTES, Loaded, load, skip_warnings
from sampan.model import codes
from sampan.model.meta import Origin
from sampan.model.names import Ref


def namespace(name: str, *more: str) -> str:
    return "\n".join(["apiVersion: v1", "kind: Namespace", "metadata:", f"  name: {name}", *more, ""])


def read(text: str | bytes, before: Loaded | None = None) -> Loaded:
    return load(text, "a.yaml", BUILT_IN, memo=before.memo if before else None)


def names(loaded: Loaded) -> list[str]:
    return [item.ref.name for item in loaded.objects]


def test_an_object_knows_where_it_stands() -> None:
    loaded = read("# shop\n---\n" + namespace("a") + "--- # next\n" + namespace("b"))
    assert [item.ref for item in loaded.objects] == [Ref("", "Namespace", "", "a"), Ref("", "Namespace", "", "b")]
    assert [document.origin.line for document in loaded.documents] == [3, 8]
    assert loaded.objects[0].meta.origin == Origin("files", "a.yaml", 3, 1)
    assert loaded.diagnostics == ()


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + namespace("a"),
        namespace("a").replace("\n", "\r\n"),
        namespace("a").replace("\n", "\r"),
        "%YAML 1.2\n---\n" + namespace("a") + "...\n",
        "---\n---\n\n# nothing\n---\n" + namespace("a") + "---\n",
        "--- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n",
        '{\n\t"apiVersion": "v1",\n\t"kind": "Namespace",\n\t"metadata": {"name": "a"}\n}\n',
        namespace("a") + "...\n---\n",
        namespace("a").rstrip("\n"),
    ],
    ids=["bom", "crlf", "cr", "directive", "empty", "inline", "json", "end", "no newline"],
)
def test_the_ways_to_write_one_document(text: str) -> None:
    for form in (text, text.encode()):
        loaded = read(form)
        assert names(loaded) == ["a"]
        assert loaded.diagnostics == ()


@pytest.mark.parametrize("text", ["", "\n\n", "# only this\n", "---\n---\n", "---\n...\n", "~\n", "null\n"])
def test_nothing_is_no_mistake(text: str) -> None:
    assert read(text) == Loaded()


def test_a_marker_ends_a_document_even_inside_a_text() -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: |\n    ---\n    still text\n---\n"
        + namespace("b")
    )
    loaded = read(text)
    assert names(loaded) == ["a", "b"]
    assert loaded.objects[0].spec.data == {"x": "---\nstill text\n"}


def test_a_broken_document_harms_only_itself() -> None:
    loaded = read(namespace("a") + "---\nx: [\n---\n" + namespace("b"))
    assert names(loaded) == ["a", "b"]
    assert [(item.code, item.origin.line) for item in loaded.diagnostics] == [(codes.SYNTAX, 7)]
    assert [item.ref for item in loaded.broken] == [None]


def test_a_broken_document_is_named_if_it_can_be() -> None:
    loaded = read(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: a, namespace: b}\nspec: {}\n"
    )
    assert [item.ref for item in loaded.broken] == [Ref("gateway.networking.k8s.io", "Gateway", "b", "a")]
    assert {item.object for item in loaded.diagnostics} == {loaded.broken[0].ref}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("No", "No"), ("y", "y"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"), ("12:30:45", "12:30:45"),
        ("1_000", "1_000"), ("0b11", "0b11"),
        ('"1"', "1"), ("'true'", "true"), ("!!str 1", "1"), ("0o", "0o"),
        ("1.2.3", "1.2.3"), ("-", None), ("+1x", "+1x"),
    ],
)  # fmt: skip
def test_text_stays_text(written: str, meant: str | None) -> None:
    loaded = read(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  on: {written}\n")
    if meant is None:
        assert loaded.diagnostics
    else:
        assert loaded.objects[0].spec.data == {"on": meant}


@pytest.mark.parametrize(
    ("written", "port"), [("8080", 8080), ("0o20", 16), ("0x1F", 31), ("+80", 80), ("007", 7), ("!!int 80", 80)]
)
def test_numbers_are_those_of_yaml_1_2(written: str, port: int) -> None:
    loaded = read(f"apiVersion: v1\nkind: Service\nmetadata: {{name: a}}\nspec: {{ports: [{{port: {written}}}]}}\n")
    assert loaded.objects[0].spec.ports[0].port == port


@pytest.mark.parametrize("written", ["true", "True", "TRUE"])
def test_booleans(written: str) -> None:
    text = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports: [{port: 1}]\n  publishNotReadyAddresses: "
    )
    assert read(text + written + "\n").objects[0].spec.publish_not_ready_addresses is True


def test_an_entry_without_a_value_is_absent() -> None:
    loaded = read(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: }\n"
        "spec: {ports: [{port: 1, name: ~}], type: null}\n"
    )
    assert loaded.diagnostics == ()
    assert loaded.objects[0].spec.type == "ClusterIP"


def test_anchors_and_merge_keys() -> None:
    text = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: &l {app: shop, tier: web}}\nspec:\n"
        "  selector:\n    <<: *l\n    tier: db\n  ports: [{port: 1}]\n"
    )
    assert read(text).objects[0].spec.selector == {"app": "shop", "tier": "db"}


def test_many_honest_aliases_are_no_bomb() -> None:
    items = "".join(f"  k{index}: *text\n" for index in range(5000))
    loaded = read(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  first: &text hello\n{items}")
    assert len(loaded.objects[0].spec.data) == 5001


def test_an_unchanged_document_stays_the_same_object_where_it_moves() -> None:
    first = read(namespace("a") + "---\n" + namespace("b") + "---\n" + namespace("c"))
    second = read(
        "# more\n\n" + namespace("a", "  labels: {x: y}") + "---\n" + namespace("b") + "---\n" + namespace("c"), first
    )
    assert second.objects[0] is not first.objects[0]
    assert second.objects[1] is first.objects[1]
    assert second.objects[2] is first.objects[2]
    assert [document.origin.line for document in second.documents] == [3, 9, 14]
    assert second.objects[1].meta.origin.line == 6


def test_diagnostics_move_with_their_document() -> None:
    broken = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: A\n"
    first = read(namespace("a") + "---\n" + broken)
    second = read("#\n#\n" + namespace("a") + "---\n" + broken, first)
    assert [item.origin.line for item in first.diagnostics] == [9]
    assert [item.origin.line for item in second.diagnostics] == [11]
    assert second.broken[0].origin.line == first.broken[0].origin.line + 2


def test_reading_again_parses_only_what_changed() -> None:
    texts = [namespace(f"n{index}") for index in range(1000)]
    first = read("---\n".join(texts))
    texts[500] = namespace("other")
    second = read("---\n".join(texts), first)
    assert sum(new is not old for new, old in zip(second.objects, first.objects, strict=True)) == 1


def test_a_list_gives_its_items_with_their_lines() -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n"
        "- apiVersion: v1\n  kind: Namespace\n  metadata:\n    name: B\n"
    )
    loaded = read(text)
    assert names(loaded) == ["a"]
    assert (loaded.documents[0].origin.line, loaded.documents[0].origin.column) == (4, 3)
    assert [(item.origin.line, item.origin.column, item.field_text) for item in loaded.diagnostics] == [
        (10, 5, "metadata.name")
    ]
    assert read(loaded.objects[0].text).objects[0].ref == loaded.objects[0].ref


def test_a_key_twice_in_a_list_breaks_only_its_item() -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n"
        "- apiVersion: v1\n  kind: Namespace\n  kind: Namespace\n  metadata: {name: b}\n"
    )
    loaded = read(text)
    assert names(loaded) == ["a"]
    assert [(item.code, item.origin.line, item.object) for item in loaded.diagnostics] == [
        (codes.DUPLICATE_KEY, 9, Ref("", "Namespace", "", "b"))
    ]


def test_kinds_of_others_are_skipped_with_one_warning_each() -> None:
    deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {x: 1}\n"
    istio = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a}\n"
    knative = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\n"
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
    values = "replicas: 3\nimage: {tag: x}\n"
    loaded = read("---\n".join([deployment, deployment, istio, knative, pod, values, namespace("a")]))
    assert names(loaded) == ["a"]
    assert loaded.diagnostics == ()
    assert loaded.broken == ()
    assert [(item.code, item.origin.line, item.reason) for item in skip_warnings(loaded.skipped)] == [
        (codes.SKIPPED_KIND, 1, "Deployment of apps is none of ours; left alone (and 1 more)"),
        (codes.SKIPPED_KIND, 11, "Gateway of networking.istio.io is none of ours; left alone"),
        (codes.SKIPPED_KIND, 15, "Service of serving.knative.dev is none of ours; left alone"),
        (codes.SKIPPED_KIND, 19, "Pod of the core group is none of ours; left alone"),
        (codes.SKIPPED_KIND, 23, "not a Kubernetes document; left alone"),
    ]


@pytest.mark.parametrize(
    ("content", "code", "line", "column", "reason"),
    [
        (b"\x7fELF\x02\x00", codes.NOT_TEXT, 1, 1, "it holds a NUL byte, as binary files do"),
        (b"a: 1\nb: \xff\n", codes.NOT_TEXT, 2, 4, "byte 0xFF is not UTF-8"),
        ("a: 1\n".encode("utf-16"), codes.NOT_TEXT, 1, 1, "it is written in UTF-16"),
        (b"x" * (MAX_BYTES + 1), codes.TOO_LARGE, 1, 1, f"{MAX_BYTES + 1} bytes or more; at most {MAX_BYTES} are read"),
        ("a: \ud800", codes.NOT_TEXT, 1, 4, "a character that no text holds: U+D800"),
    ],
    ids=["binary", "latin-1", "utf-16", "huge", "surrogate"],
)
def test_what_is_no_text(content: bytes | str, code: codes.Code, line: int, column: int, reason: str) -> None:
    loaded = read(content)
    found = loaded.diagnostics[0]
    assert (found.code, found.origin.line, found.origin.column, found.reason) == (code, line, column, reason)
    assert [item.ref for item in loaded.broken] == [None]


def test_the_namespace_is_default_where_none_is_written() -> None:
    loaded = read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n" + namespace("b"))
    assert [item.ref.namespace for item in loaded.objects] == ["default", ""]


def test_metadata() -> None:
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {app.kubernetes.io/name: x}\n"
        "  annotations: {note: 'any text'}\n  creationTimestamp: 2026-01-31T13:00:00+01:00\n  generation: 4\n"
        "  uid: 1b\n  managedFields: [{}]\n  resourceVersion: '7'\n"
    )
    loaded = read(text)
    assert loaded.diagnostics == ()
    meta = loaded.objects[0].meta
    assert meta.labels == {"app.kubernetes.io/name": "x"}
    assert meta.annotations == {"note": "any text"}
    assert (meta.created, meta.generation) == ("2026-01-31T12:00:00Z", 4)


def test_the_status_of_a_document_is_not_ours_to_read() -> None:
    loaded = read(namespace("a", "status: {phase: Active, anything: [1]}"))
    assert loaded.diagnostics == ()


@pytest.mark.parametrize(
    ("kind", "version"),
    [(kind.name, version) for kind in BUILT_IN.kinds.values() for version in kind.versions if kind.name == "TCPRoute"],
)
def test_older_versions_mean_the_same(kind: str, version: str) -> None:
    text = f"apiVersion: gateway.networking.k8s.io/{version}\nkind: {kind}\nmetadata: {{name: a}}\n"
    text += "spec: {rules: [{backendRefs: [{name: a, port: 1}]}]}\n"
    assert names(read(text)) == ["a"]


def test_a_config_map_keeps_bytes() -> None:
    loaded = read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nbinaryData: {x: AAEC}\ndata: {y: text}\n")
    spec = loaded.objects[0].spec
    assert isinstance(spec, ConfigMap)
    assert (spec.value("x"), spec.value("y"), spec.value("z")) == (b"\x00\x01\x02", b"text", None)
