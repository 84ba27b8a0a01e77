"""Who is connected, what each proxy has confirmed and what it refused. Frozen; read by `sampan proxies`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sampan.envoy.table import Row
from sampan.envoy.types import PUSH_ORDER
from sampan.xds.feed import Feed
from sampan.xds.message import Node
from sampan.xds.session import Session


@dataclass(frozen=True, slots=True)
class Refusal:
    """The proxy refused `version` of a resource; it goes on with what it had before."""

    type: str
    name: str
    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class TypeState:
    """Of one resource type: `confirmed` name to version, `pending` names not sent or not answered yet."""

    confirmed: Mapping[str, str]
    pending: int


@dataclass(frozen=True, slots=True)
class NodeState:
    """One stream. `since` is in seconds since the epoch; `settled` is the revision up to which it is in step, of
    `revision` published for its scope (0: nothing published yet)."""

    node: Node
    scope: str
    stream: int
    since: float
    settled: int
    revision: int
    types: Mapping[str, TypeState]
    refused: tuple[Refusal, ...]

    @property
    def in_step(self) -> bool:
        return 0 < self.revision <= self.settled


def node_state(session: Session, node: Node, scope: str, stream: int, since: float, revision: int) -> NodeState:
    """What a session knows of its proxy."""
    types = {type_url: _type_state(session.feeds[type_url]) for type_url in PUSH_ORDER}
    refused = tuple(
        Refusal(type_url, name, verdict.version, verdict.reason)
        for (type_url, name), verdict in sorted(session.verdicts.items())
    )
    return NodeState(node, scope, stream, since, session.settled, revision, types, refused)


def _type_state(feed: Feed) -> TypeState:
    confirmed = {name: known.version if isinstance(known, Row) else known for name, known in feed.known.items()}
    sent = len(feed.sent.rows) + len(feed.sent.removed) if feed.sent else 0
    return TypeState(confirmed, len(feed.dirty) + sent + sum(len(names) for names, _ in feed.parts))
