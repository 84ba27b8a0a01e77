"""Which registry `up` goes by."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from sampan.cli.discovery import Discovery, discovery
from sampan.cli.problem import USAGE, UserError
from sampan.registry import place

HERE = "127.0.0.1:8500"
THERE = "http://consul.example:8500"


def found(*, environment: dict[str, str] | None = None, **options: object) -> Discovery:
    return discovery(**options, environment=environment or {})  # type: ignore[arg-type]


def refused(what: Callable[[], object]) -> UserError:
    with pytest.raises(UserError) as caught:
        what()
    assert caught.value.exit_code == USAGE
    return caught.value


def test_without_a_word_a_registry_starts_at_consuls_ports() -> None:
    assert found() == Discovery(HERE, "127.0.0.1:8600")
    assert found().control_arguments() == ["--registry", HERE]


def test_it_can_be_elsewhere_and_without_dns() -> None:
    assert found(registry="[::1]:9500", dns="off") == Discovery("[::1]:9500", "")
    assert found(registry="[::1]:9500", dns="off").registry_arguments() == ["--http", "[::1]:9500", "--dns", "off"]


def test_off_is_nothing_at_all() -> None:
    assert found(registry="off") == Discovery()
    assert not found(registry="off").any
    assert found(registry="off").control_arguments() == []


def test_a_consul_instead() -> None:
    there = found(consul="consul.example", datacenters=("paris", "lyon", "paris"))
    assert there == Discovery(consul=THERE, datacenters=("paris", "lyon"))
    assert there.control_arguments() == [
        *("--consul", THERE, "--consul-datacenter", "paris", "--consul-datacenter", "lyon")
    ]
    assert found(registry="off", consul=THERE).consul == THERE


def test_both_would_split_the_clients() -> None:
    error = refused(lambda: found(registry=HERE, consul=THERE))
    assert "services would register in one and be looked for in the other" in error.reason
    assert "$SAMPAN_CONSUL_ADDR" in error.hint


def test_the_command_line_counts_before_the_environment() -> None:
    here, there = {"SAMPAN_REGISTRY": HERE}, {"SAMPAN_CONSUL_ADDR": THERE}
    assert found(registry=HERE, consul=THERE, environment=here) == Discovery(consul=THERE)
    assert found(registry="127.0.0.1:1", consul=THERE, environment=there).registry == "127.0.0.1:1"
    assert found(registry="off", consul=THERE, environment=there) == Discovery()
    assert found(registry="off", consul=THERE, environment={"SAMPAN_REGISTRY": "off"}).consul == THERE
    assert "another one" in refused(lambda: found(registry=HERE, consul=THERE, environment=here | there)).reason


@pytest.mark.parametrize("options", [{"datacenters": ("paris",)}, {"token_file": "/token"}])
def test_what_is_about_a_consul_needs_one(options: dict[str, object]) -> None:
    error = refused(lambda: found(**options))
    assert error.hint == "name that with --consul URL"


@pytest.mark.parametrize(("option", "name"), [("registry", "--registry"), ("dns", "--registry-dns")])
def test_a_place_that_is_none(option: str, name: str) -> None:
    error = refused(lambda: found(**{option: "8500"}))
    assert error.reason == f"{name}: '8500' is no HOST:PORT, such as 127.0.0.1:8500, and not `off`"


@pytest.mark.parametrize("text", ["0.0.0.0:8500", ":8500", "[::]:8500", "192.0.2.1:8500"])
def test_to_the_network_only_with_a_token(text: str) -> None:
    error = refused(lambda: found(registry=text))
    assert "without a token" in error.reason
    assert "$SAMPAN_REGISTRY_TOKEN" in error.hint
    assert found(registry=text, environment={"SAMPAN_REGISTRY_TOKEN": "secret"}).registry.endswith(":8500")


@pytest.mark.parametrize("address", [HERE, f"http://{HERE}", f"http://{HERE}/", "localhost:8500"])
def test_a_variable_that_names_this_registry_is_fine(address: str) -> None:
    assert found(environment={"CONSUL_HTTP_ADDR": address}).warning == ""


def test_consuls_own_variable_switches_nothing_and_that_is_told() -> None:
    here = found(environment={"CONSUL_HTTP_ADDR": THERE})
    assert (here.registry, here.consul) == (HERE, "")
    assert here.warning == (
        f"CONSUL_HTTP_ADDR sends clients to {THERE}, and the registry here is another one, at {HERE}: "
        f"`--consul {THERE}` goes by that one, `--registry off` starts none"
    )
    assert found(registry="off", environment={"CONSUL_HTTP_ADDR": THERE}).warning == ""


def test_a_tokens_file_is_named_from_wherever_we_are_and_read_by_nobody_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("token").write_text("secret\n")
    there = found(consul=THERE, token_file="token")
    assert there.token_file == str(tmp_path / "token")
    assert "secret" not in repr(there.control_arguments())


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        ({"consul": "ftp://consul.example"}, {}, "is no address of Consul's"),
        ({"consul": THERE, "token_file": "/nowhere/token"}, {}, "the token file '/nowhere/token' cannot be read"),
        ({"consul": "https://consul.example"}, {"CONSUL_CACERT": "/nowhere/ca.pem"}, "CONSUL_CACERT"),
    ],
)
def test_mistakes_about_a_consul_are_told_before_anything_starts(
    options: dict[str, object], environment: dict[str, str], said: str
) -> None:
    assert said in refused(lambda: found(**options, environment=environment)).reason


def test_tls_follows_consuls_variables() -> None:
    authorities = ssl.get_default_verify_paths().cafile or ""
    assert found(consul="consul.example:8501", environment={"CONSUL_HTTP_SSL": "true"}).consul.startswith("https://")
    assert found(consul="https://consul.example", environment={"CONSUL_CACERT": authorities}).consul


def test_dns_for_the_network_wants_a_token_to_be_set() -> None:
    with pytest.raises(UserError, match=r"0\.0\.0\.0:8600"):
        discovery(dns="0.0.0.0:8600", environment={})
    assert discovery(dns="0.0.0.0:8600", environment={place.TOKEN_VARIABLE: "s"}).dns == "0.0.0.0:8600"
