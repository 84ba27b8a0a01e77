"""The catalogue of diagnostic codes. A retired code is never used again: leave a comment in its place.

Ranges: 01xx documents, 02xx sources, 03xx resolving (the Gateway API's rules), 04xx policies, 05xx what Envoy said,
06xx processes and the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Code:
    """`id` is what users search for; `title` says the mistake in a few words, the same for every occurrence."""

    id: str
    title: str
    severity: Literal["error", "warning"] = "error"


def catalogue() -> tuple[Code, ...]:
    """Every code, by id."""
    return tuple(sorted((value for value in globals().values() if isinstance(value, Code)), key=lambda code: code.id))


# 01xx documents
NOT_TEXT = Code("SMP0101", "not a text file")
TOO_LARGE = Code("SMP0102", "too large")
UNKNOWN_FIELD = Code("SMP0103", "unknown field")
SYNTAX = Code("SMP0104", "not readable as YAML")
DUPLICATE_KEY = Code("SMP0105", "key written twice")
TOO_NESTED = Code("SMP0106", "too deep, or too many aliases")
NOT_AN_OBJECT = Code("SMP0107", "not an object")
MISSING_FIELD = Code("SMP0108", "missing field")
WRONG_TYPE = Code("SMP0109", "wrong type")
BAD_VALUE = Code("SMP0110", "value not allowed")
BROKEN_RULE = Code("SMP0111", "rule of the kind broken")
BAD_REGEX = Code("SMP0112", "bad regular expression")
BAD_NAME = Code("SMP0113", "bad name")
UNKNOWN_KIND = Code("SMP0114", "unknown kind")
UNKNOWN_VERSION = Code("SMP0115", "unknown version")
UNSUPPORTED_KIND = Code("SMP0116", "kind not supported yet")
UNSUPPORTED_FIELD = Code("SMP0117", "field not supported yet", "warning")
SKIPPED_KIND = Code("SMP0118", "kind of another program", "warning")
REGISTERED_KIND = Code("SMP0119", "kind that comes from a registry")

# 02xx sources
DUPLICATE_OBJECT = Code("SMP0201", "object defined twice")
UNREADABLE_FILE = Code("SMP0202", "unreadable file")
NOT_A_FILE = Code("SMP0203", "not a regular file", "warning")
MISSING_PATH = Code("SMP0204", "no such file or folder")
LAST_GOOD = Code("SMP0205", "the last good version stays in force", "warning")
BAD_FILE_REFERENCE = Code("SMP0206", "file named by a document is not usable")
NOT_WATCHED = Code("SMP0207", "changes are noticed late", "warning")
HIDDEN_SERVICE = Code("SMP0208", "registered service that a document hides", "warning")
REGISTRY_AWAY = Code("SMP0210", "registry that does not answer", "warning")
REGISTRY_FORBIDDEN = Code("SMP0211", "registry that does not let Sampan read")
UNUSABLE_INSTANCE = Code("SMP0212", "registered instance that cannot be reached", "warning")
MISPLACED_KEY = Code("SMP0215", "key that is for no document", "warning")
KEY_AND_VALUE = Code("SMP0216", "key and value name different objects")
STORE_AWAY = Code("SMP0217", "the store of documents cannot be read", "warning")
OPEN_SECRET = Code("SMP0218", "secret that others could read")
WRITTEN_MEANWHILE = Code("SMP0219", "changed by somebody else meanwhile")

# 03xx resolving
UNKNOWN_CLASS = Code("SMP0301", "no such GatewayClass")
INVALID_PARAMETERS = Code("SMP0302", "parameters not supported")
UNSUPPORTED_ADDRESS = Code("SMP0303", "type of address not supported")
LISTENER_CONFLICT = Code("SMP0304", "listeners that exclude each other")
UNSUPPORTED_PROTOCOL = Code("SMP0305", "protocol not supported")
INVALID_ROUTE_KIND = Code("SMP0306", "kind of route that the listener cannot serve")
PORT_TAKEN = Code("SMP0307", "port of another Gateway")
BAD_CERTIFICATE = Code("SMP0308", "certificate that cannot be used")
EXPIRED_CERTIFICATE = Code("SMP0309", "expired certificate")
NOT_PERMITTED = Code("SMP0310", "reference to another namespace without a ReferenceGrant")
MISSING_REFERENCE = Code("SMP0311", "reference to something that does not exist")
UNSUPPORTED_REFERENCE = Code("SMP0312", "reference to a kind that is not supported")
BAD_AUTHORITIES = Code("SMP0313", "certificates of authorities that cannot be used")
MISSING_PARENT = Code("SMP0314", "no such Gateway")
MISSING_LISTENER = Code("SMP0315", "no such listener")
NOT_ALLOWED = Code("SMP0316", "route that no listener lets in")
NO_COMMON_HOSTNAME = Code("SMP0317", "no host name in common with a listener")
MESH_PARENT = Code("SMP0318", "traffic between services is not routed yet", "warning")
UNSUPPORTED_FILTER = Code("SMP0319", "filter not supported")
ROUTE_CLASH = Code("SMP0320", "HTTPRoute and GRPCRoute for the same hosts")
SHADOWED_ROUTE = Code("SMP0321", "route that an older one hides", "warning")
UNSUPPORTED_BACKEND_PROTOCOL = Code("SMP0322", "backend speaks something else")
BAD_TLS_OPTION = Code("SMP0323", "TLS option not supported")
NOT_REGISTERED = Code("SMP0331", "service neither in the documents nor registered")
SHARED_PLACE = Code("SMP0330", "several services published at one place", "warning")
NO_PLACE = Code("SMP0332", "service that cannot be published at its place", "warning")

# 04xx policies
POLICY_CONFLICT = Code("SMP0401", "another policy has this target")
MISSING_TARGET = Code("SMP0402", "target that does not exist")
WRONG_TARGET = Code("SMP0403", "policy that cannot be attached there")
POLICY_PROBLEM = Code("SMP0404", "settings that do not go together")
BROKEN_PLUGIN = Code("SMP0405", "policy plugin that cannot be used")

# 05xx what Envoy said
REFUSED = Code("SMP0501", "refused by Envoy")

# 06xx processes and the machine
PORT_NOT_OPEN = Code("SMP0601", "port that cannot be opened")
STATE_PROBLEM = Code("SMP0602", "state folder that cannot be used", "warning")
OWN_MISTAKE = Code("SMP0603", "mistake of Sampan's own, or of a plugin")
