"""`dig`: ours answers as a real Consul does."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from ..consul_binary import Agent
from ..contract import servers

pytestmark = [pytest.mark.dig, pytest.mark.consul]

MANY = 60
DEADLINE_SECONDS = 15.0
SERVICES = (
    *(
        {
            **{"ID": f"web-{number}", "Name": "web", "Address": f"10.0.0.{number}", "Port": 8000 + number},
            **{"Tags": [tag], "Weights": {"Passing": number, "Warning": 1}},
            "Check": {"TTL": "10m", "Status": status},
        }
        for number, tag, status in ((1, "primary", "passing"), (2, "v2", "warning"), (3, "v2", "critical"))
    ),
    {"ID": "six", "Name": "six", "Address": "fd00::1", "Port": 80},
    {"ID": "bare", "Name": "bare", "Port": 81},
    {"ID": "named", "Name": "named", "Address": "example.com", "Port": 82},
    *({"ID": f"many-{n}", "Name": "many", "Address": f"10.1.0.{n + 1}", "Port": 9000} for n in range(MANY)),
)
QUESTIONS = (
    "web.service.consul A",
    "web.service.consul AAAA",
    "web.service.consul SRV",
    "web.service.consul ANY",
    "web.service.consul MX",
    "WEB.Service.CONSUL A",
    "web.service.dc1.consul A",
    "web.service.elsewhere.consul A",
    "primary.web.service.consul A",
    "nope.web.service.consul A",
    "primary.web.service.consul SRV",
    "_web._tcp.service.consul SRV",
    "_web._primary.service.consul SRV",
    "six.service.consul A",
    "six.service.consul AAAA",
    "six.service.consul SRV",
    "bare.service.consul A",
    "bare.service.consul SRV",
    "named.service.consul A",
    "named.service.consul SRV",
    "nope.service.consul A",
    "laptop.node.consul A",
    "laptop.node.consul TXT",
    "laptop.node.consul ANY",
    "laptop.node.dc1.consul A",
    "nope.node.consul A",
    "0a000001.addr.dc1.consul A",
    "consul SOA",
    "consul NS",
    "-x 127.0.0.1",
    "-x 10.9.9.9",
    "many.service.consul A +tcp",
    "many.service.consul SRV +tcp",
    "many.service.consul A +bufsize=1232",
    "many.service.consul A +bufsize=4096",
    "web.service.consul A +tcp",
    "web.service.consul SRV +noedns",
)


@pytest.fixture(scope="module")
def two() -> Iterator[tuple[Agent, Agent]]:
    """The real one and ours, with the same services."""
    with servers.real() as real, servers.ours() as ours:
        for agent in (real, ours):
            with httpx.Client(base_url=agent.url, trust_env=False) as client:
                for service in SERVICES:
                    client.put("/v1/agent/service/register", json=service).raise_for_status()
                deadline = time.monotonic() + DEADLINE_SECONDS
                while len(client.get("/v1/health/service/many").json()) < MANY:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
        yield real, ours


def dig(agent: Agent, question: str) -> str:
    host, _, port = agent.dns.partition(":")
    command = ["dig", f"@{host}", "-p", port, "+time=5", "+tries=2", "+nostats", "+nocmd", "+nocookie"]
    done = subprocess.run([*command, *question.split()], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def told(text: str) -> dict[str, object]:
    """Status, flags, and each section's records: in any order, each once (ours says a node's TXT once)."""
    sections: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in text.splitlines():
        if found := re.match(r";; (\w+) SECTION:", line):
            current = sections.setdefault(found[1], set())
        elif line and not line.startswith(";"):
            # An SOA's serial number is the time.
            current.add(re.sub(r"(hostmaster\.consul\.) \d+", r"\1 now", " ".join(line.split())))
    flags = set(re.findall(r"flags: ([a-z ]+);", text)[0].split())
    return {"status": re.findall(r"status: (\w+)", text)[0], "flags": flags, **sections}


@pytest.mark.parametrize("question", QUESTIONS)
def test_same_answers(two: tuple[Agent, Agent], question: str) -> None:
    real, ours = two
    assert told(dig(ours, question)) == told(dig(real, question))


def test_without_edns_three_and_truncated(two: tuple[Agent, Agent]) -> None:
    """As Consul with `enable_truncate`, which is off there by default: three, and who wants all asks again."""
    for agent, flags in zip(two, ({"qr", "aa", "rd"}, {"qr", "aa", "tc", "rd"}), strict=True):
        found = told(dig(agent, "many.service.consul A +noedns +ignore"))
        answers = found["ANSWER"]
        assert isinstance(answers, set)
        assert (found["flags"], len(answers)) == (flags, 3)
    asked_again = told(dig(two[1], "many.service.consul A +noedns"))["ANSWER"]
    assert isinstance(asked_again, set)
    assert len(asked_again) == MANY


def test_what_is_not_of_consul_is_refused(two: tuple[Agent, Agent]) -> None:
    for agent in two:
        assert told(dig(agent, "example.org A"))["status"] == "REFUSED"


def test_answers_are_shuffled(two: tuple[Agent, Agent]) -> None:
    """So that clients that take the first spread their load."""
    for agent in two:
        first = {
            next(line for line in dig(agent, "many.service.consul A").splitlines() if re.match(r"many\.", line))
            for _ in range(12)
        }
        assert len(first) > 1
