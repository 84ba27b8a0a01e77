"""What Consul answers, as objects."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.consul.errors import GarbageError
from sampan.documents.kinds.instance import Instance
from sampan.model.names import CORE, SAMPAN
from sampan.sources.consul.codec import decode, encode
from sampan.sources.consul.convert import Key, Registered, Setting, registered

from .answers import check, entry
from .test_tags import packed

SETTING = Setting(datacenter="dc1", node="n1")
WEB = Key("", "web")


def convert(*entries: dict[str, Any], key: Key = WEB, before: Registered | None = None) -> Registered:
    return registered(key, list(entries), SETTING, before)


def only(*entries: dict[str, Any], key: Key = WEB) -> Instance:
    (found,) = convert(*entries, key=key).instances.values()
    spec: Instance = found.spec
    return spec


def labels(*entries: dict[str, Any]) -> dict[str, str]:
    (found,) = convert(*entries).instances.values()
    return dict(found.meta.labels)


def test_one_service() -> None:
    found = convert(entry(id="web-1", tags=("primary",), meta={"version": "2", "team": "shop"}))
    assert [
        (item.ref, document.yields) for item, document in zip(found.services, found.loaded().documents, strict=False)
    ] == [
        ((CORE, "Service", "default", "web"), True),
        ((CORE, "Service", "default", "web@consul"), False),
    ]
    spec = found.services[0].spec
    assert spec.selector == {
        "sampan.dev/service": "web",
        "sampan.dev/source": "consul",
        "sampan.dev/datacenter": "dc1",
    }
    assert [(port.port, port.app_protocol) for port in spec.ports] == [(80, "")]
    (instance,) = found.instances.values()
    assert instance.ref == (SAMPAN, "Instance", "default", "web@n1/web-1")
    assert instance.meta.labels == {
        **spec.selector,
        "version": "2",
        "team": "shop",
        "tag.sampan.dev/primary": "true",
    }
    assert (instance.spec.address, instance.spec.port, instance.spec.state, instance.spec.node) == (
        ("10.0.0.1", 8080, "ready", "n1")
    )
    assert found.nodes == {"n1"}
    assert found.diagnostics == ()


def test_a_service_of_another_datacentre_is_there_qualified_only() -> None:
    found = convert(entry(), key=Key("dc2", "web"))
    assert found.names == ("web@dc2",)
    (instance,) = found.instances.values()
    assert instance.ref.name == "web@dc2@n1/web-8080"
    assert instance.meta.labels["sampan.dev/datacenter"] == "dc2"
    assert [document.yields for document in found.loaded().documents] == [False, False]


def test_a_name_that_no_object_may_have() -> None:
    found = convert(entry(name="Order_Service"), key=Key("", "Order_Service"))
    name = found.names[0]
    assert name.startswith("order-service-")
    assert found.services[0].meta.annotations == {"sampan.dev/registered-name": "Order_Service"}
    assert found.services[0].spec.selector["sampan.dev/service"] == name


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ((), "ready"),
        (("passing", "warning"), "ready"),
        (("passing", "critical"), "down"),
        (("warning", "critical"), "down"),
        (("critical", "warning"), "down"),
        (("strange",), "down"),
    ],
)
def test_health(statuses: tuple[str, ...], state: str) -> None:
    assert only(entry(checks=tuple(check(status, str(n)) for n, status in enumerate(statuses)))).state == state


def test_maintenance_of_a_node_is_down() -> None:
    found = only(entry(checks=(check("critical", "_node_maintenance", "Maintenance mode is enabled", node=True),)))
    assert found.state == "down"
    assert [(item.name, item.output) for item in found.checks] == [
        ("_node_maintenance", "Maintenance mode is enabled"),
        ("serfHealth", ""),
    ]


def test_weights() -> None:
    weights = {"Passing": 10, "Warning": 2}
    assert only(entry(Weights=weights)).weight == 10
    assert only(entry(Weights=weights, checks=(check("warning"),))).weight == 2
    assert only(entry(Weights={"Passing": 10, "Warning": 0}, checks=(check("warning"),))).weight == 0
    assert only(entry(Weights=None)).weight == 1
    assert only(entry(Weights={"Passing": -5, "Warning": 1})).weight == 0


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("10.0.0.1", ("10.0.0.1", "")),
        ("", ("10.0.9.9", "")),
        ("0.0.0.0", ("10.0.9.9", "")),
        ("::", ("10.0.9.9", "")),
        ("[::1]", ("::1", "")),
        ("2001:DB8::1", ("2001:db8::1", "")),
        ("Web.Example.com.", ("", "web.example.com")),
    ],
)
def test_addresses(address: str, place: tuple[str, str]) -> None:
    found = only(entry(address=address))
    assert (found.address, found.hostname) == place


def test_a_socket() -> None:
    found = only(entry(SocketPath="/run/web.sock", port=0))
    assert (found.unix, found.port, found.address) == ("/run/web.sock", 0, "")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"port": 0}, "it has no port"),
        ({"port": 70000}, "70000 is no port"),
        ({"address": "10.0.0.1:80"}, "'10.0.0.1:80' is neither an IP address nor a host name"),
        ({"address": "fe80::1%eth0"}, "'fe80::1%eth0' is neither"),
        ({"address": "10.0.0.300"}, "'10.0.0.300' is neither"),
        ({"address": "a b"}, "'a b' is neither"),
        ({"SocketPath": "run/web.sock"}, "the path of a Unix socket starts with '/'"),
        ({"SocketPath": "/run/../web.sock"}, "the path of a Unix socket may not hold '..'"),
        ({"SocketPath": "/" + "s" * 300}, "the path of a Unix socket may have "),
        (
            {"SocketPath": "/run/web.sock", "node": {"Node": "n2"}},
            "the Unix socket /run/web.sock is one of node 'n2', which is not this machine",
        ),
    ],
)
def test_what_cannot_be_reached_is_told(given: dict[str, Any], reason: str) -> None:
    found = convert(entry(id="bad", **given), entry(id="bad2", **given), entry(id="good"))
    assert [item.spec.id for item in found.instances.values()] == ["good"]
    (told,) = found.diagnostics
    assert told.code.id == "SMP0212"
    assert told.reason.startswith(f"instance 'bad' and 1 more of 'web': {reason}")
    assert str(told.origin) == "service web"


def test_labels_of_what_is_said_twice() -> None:
    found = labels(
        entry(
            meta={"a": "meta", "bad key": "x", "long": "x" * 64},
            tags=("a=tag", "b=tag", "c=not valid", "word", "no word", packed("t", {"b": "micro", "d": "micro"})),
        )
    )
    ours = {key: value for key, value in found.items() if not key.startswith("sampan.dev/")}
    assert ours == {"a": "meta", "b": "tag", "d": "micro", "tag.sampan.dev/word": "true"}


def test_no_service_passes_for_another() -> None:
    found = labels(
        entry(
            meta={"sampan.dev/service": "other", "x.sampan.dev/y": "z"},
            tags=("sampan.dev/source=other", "tag.sampan.dev/word=true", "sampan.dev/datacenter=dc2"),
        )
    )
    assert found == {"sampan.dev/service": "web", "sampan.dev/source": "consul", "sampan.dev/datacenter": "dc1"}


@pytest.mark.parametrize(
    ("meta", "tags", "version"),
    [
        ({"version": "1"}, ("version=2",), "1"),
        ({}, ("version=2", packed("v", "3")), "2"),
        ({}, (packed("v", "1.2.3"),), "1.2.3"),
        ({}, ("v=1.2.3",), "1.2.3"),
        ({}, (packed("t", {"version": "4"}),), "4"),
        ({"version": "1.2.3+build 5"}, (), "1.2.3_build_5"),
        ({"version": "++"}, (), None),
    ],
)
def test_versions(meta: dict[str, str], tags: tuple[str, ...], version: str | None) -> None:
    assert labels(entry(meta=meta, tags=tags)).get("version") == version


@pytest.mark.parametrize(
    ("meta", "tags", "protocol"),
    [
        ({"protocol": "http"}, (), "http"),
        ({"protocol": "HTTP2"}, (), "kubernetes.io/h2c"),
        ({"protocol": "grpc"}, (), "grpc"),
        ({"protocol": "tcp"}, (), "tcp"),
        ({"protocol": "mucp"}, (), "http"),
        ({}, ("protocol=h2c",), "kubernetes.io/h2c"),
        ({}, (packed("t", {"protocol": "grpc"}),), "grpc"),
        ({"protocol": "smtp"}, (), ""),
        ({}, (), ""),
    ],
)
def test_protocols(meta: dict[str, str], tags: tuple[str, ...], protocol: str) -> None:
    found = convert(entry(meta=meta, tags=tags))
    assert next(iter(found.instances.values())).spec.protocol == protocol
    assert found.services[0].spec.ports[0].app_protocol == protocol


def test_a_service_whose_instances_disagree_speaks_nothing_known() -> None:
    found = convert(entry(port=1, meta={"protocol": "grpc"}), entry(port=2, meta={"protocol": "http"}))
    assert found.services[0].spec.ports[0].app_protocol == ""


def test_where_it_runs() -> None:
    locality = {"Region": "eu-1", "Zone": "eu-1a"}
    assert (only(entry(Locality=locality)).region, only(entry(Locality=locality)).zone) == ("eu-1", "eu-1a")
    assert only(entry(node={"Locality": locality}, meta={"zone": "b"})).zone == "eu-1a"
    assert only(entry(meta={"zone": "b", "region": "r"})).zone == "b"
    assert only(entry(tags=("zone=c",))).zone == "c"
    assert only(entry(node={"Meta": {"zone": "d"}})).zone == "d"
    assert only(entry()).zone == ""


def test_proxies_of_connect_are_no_services() -> None:
    assert convert(entry(Kind="connect-proxy")).services == ()
    assert convert(entry(Kind="connect-proxy", port=1), entry(port=2)).names == ("web", "web@consul")


def test_what_did_not_change_stays_the_same_object() -> None:
    before = convert(entry(port=1), entry(port=2))
    assert convert(entry(port=2), entry(port=1), before=before) is before
    after = convert(entry(port=1), entry(port=2, checks=(check("critical"),)), before=before)
    assert after is not before
    assert after.services is before.services
    same, changed = (after.instances[name] is item for name, item in before.instances.items())
    assert (same, changed) == (True, False)


def test_the_text_of_a_passing_check_changes_nothing() -> None:
    before = convert(entry(checks=(check("passing", output="took 1 ms"),)))
    assert convert(entry(checks=(check("passing", output="took 2 ms"),)), before=before) is before


def test_with_its_last_instance_gone_a_service_stays_what_it_was() -> None:
    before = convert(entry(meta={"protocol": "grpc"}))
    after = convert(before=before)
    assert after.instances == {}
    assert after.services is before.services


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        "x",
        [1],
        [{}],
        [{"Node": {}, "Service": None}],
        [{"Node": {"Node": "n"}, "Service": {"Port": "x", "Address": "10.0.0.1"}}],
        [entry(tags=()) | {"Checks": [{}]}],
        [entry(Meta=[1])],
        [entry(Weights="x")],
    ],
)
def test_garbage_is_named(body: Any) -> None:
    with pytest.raises(GarbageError, match="service web"):
        registered(WEB, body, SETTING)


def test_the_last_answer_survives_as_bytes() -> None:
    key = Key("", "Order_Service")
    found = convert(
        entry(
            name="Order_Service",
            tags=("a", "version=2"),
            meta={"protocol": "grpc"},
            checks=(check("critical", output="x"),),
        ),
        entry(name="Order_Service", port=2, SocketPath="/run/x.sock"),
        key=key,
    )
    again = decode(key, encode(found), SETTING)
    assert again is not None
    assert again.names == found.names
    assert [item.spec for item in again.services] == [item.spec for item in found.services]
    assert [item.meta for item in again.services] == [item.meta for item in found.services]
    assert [(item.ref, item.meta, item.spec) for item in again.instances.values()] == [
        (item.ref, item.meta, item.spec) for item in found.instances.values()
    ]
    # The first answer after a restart that says the same changes nothing.
    body = [
        entry(
            name="Order_Service",
            tags=("a", "version=2"),
            meta={"protocol": "grpc"},
            checks=(check("critical", output="x"),),
        ),
        entry(name="Order_Service", port=2, SocketPath="/run/x.sock"),
    ]
    assert registered(key, body, SETTING, again) is again


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"version":1}', b'{"version":2,"names":[]}'])
def test_bytes_of_somebody_else_are_nothing(data: bytes) -> None:
    assert decode(WEB, data, SETTING) is None
