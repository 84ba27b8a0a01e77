"""What is said to DNS questions: Consul's names, health, order and limits, and packets that are no questions."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from sampan.registry.dns import names
from sampan.registry.dns.directory import Directory
from sampan.registry.dns.server import Answer, answering
from sampan.registry.dns.zone import Zone
from sampan.registry.registry import Registry

from .told import IDENTITY, register, registry

Payload = Mapping[str, Any]


def serving(*payloads: Payload) -> tuple[Registry, Answer]:
    made = registry(payloads)
    return made, answering(Zone(IDENTITY, Directory(made.catalog, made.tables), now=lambda: 7.0))


def ask(
    answer: Answer, name: str, kind: str = "A", *, udp: bool = True, payload: int | None = None, **more: Any
) -> dns.message.Message:
    edns: dict[str, Any] = {"use_edns": False} if payload is None else {"use_edns": 0, "payload": payload}
    query = dns.message.make_query(name, kind, **edns, **more)
    packet = answer(query.to_wire(), udp)
    assert packet is not None
    return dns.message.from_wire(packet)


def lines(section: Iterable[Any]) -> list[str]:
    return sorted(
        f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {data}" for rrset in section for data in rrset
    )


def node(name: str, address: str, **more: Any) -> Payload:
    return {"Node": name, "Address": address, **more}


WEB = (
    node("box", "10.0.0.9", NodeMeta={"rack": "1"}, Service={"ID": "w1", "Service": "Web", "Port": 80, "Tags": ["V1"]}),
    node(
        "box",
        "10.0.0.9",
        NodeMeta={"rack": "1"},
        Service={"ID": "w2", "Service": "Web", "Port": 81, "Address": "10.1.0.9"},
    ),
)


@pytest.mark.parametrize("name", ["web.service.consul", "WEB.Service.dc1.CONSUL"])
def test_a_service_is_found_whatever_its_case(name: str) -> None:
    _, answer = serving(*WEB)
    said = ask(answer, name)
    assert lines(said.answer) == [f"{name}. 0 A 10.0.0.9", f"{name}. 0 A 10.1.0.9"]
    assert said.flags & dns.flags.AA
    assert str(said.question[0].name) == f"{name}."


@pytest.mark.parametrize(
    "name", ["v1.web.service.consul", "_web._v1.service.consul", "_web._V1.consul", "_Web._v1.service.dc1.consul"]
)
def test_a_tag_chooses(name: str) -> None:
    _, answer = serving(*WEB)
    assert lines(ask(answer, name, "SRV").answer) == [f"{name}. 0 SRV 1 1 80 box.node.dc1.consul."]


def test_a_target_is_the_node_or_the_address_and_is_beside_the_answer() -> None:
    _, answer = serving(*WEB)
    said = ask(answer, "_web._tcp.service.consul", "SRV")
    assert [line.split(" ", 2)[2] for line in lines(said.answer)] == [
        "SRV 1 1 80 box.node.dc1.consul.",
        "SRV 1 1 81 0a010009.addr.dc1.consul.",
    ]
    assert lines(said.additional) == [
        "0a010009.addr.dc1.consul. 0 A 10.1.0.9",
        "box.node.dc1.consul. 0 A 10.0.0.9",
        'box.node.dc1.consul. 0 TXT "rack=1"',
    ]
    for line in lines(said.additional)[:2]:
        name, *_, address = line.split()
        assert lines(ask(answer, name).answer) == [f"{name} 0 A {address}"]


def test_a_name_may_have_dots_in_it_and_a_tag_goes_first() -> None:
    greeter = {"Service": "go.micro.api.greeter", "Port": 1, "Address": "10.0.0.1", "Tags": ["blue"]}
    made, answer = serving(node("a", "10.9.9.9", Service=greeter))
    for name in ("go.micro.api.greeter", "blue.go.micro.api.greeter"):
        assert lines(ask(answer, f"{name}.service.consul").answer) == [f"{name}.service.consul. 0 A 10.0.0.1"]
    for name in ("_go.micro.api.greeter._tcp.service.consul", "_go.micro.api.greeter._blue.service.dc1.consul"):
        assert len(ask(answer, name, "SRV").answer) == 1
    assert ask(answer, "red.go.micro.api.greeter.service.consul").rcode() == dns.rcode.NXDOMAIN
    with made.tables.write() as write:
        tagged = {"Service": "greeter", "Port": 1, "Address": "10.0.0.2", "Tags": ["go.micro.api"]}
        register(made, write, node("a", "10.9.9.9", Service=tagged))
    answered = ask(answer, "go.micro.api.greeter.service.consul")
    assert lines(answered.answer) == ["go.micro.api.greeter.service.consul. 0 A 10.0.0.2"]


@pytest.mark.parametrize(
    ("check", "there"),
    [
        ({"CheckID": "c", "Status": "critical", "ServiceID": "w1"}, ["10.1.0.9"]),
        ({"CheckID": "c", "Status": "warning", "ServiceID": "w1"}, ["10.0.0.9", "10.1.0.9"]),
        ({"CheckID": "_node_maintenance", "Status": "critical"}, []),
    ],
)
def test_what_is_critical_is_not_said(check: dict[str, str], there: list[str]) -> None:
    made, answer = serving(*WEB)
    assert len(lines(ask(answer, "web.service.consul").answer)) == 2
    with made.tables.write() as write:
        register(made, write, {"Node": "box", "Checks": [check]})
    said = ask(answer, "web.service.consul")
    assert [line.split()[-1] for line in lines(said.answer)] == there
    assert said.rcode() == (dns.rcode.NOERROR if there else dns.rcode.NXDOMAIN)
    with made.tables.write() as write:
        made.catalog.deregister_check(write, "box", check["CheckID"])
    assert len(lines(ask(answer, "web.service.consul").answer)) == 2


def test_weights_follow_health() -> None:
    service = {"Service": "w", "Port": 1, "Weights": {"Passing": 70, "Warning": 3}}
    made, answer = serving(node("a", "10.0.0.1", Service=service))
    assert " 70 1 " in lines(ask(answer, "w.service.consul", "SRV").answer)[0]
    with made.tables.write() as write:
        register(made, write, {"Node": "a", "Checks": [{"CheckID": "c", "Status": "warning", "ServiceID": "w"}]})
    assert " 3 1 " in lines(ask(answer, "w.service.consul", "SRV").answer)[0]


SOA = "consul. 0 SOA ns.consul. hostmaster.consul. 7 3600 600 86400 0"


@pytest.mark.parametrize(
    ("name", "kind", "rcode", "authority"),
    [
        ("nothing.service.consul", "A", dns.rcode.NXDOMAIN, [SOA]),
        ("web.service.dc2.consul", "A", dns.rcode.NXDOMAIN, [SOA]),
        ("nothing.node.consul", "A", dns.rcode.NXDOMAIN, [SOA]),
        ("consul", "A", dns.rcode.NXDOMAIN, [SOA]),
        ("service.consul", "A", dns.rcode.NXDOMAIN, [SOA]),
        ("a.b.c.node.dc1.x.consul", "A", dns.rcode.NXDOMAIN, [SOA]),
        ("x.query.consul", "A", dns.rcode.NXDOMAIN, [SOA]),
        ("web.connect.consul", "A", dns.rcode.NXDOMAIN, [SOA]),
        ("zzzzzzzz.addr.consul", "A", dns.rcode.NXDOMAIN, [SOA]),
        ("web.service.consul", "AAAA", dns.rcode.NOERROR, [SOA]),
        ("web.service.consul", "MX", dns.rcode.NOERROR, [SOA]),
        ("box.node.consul", "AAAA", dns.rcode.NOERROR, []),
        ("web.service.consul", "AXFR", dns.rcode.NOTIMP, []),
        ("example.com", "A", dns.rcode.REFUSED, []),
        (".", "NS", dns.rcode.REFUSED, []),
        ("1.0.0.10.in-addr.arpa", "PTR", dns.rcode.SERVFAIL, []),
    ],
)
def test_what_is_not_there_is_said_as_consul_says_it(
    name: str, kind: str, rcode: dns.rcode.Rcode, authority: list[str]
) -> None:
    _, answer = serving(*WEB)
    said = ask(answer, name, kind)
    assert (said.rcode(), lines(said.authority), lines(said.answer)) == (rcode, authority, [])


def test_the_domain_has_a_start_of_authority_and_a_name_server() -> None:
    _, answer = serving()
    said = ask(answer, "any.thing.consul", "SOA")
    assert lines(said.answer) == [SOA]
    assert (
        lines(said.authority) == lines(ask(answer, "consul", "NS").answer) == ["consul. 0 NS laptop.node.dc1.consul."]
    )
    assert lines(said.additional) == ["laptop.node.dc1.consul. 0 A 127.0.0.1"]


def test_a_node_has_its_address_and_its_meta() -> None:
    meta = {"a=b": "x`y", " lead ": "v", "rfc1035-raw": "as is", "long": "l" * 300}
    _, answer = serving(node("Box_7.x", "fd00::7", NodeMeta=meta))
    said = ask(answer, "box_7.x.node.consul", "AAAA", payload=4096)
    assert [line.split()[-1] for line in lines(said.answer)] == ["fd00::7"]
    texts = ask(answer, "box_7.x.node.dc1.consul", "TXT", payload=4096)
    assert {b"".join(data.strings).decode() for data in texts.answer[0]} == {
        "a`=b=x``y",
        "` lead` =v",
        "as is",
        f"long={'l' * 300}",
    }
    assert len(lines(said.additional)) == 4
    assert len(lines(ask(answer, "box_7.x.node.consul", "ANY", payload=4096).answer)) == 5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("9.0.0.10.in-addr.arpa", "box.node.dc1.consul."),
        ("9.0.1.10.IN-ADDR.ARPA", "Web.service.dc1.consul."),
    ],
)
def test_addresses_lead_back_to_names(name: str, expected: str) -> None:
    made, answer = serving(*WEB)
    assert [line.split()[-1] for line in lines(ask(answer, name, "PTR").answer)] == [expected]
    with made.tables.write() as write:
        made.catalog.deregister_node(write, "box")
    assert ask(answer, name, "PTR").rcode() == dns.rcode.SERVFAIL


def test_a_host_name_is_an_alias_and_ours_are_followed() -> None:
    _, answer = serving(
        *WEB,
        node("ext", "www.example.com", Service={"Service": "ext", "Port": 443}),
        node("ext", "www.example.com", Service={"Service": "to-web", "Port": 443, "Address": "web.service.consul"}),
    )
    assert lines(ask(answer, "ext.service.consul").answer) == ["ext.service.consul. 0 CNAME www.example.com."]
    assert lines(ask(answer, "ext.node.consul").answer) == ["ext.node.consul. 0 CNAME www.example.com."]
    assert "443 www.example.com." in lines(ask(answer, "ext.service.consul", "SRV").answer)[0]
    assert lines(ask(answer, "to-web.service.consul").answer) == [
        "to-web.service.consul. 0 CNAME web.service.consul.",
        "web.service.consul. 0 A 10.0.0.9",
        "web.service.consul. 0 A 10.1.0.9",
    ]
    assert len(lines(ask(answer, "to-web.service.consul", "SRV").additional)) == 2


def test_an_alias_in_a_circle_ends() -> None:
    _, answer = serving(
        node("a", "10.0.0.1", Service={"Service": "x", "Address": "y.service.consul"}),
        node("a", "10.0.0.1", Service={"Service": "y", "Address": "x.service.consul"}),
        node("a", "10.0.0.1", Service={"Service": "self", "Address": "self.service.consul"}),
    )
    assert ask(answer, "x.service.consul").rcode() == dns.rcode.NOERROR
    assert lines(ask(answer, "self.service.consul").answer) == ["self.service.consul. 0 A 10.0.0.1"]


def test_names_that_dns_cannot_say_are_left_out() -> None:
    _, answer = serving(
        node("n" * 64, "10.0.0.1", Service={"Service": "s", "Port": 1}),
        node("ok", "10.0.0.2", Service={"Service": "s", "Port": 2, "Address": "a..b"}),
        node("ok", "10.0.0.2", Service={"ID": "s3", "Service": "s", "Port": 3}),
    )
    assert [line.split()[-1] for line in lines(ask(answer, "s.service.consul", "SRV").answer)] == [
        "ok.node.dc1.consul."
    ]
    assert len(lines(ask(answer, "s.service.consul").answer)) == 2


def test_each_family_has_the_address_told_apart_for_it() -> None:
    places = {"lan_ipv4": {"Address": "10.0.0.4", "Port": 1}, "lan_ipv6": {"Address": "fd00::4", "Port": 1}}
    _, answer = serving(
        node("a", "10.0.0.1", Service={"Service": "both", "Address": "10.0.0.4", "TaggedAddresses": places}),
        node("b", "10.0.0.2", TaggedAddresses={"lan_ipv6": "fd00::b"}, Service={"Service": "by-node"}),
    )
    assert [line.split()[-1] for line in lines(ask(answer, "both.service.consul").answer)] == ["10.0.0.4"]
    assert [line.split()[-1] for line in lines(ask(answer, "both.service.consul", "AAAA").answer)] == ["fd00::4"]
    assert [line.split()[-1] for line in lines(ask(answer, "by-node.service.consul", "AAAA").answer)] == ["fd00::b"]
    assert [line.split()[-1] for line in lines(ask(answer, "b.node.consul", "AAAA").answer)] == ["fd00::b"]


def many(count: int, **service: Any) -> list[Payload]:
    return [
        node(f"n{at}", f"10.0.{at // 250}.{at % 250 + 1}", Service={"ID": "m", "Service": "m", "Port": at, **service})
        for at in range(count)
    ]


def test_by_udp_without_edns_three_are_said_in_random_order_and_tc_tells() -> None:
    _, answer = serving(*many(20))
    first = Counter[str]()
    for _ in range(200):
        said = ask(answer, "m.service.consul")
        addresses = [line.split()[-1] for line in lines(said.answer)]
        assert len(set(addresses)) == 3
        assert said.flags & dns.flags.TC
        first.update(addresses)
    assert len(first) == 20
    whole = ask(answer, "m.service.consul", udp=False)
    assert len(lines(whole.answer)) == 20
    assert not whole.flags & dns.flags.TC


@pytest.mark.parametrize("payload", [600, 1232, 4096])
@pytest.mark.parametrize("kind", ["A", "SRV", "ANY"])
def test_with_edns_as_many_are_said_as_fit(payload: int, kind: str) -> None:
    _, answer = serving(*many(500))
    query = dns.message.make_query("m.service.consul", kind, use_edns=0, payload=payload)
    packet = answer(query.to_wire(), True)
    assert packet is not None
    said = dns.message.from_wire(packet)
    # One more would not have fitted: 16 bytes for an address; a target of our kind takes at most 70.
    assert payload - (100 if kind == "SRV" else 40) < len(packet) <= payload
    assert said.flags & dns.flags.TC
    assert said.payload == payload
    if kind == "SRV":
        targets = {line.split()[-1] for line in lines(said.answer)}
        assert targets == {line.split()[0] for line in lines(said.additional)}


@pytest.mark.parametrize("kind", ["A", "ANY", "TXT"])
def test_a_node_with_more_meta_than_fits_is_cut(kind: str) -> None:
    _, answer = serving(node("a", "10.0.0.1", NodeMeta={f"key-{at}": "v" * 500 for at in range(60)}))
    packet = answer(dns.message.make_query("a.node.consul", kind).to_wire(), True)
    assert packet is not None
    assert len(packet) <= 512
    assert bool(dns.message.from_wire(packet).flags & dns.flags.TC) == (kind != "A")
    assert len(lines(ask(answer, "a.node.consul", "TXT", udp=False).answer)) == 60


def test_edns_is_echoed_with_the_clients_subnet() -> None:
    _, answer = serving(*WEB)
    said = ask(answer, "web.service.consul", payload=1232, options=[dns.edns.ECSOption("192.0.2.0", 24, 7)])
    (option,) = said.options
    assert isinstance(option, dns.edns.ECSOption)
    assert (option.address, option.srclen, option.scopelen) == ("192.0.2.0", 24, 0)
    assert ask(answer, "web.service.consul").edns == -1


QUESTION = dns.message.make_query("web.service.consul", "A", use_edns=False, id=4660).to_wire()


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (b"", None),
        (QUESTION[:11], None),
        (QUESTION[:2] + b"\x81\x00" + QUESTION[4:], None),
        (QUESTION[:12], "1234810100000000000000 00"),
        (QUESTION[:20], "123481010000000000000000"),
        (QUESTION[:4] + bytes(8), "123481010000000000000000"),
        (QUESTION[:4] + b"\x00\x02" + QUESTION[6:], "123481010000000000000000"),
        (QUESTION[:12] + b"\xc0\x0c\x00\x01\x00\x01", "123481010000000000000000"),
        (QUESTION[:2] + b"\x28\x00" + QUESTION[4:], "1234a8040000000000000000"),
        (QUESTION[:2] + b"\x10\x00" + QUESTION[4:], "123490040000000000000000"),
    ],
)
def test_what_is_no_question_gets_consuls_answer(packet: bytes, said: str | None) -> None:
    _, answer = serving(*WEB)
    assert answer(packet, True) == (None if said is None else bytes.fromhex(said))


def test_garbage_is_answered_or_dropped_and_never_kept() -> None:
    made, answer = serving(*WEB)
    source = random.Random(1)
    for _ in range(3000):
        packet = bytearray(QUESTION)
        for _ in range(source.randrange(1, 6)):
            packet[source.randrange(2, len(packet))] = source.randrange(256)
        if source.random() < 0.3:
            del packet[source.randrange(4, len(packet) + 1) :]
        said = answer(bytes(packet), True)
        assert said is None or (said[:2] == packet[:2] and struct.unpack("!H", said[2:4])[0] & 0x8000)
    directory = Directory(made.catalog, made.tables)
    for at in range(1000):
        assert directory.service(f"no-{at}", "") is None
    assert not directory._services


def test_a_name_of_a_hundred_labels_costs_no_more_than_its_readings() -> None:
    asked = names.read([*"abcdefgh" * 12, "service"], service=False)
    assert isinstance(asked, names.OfService)
    assert len(asked.readings) == 96
