"""Registered services beside documents of the same name: who counts, and who is told."""

from __future__ import annotations

import random

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import Loaded, load
from sampan.model import codes
from sampan.model.meta import Object
from sampan.model.names import Ref
from sampan.model.snapshot import Snapshot, difference
from sampan.sources.merge import Merged, merge, start
from sampan.sources.source import Records

from ... import registered
from ...registered import instance

REVIEWS = registered.registered("reviews", instance("reviews"))


def document(name: str = "reviews", selector: str = "app: x", port: int = 9080) -> str:
    return f"""apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{{selector}}}
  ports: [{{port: {port}}}]
"""


def files(**texts: str) -> Records:
    return Records("files", {f"{name}.yaml": load(text, f"{name}.yaml", BUILT_IN) for name, text in texts.items()})


def consul(*loaded: Loaded, source: str = "consul") -> Records:
    return Records(source, {item.documents[0].object.ref.name: item for item in loaded})


def merged(*records: Records) -> Merged:
    state = start(Snapshot(), BUILT_IN)
    for record in records:
        state = merge(state, [record])
    return state


def service(state: Merged, name: str = "reviews") -> Object | None:
    return state.snapshot.get(Ref("", "Service", "default", name))


def ports(state: Merged, name: str = "reviews") -> list[int]:
    found = service(state, name)
    return [port.port for port in found.spec.ports] if found is not None else []


def test_a_document_counts_whoever_came_first_and_is_told_of_the_registered_one() -> None:
    for records in ((consul(REVIEWS), files(a=document())), (files(a=document()), consul(REVIEWS))):
        state = merged(*records)
        assert ports(state) == [9080]
        assert ports(state, "reviews@consul") == [80]
        (said,) = state.diagnostics
        assert (said.code, said.severity, said.origin.file) == (codes.HIDDEN_SERVICE, "warning", "a.yaml")
        assert said.reason == (
            "a service 'reviews' is registered too; this document counts, and none of its instances is used here"
        )
        assert said.hint == (
            "take them in with 'selector: {sampan.dev/service: reviews}', or refer to 'reviews@consul' for them"
        )


def test_a_document_that_takes_the_registered_instances_in_is_told_nothing() -> None:
    for selector in ("sampan.dev/service: reviews", "sampan.dev/service: reviews, version: v2"):
        state = merged(consul(REVIEWS), files(a=document(selector=selector)))
        assert (ports(state), state.diagnostics) == ([9080], ())
    state = merged(consul(REVIEWS), files(a=document(selector="sampan.dev/service: ratings")))
    assert [item.code for item in state.diagnostics] == [codes.HIDDEN_SERVICE]


def test_a_registration_does_not_take_over_what_cannot_be_read_for_the_moment() -> None:
    state = merged(files(a=document()), consul(REVIEWS), files(a=document(port=9081).replace("9081", "no")))
    assert ports(state) == [9080]
    assert {item.code for item in state.diagnostics} == {codes.HIDDEN_SERVICE, codes.LAST_GOOD, codes.WRONG_TYPE}


def test_the_registered_service_has_its_name_when_the_document_goes() -> None:
    state = merged(consul(REVIEWS), files(a=document()), Records("files", removed=frozenset({"a.yaml"})))
    assert (ports(state), state.diagnostics) == ([80], ())
    state = merge(state, [Records("consul", removed=frozenset({"reviews"}))])
    assert state.snapshot.objects == {}


def test_two_documents_and_a_registered_service() -> None:
    state = merged(files(b=document(port=2), a=document(port=1)), consul(REVIEWS))
    assert ports(state) == [1]
    assert [(item.code, item.origin.file) for item in state.diagnostics] == [
        (codes.HIDDEN_SERVICE, "a.yaml"),
        (codes.DUPLICATE_OBJECT, "b.yaml"),
    ]


def test_nothing_yields_between_two_registries_and_both_stay_reachable() -> None:
    elsewhere = Loaded(
        tuple(
            type(item)(item.object, type(item.origin)("kubernetes", "z reviews"), item.yields)
            for item in REVIEWS.documents
            if item.yields
        )
    )
    state = merged(consul(elsewhere, source="kubernetes"), consul(REVIEWS))
    assert state.places[Ref("", "Service", "default", "reviews")].source == "consul"
    (said,) = state.diagnostics
    assert (said.code, said.hint) == (codes.HIDDEN_SERVICE, "refer to 'reviews@kubernetes'")


def test_nothing_of_a_registry_is_kept_as_last_good() -> None:
    assert merged(consul(REVIEWS)).last_good.saved == {}


def test_only_what_changed_in_a_key_changes() -> None:
    one, two = instance("reviews", "10.0.0.1"), instance("reviews", "10.0.0.2")
    both = registered.registered("reviews", one, two)
    state = merged(consul(both))
    down = instance("reviews", "10.0.0.2", state="down")
    state = merge(state, [consul(Loaded((*both.documents[:-1], down)))])
    assert state.change.objects == {two.object.ref: (two.object, down.object)}
    assert merge(state, []).change.objects == {}


def test_records_taken_together_come_to_the_same_as_one_by_one() -> None:
    play = random.Random(4)
    names = ("reviews", "ratings")
    for _ in range(200):
        records = [_any_record(play, names) for _ in range(play.randint(2, 6))]
        begin = merged(files(reviews=document()), consul(REVIEWS))
        together, single = merge(begin, records), begin
        for record in records:
            single = merge(single, [record])
        assert dict(together.snapshot.objects) == dict(single.snapshot.objects)
        assert together.diagnostics == single.diagnostics
        assert together.places == single.places
        assert together.last_good == single.last_good
        assert together.change.objects == difference(begin.snapshot, together.snapshot).objects


def _any_record(play: random.Random, names: tuple[str, ...]) -> Records:
    name = play.choice(names)
    match play.randrange(7):
        case 0:
            return _CACHE[name, play.randrange(3)]
        case 1:
            return Records("consul", removed=frozenset({name}))
        case 2:
            return Records("consul", {}, whole=True)
        case 3:
            return Records("files", removed=frozenset({f"{name}.yaml"}))
        case 4:
            return _BROKEN[name]
        case 5:
            return Records("files", unavailable=frozenset({f"{name}.yaml"}))
        case _:
            return _DOCUMENTS[name, play.randrange(2)]


_CACHE = {
    (name, count): consul(registered.registered(name, *(instance(name, f"10.0.0.{n}") for n in range(count))))
    for name in ("reviews", "ratings")
    for count in range(3)
}
_DOCUMENTS = {
    (name, port): files(**{name: document(name, port=8000 + port)})
    for name in ("reviews", "ratings")
    for port in range(2)
}
_BROKEN = {name: files(**{name: "x: ["}) for name in ("reviews", "ratings")}
