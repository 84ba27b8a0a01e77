"""Match → RouteMatch, serialised.

A Route's match is kept apart from the rest of it: the rest is the same for every match and host of a rule.
"""

from __future__ import annotations

import re
from typing import Any

from sampan.envoy import protos
from sampan.model.plan import Match, PathMatch, ValueMatch

MILLION = 1_000_000
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")  # RFC 3986, 2.3


def match_body(match: Match) -> bytes:
    """The RouteMatch of a Match."""
    return bytes(_filled(match, match.method).SerializeToString())


def preflight_body(match: Match) -> bytes:
    """The RouteMatch for the CORS preflights of a Match with a method: a preflight comes as OPTIONS and names the
    method that it asks for in a header (Fetch standard, "CORS-preflight fetch")."""
    message = _filled(match, "OPTIONS")
    _value(message.headers.add(), ValueMatch("access-control-request-method", "exact", match.method))
    return bytes(message.SerializeToString())


def fraction_body(numerator: int, denominator: int) -> bytes:
    """The field `runtime_fraction` of a RouteMatch, to be joined to one: `numerator` in `denominator` requests match.

    Envoy draws one random number for a request and compares it at every Route that it tries, so fractions that
    accumulate from Route to Route split the traffic exactly (docs: "Traffic splitting across multiple upstreams").
    """
    message = protos.route.RouteMatch()
    message.runtime_fraction.default_value.numerator = round(numerator * MILLION / denominator)
    message.runtime_fraction.default_value.denominator = protos.type.FractionalPercent.MILLION
    return bytes(message.SerializeToString())


def authority_with_port_body() -> bytes:
    """The field `headers` of a RouteMatch, to be joined to one: the request's Host names a port."""
    message = protos.route.RouteMatch()
    _value(message.headers.add(), ValueMatch(":authority", "regex", r".*:\d+"))
    return bytes(message.SerializeToString())


def _filled(match: Match, method: str) -> Any:
    message = protos.route.RouteMatch()
    _path(message, match.path)
    if method:
        _value(message.headers.add(), ValueMatch(":method", "exact", method))
    for header in match.headers:
        _value(message.headers.add(), header)
    for parameter in match.query:
        _value(message.query_parameters.add(), _as_sent(parameter))
    if match.grpc:
        message.grpc.SetInParent()
    return message


def _path(message: Any, path: PathMatch) -> None:
    """`path_separated_prefix` must not end in a slash and must not be "/" (its own validation rule), and the Gateway
    API ignores a trailing slash of a prefix."""
    if path.kind == "exact":
        message.path = path.value
    elif path.kind == "regex":
        message.safe_regex.regex = path.value
    elif prefix := path.value.rstrip("/"):
        message.path_separated_prefix = prefix
    else:
        message.prefix = "/"


def _as_sent(parameter: ValueMatch) -> ValueMatch:
    """Envoy compares a query parameter as it was sent, percent-encoding and all. An exact value that clients may encode
    becomes a regex of all ways to write it."""
    value = parameter.value
    if parameter.kind != "exact" or _UNRESERVED.fullmatch(value):
        return parameter
    return ValueMatch(parameter.name, "regex", "".join(map(_ways_to_write, value)))


def _ways_to_write(char: str) -> str:
    if _UNRESERVED.fullmatch(char):
        return re.escape(char)
    encoded = "".join(f"%{byte:02X}" for byte in char.encode())
    ways = [re.escape(char), f"(?i:{encoded})", *([r"\+"] if char == " " else [])]
    return f"(?:{'|'.join(ways)})"


def _value(message: Any, value: ValueMatch) -> None:
    message.name = value.name
    if value.kind == "exact":
        message.string_match.exact = value.value
    else:
        message.string_match.safe_regex.regex = value.value
