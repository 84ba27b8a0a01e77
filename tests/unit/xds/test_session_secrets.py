"""Secrets go out one by one: Envoy confirms a refused one when it comes a second time, so halves would show nothing."""

from __future__ import annotations

from xds_play import Play, secret

from sampan.envoy.types import SECRET
from sampan.xds.events import Refused


def test_the_bad_one_is_found_without_being_sent_twice() -> None:
    play = Play()
    play.publish([secret("a"), secret("bad"), secret("z")])
    play.ask(SECRET, "a", "bad", "z")
    assert play.sent() == ["secret a"]
    play.ack(SECRET)
    assert play.sent() == ["secret bad"]
    play.nack(SECRET, "Failed to load certificate chain")
    assert play.sent() == ["secret z"]
    play.ack(SECRET)
    assert play.sent() == []
    (refused,) = play.events(Refused)
    assert [*refused.versions] == ["bad"]


def test_a_change_while_they_are_on_their_way_reaches_the_proxy() -> None:
    play = Play()
    play.publish([secret("a"), secret("b")])
    play.ask(SECRET, "a", "b")
    assert play.sent() == ["secret a"]
    new = [secret("a", "new"), secret("b", "new")]
    play.publish(new)
    play.ack(SECRET)
    play.settle()
    assert play.versions[SECRET] == {item.name: item.version for item in new}
