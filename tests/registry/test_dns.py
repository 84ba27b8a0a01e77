"""DNS of the running registry: beside the real Consul answer by answer, for `dig`, and under bad weather."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import httpx
import pytest

from sampan.registry.dns.server import Server, listening
from sampan.registry.place import Address

from ..consul_binary import Agent, running
from .embedded import Embedded, embedded

EDNS = 4096


def web(at: int, **service: Any) -> dict[str, Any]:
    whole = {"ID": f"many-{at}", "Service": "many", "Port": 8000 + at, **service}
    return {"Node": f"n{at}", "Address": f"10.2.0.{at}", "Service": whole}


def check(node: str, address: str, status: str, service: str = "") -> dict[str, Any]:
    one = {"CheckID": f"c-{service}", "Name": "c", "Status": status, "ServiceID": service}
    return {"Node": node, "Address": address, "Check": one}


BOX = {"Node": "box", "Address": "10.0.0.9", "NodeMeta": {"rack": "1", "row": "b`c"}}
BOX_2 = {"Node": "box2", "Address": "10.0.0.10"}
WEIGHTS = {"Passing": 7, "Warning": 2}
CATALOGUE: list[dict[str, Any]] = [
    {**BOX, "Service": {"ID": "w", "Service": "Web", "Port": 80, "Tags": ["V1", "v.2"], "Weights": WEIGHTS}},
    {**BOX_2, "Service": {"ID": "w", "Service": "Web", "Port": 81, "Address": "10.1.0.9", "Tags": ["V2"]}},
    {**BOX_2, "Service": {"ID": "w3", "Service": "Web", "Port": 82, "Address": "10.1.0.9", "Tags": ["V2"]}},
    {"Node": "ext", "Address": "www.example.com", "Service": {"ID": "e", "Service": "ext", "Port": 81}},
    {**BOX_2, "Service": {"ID": "c", "Service": "alias", "Port": 83, "Address": "web.service.consul"}},
    {**BOX_2, "Service": {"ID": "l", "Service": "loop", "Port": 83, "Address": "loop.service.consul"}},
    {**BOX_2, "Service": {"ID": "n", "Service": "to-node", "Port": 83, "Address": "BOX.node.dc1.consul"}},
    {"Node": "box6", "Address": "fd00::6", "Service": {"ID": "s", "Service": "six", "Port": 84}},
    {"Node": "Box_7.x", "Address": "10.0.0.11", "Service": {"ID": "o", "Service": "odd_name", "Port": 85}},
    {**BOX_2, "Service": {"ID": "warn", "Service": "warned", "Port": 86, "Weights": WEIGHTS}},
    check("box2", "10.0.0.10", "warning", "warn"),
    {**BOX, "Service": {"ID": "bad", "Service": "half", "Port": 87}},
    {**BOX_2, "Service": {"ID": "good", "Service": "half", "Port": 88}},
    check("box", "10.0.0.9", "critical", "bad"),
    {"Node": "sick", "Address": "10.0.0.12", "Service": {"ID": "s", "Service": "on-sick", "Port": 89}},
    check("sick", "10.0.0.12", "critical"),
    *(web(at) for at in range(1, 61)),
]
QUESTIONS = [
    *("web.service.consul", "WEB.service.CONSUL", "v1.web.service.consul", "v2.web.service.dc1.consul"),
    *("v.2.web.service.consul", "v9.web.service.consul", "_web._v1.service.consul", "_web._tcp.service.consul"),
    *("_web._tcp.consul", "_web._tcp.dc1.consul", "_web._v9.service.consul", "_web.service.consul"),
    *("web.service.dc2.consul", "web.service.x.dc1.consul", "nope.service.consul", "service.consul", "consul"),
    *("box.node.consul", "BOX.node.dc1.consul", "box.node.dc2.consul", "box_7.x.node.consul", "nope.node.consul"),
    *("ext.service.consul", "ext.node.consul", "alias.service.consul", "loop.service.consul", "to-node.service.consul"),
    *("six.service.consul", "box6.node.consul", "odd_name.service.consul", "warned.service.consul"),
    *("half.service.consul", "on-sick.service.consul", "sick.node.consul"),
    *("0a010009.addr.dc1.consul", "0a010009.addr.consul", "zz.addr.consul", "zzzzzzzz.addr.consul", "a.b.addr.consul"),
    *("fd000000000000000000000000000006.addr.dc1.consul", "web.connect.consul", "x.query.consul", "foo.bar.consul"),
    *("9.0.0.10.in-addr.arpa", "9.0.1.10.in-addr.arpa", "99.0.1.10.in-addr.arpa", "x.in-addr.arpa"),
    *("example.com", "."),
    ".".join([*"600000000000000000000000000000df", "ip6", "arpa"]),
]
KINDS = ("A", "AAAA", "SRV", "ANY", "TXT", "SOA", "NS", "PTR", "MX", "CNAME")


def different(name: str, kind: str) -> bool:
    """What we say otherwise, on purpose (sampan.registry.dns.zone): TXT of a service, `….addr` of another family."""
    family = "AAAA" if name.startswith("fd00") else "A"
    return (kind == "TXT" and ".service." in name) or (".addr." in name and kind not in (family, "ANY"))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with embedded(tmp_path_factory.mktemp("registry")) as serving:
        tell(serving.client)
        yield serving


@pytest.fixture(scope="module")
def consul() -> Iterator[Agent]:
    """It sets TC as we do; as it is delivered, it does not."""
    with running(dns_config={"enable_truncate": True}) as agent:
        with httpx.Client(base_url=agent.url, trust_env=False) as client:
            tell(client)
        yield agent


def tell(client: httpx.Client) -> None:
    for payload in CATALOGUE:
        answer = client.put("/v1/catalog/register", json=payload)
        assert answer.is_success, answer.text


def place(dns_address: str) -> dict[str, Any]:
    host, _, port = dns_address.rpartition(":")
    return {"where": host, "port": int(port), "timeout": 5}


def ask(at: str, name: str, kind: str, *, tcp: bool = False, payload: int | None = None) -> dns.message.Message:
    edns: dict[str, Any] = {"use_edns": False} if payload is None else {"use_edns": 0, "payload": payload}
    query = dns.message.make_query(name, kind, **edns)
    return (dns.query.tcp if tcp else dns.query.udp)(query, **place(at))


def said(answer: dns.message.Message) -> dict[str, Any]:
    """What can be compared: not the order, and no moment."""

    def lines(section: Any) -> list[str]:
        return sorted(
            f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {_timeless(rrset.rdtype, data)}"
            for rrset in section
            for data in rrset
        )

    return {
        "rcode": dns.rcode.to_text(answer.rcode()),
        "flags": dns.flags.to_text(answer.flags),
        "question": str(answer.question[0]),
        "answer": lines(answer.answer),
        "authority": lines(answer.authority),
        "additional": lines(answer.additional),
        "edns": answer.payload if answer.edns >= 0 else None,
    }


def _timeless(kind: int, data: Any) -> str:
    return str(data.replace(serial=0)) if kind == dns.rdatatype.SOA else str(data)


@pytest.mark.consul
@pytest.mark.parametrize("kind", KINDS)
def test_the_answers_are_consuls(ours: Embedded, consul: Agent, kind: str) -> None:
    differences = []
    for name in QUESTIONS:
        if different(name, kind):
            continue
        for tcp, payload in ((False, None), (False, EDNS), (True, None)):
            mine, theirs = (said(ask(at, name, kind, tcp=tcp, payload=payload)) for at in (ours.dns, consul.dns))
            if theirs["rcode"] == "REFUSED":  # we say that we know EDNS0 there too
                mine["edns"] = theirs["edns"] = None
            if mine != theirs:
                differences.append((name, kind, tcp, payload, mine, theirs))
    assert differences == []


@pytest.mark.consul
@pytest.mark.parametrize("kind", ["A", "SRV", "ANY"])
@pytest.mark.parametrize("payload", [None, 512, 600, 1232, 4096])
def test_as_much_is_cut_as_consul_cuts(
    ours: Embedded,
    consul: Agent,
    kind: str,
    payload: int | None,
) -> None:
    mine, theirs = (said(ask(at, "many.service.consul", kind, payload=payload)) for at in (ours.dns, consul.dns))
    assert mine["flags"] == theirs["flags"]
    # Names of one digit more or less are drawn.
    assert abs(len(mine["answer"]) - len(theirs["answer"])) <= (1 if kind == "SRV" else 0)
    assert len(mine["additional"]) == len(mine["answer"] if kind == "SRV" else ())


@pytest.mark.skipif(shutil.which("dig") is None, reason="there is no dig")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["web.service.consul"], ["10.0.0.9", "10.1.0.9"]),
        (["+tcp", "+noedns", "web.service.consul"], ["10.0.0.9", "10.1.0.9"]),
        (["v1.web.service.consul", "SRV"], ["1 7 80 box.node.dc1.consul."]),
        (["six.service.consul", "AAAA"], ["fd00::6"]),
        (["-x", "10.0.0.9"], ["box.node.dc1.consul."]),
        # Cut at three, and so asked again by TCP.
        (["+noedns", "many.service.consul"], [f"10.2.0.{at}" for at in range(1, 61)]),
    ],
)
def test_dig_understands(ours: Embedded, arguments: list[str], expected: list[str]) -> None:
    host, _, port = ours.dns.rpartition(":")
    command = ["dig", f"@{host}", "-p", port, "+short", "+time=5", "+tries=1", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert sorted(done.stdout.split("\n")) == sorted([*expected, ""])


def test_a_check_that_fails_takes_the_instance_away_at_once(ours: Embedded) -> None:
    ours.put("/v1/agent/service/register", {"Name": "told", "Port": 1, "Check": {"TTL": "1h", "Status": "passing"}})
    for call, there in (("fail", False), ("pass", True), ("warn", True), ("fail", False)):
        ours.put(f"/v1/agent/check/{call}/service:told")
        answer = ask(ours.dns, "told.service.consul", "A")
        assert bool(answer.answer) == there
        assert answer.rcode() == (dns.rcode.NOERROR if there else dns.rcode.NXDOMAIN)


def test_several_questions_go_over_one_connection(ours: Embedded) -> None:
    host, _, port = ours.dns.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for _ in range(3):
            query = dns.message.make_query("web.service.consul", "A").to_wire()
            connection.sendall(struct.pack("!H", len(query)) + query)
            file = connection.makefile("rb")
            (length,) = struct.unpack("!H", file.read(2))
            assert len(dns.message.from_wire(file.read(length)).answer[0]) == 2


def test_who_takes_no_answers_keeps_no_connection() -> None:
    async def main() -> None:
        udp, tcp = listening(Address("127.0.0.1", 0))
        place = tcp.getsockname()
        server = Server(lambda packet, udp: b"x" * 60_000, udp, tcp, idle=0.1)
        await server.start()
        before = len(os.listdir("/proc/self/fd"))
        with closing(socket.create_connection(place)) as client:
            await asyncio.sleep(0)
            client.sendall(b"\0\1x" * 120)  # 7 MB of answers, more than the kernel takes
            async with asyncio.timeout(10):
                while len(os.listdir("/proc/self/fd")) < before + 2:
                    await asyncio.sleep(0.01)
                while len(os.listdir("/proc/self/fd")) > before + 1:
                    await asyncio.sleep(0.01)
        await server.close()

    asyncio.run(main())


def test_garbage_neither_ends_it_nor_stays(ours: Embedded) -> None:
    host, _, port = ours.dns.rpartition(":")
    source = random.Random(3)
    good = dns.message.make_query("web.service.consul", "A").to_wire()

    def flood(count: int) -> None:
        """No faster than it is read, or the kernel would drop it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect((host, int(port)))
            for at in range(count):
                packet = bytearray(good if at % 2 else source.randbytes(source.randrange(0, 600)))
                for _ in range(at % 5):
                    if packet:
                        packet[source.randrange(len(packet))] = source.randrange(256)
                sender.send(packet)
                if at % 50 == 0:
                    ask(ours.dns, "web.service.consul", "A")

    flood(5_000)
    before = resident(ours.pid)
    flood(20_000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: half_a_question(host, int(port)), range(64)))
    assert len(ask(ours.dns, "web.service.consul", "A").answer[0]) == 2
    assert resident(ours.pid) - before < 4 << 20


def half_a_question(host: str, port: int) -> None:
    with socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(b"\x00\xff" + os.urandom(20))


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_it_may_be_off(tmp_path: Path) -> None:
    with embedded(tmp_path, "--dns", "off") as serving:
        assert serving.dns == ""


def test_a_port_that_is_taken_is_a_sentence(ours: Embedded, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "sampan.registry",
        "--state",
        str(tmp_path),
        "--http",
        "127.0.0.1:0",
        "--dns",
        ours.dns,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    hint = "choose another place with --dns HOST:PORT, or --dns off"
    assert done.stderr == f"error: the registry cannot serve DNS on {ours.dns}: Address already in use; {hint}\n"
