"""The names by which people call a kind: singular, plural, short, as kubectl knows them.

Written out rather than asked of `sampan.documents`, which takes 0.2 s to load: `sampan get` only asks a socket.
A policy that is not shipped is found by looking (`sampan.policies`), which is done when no name here fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from sampan.cli.problem import USAGE, UserError
from sampan.model.names import CLUSTER_SCOPED, CORE, DISCOVERY, GATEWAY_API, SAMPAN

ALL = "all"


@dataclass(frozen=True, slots=True)
class KindName:
    """`short` are the short names of the Gateway API's resource definitions and of Kubernetes itself."""

    group: str
    kind: str
    plural: str
    short: tuple[str, ...] = ()

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def namespaced(self) -> bool:
        return (self.group, self.kind) not in CLUSTER_SCOPED

    @property
    def names(self) -> tuple[str, ...]:
        """All lower case. `httproutes.gateway.networking.k8s.io` is allowed too, as kubectl has it."""
        plain = (self.singular, self.plural, *self.short)
        return plain + tuple(f"{name}.{self.group}" for name in plain[:2] if self.group)


# In the order of `sampan get all`: from the way in to what is reached.
KINDS = (
    KindName(GATEWAY_API, "GatewayClass", "gatewayclasses", ("gc",)),
    KindName(GATEWAY_API, "Gateway", "gateways", ("gtw",)),
    KindName(GATEWAY_API, "ListenerSet", "listenersets", ("lset",)),
    KindName(GATEWAY_API, "HTTPRoute", "httproutes"),
    KindName(GATEWAY_API, "GRPCRoute", "grpcroutes"),
    KindName(GATEWAY_API, "TLSRoute", "tlsroutes"),
    KindName(GATEWAY_API, "TCPRoute", "tcproutes"),
    KindName(GATEWAY_API, "UDPRoute", "udproutes"),
    KindName(GATEWAY_API, "ReferenceGrant", "referencegrants", ("refgrant",)),
    KindName(GATEWAY_API, "BackendTLSPolicy", "backendtlspolicies", ("btlspolicy",)),
    KindName(SAMPAN, "Publication", "publications", ("pub",)),
    KindName(SAMPAN, "Timeout", "timeouts"),
    KindName(SAMPAN, "Retry", "retries"),
    KindName(SAMPAN, "Backend", "backends"),
    KindName(CORE, "Service", "services", ("svc",)),
    KindName(SAMPAN, "Instance", "instances", ("inst",)),
    KindName(DISCOVERY, "EndpointSlice", "endpointslices"),
    KindName(CORE, "Secret", "secrets"),
    KindName(CORE, "ConfigMap", "configmaps", ("cm",)),
    KindName(CORE, "Namespace", "namespaces", ("ns",)),
)


def find(word: str) -> KindName:
    """The kind that a word names, in any case. Raises UserError with the nearest name."""
    wanted = word.lower()
    for kinds in (lambda: KINDS, _policies):
        for kind in kinds():
            if wanted in kind.names:
                return kind
    known = [name for kind in KINDS for name in kind.names if "." not in name]
    near = get_close_matches(wanted, [*known, ALL], n=1)
    hint = f"did you mean {near[0]}?" if near else f"the kinds are {', '.join(kind.plural for kind in KINDS)}"
    raise UserError(f"there is no kind {word!r}", hint, exit_code=USAGE)


def of_object(item: dict[str, object]) -> KindName:
    """The kind of an object as the API gives it, a made-up plural for one that is not known."""
    group, separator, _ = str(item.get("apiVersion", "")).rpartition("/")
    kind = str(item.get("kind", ""))
    known = (found for found in KINDS if found.kind == kind and found.group == (group if separator else CORE))
    return next(known, KindName(group, kind, plural_of(kind)))


def plural_of(kind: str) -> str:
    """As Kubernetes' resource definitions usually have it: lower case, `-es` and `-ies` where English has them."""
    word = kind.lower()
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2:-1] not in "aeiou" else word + "s"


def _policies() -> Iterable[KindName]:
    from sampan.policies import discover

    return tuple(KindName(SAMPAN, policy.kind, plural_of(policy.kind)) for policy in discover())
