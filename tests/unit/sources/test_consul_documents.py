"""Documents in Consul's KV: keys and objects, values, and what the source makes of what it is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable

import pytest

from sampan.consul.client import Away, Client
from sampan.consul.errors import RefusedError, UnreachableError
from sampan.consul.kv import Tree
from sampan.consul.target import Target
from sampan.consul.wire import Entry
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import load
from sampan.model.names import CORE, GATEWAY_API, Ref
from sampan.model.snapshot import Snapshot
from sampan.resolve import index_of
from sampan.sources.consul.document_keys import Misplaced, Scheme, document_key, key_of, status_key
from sampan.sources.consul.document_values import read_value
from sampan.sources.consul.documents import ConsulDocuments
from sampan.sources.merge import Merged, merge, start
from sampan.sources.source import CONSUL_KV, Records

SCHEME = Scheme(BUILT_IN)
CART = Ref(GATEWAY_API, "HTTPRoute", "default", "cart")
CART_KEY = "sampan/documents/default/httproute.gateway.networking.k8s.io/cart"
GOOD = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart}
spec: {hostnames: [a.example]}
"""
SHOP_KEY = "sampan/documents/_cluster/namespace/shop"
SHOP = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"


# ---- keys


@pytest.mark.parametrize(
    ("ref", "key"),
    [
        (CART, CART_KEY),
        (Ref(CORE, "Service", "shop", "cart.v1"), "sampan/documents/shop/service/cart.v1"),
        (Ref(CORE, "Namespace", "", "shop"), SHOP_KEY),
    ],
)
def test_a_key_and_its_object_are_one_to_one(ref: Ref, key: str) -> None:
    assert key_of(ref) == key
    assert SCHEME.ref_of(key) == ref
    assert document_key(status_key(key)) == key
    assert status_key(key).startswith("sampan/status/")


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        ("cart", "three parts"),
        ("default/service/a/b", "three parts"),
        ("default//cart", "three parts"),
        ("default/httproutes.gateway.networking.k8s.io/cart", "did you mean 'httproute.gateway.networking.k8s.io'?"),
        ("default/namespace/shop", "write _cluster for 'default'"),
        ("_cluster/service/cart", "belongs to a namespace"),
    ],
)
def test_other_keys_are_for_no_document(tail: str, said: str) -> None:
    found = SCHEME.ref_of(f"sampan/documents/{tail}")
    assert isinstance(found, Misplaced)
    assert said in f"{found.reason} {found.hint}"


# ---- values


def _read(key: str, text: str | bytes) -> tuple[list[Ref], list[tuple[str, str]], list[Ref | None]]:
    value = text if isinstance(text, bytes) else text.encode()
    loaded = read_value(key, value, SCHEME, BUILT_IN, CONSUL_KV)
    return (
        [item.ref for item in loaded.objects],
        [(item.code.id, str(item.origin)) for item in loaded.diagnostics],
        [item.ref for item in loaded.broken],
    )


def test_the_value_is_the_object_of_its_key() -> None:
    assert _read(CART_KEY, GOOD) == ([CART], [], [])


def test_a_mistake_has_its_line_and_column_within_the_value() -> None:
    text = GOOD.replace("spec: {hostnames: [a.example]}", "spec:\n  hostnames: [a.example]\n  nothing: 1")
    assert _read(CART_KEY, text) == ([], [("SMP0103", f"{CART_KEY}:6:3")], [CART])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [", "SMP0104"),
        (b"\xff\xff", "SMP0101"),
        ("", "SMP0216"),
        ("# nothing\n", "SMP0216"),
        ("just: data\n", "SMP0216"),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cart}\n", "SMP0216"),
        (GOOD.replace("cart", "other"), "SMP0216"),
        (SHOP, "SMP0216"),
    ],
)
def test_a_value_that_is_not_the_object_says_nothing_of_it(text: str | bytes, code: str) -> None:
    objects, diagnostics, broken = _read(CART_KEY, text)
    assert objects == []
    assert code in [found for found, _ in diagnostics]
    assert broken == [CART]


def test_another_object_beside_the_right_one_has_no_effect() -> None:
    objects, diagnostics, broken = _read(CART_KEY, GOOD + "---\n" + SHOP)
    assert (objects, diagnostics, broken) == ([CART], [("SMP0216", f"{CART_KEY}:6:1")], [])


def test_the_same_object_twice_in_a_value_is_told() -> None:
    objects, diagnostics, _ = _read(CART_KEY, GOOD + "---\n" + GOOD)
    assert (objects, diagnostics) == ([CART], [("SMP0216", f"{CART_KEY}:6:1")])


def test_a_key_outside_the_scheme_harms_nothing() -> None:
    assert _read("sampan/documents/notes", GOOD) == ([], [("SMP0215", "sampan/documents/notes")], [])


