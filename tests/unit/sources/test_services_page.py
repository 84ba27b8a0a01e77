"""docs/services.md is true: its names, its labels and its documents."""

from __future__ import annotations

import re
from pathlib import Path

from sampan.documents.kinds.built_in import BUILT_IN
from sampan.documents.load import load
from sampan.model import names
from sampan.model.codes import HIDDEN_SERVICE
from sampan.model.names import registered_name
from sampan.model.snapshot import Snapshot
from sampan.resolve import Memo, endpoint_group, index_of, resolve
from sampan.sources.merge import merge, start
from sampan.sources.source import Records

from ... import registered
from ...registered import instance

PAGE = (Path(__file__).parents[3] / "docs" / "services.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
GATEWAY = """apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web}
spec: {gatewayClassName: sampan, listeners: [{name: http, port: 8080, protocol: HTTP}]}
"""
V1, V2 = instance("reviews", "10.0.0.1", version="v1"), instance("reviews", "10.0.0.2", version="v2")


def served(*blocks: str) -> dict[str, list[str]]:
    """Addresses by upstream, of documents beside two registered versions of `reviews`."""
    files = {f"{number}.yaml": load(text, f"{number}.yaml", BUILT_IN) for number, text in enumerate((GATEWAY, *blocks))}
    known = {"reviews": registered.registered("reviews", V1, V2)}
    records = [Records("files", files, whole=True), Records("consul", known, whole=True)]
    merged = merge(start(Snapshot(index_of), BUILT_IN), records)
    resolution = resolve(merged.snapshot, (), Memo(), now="")
    assert not merged.diagnostics
    assert not resolution.diagnostics
    (plan,) = resolution.plans.values()
    groups = {name: endpoint_group(merged.snapshot, upstream) for name, upstream in plan.upstreams.items()}
    return {name: [place.address for place in group.endpoints] for name, group in groups.items()}


def test_the_names_are_those_of_the_table() -> None:
    section = PAGE.split("## Names")[1].split("## Ports")[0]
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", section, re.MULTILINE)
    assert len(rows) == 4
    for name, object_name in rows:
        assert registered_name(name) == object_name


def test_labels_and_codes_are_called_as_on_the_page() -> None:
    for text in (
        names.SERVICE_LABEL,
        names.SOURCE_LABEL,
        names.DATACENTER_LABEL,
        names.REGISTERED_NAME,
        names.TAG_LABEL_PREFIX,
        HIDDEN_SERVICE.id,
    ):
        assert text in PAGE


def test_the_documents_do_what_the_page_says() -> None:
    route, versions, merged, backend = BLOCKS
    assert served(route) == {"service/default/reviews/80": ["10.0.0.1", "10.0.0.2"]}
    assert served(versions) == {
        "service/default/reviews-v1/80": ["10.0.0.1"],
        "service/default/reviews-v2/80": ["10.0.0.2"],
    }
    mine = route.replace("port: 80", "port: 9080")
    assert served(mine, merged) == {"service/default/reviews/9080": ["10.0.0.1", "10.0.0.2"]}
    other = backend.replace("10.0.0.1", "10.0.0.9")
    assert served(mine, merged, other) == {"service/default/reviews/9080": ["10.0.0.1", "10.0.0.2", "10.0.0.9"]}
