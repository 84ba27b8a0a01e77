"""Names of kinds."""

from __future__ import annotations

import pytest

from sampan.cli import kinds
from sampan.cli.problem import UserError


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("gtw", "Gateway"),
        ("gateways", "Gateway"),
        ("gateways.gateway.networking.k8s.io", "Gateway"),
        ("HTTPRoute", "HTTPRoute"),
        ("httproutes", "HTTPRoute"),
        ("gc", "GatewayClass"),
        ("svc", "Service"),
        ("ns", "Namespace"),
        ("refgrant", "ReferenceGrant"),
        ("retries", "Retry"),
    ],
)
def test_a_kind_is_found_by_each_of_its_names(word: str, kind: str) -> None:
    assert kinds.find(word).kind == kind


def test_no_name_means_two_kinds() -> None:
    names = [name for kind in kinds.KINDS for name in set(kind.names)]
    assert len(names) == len(set(names))


def test_cluster_scoped_kinds_have_no_namespace() -> None:
    assert not kinds.find("gc").namespaced
    assert not kinds.find("ns").namespaced
    assert kinds.find("gtw").namespaced


def test_every_kind_that_documents_know_has_a_name_here() -> None:
    from sampan.documents.kinds.built_in import BUILT_IN

    assert set(BUILT_IN.kinds) <= {(kind.group, kind.kind) for kind in kinds.KINDS}


def test_shipped_policies_have_names_here() -> None:
    from sampan import policies

    assert {policy.kind for policy in policies.discover()} <= {kind.kind for kind in kinds.KINDS}


PLURALS = (("Retry", "retries"), ("Gateway", "gateways"), ("Hotlinking", "hotlinkings"), ("Class", "classes"))


@pytest.mark.parametrize(("kind", "plural"), PLURALS)
def test_plurals(kind: str, plural: str) -> None:
    assert kinds.plural_of(kind) == plural


def test_a_word_near_nothing_lists_the_kinds() -> None:
    with pytest.raises(UserError) as caught:
        kinds.find("qqqqqqqqqq")
    assert "httproutes" in caught.value.hint
