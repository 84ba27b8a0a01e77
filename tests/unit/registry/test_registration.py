"""Registrations as JSON: what is understood, and what is refused with which words (those of Consul 1.8.7)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sampan.registry.registration import catalogue, checks, services
from sampan.registry.registration.decode import RegistrationError

TTL = {"TTL": "10s"}


def mismatch(what: str, field: str, wanted: str) -> str:
    """In the words of Go's decoder."""
    return f"Request decode failed: json: cannot unmarshal {what} into Go struct field {field} of type {wanted}"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "Missing service name"),
        ({}, "Missing service name"),
        ({"Name": 1}, mismatch("number", ".Name", "string")),
        (
            {"Name": {}},
            mismatch("object", ".Name", "string"),
        ),
        ([], mismatch("array", ".", "struct")),
        (
            {"Name": "a", "Port": "80"},
            mismatch("string", ".Port", "int"),
        ),
        (
            {"Name": "a", "Port": 1.5},
            mismatch("number 1.5", ".Port", "int"),
        ),
        (
            {"Name": "a", "Port": True},
            mismatch("bool", ".Port", "int"),
        ),
        (
            {"Name": "a", "Port": 1 << 63},
            mismatch("number 9223372036854775808", ".Port", "int"),
        ),
        (
            {"Name": "a", "Tags": "x"},
            mismatch("string", ".Tags", "[]string"),
        ),
        (
            {"Name": "a", "Meta": {"x": 1}},
            mismatch("number", ".Meta", "string"),
        ),
        (
            {"Name": "a", "Meta": []},
            mismatch("array", ".Meta", "map[string]string"),
        ),
        (
            {"Name": "a", "EnableTagOverride": "yes"},
            mismatch("string", ".EnableTagOverride", "bool"),
        ),
        (
            {"Name": "a", "Weights": {"Passing": "x"}},
            mismatch("string", ".Weights.Passing", "int"),
        ),
        ({"Name": "a", "Foo": 1}, 'Request decode failed: json: unknown field "Foo"'),
        (
            {"Name": "a", "Namespace": "other"},
            'Request decode failed: json: unknown field "Namespace" - Namespaces are a Consul Enterprise feature',
        ),
        ({"Name": "a", "Checks": [{**TTL, "Foo": 1}]}, 'Request decode failed: json: unknown field "Foo"'),
        ({"Name": "a", "Check": {"TTL": "10"}}, 'Request decode failed: time: missing unit in duration "10"'),
        (
            {"Name": "a", "Check": {"TCP": "x:1", "Interval": "1s", "Timeout": "x"}},
            'Request decode failed: time: invalid duration "x"',
        ),
        (
            {"Name": "a", "Check": {"TTL": 10**400}},
            mismatch("number", ".Check.TTL", "time.Duration"),
        ),
        (
            {"Name": "a", "Check": {"TTL": True}},
            mismatch("bool", ".Check.TTL", "time.Duration"),
        ),
        (
            {"Name": "a", "Check": {**TTL, "Interval": "3s"}},
            "Invalid check: Interval and TTL cannot both be specified",
        ),
        (
            {"Name": "a", "Check": {"HTTP": "http://x"}},
            "Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks",
        ),
        ({"Name": "a", "Check": {"Name": "x"}}, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"Name": "a", "Checks": [{}]}, "Invalid check: TTL must be > 0 for TTL checks"),
        (
            {"Name": "a", "Check": {"AliasService": "b", "TTL": "1s"}},
            "Invalid check: TTL must be not be set for Alias checks",
        ),
        ({"Name": "a", "Check": {**TTL, "OutputMaxSize": -1}}, "Invalid check: MaxOutputMaxSize must be positive"),
        (
            {"Name": "a", "Check": {**TTL, "Status": "bad"}},
            "Status for checks must 'passing', 'warning', 'critical'",
        ),
        ({"Name": "a", "Weights": {"Passing": 0}}, "Invalid Weights: Passing must be greater than 0"),
        (
            {"Name": "a", "Weights": {"Passing": 1, "Warning": -1}},
            "Invalid Weights: Warning must be greater or equal than 0",
        ),
        (
            {"Name": "a", "Weights": {"Passing": 70000, "Warning": 1}},
            "Invalid Weights: DNS Weight must be between 0 and 65535",
        ),
        (
            {"Name": "a", "Meta": {"": "x"}},
            "Invalid Service Meta: Couldn't load metadata pair ('', 'x'): Key cannot be blank",
        ),
        (
            {"Name": "a", "Meta": {"a b": "x"}},
            "Invalid Service Meta: Couldn't load metadata pair ('a b', 'x'): Key contains invalid characters",
        ),
        (
            {"Name": "a", "Meta": {"consul-x": "x"}},
            "Invalid Service Meta: Couldn't load metadata pair ('consul-x', 'x'): "
            "Key prefix 'consul-' is reserved for internal use",
        ),
        (
            {"Name": "a", "Meta": {str(number): "" for number in range(65)}},
            "Invalid Service Meta: Node metadata cannot contain more than 64 key/value pairs",
        ),
        ({"Name": "a", "Address": "0.0.0.0"}, "Invalid service address"),
        ({"Name": "a", "Address": "::"}, "Invalid service address"),
        (
            {"Name": "a", "Kind": "connect-proxy"},
            "2 errors occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect proxy services\n"
            "\t* Port must be set for a Connect proxy\n\n",
        ),
        ({"Name": "a", "Kind": "mesh-gateway"}, "1 error occurred:\n\t* Port must be non-zero for a mesh-gateway\n\n"),
    ],
)
def test_what_a_service_must_not_say(given: Any, sentence: str) -> None:
    with pytest.raises(RegistrationError) as refused:
        services.of_agent(given)
    assert (str(refused.value), refused.value.status) == (sentence, 400)


