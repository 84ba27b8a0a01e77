"""Where Consul is, from options and the environment, with the rules of the `consul` command."""

from __future__ import annotations

from pathlib import Path

import pytest

from sampan.consul.target import Target, TargetError, target

TOKEN = "9c0ab3c4-secret"


@pytest.mark.parametrize(
    ("address", "environment", "expected"),
    [
        ("", {}, "http://127.0.0.1:8500"),
        ("consul.example:8501", {}, "http://consul.example:8501"),
        ("consul.example", {}, "http://consul.example:8500"),
        ("", {"CONSUL_HTTP_ADDR": "10.0.0.1:8500"}, "http://10.0.0.1:8500"),
        ("http://a:1", {"CONSUL_HTTP_ADDR": "b:2"}, "http://a:1"),
        ("https://a", {}, "https://a:443"),
        ("http://a/", {}, "http://a:80"),
        ("https://a:8501/consul/", {}, "https://a:8501/consul"),
        ("http://[::1]:8500", {}, "http://[::1]:8500"),
        ("a:8501", {"CONSUL_HTTP_SSL": "true"}, "https://a:8501"),
        ("http://a:8501", {"CONSUL_HTTP_SSL": "1"}, "https://a:8501"),
        ("unix:///run/consul.sock", {}, "unix:///run/consul.sock"),
    ],
)
def test_addresses(address: str, environment: dict[str, str], expected: str) -> None:
    assert target(environment, address).address == expected


@pytest.mark.parametrize(
    "address", ["ftp://a:1", "http://", "a:b", "a:70000", "http://a?x", "unix://relative", "http://user:pw@a:8500"]
)
def test_an_address_that_is_none_says_what_to_write(address: str) -> None:
    with pytest.raises(TargetError, match="unix:///") as caught:
        target({"CONSUL_HTTP_ADDR": address})
    assert "CONSUL_HTTP_ADDR" in str(caught.value)
    assert "pw" not in str(caught.value)


def test_the_environment_of_consul() -> None:
    found = target(
        {
            "CONSUL_HTTP_TOKEN": TOKEN,
            "CONSUL_CACERT": "ca.pem",
            "CONSUL_CAPATH": "ca",
            "CONSUL_CLIENT_CERT": "c.pem",
            "CONSUL_CLIENT_KEY": "k.pem",
            "CONSUL_HTTP_SSL_VERIFY": "false",
            "CONSUL_TLS_SERVER_NAME": "server.dc1.consul",
            "CONSUL_NAMESPACE": "team",
            "CONSUL_PARTITION": "part",
        },
        datacenter="dc2",
    )
    assert found == Target(
        "http://127.0.0.1:8500",
        TOKEN,
        "ca.pem",
        "ca",
        "c.pem",
        "k.pem",
        False,
        "server.dc1.consul",
        "dc2",
        "team",
        "part",
    )
    assert found.scope == {"dc": "dc2", "ns": "team", "partition": "part"}
    assert TOKEN not in repr(found)


def test_which_token_counts(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("from-file\n")
    (tmp_path / "two").write_text("from-environment-file\n")
    environment = {"CONSUL_HTTP_TOKEN": "from-environment"}
    assert target(environment).token == "from-environment"
    environment["CONSUL_HTTP_TOKEN_FILE"] = str(tmp_path / "two")
    assert target(environment).token == "from-environment-file"
    assert target(environment, token="given").token == "given"
    assert target(environment, token="given", token_file=str(tmp_path / "one")).token == "from-file"


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"CONSUL_HTTP_TOKEN_FILE .*/absent' cannot be read"):
        target({"CONSUL_HTTP_TOKEN_FILE": str(tmp_path / "absent")})


def test_a_token_of_two_lines_is_refused_and_not_shown() -> None:
    with pytest.raises(TargetError, match="second line") as caught:
        target({"CONSUL_HTTP_TOKEN": f"{TOKEN}\n{TOKEN}"})
    assert TOKEN not in str(caught.value)


def test_a_boolean_that_is_none_is_refused() -> None:
    with pytest.raises(TargetError, match="CONSUL_HTTP_SSL is 'maybe': write true or false"):
        target({"CONSUL_HTTP_SSL": "maybe"})


def test_a_key_without_certificate_is_refused() -> None:
    with pytest.raises(TargetError, match="CONSUL_CLIENT_CERT"):
        target({"CONSUL_CLIENT_KEY": "k.pem"})


def test_certificates_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"absent.*CONSUL_CACERT"):
        Target("https://a:1", ca_file=str(tmp_path / "absent")).tls()
    with pytest.raises(TargetError, match=r"absent.*belong together"):
        Target("https://a:1", client_certificate=str(tmp_path / "absent")).tls()
    assert Target("http://a:1", ca_file=str(tmp_path / "absent")).tls() is None
