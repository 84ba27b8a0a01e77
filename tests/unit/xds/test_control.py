"""The public face: scopes, revisions to wait for, notices, what was good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from xds_play import cluster, endpoints, listener, routes, service

from sampan.envoy import protos
from sampan.envoy.table import Table, table
from sampan.envoy.types import CLUSTER, ENDPOINT, LISTENER, ROUTE
from sampan.xds.control import Connected, Control, Disconnected, Notice, Retired, Stream
from sampan.xds.events import Acked, Refused
from sampan.xds.message import BadRequestError

BASE = table([*service("a"), listener("l"), routes("l", "a")])


class Proxy:
    """Asks for everything and confirms everything, except the types in `refuse`."""

    def __init__(self, control: Control, node: str = "n") -> None:
        self.stream: Stream = control.open()
        self.refuse: set[str] = set()
        self.received: list[str] = []
        self.ask(CLUSTER, node=node)
        self.ask(ENDPOINT, "a")
        self.ask(LISTENER)
        self.ask(ROUTE, "l")

    def ask(self, type_url: str, *names: str, node: str = "", nonce: str = "", error: str = "") -> None:
        message = protos.discovery.DeltaDiscoveryRequest(type_url=type_url, response_nonce=nonce)
        message.resource_names_subscribe.extend(names)
        message.node.id = node
        message.error_detail.message = error
        if not error:
            message.ClearField("error_detail")
        self.stream.receive(message.SerializeToString())

    def answer(self) -> None:
        while (body := self.stream.next_response()) is not None:
            message = protos.discovery.DeltaDiscoveryResponse.FromString(body)
            self.received += [resource.name for resource in message.resources]
            error = "no" if message.type_url in self.refuse else ""
            self.ask(message.type_url, nonce=message.nonce, error=error)


def observed(control: Control) -> list[Notice]:
    notices: list[Notice] = []
    control.observe(notices.append)
    return notices


def kinds(notices: Iterable[Notice]) -> list[type]:
    return [type(notice.what) for notice in notices]


def test_a_publication_is_waited_for_until_the_proxy_has_it() -> None:
    async def scenario() -> None:
        control = Control()
        proxy = Proxy(control)
        revision = control.publish("n", BASE)
        assert not await control.settled("n", revision, 0)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(control.settled("n", revision, 10))
            await asyncio.sleep(0)
            proxy.answer()
        assert waiting.result()
        assert control.publish("n", BASE) == revision  # nothing differs
        assert await control.settled("n", revision, 0)
        assert proxy.received == ["a", "a", "l", "l"]

    asyncio.run(scenario())


def test_nobody_connected_is_nobody_in_step() -> None:
    async def scenario() -> None:
        control = Control()
        assert not await control.settled("n", control.publish("n", BASE), 0)

    asyncio.run(scenario())


def test_a_scope_has_what_was_published_for_it_and_no_other() -> None:
    control = Control()
    one, other = Proxy(control, "one"), Proxy(control, "other")
    control.publish("one", BASE)
    one.answer()
    other.answer()
    assert one.received
    assert other.received == []
    assert [(node.node.id, node.in_step) for node in control.nodes()] == [("one", True), ("other", False)]


def test_rows_by_themselves_need_a_table_and_count_when_they_differ() -> None:
    control = Control()
    with pytest.raises(KeyError):
        control.publish_rows("n", [endpoints("a")])
    proxy = Proxy(control)
    revision = control.publish("n", BASE)
    proxy.answer()
    assert control.publish_rows("n", [endpoints("a")]) == revision
    proxy.received.clear()
    assert control.publish_rows("n", [endpoints("a", 81)]) > revision
    proxy.answer()
    assert proxy.received == ["a"]
    assert control.revision("n") == control.nodes()[0].settled


def test_what_happens_is_told() -> None:
    control = Control()
    notices = observed(control)
    proxy = Proxy(control)
    control.publish("n", BASE)
    proxy.answer()
    assert kinds(notices) == [Connected, Acked, Acked, Acked, Acked]
    proxy.refuse = {ROUTE}
    control.publish("n", BASE.with_rows([routes("l", "a", "b")]))
    proxy.answer()
    assert isinstance(notices[-1].what, Refused)
    assert notices[-1].node is not None
    assert notices[-1].node.id == "n"
    control.close(proxy.stream)
    control.close(proxy.stream)
    control.retire("n")
    control.retire("n")
    assert kinds(notices[6:]) == [Disconnected, Retired]


def test_what_is_good_is_what_was_confirmed_and_not_what_was_refused() -> None:
    control = Control()
    assert control.good("n") is None
    proxy = Proxy(control)
    control.publish("n", BASE)
    assert control.good("n") is None
    proxy.answer()
    found = control.good("n")
    assert found is not None
    assert found.rows == BASE.rows
    proxy.refuse = {ROUTE}
    bad = routes("l", "a", "b")
    control.publish("n", BASE.with_rows([bad]))
    proxy.answer()
    found = control.good("n")
    assert found is not None
    assert found.rows == BASE.rows
    assert control.verdicts("n")[ROUTE, "l"].version == bad.version
    assert control.verdicts("n")[ROUTE, "l"].good == routes("l", "a")
    control.publish("n", BASE)
    assert control.verdicts("n") == {}


def test_a_refusal_is_known_to_the_next_stream_even_if_the_scope_came_later() -> None:
    control = Control()
    first = Proxy(control)
    first.refuse = {ROUTE}
    control.publish("n", BASE)
    first.answer()
    control.close(first.stream)
    second = Proxy(control)
    second.answer()
    assert second.received == ["a", "a", "l"]
    (node,) = control.nodes()
    assert [(refusal.type, refusal.name) for refusal in node.refused] == [(ROUTE, "l")]


def test_a_retired_scope_takes_nothing_away_and_can_come_back() -> None:
    control = Control()
    proxy = Proxy(control)
    control.publish("n", BASE)
    proxy.answer()
    proxy.received.clear()
    control.retire("n")
    proxy.answer()
    assert proxy.received == []
    control.publish("n", BASE.with_rows([cluster("a", 9)]))
    proxy.answer()
    assert proxy.received == ["a", "a"]


def test_a_stream_tells_its_node_first() -> None:
    control = Control()
    stream = control.open()
    with pytest.raises(BadRequestError, match=r"node\.id"):
        stream.receive(protos.discovery.DeltaDiscoveryRequest(type_url=CLUSTER).SerializeToString())
    with pytest.raises(BadRequestError):
        stream.receive(b"\xff\xff")
    assert stream.next_response() is None
    assert stream.delay() is None
    control.close(stream)


def test_two_streams_of_a_scope_are_waited_for_both() -> None:
    async def scenario() -> None:
        control = Control()
        revision = control.publish("n", BASE)
        first, second = Proxy(control), Proxy(control)
        first.answer()
        assert not await control.settled("n", revision, 0)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(control.settled("n", revision, 10))
            await asyncio.sleep(0)
            control.close(second.stream)  # an old process that ends
        assert waiting.result()
        assert control.publish("n", Table()) != revision

    asyncio.run(scenario())
