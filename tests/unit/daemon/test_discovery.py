"""Which registered services requests go to."""

from __future__ import annotations

from sampan.daemon.discovery import used
from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import load
from sampan.model.names import CORE, SAMPAN, Ref
from sampan.model.plan import Upstream
from sampan.model.snapshot import Snapshot
from sampan.resolve import index_of

DOCUMENTS = """
apiVersion: v1
kind: Service
metadata: {name: reviews-v1}
spec: {selector: {sampan.dev/service: reviews, version: v1}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: by-hand}
spec: {ports: [{port: 80}]}
"""


def upstream(name: str, kind: str = "Service") -> Upstream:
    owner = Ref(CORE if kind == "Service" else SAMPAN, kind, "default", name)
    return Upstream(str(owner), owner, 80, str(owner))


def test_services_themselves_and_those_that_they_select() -> None:
    objects = {
        document.object.ref: document.object for document in load(DOCUMENTS, "a.yaml", BUILT_IN, "files").documents
    }
    snapshot = Snapshot(index_of).with_changes(objects)
    upstreams = [upstream("reviews-v1"), upstream("by-hand"), upstream("web@consul"), upstream("old", "Backend")]
    assert used(upstreams, snapshot) == {"reviews-v1", "reviews", "by-hand", "web@consul"}
