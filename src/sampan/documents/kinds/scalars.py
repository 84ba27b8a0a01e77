"""Names, hosts, headers, paths, ports and durations: the scalars of the documents, each with its rule.

`WORDS` says every pattern in the user's words; a message never shows a regular expression.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from sampan.documents.kinds.shape import Mistake, refuse

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"

NAMESPACE_PATTERN = rf"^{LABEL}$"
NAME_PATTERN = rf"^{SUBDOMAIN}$"
HOSTNAME_PATTERN = rf"^(\*\.)?{SUBDOMAIN}$"
GROUP_PATTERN = rf"^$|^{SUBDOMAIN}$"
KIND_PATTERN = r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"
# RFC 9110 5.1: a field name is a token.
HEADER_NAME_PATTERN = r"^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$"
# RFC 9110 5.5 without obs-text, as the Gateway API has it since v1.6: nothing that could end a header line.
HEADER_VALUE_PATTERN = r"^[!-~]+([\t ]?[!-~]+)*$"
PATH_PATTERN = r"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$"
REPLACEMENT_PATTERN = r"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@?]|%[0-9a-fA-F]{2})*$"
DURATION_PATTERN = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
CONTROLLER_PATTERN = rf"^{SUBDOMAIN}\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$"
PROTOCOL_PATTERN = rf"^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|^{SUBDOMAIN}\/[A-Za-z0-9]+$"
ORIGIN_PATTERN = r"(^\*$)|(^(http(s)?):\/\/(((\*\.)?([a-zA-Z0-9\-]+\.)*[a-zA-Z0-9-]+|\*)(:([0-9]{1,5}))?)$)"
WELL_KNOWN_CA_PATTERN = rf"^(System|({SUBDOMAIN}/([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]))$"
URI_PATTERN = r"^([^:/?#\s]+):(//([^/?#\s]*))?([^?#\s]*)(\?([^#\s]*))?(#(\S*))?$"
LABEL_KEY_PATTERN = rf"^({SUBDOMAIN}/)?([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]$"
LABEL_VALUE_PATTERN = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
PORT_NAME_PATTERN = rf"^{LABEL}$"
DATA_KEY_PATTERN = r"^[-._a-zA-Z0-9]+$"

WORDS: dict[str, str] = {
    NAMESPACE_PATTERN: "lower-case letters, digits and '-', starting and ending with a letter or digit",
    NAME_PATTERN: "lower-case letters, digits, '-' and '.', each part starting and ending with a letter or digit",
    HOSTNAME_PATTERN: "a lower-case DNS name such as 'shop.example.com' or '*.example.com'",
    GROUP_PATTERN: "an API group such as 'gateway.networking.k8s.io', or '' for the core group",
    KIND_PATTERN: "a kind such as 'Service': letters, digits and '-', starting with a letter",
    HEADER_NAME_PATTERN: "a name of HTTP token characters: letters, digits and !#$%&'*+-.^_`|~",
    HEADER_VALUE_PATTERN: "visible ASCII characters with single spaces or tabs between them",
    PATH_PATTERN: "URL path characters only (others written as %XX)",
    REPLACEMENT_PATTERN: "URL path characters only (others written as %XX)",
    DURATION_PATTERN: "a duration such as '500ms', '10s' or '1h30m'",
    CONTROLLER_PATTERN: "a domain and a path such as 'sampan.dev/gateway-controller'",
    PROTOCOL_PATTERN: "a protocol such as 'HTTP', 'HTTPS', 'TLS', 'TCP' or 'UDP'",
    ORIGIN_PATTERN: "'*' or an origin such as 'https://shop.example.com' or 'https://*.example.com:8443'",
    WELL_KNOWN_CA_PATTERN: "'System', or a name with a domain such as 'example.com/roots'",
    URI_PATTERN: "an absolute URI such as 'spiffe://cluster.local/ns/default/sa/shop'",
    LABEL_KEY_PATTERN: "letters, digits, '-', '_' and '.' (at most 63), with a domain and '/' before them if wanted",
    LABEL_VALUE_PATTERN: "letters, digits, '-', '_' and '.', starting and ending with a letter or digit, or empty",
    DATA_KEY_PATTERN: "letters, digits, '-', '_' and '.'",
}


def matches(pattern: str, text: str) -> bool:
    """Whether the whole `text` is as one of the patterns here. They all take time linear in the (bounded) text."""
    return re.fullmatch(pattern, text) is not None


def _not_an_address(value: str) -> str:
    # RFC 1123 2.1: a name whose last label is all digits is an IPv4 address, never a host name. The Gateway API's
    # documentation of Hostname refuses addresses.
    if value.rpartition(".")[2].isdigit():
        refuse([Mistake(f"'{value}' is an IP address; a host name is needed here")])
    return value


def _text(pattern: str, longest: int, shortest: int = 1) -> Any:
    return Field(pattern=pattern, min_length=shortest, max_length=longest)


Namespace = Annotated[str, _text(NAMESPACE_PATTERN, 63)]
ObjectName = Annotated[str, Field(min_length=1, max_length=253)]
SectionName = Annotated[str, _text(NAME_PATTERN, 253)]
Group = Annotated[str, _text(GROUP_PATTERN, 253, 0)]
KindName = Annotated[str, _text(KIND_PATTERN, 63)]
Hostname = Annotated[str, _text(HOSTNAME_PATTERN, 253), AfterValidator(_not_an_address)]
PreciseHostname = Annotated[str, _text(NAME_PATTERN, 253), AfterValidator(_not_an_address)]
HeaderName = Annotated[str, _text(HEADER_NAME_PATTERN, 256)]
HeaderValue = Annotated[str, _text(HEADER_VALUE_PATTERN, 4096)]
PathReplacement = Annotated[str, _text(REPLACEMENT_PATTERN, 1024, 0)]
ControllerName = Annotated[str, _text(CONTROLLER_PATTERN, 253)]
Uri = Annotated[str, _text(URI_PATTERN, 253)]
LabelKey = Annotated[str, _text(LABEL_KEY_PATTERN, 317)]
LabelValue = Annotated[str, _text(LABEL_VALUE_PATTERN, 63, 0)]
PortName = Annotated[str, _text(PORT_NAME_PATTERN, 63)]

Integer = Annotated[int, Field(strict=True)]
Boolean = Annotated[bool, Field(strict=True)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Weight = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Percent = Annotated[int, Field(strict=True, ge=0, le=100)]

_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_PART = re.compile(r"([0-9]{1,5})(ms|h|m|s)")
_WHOLE = re.compile(DURATION_PATTERN[1:-1])


def milliseconds(text: object) -> int:
    """A GEP-2257 duration to milliseconds: `1h30m` → 5400000. Up to four parts of up to five digits, no fractions."""
    if isinstance(text, str):
        if _WHOLE.fullmatch(text):
            return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        raise PydanticCustomError("string_pattern_mismatch", "duration", {"pattern": DURATION_PATTERN})
    raise PydanticCustomError("duration_type", "duration")


def duration_text(value: int) -> str:
    """Milliseconds as the shortest GEP-2257 text: 5400000 → `1h30m`."""
    parts = []
    for unit, size in _UNITS.items():
        count, value = divmod(value, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[
    int,
    BeforeValidator(milliseconds),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]
"""In milliseconds. Written as in GEP-2257: `500ms`, `10s`, `1h30m`."""
