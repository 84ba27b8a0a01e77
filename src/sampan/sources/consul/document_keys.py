"""Which key of Consul's KV holds which document. Pure: a Ref to its key and back.

    sampan/documents/<namespace>/<kind>.<group>/<name>    sampan/documents/shop/httproute.gateway.networking.k8s.io/cart
    sampan/status/…the same…                              what one of the control planes says of it
    sampan/leader                                         the lock of the one that does

The kind is in lower case, the core group is left out with its dot (`shop/service/cart`), and `_cluster` stands for the
namespace of what belongs to none.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from sampan.documents.kinds.kind_set import KindSet
from sampan.model.names import Ref

ROOT = "sampan/"
DOCUMENTS = ROOT + "documents/"
STATUS = ROOT + "status/"
LEADER = ROOT + "leader"

CLUSTER = "_cluster"
"""No namespace can have this name: an underscore is not allowed in one."""


@dataclass(frozen=True, slots=True)
class Misplaced:
    """Why a key names no document, and what to do about it."""

    reason: str
    hint: str


def key_of(ref: Ref) -> str:
    """Where the document of an object is kept."""
    kind = ref.kind.lower()
    word = f"{kind}.{ref.group}" if ref.group else kind
    return f"{DOCUMENTS}{ref.namespace or CLUSTER}/{word}/{ref.name}"


def status_key(key: str) -> str:
    """Where the status of the document at `key` is kept."""
    return STATUS + key.removeprefix(DOCUMENTS)


def document_key(key: str) -> str:
    """The other way round."""
    return DOCUMENTS + key.removeprefix(STATUS)


class Scheme:
    """Reads keys, for the kinds that there are."""

    def __init__(self, kinds: KindSet) -> None:
        self._words = {
            f"{kind.name.lower()}.{kind.group}" if kind.group else kind.name.lower(): kind
            for kind in kinds.kinds.values()
        }

    def ref_of(self, key: str) -> Ref | Misplaced:
        """Which object a key below `sampan/documents/` is for."""
        parts = key.removeprefix(DOCUMENTS).split("/")
        if len(parts) != 3 or not all(parts):
            return Misplaced(
                "a document's key has three parts, a namespace, a kind and a name",
                f"write {DOCUMENTS}<namespace>/<kind>.<group>/<name>, or let `sampan apply` do it",
            )
        namespace, word, name = parts
        kind = self._words.get(word)
        if kind is None:
            near = get_close_matches(word.lower(), self._words, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "`sampan apply` writes the right key"
            return Misplaced(f"there is no kind '{word}'", hint)
        if kind.cluster_scoped != (namespace == CLUSTER):
            reason = f"a {kind.name} belongs to {'no' if kind.cluster_scoped else 'a'} namespace"
            right = CLUSTER if kind.cluster_scoped else "the namespace"
            return Misplaced(reason, f"write {right} for '{namespace}' in the key")
        return Ref(kind.group, kind.name, "" if kind.cluster_scoped else namespace, name)


def is_folder(key: str) -> bool:
    """The key of a folder, as Consul's own pages make it: it holds nothing."""
    return key.endswith("/")
