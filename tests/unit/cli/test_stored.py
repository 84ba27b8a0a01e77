"""Documents on their way into the KV: the text that is kept, what would be done, the order, the diff."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace

import pytest

from sampan.cli.stored.difference import difference
from sampan.cli.stored.plan import Step, in_order, to_apply, to_delete
from sampan.cli.stored.stamp import Stamp, own_text, stamped, value_of
from sampan.consul.wire import LARGEST_VALUE, Entry
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.kinds.secret import Secret
from sampan.documents.load import Document, load
from sampan.model.diagnostic import Diagnostic
from sampan.model.names import CORE, GATEWAY_API, SAMPAN, Ref
from sampan.sources.consul.document_keys import key_of

NOW, LATER = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
BLOCK = """\
apiVersion: v1
kind: Service
# about it
metadata: # its name
  # as in the plan
  name: cart
spec:
  ports: [{port: 80}]  # plain
"""


def _documents(*texts: str) -> list[Document]:
    loaded = load("---\n".join(texts), "a.yaml", BUILT_IN)
    assert not loaded.diagnostics, loaded.diagnostics
    return list(loaded.documents)


def _stored(step: Step, index: int = 7) -> dict[str, Entry]:
    return {step.key: Entry(step.key, step.text.encode(), index)}


def _apply(text: str, stored: dict[str, Entry] | None = None, now: str = NOW, *, secrets: bool = False) -> Step:
    (step,), mistakes = to_apply(_documents(text), stored or {}, now, secrets=secrets)
    assert mistakes == ()
    return step


# ---- the text that is kept


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        "apiVersion: v1\nkind: Service\nmetadata: {name: cart}\nspec: {ports: [{port: 80}]}\n",
        '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart"}, "spec": {"ports": [{"port": 80}]}}\n',
        "metadata: &m\n    name: cart\napiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}]}\n",
        "apiVersion: v1\nkind: Service\nmetadata:\n  ? name\n  : cart\nspec: {ports: [{port: 80}]}\n",
        "apiVersion: v1\nkind: Service\nmetadata: {labels: {über: ja}, name: cart}\nspec: {ports: [{port: 80}]}\n",
        "apiVersion: v1\nkind: Service\nmetadata: { # a\n name: cart}\nspec: {ports: [{port: 80}]}\n",
    ],
)
def test_a_stamp_changes_nothing_else(text: str) -> None:
    before = value_of(text)
    assert before is not None
    result = stamped(text, Stamp(NOW, 3))
    metadata = {**before["metadata"], "creationTimestamp": NOW, "generation": 3}
    assert value_of(result) == {**before, "metadata": metadata}
    assert stamped(result, Stamp(LATER, 9)) == result, "what is there already stays"


def test_the_users_comments_stay() -> None:
    added = f'creationTimestamp: "{NOW}"\n  generation: 1\n  '
    assert stamped(BLOCK, Stamp(NOW, 1)) == BLOCK.replace("  # as in the plan", f"  {added}# as in the plan")


def test_what_only_a_server_says_is_left_out() -> None:
    more = (
        BLOCK.replace("  name: cart", "  name: cart\n  resourceVersion: '7'\n  uid: abc")
        + "status: {loadBalancer: {}}\n"
    )
    text = own_text(_documents(more)[0].object)
    assert text is not None
    assert value_of(text) == value_of(BLOCK)


def test_an_item_of_a_list_is_a_document_of_its_own() -> None:
    inner = "".join(f"    {line}\n" for line in BLOCK.splitlines())
    text = own_text(_documents("apiVersion: v1\nkind: List\nitems:\n  - " + inner.lstrip())[0].object)
    assert text is not None
    assert value_of(text) == value_of(BLOCK)
    assert text.startswith("apiVersion:")


def test_what_means_nothing_by_itself_is_told() -> None:
    """Items of a list may share an anchor; each is to be kept under a key of its own."""
    items = "  - apiVersion: v1\n    kind: Namespace\n    metadata: &m {name: a}\n"
    items += "  - apiVersion: v1\n    kind: Service\n    metadata: *m\n    spec: {ports: [{port: 80}]}\n"
    (said,) = _mistakes("apiVersion: v1\nkind: List\nitems:\n" + items)
    assert (said.code.id, said.origin.line) == ("SMP0104", 7)


def test_files_that_a_document_names_go_into_it() -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: tls, annotations: {files.sampan.dev/tls.crt: a.pem, b: c}}\n"
    (document,) = _documents(text)
    spec = document.object.spec
    assert isinstance(spec, Secret)
    kept = own_text(replace(document.object, spec=spec.with_files({"tls.crt": b"PEM"})))
    assert kept is not None
    value = value_of(kept)
    assert value is not None
    assert value["metadata"]["annotations"] == {"b": "c"}
    assert value["data"] == {"tls.crt": base64.b64encode(b"PEM").decode()}


# ---- what would be done


def test_created_then_unchanged_then_configured() -> None:
    created = _apply(BLOCK)
    assert (created.what, value_of(created.text)["metadata"]["generation"]) == ("created", 1)  # type: ignore[index]
    stored = _stored(created)
    assert _apply(BLOCK, stored, LATER).what == "unchanged"
    changed = _apply(BLOCK.replace("80", "81"), stored, LATER)
    metadata = (value_of(changed.text) or {})["metadata"]
    assert changed.what == "configured"
    assert (metadata["creationTimestamp"], metadata["generation"]) == (NOW, 2), "the time of creation stays"
    operation = changed.operation
    assert operation is not None
    assert (operation.verb, operation.index) == ("cas", 7)


def test_only_what_it_means_counts_as_a_generation() -> None:
    stored = _stored(_apply(BLOCK))
    for text in (BLOCK.replace("# plain", "# simple"), BLOCK.replace("name: cart", "name: cart\n  labels: {a: b}")):
        step = _apply(text, stored)
        assert step.what == "configured"
        assert (value_of(step.text) or {})["metadata"]["generation"] == 1


def test_the_users_own_time_and_generation_count() -> None:
    own = BLOCK.replace("  name: cart", f"  name: cart\n  creationTimestamp: {LATER}\n  generation: 5")
    assert _apply(own, _stored(_apply(BLOCK))).text == own
    assert _apply(own, _stored(_apply(own))).what == "unchanged"


def test_what_was_put_there_by_hand_is_taken_over() -> None:
    key = key_of(Ref(CORE, "Service", "default", "cart"))
    for value in (BLOCK.encode(), b"a: [", b"\xff", b"metadata: 1"):
        step = _apply(BLOCK, {key: Entry(key, value, 3)})
        assert step.what == (
            "unchanged" if value_of(step.text) == value_of(value.decode("utf-8", "replace")) else "configured"
        )
        assert (value_of(step.text) or {})["metadata"]["creationTimestamp"] == NOW


def _mistakes(text: str, stored: dict[str, Entry] | None = None, *, secrets: bool = False) -> Sequence[Diagnostic]:
    return to_apply(_documents(text), stored or {}, NOW, secrets=secrets)[1]


def test_what_is_too_large_is_told_with_the_numbers() -> None:
    large = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{x: {'y' * LARGEST_VALUE}}}\n"
    assert _mistakes(BLOCK) == ()
    (said,) = _mistakes(large)
    assert said.code.id == "SMP0102"
    assert "524288" in said.reason
    assert str(len(_apply_text(large).encode())) in said.reason


def _apply_text(text: str) -> str:
    return to_apply(_documents(text), {}, NOW)[0][0].text


def test_a_secret_needs_a_word() -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n"
    (said,) = _mistakes(secret)
    assert said.code.id == "SMP0218"
    assert "hunter2" not in f"{said}"
    assert _mistakes(secret, secrets=True) == ()
    (masked,) = _mistakes(secret.replace("hunter2", "<redacted>"), secrets=True)
    assert "sampan get" in masked.reason


def test_a_version_that_is_no_longer_there_is_a_conflict() -> None:
    stored = _stored(_apply(BLOCK), index=9)
    edited = BLOCK.replace("80", "81").replace("  name: cart", "  name: cart\n  resourceVersion: '7'")
    (said,) = _mistakes(edited, stored)
    assert (said.code.id, said.origin.line) == ("SMP0219", 7)
    assert "version 7, and 9 is stored" in said.reason
    assert _mistakes(edited.replace("'7'", "'9'"), stored) == ()


def test_deleting_says_what_is_not_there() -> None:
    cart, web = Ref(CORE, "Service", "default", "cart"), Ref(CORE, "Service", "default", "web")
    steps, missing = to_delete([cart, web], {key_of(cart): Entry(key_of(cart), b"", 4)})
    assert missing == (web,)
    operation = steps[0].operation
    assert operation is not None
    assert (operation.verb, operation.index) == ("delete-cas", 4)


def test_what_is_referred_to_is_written_first_and_removed_last() -> None:
    refs = [
        Ref(GATEWAY_API, "HTTPRoute", "default", "r"),
        Ref(GATEWAY_API, "Gateway", "default", "g"),
        Ref(SAMPAN, "Retry", "default", "p"),
        Ref(CORE, "Service", "default", "s"),
        Ref(CORE, "Namespace", "", "n"),
    ]
    wanted = ["Namespace", "Service", "Retry", "Gateway", "HTTPRoute"]
    assert [step.ref.kind for step in in_order([Step(ref, "created") for ref in refs])] == wanted
    assert [step.ref.kind for step in in_order([Step(ref, "deleted") for ref in refs])] == wanted[::-1]


# ---- the diff


def test_a_difference_is_a_unified_diff() -> None:
    text = difference(_apply(BLOCK.replace("80", "81"), _stored(_apply(BLOCK))))
    assert text.startswith("--- sampan/documents/default/service/cart\n+++ a.yaml:1:1\n@@")
    assert "-  ports: [{port: 80}]  # plain\n+  ports: [{port: 81}]  # plain\n" in text
    assert difference(_apply(BLOCK, _stored(_apply(BLOCK)))) == ""


def test_a_secret_is_masked_on_both_sides() -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2, same: sesame}\n"
    before = _apply(text, secrets=True)
    shown = difference(_apply(text.replace("hunter2", "hunter3"), _stored(before), secrets=True))
    assert "hunter" not in shown
    assert "sesame" not in shown
    assert "-  password: '*** (before)'\n+  password: '*** (after)'\n" in shown
    key = before.key
    unreadable = difference(_apply(text, {key: Entry(key, b"password: [hunter2", 1)}, secrets=True))
    assert "hunter2" not in unreadable
