"""Where a field stands, found again from a document's own text."""

from __future__ import annotations

import pytest

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import load
from sampan.documents.locate import find, located
from sampan.model.codes import BROKEN_RULE
from sampan.model.diagnostic import FieldPath, of

TEXT = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: shop
  labels: &labels {app: shop}
  annotations:
    <<: *labels
spec:
  rules:
  - matches:
    - path: {type: Exact, value: /a}
    backendRefs:
    - name: a
      port: 1
"""


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ((), 1, 1),
        (("kind",), 2, 1),
        (("spec", "rules", 0), 10, 5),
        (("spec", "rules", 0, "matches", 0, "path", "value"), 11, 27),
        (("spec", "rules", 0, "backendRefs", 0, "port"), 14, 7),
        (("spec", "rules", 0, "backendRefs", 0, "weight"), 13, 7),
        (("spec", "rules", 7, "name"), 9, 3),
        (("spec", "hostnames", 0), 8, 1),
        (("metadata", "annotations", "app"), 5, 20),
        (("nothing",), 1, 1),
    ],
)
def test_a_field_or_what_is_nearest_around_it(path: FieldPath, line: int, column: int) -> None:
    assert find(TEXT, path) == (line, column)


def test_a_text_that_cannot_be_read_by_itself_has_only_a_beginning() -> None:
    assert find("a: *elsewhere\n", ("a",)) == (1, 1)


def test_diagnostics_of_later_stages_get_the_line_where_the_document_stands_now() -> None:
    first = load(TEXT, "a.yaml", BUILT_IN)
    second = load("# one\n# two\n---\n" + TEXT, "a.yaml", BUILT_IN, memo=load("---\n" + TEXT, "a.yaml", BUILT_IN).memo)
    assert first.objects[0].meta.origin.line == 1
    document = second.documents[0]
    objects = {document.object.ref: document.object}
    said = of(BROKEN_RULE, document.object, "no such Service", ("spec", "rules", 0, "backendRefs", 0, "name"))
    placed = located([said], objects, {document.object.ref: document.origin})[0]
    assert (placed.origin.file, placed.origin.line, placed.origin.column) == ("a.yaml", 16, 7)
    assert placed.reason == said.reason
    assert located([said], objects)[0].origin.line == document.object.meta.origin.line + 12


def test_what_is_located_already_or_belongs_to_no_object_stays() -> None:
    document = load(TEXT, "a.yaml", BUILT_IN).documents[0]
    said = of(BROKEN_RULE, document.object, "x", ("spec",))
    assert located([said], {}) == (said,)
    placed = located([said], {document.object.ref: document.object})
    assert located(placed, {document.object.ref: document.object}) == placed
