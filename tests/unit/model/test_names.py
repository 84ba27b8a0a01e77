"""Names: injective, safe in statistics; hostnames and where they meet."""

from __future__ import annotations

import pytest

from sampan.model.names import (
    Ref,
    bare,
    hostname_covers,
    hostname_intersection,
    instance_name,
    qualified,
    registered_name,
    resource_name,
    slot,
)


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


@pytest.mark.parametrize("name", ["reviews", "go.micro.api.greeter", "a--b", "0", "1.2.3.4", "a" * 63])
def test_a_registered_name_that_is_an_objects_name_stays(name: str) -> None:
    assert registered_name(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Order_Service", "order-service-b170912c"),
        ("Reviews", "reviews-84cb7871"),
        ("r" * 70, "r" * 54 + "-8e08f5fc"),
        ("a" * 53 + "." + "b" * 20, "a" * 53 + "-faf921a0"),
        ("größe", "gr-e-d353a267"),
        ("評価", "service-c85c4290"),
        ("", "service-e3b0c442"),
        ("a..b", "a-b-f62b4241"),
        ("a.-b", "a-b-cf3cd0bc"),
        (".a-", "a-cb6f9dc8"),
        ("a\nb", "a-b-7e18f737"),
        ("a/b@c", "a-b-c-fdd11077"),
        ("\ud800", "service-91a681b9"),
        ("reviews@consul", "reviews-consul-5de5bfa0"),
    ],
)
def test_any_other_registered_name_is_brought_near_to_one(name: str, expected: str) -> None:
    assert registered_name(name) == expected
    assert registered_name(registered_name(name)) == registered_name(name)


def test_registered_names_that_look_the_same_do_not_meet() -> None:
    names = ["order-service", "Order_Service", "order_service", "ORDER.SERVICE", "order.service", "order service"]
    names += ["é", "è", "", "-", ".", "s" * 64, "s" * 65, "s" * 64 + "."]
    assert len({registered_name(name) for name in names}) == len(names)


def test_qualified_names_come_apart_again() -> None:
    assert bare(qualified("go.micro.api.greeter", "dc2")) == ("go.micro.api.greeter", "dc2")
    assert bare("reviews") == ("reviews", "")
    assert (
        resource_name("service", "default", qualified("reviews", "consul"), 80) == "service/default/reviews~40consul/80"
    )


def test_instances_of_one_id_on_two_nodes_are_two() -> None:
    assert instance_name("reviews", "n1", "reviews-1") != instance_name("reviews", "n2", "reviews-1")
    assert instance_name("reviews", "a/b", "c") != instance_name("reviews", "a", "b/c")
    assert instance_name("reviews", "a%2Fb", "c") != instance_name("reviews", "a/b", "c")