@pytest.mark.parametrize(
    ("given", "beginning"),
    [
        ({"Name": "a", "Check": {"Args": ["x"], "Interval": "1s"}}, "Scripts are disabled on this agent"),
        (
            {"Name": "a", "TaggedAddresses": {"lan_ipv4": {"Address": "::1"}}},
            'Service tagged address "lan_ipv4" must be a valid ipv4 address',
        ),
    ],
)
def test_what_consul_calls_its_own_fault(given: Any, beginning: str) -> None:
    with pytest.raises(RegistrationError) as refused:
        services.of_agent(given)
    assert str(refused.value).startswith(beginning)
    assert refused.value.status == 500


def test_fields_in_every_spelling() -> None:
    """Go's decoder takes any case, and Consul's some names with underscores; py-consul sends all of these."""
    read = services.of_agent(
        {
            "name": "web",
            "ENABLETAGOVERRIDE": True,
            "tagged_addresses": {"lan": {"address": "1.2.3.4", "port": 5}},
            "check": {"http": "http://x/", "interval": "1m", "deregister_critical_service_after": "2h", "grpc": None},
        }
    )
    assert read.service["ID"] == read.service["Service"] == "web"
    assert read.service["EnableTagOverride"] is True
    assert read.service["TaggedAddresses"] == {"lan": {"Address": "1.2.3.4", "Port": 5}}
    [check] = read.checks
    assert check.kind == "http"
    assert check.definition == {"HTTP": "http://x/", "Interval": 60.0, "DeregisterCriticalServiceAfter": 7200.0}


def test_a_service_as_clients_read_it() -> None:
    row = services.of_agent(
        {"Name": "web", "ID": "web-1", "Address": "10.0.0.1", "Port": 80, "Locality": {"Zone": "a"}}
    )
    assert row.service == {
        "ID": "web-1",
        "Service": "web",
        "Tags": [],
        "Address": "10.0.0.1",
        "TaggedAddresses": {
            "lan_ipv4": {"Address": "10.0.0.1", "Port": 80},
            "wan_ipv4": {"Address": "10.0.0.1", "Port": 80},
        },
        "Meta": None,
        "Port": 80,
        "Locality": {"Zone": "a"},
        "Weights": {"Passing": 1, "Warning": 1},
        "EnableTagOverride": False,
        "Proxy": {"MeshGateway": {}, "Expose": {}},
        "Connect": {},
        "CreateIndex": 0,
        "ModifyIndex": 0,
    }


