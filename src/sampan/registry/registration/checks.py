"""Definitions of checks: what is given, whether it can be run, what kind it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sampan.registry.registration import decode
from sampan.registry.registration.decode import Fields, RegistrationError
from sampan.registry.rows import SERF_HEALTH, STATUSES, DefinitionRow, Status

_NO_SCRIPTS = (
    "Scripts are disabled on this agent: this registry runs no commands. "
    "Use an HTTP, TCP, gRPC or TTL check, or a Consul with enable_script_checks"
)
# https://developer.hashicorp.com/consul/api-docs/agent/check, all that any version has.
HOW: Fields = decode.fields(
    ScriptArgs=decode.texts,
    DockerContainerID=decode.text,
    Shell=decode.text,
    HTTP=decode.text,
    Header=decode.by_key(decode.texts, "[]string"),
    Method=decode.text,
    Body=decode.text,
    DisableRedirects=decode.truth,
    TLSSkipVerify=decode.truth,
    TLSServerName=decode.text,
    TCP=decode.text,
    TCPUseTLS=decode.truth,
    UDP=decode.text,
    GRPC=decode.text,
    GRPCUseTLS=decode.truth,
    H2PING=decode.text,
    H2PingUseTLS=decode.truth,
    OSService=decode.text,
    AliasNode=decode.text,
    AliasService=decode.text,
    Interval=decode.seconds,
    Timeout=decode.seconds,
    TTL=decode.seconds,
    DeregisterCriticalServiceAfter=decode.seconds,
    SuccessBeforePassing=decode.number,
    FailuresBeforeWarning=decode.number,
    FailuresBeforeCritical=decode.number,
    OutputMaxSize=decode.number,
)
_KNOWN: Fields = {
    **decode.alias(HOW, Args="ScriptArgs"),
    **decode.fields(
        ID=decode.text,
        CheckID=decode.text,
        Name=decode.text,
        Status=decode.text,
        Notes=decode.text,
        ServiceID=decode.text,
        Token=decode.text,
        Namespace=decode.namespace,
        Partition=decode.text,
        SessionName=decode.text,
        ProxyHTTP=decode.text,
        ProxyGRPC=decode.text,
    ),
}
_HOW_NAMES = frozenset(name for name, _ in HOW.values())
# What each kind is recognised by, in Consul's order (CheckType.Type): the first that is given counts.
_KINDS = (
    ("GRPC", "grpc"),
    ("HTTP", "http"),
    ("TTL", "ttl"),
    ("TCP", "tcp"),
    ("UDP", "udp"),
    ("H2PING", "h2ping"),
    ("AliasNode", "alias"),
    ("AliasService", "alias"),
)
_PROBES = ("ScriptArgs", "HTTP", "TCP", "UDP", "GRPC", "H2PING", "OSService")


@dataclass(frozen=True, slots=True)
class CheckRegistration:
    """`check_id` "" where the service gives it one. `status` None: what it was before, else critical."""

    definition: DefinitionRow
    kind: str
    check_id: str = ""
    name: str = ""
    status: Status | None = None
    notes: str = ""
    service_id: str = ""


def of_agent(value: Any) -> CheckRegistration:
    """`PUT /v1/agent/check/register`."""
    given = _decoded(value)
    if not given.get("Name"):
        raise RegistrationError("Missing check name")
    if given.get("Status", "") not in ("", *STATUSES):
        raise RegistrationError("Bad check status")
    # A check of the agent is called by its name where it has no id.
    return _read({**given, "CheckID": given.get("CheckID") or given.get("ID") or given["Name"]})


def of_service(one: Any, many: Iterable[Any]) -> list[CheckRegistration]:
    """`Check` and `Checks` of a service; a `Check` of nothing is none."""
    single = _decoded(one, ".Check")
    given = [single] if any(single.values()) else []
    given += [_decoded(value, ".Checks") for value in many]
    result = [_read(check) for check in given]
    if any(check.get("Status", "") not in ("", *STATUSES) for check in given):
        raise RegistrationError("Status for checks must 'passing', 'warning', 'critical'")
    return result


def _decoded(value: Any, path: str = "") -> dict[str, Any]:
    try:
        return decode.record(value, _KNOWN, path)
    except RegistrationError as error:
        raise RegistrationError(f"Request decode failed: {error}") from None


def _read(given: Mapping[str, Any]) -> CheckRegistration:
    _validate(given)
    # `H2PingUseTLS` is the one that is on unless it is turned off.
    definition = {
        name: value for name, value in given.items() if name in _HOW_NAMES and (value or name == "H2PingUseTLS")
    }
    status, check_id = given.get("Status", ""), given.get("CheckID") or given.get("ID") or ""
    if check_id == SERF_HEALTH:
        raise _invalid(f"{SERF_HEALTH} is the check of the node itself")
    return CheckRegistration(
        cast(DefinitionRow, definition),
        kind_of(given),
        check_id,
        given.get("Name", ""),
        cast(Status, status) if status in STATUSES else None,
        given.get("Notes", ""),
        given.get("ServiceID", ""),
    )


def kind_of(definition: Mapping[str, Any]) -> str:
    """As in a check's `Type`; "" for what nothing tells."""
    return next((kind for name, kind in _KINDS if definition.get(name)), "")


def _validate(given: Mapping[str, Any]) -> None:
    """CheckType.Validate, its order and words."""
    probe = any(given.get(name) for name in _PROBES)
    alias = bool(given.get("AliasNode") or given.get("AliasService"))
    interval, ttl = given.get("Interval", 0), given.get("TTL", 0)
    if interval > 0 and ttl > 0:
        raise _invalid("Interval and TTL cannot both be specified")
    if probe and interval <= 0:
        raise _invalid("Interval must be > 0 for Script, HTTP, or TCP checks")
    if probe and alias:
        raise _invalid("Interval cannot be set for Alias checks")
    if alias and ttl > 0:
        raise _invalid("TTL must be not be set for Alias checks")
    if not probe and not alias and ttl <= 0:
        raise _invalid("TTL must be > 0 for TTL checks")
    if given.get("OutputMaxSize", 0) < 0:
        raise _invalid("MaxOutputMaxSize must be positive")
    if given.get("ScriptArgs") or given.get("DockerContainerID") or given.get("OSService"):
        raise RegistrationError(_NO_SCRIPTS, 500)


def _invalid(sentence: str) -> RegistrationError:
    return RegistrationError(f"Invalid check: {sentence}")
