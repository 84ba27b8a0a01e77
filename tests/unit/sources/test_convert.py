"""What files mean, without files."""

from __future__ import annotations

import pytest

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import Loaded, load
from sampan.model import codes
from sampan.model.names import Ref
from sampan.sources.files.convert import (
    BROKEN_PATIENCE,
    SHRUNK_PATIENCE,
    Filled,
    Look,
    confined,
    file_references,
    filled,
    is_document_name,
    is_partial_pem,
    patience,
)

SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: shop
  annotations:
    files.sampan.dev/tls.crt: certs/shop.pem
    files.sampan.dev/tls.key: certs/shop.key
"""
REF = Ref("", "Secret", "default", "shop")


def read(text: str) -> Loaded:
    return load(text, "a.yaml", BUILT_IN)


def namespaces(*names: str) -> Loaded:
    return read("".join(f"---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n" for name in names))


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "a.json", "a b.yaml", "é.yaml"])
def test_documents(name: str) -> None:
    assert is_document_name(name)


@pytest.mark.parametrize(
    "name",
    [".a.yaml", ".a.yaml.swp", "a.yaml~", "#a.yaml#", ".#a.yaml", "4913", "a.yaml.bak", "a.txt", "a.yaml.tmp", "a"],
)
def test_what_editors_leave_is_no_document(name: str) -> None:
    assert not is_document_name(name)


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("certs/a.pem", "/shop/gw/certs/a.pem"),
        ("./a.pem", "/shop/gw/a.pem"),
        ("../a.pem", "/shop/a.pem"),
        ("x/../a", "/shop/gw/a"),
    ],
)
def test_a_named_file_below_the_root(path: str, whole: str) -> None:
    assert confined(path, "/shop/gw", "/shop") == whole


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../../etc/passwd", "the path leads out of /shop"),
        ("../../shop2/a.pem", "the path leads out of /shop"),
        ("..", "the path leads out of /shop"),
        ("x/../../../shopping", "the path leads out of /shop"),
        ("/etc/passwd", "the path must be relative to the document's folder"),
        ("~/a.pem", "the path must be relative to the document's folder"),
        ("", "the path is empty or holds control characters"),
        ("a\0b", "the path is empty or holds control characters"),
        ("a\nb", "the path is empty or holds control characters"),
    ],
)
def test_a_named_file_may_not_lead_out(path: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        confined(path, "/shop/gw", "/shop")


def test_which_files_an_object_names() -> None:
    found = [(item.key, item.path) for item in file_references(read(SECRET).objects[0])]
    assert found == [("tls.crt", "certs/shop.pem"), ("tls.key", "certs/shop.key")]
    other = read(SECRET.replace("Secret", "Service") + "spec: {ports: [{port: 1}]}\n")
    assert list(file_references(other.objects[0])) == []


def test_files_fill_an_object_which_stays_the_same_while_they_do() -> None:
    loaded = read(SECRET)
    contents = {(REF, "tls.crt"): b"crt", (REF, "tls.key"): b"key"}
    first, known = filled(loaded, contents, Filled())
    again, known = filled(loaded, contents, known)
    other, _ = filled(loaded, contents | {(REF, "tls.key"): b"new"}, known)
    assert again.objects[0] is first.objects[0]
    assert other.objects[0] is not first.objects[0]
    assert [item.objects[0].spec.value("tls.key").reveal() for item in (first, other)] == [b"key", b"new"]
    assert "key" not in repr(known)


def test_a_file_that_cannot_be_read_is_told_where_it_is_named() -> None:
    result, _ = filled(read("#\n" + SECRET), {(REF, "tls.crt"): b"crt", (REF, "tls.key"): "no such file"}, Filled())
    assert result.objects == ()
    assert [item.ref for item in result.broken] == [REF]
    said = result.diagnostics[0]
    assert (said.code, said.origin.line, said.origin.column, said.object) == (codes.BAD_FILE_REFERENCE, 8, 5, REF)
    assert said.reason == "'certs/shop.key': no such file"


def test_what_is_readable_and_in_place_is_believed_at_once() -> None:
    one, two = Look(namespaces("a")), Look(namespaces("a", "b"))
    assert patience(None, one) == patience(one, two) == patience(one, one) == 0
    broken = Look(read("x: ["))
    assert patience(broken, one) == 0
    assert patience(None, broken) == 0


def test_what_looks_half_done_is_waited_for() -> None:
    one, two = Look(namespaces("a")), Look(namespaces("a", "b"))
    broken = Look(read("x: ["))
    assert patience(two, broken) == BROKEN_PATIENCE
    assert patience(two, Look(Loaded())) == BROKEN_PATIENCE
    assert patience(two, one) == SHRUNK_PATIENCE
    assert patience(one, None) == SHRUNK_PATIENCE
    assert patience(one, Look(namespaces("a"), ended=False)) == SHRUNK_PATIENCE
    assert patience(one, Look(one.loaded, named=1)) == SHRUNK_PATIENCE
    assert patience(one, Look(one.loaded, partial=True)) == BROKEN_PATIENCE


def test_what_was_broken_before_is_not_waited_for_again() -> None:
    broken, other = Look(read("x: [")), Look(read("y: ["))
    assert patience(broken, other) == 0


def test_a_pem_file_without_its_end() -> None:
    assert is_partial_pem(b"-----BEGIN CERTIFICATE-----\nabc")
    assert not is_partial_pem(b"-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n")
    assert not is_partial_pem(b"no pem at all")
