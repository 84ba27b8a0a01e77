"""What the machine decides and the documents do not: handed in, since compiling looks at nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """`system_trust` is the file with the certificates of the authorities that the machine trusts, as Envoy sees it.

    `every_address` is bound by a socket without addresses: "0.0.0.0", or "::" for IPv4 and IPv6 where the machine has
    IPv6 (a machine without it refuses to bind "::").
    """

    system_trust: str = "/etc/ssl/certs/ca-certificates.crt"
    every_address: str = "0.0.0.0"
