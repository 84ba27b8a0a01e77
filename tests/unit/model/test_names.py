"""Names: injective, safe in statistics; hostnames and where they meet."""

from __future__ import annotations

import pytest

from sampan.model.names import Ref, hostname_covers, hostname_intersection, resource_name, slot


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reviews", "reviews"),
        ("shop.example.com", "shop_example_com"),
        ("*.example.com", "~2a_example_com"),
        ("a/b", "a~2fb"),
        ("a_b", "a~5fb"),
        ("é", "~c3~a9"),
        ("", ""),
    ],
)
def test_a_slot_holds_no_dot_and_no_slash(text: str, expected: str) -> None:
    assert slot(text) == expected


def test_different_names_stay_different() -> None:
    texts = ["a.b", "a-b", "a_b", "a/b", "a~2fb", "a~b", "*", "~2a", "A.b"]
    assert len({slot(text) for text in texts}) == len(texts)


def test_a_resource_name_has_fixed_slots() -> None:
    assert resource_name("service", "default", "my.svc", 8080) == "service/default/my_svc/8080"


def test_a_ref_reads_as_people_write_it() -> None:
    assert str(Ref("gateway.networking.k8s.io", "HTTPRoute", "default", "shop")) == "HTTPRoute/default/shop"
    assert str(Ref("", "Namespace", "", "shop")) == "Namespace/shop"


@pytest.mark.parametrize(
    ("pattern", "hostname", "covers"),
    [
        ("", "a.example.com", True),
        ("a.example.com", "a.example.com", True),
        ("a.example.com", "b.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "*.b.example.com", True),
        ("*.b.example.com", "*.example.com", False),
        ("*.example.com", "aexample.com", False),
    ],
)
def test_what_a_hostname_covers(pattern: str, hostname: str, covers: bool) -> None:
    assert hostname_covers(pattern, hostname) is covers


@pytest.mark.parametrize(
    ("left", "right", "narrower"),
    [
        ("", "", ""),
        ("", "a.com", "a.com"),
        ("*.com", "a.com", "a.com"),
        ("*.com", "*.a.com", "*.a.com"),
        ("a.com", "b.com", None),
        ("*.a.com", "*.b.com", None),
        ("*.a.com", "a.com", None),
    ],
)
def test_where_hostnames_meet_whichever_comes_first(left: str, right: str, narrower: str | None) -> None:
    assert hostname_intersection(left, right) == narrower
    assert hostname_intersection(right, left) == narrower
