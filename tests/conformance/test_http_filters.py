"""HTTPRoutes: rewrites and header changes, of rules and of backends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from .marks import case
from .stage import Stage
from .world import Answer, Document, to

pytestmark = pytest.mark.envoy


def pairs(values: Mapping[str, str]) -> list[Document]:
    return [{"name": name, "value": value} for name, value in values.items()]


def changes(
    side: str,
    *,
    set_: Mapping[str, str] = {},
    add: Mapping[str, str] = {},
    remove: Sequence[str] = (),
) -> Document:
    """A RequestHeaderModifier or ResponseHeaderModifier."""
    fields: Document = {"set": pairs(set_), "add": pairs(add), "remove": list(remove)}
    kind = f"{side}HeaderModifier"
    return {"type": kind, kind[0].lower() + kind[1:]: {key: value for key, value in fields.items() if value}}


def rewrite(**fields: object) -> Document:
    return {"type": "URLRewrite", "urlRewrite": fields}


def at(path: str) -> list[Document]:
    return [{"path": {"type": "PathPrefix", "value": path}}]


MIXED = changes("Request", set_={"X-Set": "new"}, add={"X-Add": "one", "X-Append": "two"}, remove=["X-Remove"])
MIXED_SENT = {"X-Set": "old", "X-Append": "first", "X-Remove": "gone"}


def assert_mixed(answer: Answer) -> None:
    assert answer.sent("x-set") == ["new"]
    assert answer.sent("x-add") == ["one"]
    assert joined(answer.sent("x-append")) == "first,two"
    assert answer.sent("x-remove") == []


def joined(values: Sequence[str]) -> str:
    return ",".join(values)


@case("HTTPRouteRewriteHost")
def test_the_host_is_rewritten(stage: Stage) -> None:
    stage.apply(
        stage.route(
            to("a", matches=at("/one"), filters=[rewrite(hostname="one.else.example")]),
            to("b", filters=[rewrite(hostname="else.example")]),
            to("b", matches=at("/both"), filters=[rewrite(hostname="test.else.example"), MIXED]),
            hostnames=["rewrite.example"],
        )
    )
    assert stage.expect("a", "/one", "rewrite.example", changes=["host"]).body["host"] == "one.else.example"
    assert stage.expect("b", "/two", "rewrite.example", changes=["host"]).body["host"] == "else.example"
    answer = stage.expect("b", "/both", "rewrite.example", headers=MIXED_SENT, changes=["host", "headers"])
    assert answer.body["host"] == "test.else.example"
    assert_mixed(answer)


@case("HTTPRouteRewritePath")
def test_the_path_is_rewritten(stage: Stage) -> None:
    def prefix(value: str) -> Document:
        return rewrite(path={"type": "ReplacePrefixMatch", "replacePrefixMatch": value})

    def full(value: str) -> Document:
        return rewrite(path={"type": "ReplaceFullPath", "replaceFullPath": value})

    stage.apply(
        stage.route(
            to("a", matches=at("/prefix/one"), filters=[prefix("/one")]),
            to("a", matches=at("/strip"), filters=[prefix("/")]),
            to("a", matches=at("/full/one"), filters=[full("/one")]),
            to("a", matches=at("/full/both"), filters=[full("/test"), MIXED]),
            to("a", matches=at("/prefix/both"), filters=[prefix("/prefix"), MIXED]),
        )
    )
    for asked, sent in (
        ("/prefix/one/two", "/one/two"),
        ("/strip/three", "/three"),
        ("/strip", "/"),
        ("/full/one/two", "/one"),
    ):
        assert stage.expect("a", asked, changes=["path"]).body["path"] == sent
    for asked, sent in (("/full/both/test", "/test"), ("/prefix/both/one", "/prefix/one")):
        answer = stage.expect("a", asked, headers=MIXED_SENT, changes=["path", "headers"])
        assert answer.body["path"] == sent
        assert_mixed(answer)


SET, ADD, REMOVE = {"X-Set": "new"}, {"X-Add": "added"}, ["X-Remove"]
SET_MANY = {"X-Set-1": "set-1", "X-Set-2": "set-2"}
ADD_MANY = {"X-Add-1": "add-1", "X-Add-2": "add-2", "X-Add-3": "add-3"}
REMOVE_MANY = ["X-Remove-1", "X-Remove-2"]


def request_rules(place: str) -> list[Document]:
    """Five rules with a RequestHeaderModifier each, at the rule or at its backend."""
    found = []
    for path, filter_ in (
        ("/set", changes("Request", set_=SET)),
        ("/add", changes("Request", add=ADD)),
        ("/remove", changes("Request", remove=REMOVE)),
        ("/many", changes("Request", set_=SET_MANY, add=ADD_MANY, remove=REMOVE_MANY)),
        ("/case", changes("Request", set_=SET, add=ADD, remove=REMOVE)),
    ):
        reference = {"name": "a", "port": 8080}
        if place == "backend":
            found.append(to({**reference, "filters": [filter_]}, matches=at(path)))
        else:
            found.append(to(reference, matches=at(path), filters=[filter_]))
    return found


def assert_request_changes(stage: Stage) -> None:
    def asked(path: str, sent: Mapping[str, str]) -> Answer:
        return stage.expect("a", path, headers=sent, changes=["headers"])

    other = {"Some-Other": "val"}
    for sent in (other, {**other, "X-Set": "old"}):
        answer = asked("/set", sent)
        assert (answer.sent("x-set"), answer.sent("some-other")) == (["new"], ["val"])
    for sent, wanted in ((other, "added"), ({**other, "X-Add": "first"}, "first,added")):
        answer = asked("/add", sent)
        assert (joined(answer.sent("x-add")), answer.sent("some-other")) == (wanted, ["val"])
    assert asked("/remove", {"X-Remove": "val"}).sent("x-remove") == []
    sent = {"X-Set-2": "old", "X-Add-2": "first", "X-Remove-2": "val", "Another": "val"}
    answer = asked("/many", sent)
    assert {name: joined(answer.sent(name)) for name in ("x-set-1", "x-set-2", "x-add-1", "x-add-2", "x-add-3")} == {
        "x-set-1": "set-1",
        "x-set-2": "set-2",
        "x-add-1": "add-1",
        "x-add-2": "first,add-2",
        "x-add-3": "add-3",
    }
    assert answer.sent("another") == ["val"]
    assert answer.sent("x-remove-1") == answer.sent("x-remove-2") == []
    sent = {"x-set": "old", "x-add": "first", "x-remove": "val", "Another": "val"}
    answer = asked("/case", sent)
    assert (answer.sent("x-set"), joined(answer.sent("x-add"))) == (["new"], "first,added")
    assert (answer.sent("x-remove"), answer.sent("another")) == ([], ["val"])


@case("HTTPRouteRequestHeaderModifier")
def test_request_headers_change(stage: Stage) -> None:
    stage.apply(stage.route(*request_rules("rule")))
    assert_request_changes(stage)


@case("HTTPRouteBackendRequestHeaderModifier")
def test_request_headers_change_for_a_backend(stage: Stage) -> None:
    stage.apply(stage.route(*request_rules("backend")))
    assert_request_changes(stage)


@case("HTTPRouteRequestHeaderModifierBackendWeights")
def test_each_backend_gets_its_own_headers(stage: Stage) -> None:
    references = [
        {
            "name": name,
            "port": 8080,
            "weight": 10,
            "filters": [changes("Request", set_={"Backend": stage.backend(name)})],
        }
        for name in ("a", "b")
    ]
    stage.apply(stage.route(to(*references)))
    stage.expect(200)
    answers = [stage.world.ask(stage.port) for _ in range(100)]
    assert [answer.sent("backend") for answer in answers] == [[answer.backend] for answer in answers]
    assert {answer.backend for answer in answers} == {stage.backend("a"), stage.backend("b")}


@case("HTTPRouteResponseHeaderModifier")
def test_response_headers_change(stage: Stage) -> None:
    odd = {
        "x-lowercase-add": "lower",
        "x-Mixedcase-ADD-1": "mixed-1",
        "X-mixeDcase-add-2": "mixed-2",
        "X-UPPER-ADD": "up",
    }
    both = changes("Response", set_=SET_MANY, add={"X-Add-1": "add-1", "X-Add-2": "add-2"}, remove=REMOVE_MANY)
    filters = {
        "/set": [changes("Response", set_=SET)],
        "/add": [changes("Response", add=ADD)],
        "/remove": [changes("Response", remove=REMOVE)],
        "/many": [changes("Response", set_=SET_MANY, add=ADD_MANY, remove=REMOVE_MANY)],
        "/case": [changes("Response", set_=SET, add={**ADD, **odd}, remove=REMOVE)],
        "/both": [both, MIXED],
    }
    stage.apply(stage.route(*(to("a", matches=at(path), filters=found) for path, found in filters.items())))

    def got(path: str, answered: str, **more: Any) -> dict[str, str]:
        """The answer's headers by lower-case name, values joined; `answered` are those that the backend sets."""
        answer = stage.expect("a", f"{path}?headers={answered}", changes=["headers"], **more)
        found: dict[str, list[str]] = {}
        for name, value in answer.headers:
            found.setdefault(name.lower(), []).append(value)
        return {
            name: ",".join(part.strip() for value in values for part in value.split(","))
            for name, values in found.items()
        }

    assert (set_ := got("/set", "Some-Other:val"))["some-other"] == "val"
    assert set_["x-set"] == "new"
    assert (set_ := got("/set", "Some-Other:val,X-Set:old"))["x-set"] == "new"
    assert set_["some-other"] == "val"
    assert (add := got("/add", "Some-Other:val"))["x-add"] == "added"
    assert add["some-other"] == "val"
    assert (add := got("/add", "Some-Other:val,X-Add:first"))["x-add"] == "first,added"
    assert add["some-other"] == "val"
    assert "x-remove" not in got("/remove", "X-Remove:val")
    many = got("/many", "X-Set-2:old,X-Add-2:first,X-Remove-2:val,X-Remove-1:val,Another:val")
    assert {name: many.get(name) for name in ("x-set-1", "x-set-2", "x-add-1", "x-add-2", "x-add-3", "another")} == {
        "x-set-1": "set-1",
        "x-set-2": "set-2",
        "x-add-1": "add-1",
        "x-add-2": "first,add-2",
        "x-add-3": "add-3",
        "another": "val",
    }
    assert not {"x-remove-1", "x-remove-2"} & many.keys()
    cased = got("/case", "x-set:old,x-add:first,x-remove:val,Another:val")
    assert (cased["x-set"], cased["x-add"], cased["another"]) == ("new", "first,added", "val")
    assert {name: cased[name.lower()] for name in odd} == odd
    assert "x-remove" not in cased
    sent = {**MIXED_SENT, "X-Echo": "echo"}
    headers = "X-Set-2:old,X-Add-2:first,X-Remove-2:val,X-Remove-1:val,Another:val,X-Echo:echo"
    answered = got("/both", headers, headers=sent)
    assert answered["x-set-1"] == "set-1"
    assert answered["x-set-2"] == "set-2"
    assert (answered["x-add-1"], answered["x-add-2"]) == ("add-1", "first,add-2")
    assert (answered["another"], answered["x-echo"]) == ("val", "echo")
    assert not {"x-remove-1", "x-remove-2"} & answered.keys()
    answer = stage.expect("a", f"/both?headers={headers}", headers=sent, changes=["headers"])
    assert_mixed(answer)
    assert answer.sent("x-echo") == ["echo"]