@pytest.mark.parametrize("address", ["", "host.example", "fd00::1", "127.0.0.1", "1.2.3", "300.1.1.1", "not:one"])
def test_only_an_address_is_tagged_by_its_family(address: str) -> None:
    row = services.of_agent({"Name": "web", "Address": address}).service
    families = {"fd00::1": ["lan_ipv6", "wan_ipv6"], "127.0.0.1": ["lan_ipv4", "wan_ipv4"]}
    assert list(row.get("TaggedAddresses", {})) == families.get(address, [])


def test_nothing_given_is_nothing_said() -> None:
    read = services.of_agent({"Name": "a", "Check": None, "Checks": None, "Tags": None, "Meta": None, "Weights": None})
    assert read.checks == []
    assert services.of_agent({"Name": "a", "Check": {}}).checks == []


def test_the_one_namespace_may_be_named() -> None:
    assert "Namespace" not in services.of_agent({"Name": "a", "Namespace": "default", "Partition": ""}).service


def test_half_a_character_is_replaced() -> None:
    """JSON can say it, and neither UTF-8 nor SQLite can."""
    given = json.loads('{"Name": "a\\ud800", "Meta": {"k": "\\udfff"}}')
    row = services.of_agent(given).service
    assert (row["Service"], row["Meta"]) == ("a�", {"k": "�"})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "Missing check name"),
        ({"Name": "c"}, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"Name": "c", "TTL": "10s", "Status": "x"}, "Bad check status"),
        ({"Name": "c", "Script": "x", "Interval": "1s"}, 'Request decode failed: json: unknown field "Script"'),
    ],
)
def test_what_a_check_must_not_say(given: Any, sentence: str) -> None:
    with pytest.raises(RegistrationError) as refused:
        checks.of_agent(given)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("given", "check_id"),
    [({"Name": "c"}, "c"), ({"Name": "c", "ID": "i"}, "i"), ({"Name": "c", "CheckID": "i"}, "i")],
)
def test_a_check_has_an_id(given: dict[str, str], check_id: str) -> None:
    assert checks.of_agent({**given, **TTL}).check_id == check_id


@pytest.mark.parametrize(
    ("given", "sentence", "status"),
    [
        ({}, "Must provide node", 500),
        ({"Node": "n"}, "Must provide address if SkipNodeUpdate is not set", 500),
        ({"Node": "n\x1f", "Address": "1.1.1.1"}, "Node names must be of printable characters", 500),
        ({"Node": "n", "Address": "1.1.1.1", "ID": "x"}, "Bad node ID: 'x' is no UUID", 500),
        ({"Node": "n", "Address": "1.1.1.1", "Service": {"ID": "x"}}, "Must provide service name with ID", 500),
        (
            {"Node": "n", "Address": "1.1.1.1", "Service": {"Service": "x", "Address": "0.0.0.0"}},
            "Invalid service address",
            500,
        ),
        (
            {"Node": "n", "Address": "1.1.1.1", "Check": {"Name": "c", "Node": "m"}},
            'check node "m" does not match node "n"',
            500,
        ),
        ({"Node": "n", "Address": "1.1.1.1", "Check": {"Name": "c", "Status": "x"}}, "Invalid check status: 'x'", 400),
        ({"Node": "n", "Address": "1.1.1.1", "Check": {}}, "Must provide a check's CheckID or Name", 500),
        ({"Node": "n", "Foo": 1}, 'Request decode failed: json: unknown field "Foo"', 400),
    ],
)
def test_what_an_entry_must_not_say(given: Any, sentence: str, status: int) -> None:
    with pytest.raises(RegistrationError) as refused:
        catalogue.of_register(given)
    assert (str(refused.value), refused.value.status) == (sentence, status)


def test_a_definition_as_the_catalogue_says_it() -> None:
    definition = {"HTTP": "http://x", "Interval": "10s", "Timeout": 1500000000, "TTL": "5s", "TLSSkipVerify": False}
    entry = catalogue.of_register({"Node": "n", "Address": "1.1.1.1", "Check": {"Name": "c", "Definition": definition}})
    [check] = entry.checks
    assert check.shown == {"HTTP": "http://x", "Interval": "10s", "Timeout": "1.5s", "TTL": 5000000000}
    assert (check.check_id, check.kind, check.status) == ("c", "http", "critical")
