"""What HTTPRoute and GRPCRoute share: header matches, session persistence, and rules over all rules of a route."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from sampan.documents.kinds.scalars import Duration, HeaderName, HeaderValue
from sampan.documents.kinds.shape import Mistake, Path, Ruled, Shape, Unsupported, duplicates
from sampan.documents.regex import fault
from sampan.model.codes import BAD_REGEX

MatchType = Literal["Exact", "RegularExpression"]
UseDefaultGateways = Literal["All", "None"]


class CookieConfig(Shape):
    """Of a session cookie: whether it outlives the browser's session."""

    lifetime_type: Literal["Permanent", "Session"] = "Session"


class SessionPersistence(Ruled):
    """Keeps a client at the same endpoint (GEP-1619)."""

    session_name: Annotated[str, Field(max_length=128)] = ""
    absolute_timeout: Duration | None = None
    type: Literal["Cookie", "Header"] = "Cookie"
    cookie_config: CookieConfig | None = None

    def mistakes(self) -> Iterator[Mistake]:
        if self.cookie_config is None:
            return
        if self.type != "Cookie":
            yield Mistake("'cookieConfig' goes with type Cookie only", ("cookieConfig",))
        if self.cookie_config.lifetime_type == "Permanent" and self.absolute_timeout is None:
            yield Mistake("a permanent cookie needs 'absoluteTimeout'", ("cookieConfig", "lifetimeType"))


class HeaderMatch(Ruled):
    """A header that a request must have. Its value is compared whole."""

    type: MatchType = "Exact"
    name: HeaderName
    value: HeaderValue

    def mistakes(self) -> Iterator[Mistake]:
        yield from value_mistakes(self.type, self.value)


def value_mistakes(match_type: str, value: str, field: str = "value") -> Iterator[Mistake]:
    if match_type == "RegularExpression" and (reason := fault(value)):
        yield regex_mistake(reason, field)


def regex_mistake(reason: str, field: str) -> Mistake:
    return Mistake(
        f"not a regular expression that Envoy takes: {reason}",
        (field,),
        "shorten its repetitions"
        if "too complex" in reason
        else "the syntax is RE2's: no look-around, no back references",
        BAD_REGEX,
    )


def name_mistakes(rules: Sequence[Any]) -> Iterator[Mistake]:
    """Named rules have different names."""
    for index, first, rule in duplicates(rules, lambda rule: rule.name or None):
        yield Mistake(f"the name '{rule.name}' is already taken by rules[{first}]", ("rules", index, "name"))


def total_mistakes(rules: Sequence[Any]) -> Iterator[Mistake]:
    """128 matches in one route, as the Gateway API has it."""
    total = sum(len(rule.matches) for rule in rules)
    if total > 128:
        yield Mistake(
            f"{total} matches in one route; at most 128 are allowed", ("rules",), "split the route into several"
        )


def unsupported_parts(use_default_gateways: str | None, rules: Sequence[Any]) -> Iterator[Unsupported]:
    """Session persistence, external authorization and extension filters, wherever they are written."""
    yield from unsupported_default_gateways(use_default_gateways)
    for index, rule in enumerate(rules):
        at = ("rules", index)
        if rule.session_persistence is not None:
            yield Unsupported((*at, "sessionPersistence"), "session persistence is not supported yet and is left out")
        places: list[tuple[Path, Any]] = [(("filters",), rule.filters)]
        places += [(("backendRefs", number, "filters"), ref.filters) for number, ref in enumerate(rule.backend_refs)]
        for place, filters in places:
            for number, item in enumerate(filters):
                if item.type == "ExternalAuth":
                    # A request that should be asked about and is not would be a hole: resolving answers 500 for it.
                    yield Unsupported((*at, *place, number), "external authorization is not supported yet")


def unsupported_default_gateways(use_default_gateways: str | None) -> Iterator[Unsupported]:
    if use_default_gateways == "All":
        yield Unsupported(
            ("useDefaultGateways",), "default gateways are not supported yet; name the Gateway in parentRefs"
        )
