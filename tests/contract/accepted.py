"""Where ours answers otherwise than Consul 1.8.7 on purpose: all of it, with reasons. Anything else is a failure.

`comparison` leaves out two more things: Consul's own service (`consul`: its servers; ours has none and would route to
itself), and the order of lists that Consul itself gives in any order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accepted:
    """`call`: method and path, `where`: the place in the answer, `case`: the test's name; all whole, as regular
    expressions. `said`: how the difference begins. `refusals`: only where both refuse."""

    call: str
    where: str
    reason: str
    refusals: bool = False
    case: str = r".*"
    said: str = r""

    def covers(self, case: str, call: str, where: str, what: str, refused: bool) -> bool:
        pairs = ((self.case, case), (self.call, call), (self.where, where), (self.said + ".*", what))
        return (refused or not self.refusals) and all(re.fullmatch(of, one, re.DOTALL) for of, one in pairs)


_ANY = r".*"
_EVERYTHING = r"(status|header\..*|body.*)"

ACCEPTED: tuple[Accepted, ...] = (
    # headers
    Accepted(
        r"\w+ /v1/(kv|session|txn|event|agent|coordinate|status)\b.*",
        r"header\.X-Consul-Effective-Consistency",
        "Consul leaves it out of some reads; its documentation promises it on all",
    ),
    Accepted(
        _ANY,
        r"header\.X-Consul-(Index|Lastcontact|Knownleader)",
        "Consul's refusals say index 1 and no leader, so that a client which took it would start over",
        refusals=True,
    ),
    Accepted(
        _ANY,
        r"header\.Content-Type",
        "a refusal without a word has no type; ours have words",
        refusals=True,
        said="Consul does not have it",
    ),
    # words of refusals
    Accepted(
        r"PUT .*",
        r"body",
        "what is wrong with JSON is told in our parser's words, not in Go's",
        refusals=True,
        said=r"Consul ['\"](Request decode failed|Failed to parse body): ",
    ),
    Accepted(
        r"PUT /v1/event/fire/x.*",
        r"body",
        "what is wrong with an expression is told in RE2's words",
        refusals=True,
        said="Consul 'Invalid tag filter: ",
    ),
    Accepted(
        r"PUT /v1/agent/(service|check)/register",
        r"body",
        "ours runs no commands, and says what to do instead",
        refusals=True,
        said='Consul "Scripts are disabled ',
    ),
    Accepted(
        r"\w+ /(v1|v1/|v1/\w+/nope|v1/nope|v2/.*|nope|v1/health|v1/kv/%01|v1/catalog/services/|v1/coordinate/.*)",
        r"body",
        "an unknown path is told in words",
        refusals=True,
    ),
    Accepted(
        r"GET /v1/agent/health/service/(id|name)/",
        r"status",
        "a missing name is the caller's mistake (400), not the server's (500)",
        refusals=True,
    ),
    Accepted(
        r"\w+ /v1/(kv/k|catalog/services|health/service/web|agent/services|agent/service/register)\?ns=default",
        _EVERYTHING,
        "the open edition's one namespace may be named: a client that is set up for it need not be changed",
    ),
    # calls
    Accepted(r"HEAD .*", _EVERYTHING, "HEAD is as good as GET: probes use it"),
    Accepted(r"OPTIONS .*", r"header\.Allow", "HEAD too"),
    Accepted(r"POST /v1/event/fire/deploy", _EVERYTHING, "POST too: Spring Cloud Consul fires with it"),
    Accepted(r"\w+ /v1/event/fire/deploy", r"header\.Allow", "and so it is named among the methods"),
    Accepted(r"\w+ /v1/agent/version", _EVERYTHING, "later Consuls have it"),
    Accepted(r"GET /v1/operator/.*", _EVERYTHING, "one machine has no cluster to operate: said so, with 501"),
    # what describes the process
    Accepted(
        r"GET /v1/agent/self.*",
        r"body\.(DebugConfig\..*|Config\.Revision|Stats\..*|Coord\..*)",
        "ours is no agent of Consul's",
    ),
    Accepted(
        r"GET /v1/agent/(self|members).*",
        r"body.*\b(Port|port|build|ft_fs)",
        "ours has no cluster, so no ports for one",
    ),
    Accepted(r"GET /v1/agent/members\?wan=1", r"body", "the real one runs without a WAN here"),
    Accepted(
        r"GET /v1/agent/host", r"body\.(Memory|Host|Disk|CPU.*|CollectionTime).*", "facts of the machine, fewer of them"
    ),
    Accepted(r"GET /v1/agent/metrics", r"body\..*", "each measures itself"),
    Accepted(r"GET /v1/status/(leader|peers)", r"body(\[0\])?", "the port of servers among themselves; ours has none"),
    Accepted(r"GET /v1/coordinate/.*", r"body", "Consul tells of its own node a while after it starts"),
    Accepted(r"GET /v1/event/list.*", r"header.*", "Consul leaves a read's headers out of this one"),
    Accepted(r"GET /v1/event/list.*", r"body\[\d\]\.LTime", "a clock that ticks for other things too"),
    Accepted(
        r"GET /v1/health/checks/b",
        r"body\[0\]\.Output",
        "an alias follows what a check is, not what it says: two of one another would talk for ever, as Consul's do",
        case=r"test_alias",
    ),
    # stricter, or more consistent
    Accepted(
        r"(PUT /v1/catalog/register|GET /v1/health/node/x|GET /v1/catalog/node/x|GET /v1/catalog/nodes)",
        _EVERYTHING,
        "a refused registration changes nothing; Consul keeps its node. A status that is none is refused",
        case=r"test_odd_registrations.*",
    ),
    Accepted(
        r"GET /v1/(health|agent/checks).*",
        r"body.*\.(ServiceTags(\[\d\])?|ServiceName)",
        "a check's copy of its service's name and tags follows the service",
    ),
    Accepted(r"PUT /v1/txn", r"body\.Results.*Tags", "no tags are [] here too, as everywhere else", said="Consul None"),
    Accepted(r"PUT /v1/txn", r"body\.Errors\[\d\]\.What", "has an index in it", said=".* current modify index "),
    Accepted(
        r"GET /v1/session/info/\{session\}",
        r"body\[0\]\.LockDelay",
        "a negative delay is none",
        said="Consul -",
    ),
)