def test_files_beside_a_document_are_not_there() -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: tls\n  annotations: {files.sampan.dev/tls.crt: a.pem}\n"
    objects, diagnostics, broken = _read("sampan/documents/default/secret/tls", text)
    assert objects == []
    assert [code for code, _ in diagnostics] == ["SMP0206"]
    assert broken == [Ref(CORE, "Secret", "default", "tls")]


def test_garbage_never_raises_and_is_always_told() -> None:
    """Anybody may write anything below the prefix: keys and values of random parts of right ones."""
    chance = random.Random(20260101)
    parts = ["sampan/documents/", "default", "/", "//", "service", "httproute.gateway.networking.k8s.io", "cart"]
    parts += ["_cluster", "\n", "\x1b[2J", "é", " ", "%2f", "..", "*", "\u202e"]
    pieces = [
        GOOD[: len(GOOD) // 2],
        GOOD,
        SHOP,
        "---\n",
        "metadata:",
        ": ",
        "&a [*a]",
        "\0",
        "{",
        "- ",
        "\udcff",
        "1",
        "!!x",
    ]
    for _ in range(3000):
        key = "sampan/documents/" + "".join(chance.choices(parts, k=chance.randint(0, 6)))
        text = "".join(chance.choices(pieces, k=chance.randint(0, 5)))
        loaded = read_value(key, text.encode("utf-8", "surrogateescape"), SCHEME, BUILT_IN, CONSUL_KV)
        ref = SCHEME.ref_of(key)
        assert {item.ref for item in loaded.objects} <= {ref}
        assert loaded.objects or loaded.diagnostics
        assert all(item.origin.file == key for item in loaded.diagnostics)


# ---- the source


AWAY = Away(UnreachableError("http://127.0.0.1:1: nobody listens"))


def _tree(index: int, *entries: tuple[str, str, int]) -> Tree:
    return Tree(tuple(Entry(key, text.encode(), modified) for key, text, modified in entries), index)


def _told(*events: Tree | Away, expected: bool = True, served: bool | None = True) -> list[Records]:
    """What it says of these events; the start is not patient."""
    rest = iter(events)

    async def watch(_client: Client, prefix: str) -> AsyncIterator[Tree | Away]:
        assert prefix == "sampan/documents/"
        for event in rest:
            yield event

    said: list[Records] = []

    async def has_served(_client: Client) -> bool:
        if served is None:
            raise RefusedError("GET", "/v1/kv/sampan/documents/", 403, "Permission denied")
        return served

    options = {"watch": watch, "has_served": has_served, "patience": 0.0, "doubt": 0.0}
    source = ConsulDocuments(Client(Target()), BUILT_IN, expected, **options)
    asyncio.run(source.run(said.append))
    return said


def _merged(records: Iterable[Records], before: Merged | None = None) -> Merged:
    return merge(before or start(Snapshot(index_of), BUILT_IN), records)


def test_only_changed_keys_are_read_again() -> None:
    first = _tree(5, (CART_KEY, GOOD, 4), (SHOP_KEY, SHOP, 5))
    second = _tree(7, (CART_KEY, GOOD + "# more\n", 7), (SHOP_KEY, SHOP, 5))
    told = _told(first, second, _tree(9, (CART_KEY, GOOD + "# more\n", 7), (SHOP_KEY, SHOP, 5)))
    assert [(item.whole, set(item.changed), item.removed) for item in told] == [
        (True, {CART_KEY, SHOP_KEY}, frozenset()),
        (False, {CART_KEY}, frozenset()),
    ]


def test_a_value_that_did_not_change_in_meaning_keeps_its_object() -> None:
    told = _told(_tree(5, (CART_KEY, GOOD, 4)), _tree(7, (CART_KEY, GOOD, 7)))
    assert len(told) == 1, "written again with the same text: nothing to say"


def test_a_deleted_key_takes_its_object_with_it() -> None:
    told = _told(_tree(5, (CART_KEY, GOOD, 4), (SHOP_KEY, SHOP, 5)), _tree(6, (SHOP_KEY, SHOP, 5)))
    assert told[1].removed == {CART_KEY}
    assert set(_merged(told).snapshot.objects) == {Ref(CORE, "Namespace", "", "shop")}


def test_an_unreadable_value_keeps_the_last_good_version() -> None:
    told = _told(_tree(5, (CART_KEY, GOOD, 4)), _tree(6, (CART_KEY, "a: [", 6)))
    merged = _merged(told)
    assert CART in merged.snapshot.objects
    assert [item.code.id for item in merged.diagnostics] == ["SMP0104", "SMP0205"]


def test_while_consul_is_away_everything_stays_and_is_said_once() -> None:
    told = _told(_tree(5, (CART_KEY, GOOD, 4)), AWAY, AWAY, _tree(8, (SHOP_KEY, SHOP, 8)))
    assert len(told) == 3
    away = _merged(told[:2])
    assert set(away.snapshot.objects) == {CART}
    assert [item.code.id for item in away.diagnostics] == ["SMP0217"]
    back = _merged(told[2:], away)
    assert set(back.snapshot.objects) == {Ref(CORE, "Namespace", "", "shop")}
    assert back.diagnostics == ()


def test_a_start_without_consul_serves_the_last_good_version() -> None:
    before = _merged(_told(_tree(5, (CART_KEY, GOOD, 4))))
    told = _told(AWAY)
    assert told[0].whole
    after = merge(start(Snapshot(index_of), BUILT_IN, before.last_good), told)
    assert set(after.snapshot.objects) == {CART}
    assert [item.code.id for item in after.diagnostics] == ["SMP0217"]


def test_a_start_waits_a_moment_for_a_registry_that_starts_too() -> None:
    async def main() -> list[Records]:
        release = asyncio.Event()

        async def watch(_client: Client, _prefix: str) -> AsyncIterator[Tree | Away]:
            yield AWAY
            yield AWAY
            release.set()
            yield _tree(5, (CART_KEY, GOOD, 4))

        said: list[Records] = []
        await ConsulDocuments(Client(Target()), BUILT_IN, watch=watch).run(said.append)
        assert release.is_set()
        return said

    (first,) = asyncio.run(main())
    assert (first.whole, first.health.ok, set(first.changed)) == (True, True, {CART_KEY})


def test_a_start_waits_for_nothing_where_no_document_was_before() -> None:
    told = _told(AWAY, _tree(5, (CART_KEY, GOOD, 4)), expected=False)
    assert [(item.whole, item.health.ok, set(item.changed)) for item in told] == [
        (True, True, set()),
        (False, False, set()),
        (True, True, {CART_KEY}),
    ]


def test_a_refusal_says_what_to_do() -> None:
    away = Away(RefusedError("GET", "/v1/kv/sampan/documents/", 403, "Permission denied"))
    (said,) = _told(away)[0].health.diagnostics
    assert "403 Permission denied" in said.reason
    assert "CONSUL_HTTP_TOKEN" in said.hint


def test_a_consul_that_lost_its_data_removes_nothing() -> None:
    told = _told(_tree(50, (CART_KEY, GOOD, 4)), AWAY, _tree(3), _tree(4), _tree(5))
    merged = _merged(told)
    assert set(merged.snapshot.objects) == {CART}
    assert "has lost its data" in merged.diagnostics[0].reason
    again = _told(_tree(50, (CART_KEY, GOOD, 4)), _tree(3), _tree(7, (SHOP_KEY, SHOP, 7)))
    assert set(_merged(again).snapshot.objects) == {Ref(CORE, "Namespace", "", "shop")}


@pytest.mark.parametrize("served", [True, False])
def test_a_start_with_an_empty_kv_tells_deleted_from_lost(served: bool) -> None:
    before = _merged(_told(_tree(5, (CART_KEY, GOOD, 4))))
    told = _told(_tree(3), _tree(4), served=served)
    after = merge(start(Snapshot(index_of), BUILT_IN, before.last_good), told)
    assert set(after.snapshot.objects) == (set() if served else {CART})


def test_a_token_that_may_not_read_any_more_removes_nothing() -> None:
    """Consul leaves out of a recursive read what the token may not see, and says nothing."""
    told = _told(_tree(5, (CART_KEY, GOOD, 4)), _tree(6), served=None)
    merged = _merged(told)
    assert set(merged.snapshot.objects) == {CART}
    assert "403 Permission denied" in merged.diagnostics[0].reason
    assert "CONSUL_HTTP_TOKEN" in merged.diagnostics[0].hint


def test_the_last_document_can_be_deleted() -> None:
    told = _told(_tree(50, (CART_KEY, GOOD, 4)), _tree(51))
    assert not _merged(told).snapshot.objects


def test_the_same_index_of_another_consul_is_read_again() -> None:
    other = GOOD.replace("a.example", "b.example")
    told = _told(_tree(50, (CART_KEY, GOOD, 4)), _tree(5, (CART_KEY, other, 4)))
    assert _merged(told).snapshot.objects[CART].spec.hostnames == ("b.example",)


def test_folders_made_by_hand_are_no_documents() -> None:
    told = _told(_tree(5, ("sampan/documents/", "", 1), ("sampan/documents/default/", "", 2), (CART_KEY, GOOD, 4)))
    assert set(told[0].changed) == {CART_KEY}


def test_a_file_counts_before_the_shared_store() -> None:
    shared = _told(_tree(5, (CART_KEY, GOOD, 4)))
    for name in ("a.yaml", "z.yaml"):
        own = Records("files", {name: load(GOOD.replace("a.example", "own.example"), name, BUILT_IN)}, whole=True)
        merged = _merged([*shared, own])
        assert merged.snapshot.objects[CART].spec.hostnames == ("own.example",)
        (said,) = merged.diagnostics
        assert (said.code.id, said.origin.file) == ("SMP0201", CART_KEY)
