"""Where Consul is and how to speak to it: from options, and for what they leave open from the environment, as the
`consul` command has it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_ADDRESS = "http://127.0.0.1:8500"
_TRUE = frozenset({"1", "t", "true"})  # strconv.ParseBool, which the environment of Consul is read with
_FALSE = frozenset({"0", "f", "false"})


class TargetError(ValueError):
    """A setting that cannot be used; the message says which, why and what to write."""


@dataclass(frozen=True, slots=True)
class Target:
    """`address` is `http://host:port`, `https://host:port` (either with a path before /v1) or `unix:///path`."""

    address: str = DEFAULT_ADDRESS
    token: str = field(default="", repr=False)
    ca_file: str = ""
    ca_path: str = ""
    client_certificate: str = ""
    client_key: str = ""
    verify: bool = True
    server_name: str = ""
    datacenter: str = ""
    namespace: str = ""
    partition: str = ""

    @property
    def unix_path(self) -> str:
        """The socket of a `unix://` address, else ""."""
        return self.address.removeprefix("unix://") if self.address.startswith("unix://") else ""

    @property
    def base(self) -> str:
        """What a path is put behind."""
        return "http://localhost" if self.unix_path else self.address

    @property
    def scope(self) -> dict[str, str]:
        """The query that says which datacentre, namespace and partition."""
        given = {"dc": self.datacenter, "ns": self.namespace, "partition": self.partition}
        return {name: value for name, value in given.items() if value}

    def tls(self) -> ssl.SSLContext | None:
        """For `https`; reads the files. TargetError if they cannot be used."""
        if not self.address.startswith("https://"):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None, capath=self.ca_path or None)
        except (OSError, ssl.SSLError) as error:
            place = self.ca_file or self.ca_path
            raise TargetError(
                f"the authorities' certificates '{place}' cannot be read ({error}): name a PEM file with "
                "CONSUL_CACERT, or a folder prepared by `openssl rehash` with CONSUL_CAPATH"
            ) from None
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate:
            try:
                context.load_cert_chain(self.client_certificate, self.client_key or None)
            except (OSError, ssl.SSLError) as error:
                raise TargetError(
                    f"the client certificate '{self.client_certificate}' and its key '{self.client_key}' cannot be "
                    f"used ({error}): name PEM files that belong together"
                ) from None
        return context


def target(environment: Mapping[str, str], address: str = "", **options: str) -> Target:
    """Options that are given (not "") win over the environment. Reads the token's file. Raises TargetError."""
    token_file = options.pop("token_file", "")
    found = Target(
        token=environment.get("CONSUL_HTTP_TOKEN", ""),
        ca_file=environment.get("CONSUL_CACERT", ""),
        ca_path=environment.get("CONSUL_CAPATH", ""),
        client_certificate=environment.get("CONSUL_CLIENT_CERT", ""),
        client_key=environment.get("CONSUL_CLIENT_KEY", ""),
        verify=_boolean(environment, "CONSUL_HTTP_SSL_VERIFY", True),
        server_name=environment.get("CONSUL_TLS_SERVER_NAME", ""),
        namespace=environment.get("CONSUL_NAMESPACE", ""),
        partition=environment.get("CONSUL_PARTITION", ""),
    )
    # The order that `consul` has: a file given, a token given, the environment's file, the environment's token.
    if token_file:
        options["token"] = _token(token_file, "the token file")
    elif not options.get("token") and environment.get("CONSUL_HTTP_TOKEN_FILE"):
        options["token"] = _token(environment["CONSUL_HTTP_TOKEN_FILE"], "CONSUL_HTTP_TOKEN_FILE")
    found = replace(found, **{name: value for name, value in options.items() if value})  # type: ignore[arg-type]
    secure = _boolean(environment, "CONSUL_HTTP_SSL", False)
    name = "the address" if address else "CONSUL_HTTP_ADDR"
    chosen = address or environment.get("CONSUL_HTTP_ADDR", "") or DEFAULT_ADDRESS.removeprefix("http://")
    return _checked(replace(found, address=_address(chosen, secure, name)))


def _checked(found: Target) -> Target:
    if any(not char.isprintable() or not char.isascii() or char == " " for char in found.token):
        raise TargetError("the token holds characters that no token has: look for quotes, blanks or a second line")
    if bool(found.client_certificate) < bool(found.client_key):
        raise TargetError("a client key without its certificate: name that with CONSUL_CLIENT_CERT")
    return found


def _address(text: str, secure: bool, name: str) -> str:
    """Normalised. As in `consul`, an address without a scheme is http or, with CONSUL_HTTP_SSL, https; and once TLS is
    asked for there is no way back to http."""
    if text.startswith("unix://"):
        if not text.removeprefix("unix://").startswith("/"):
            raise TargetError(f"{name} '{text}' names no absolute path: write unix:///run/consul.sock")
        return text
    whole = text if "://" in text else f"http://{text}"
    hint = "write http://HOST:PORT, https://HOST:PORT or unix:///PATH"
    try:
        parts = urlsplit(whole)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise TargetError(f"{name} '{text}' cannot be read ({error}): {hint}") from None
    if parts.username is not None or parts.password is not None:
        raise TargetError(
            f"{name} holds a user or password, which Consul has no use for: {hint}; a token goes into CONSUL_HTTP_TOKEN"
        )
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise TargetError(f"{name} '{text}' is no address of Consul's: {hint}")
    scheme = "https" if secure else parts.scheme
    if port is None:
        # Go's client takes the scheme's own port; a bare host is nearly always meant as Consul's.
        port = (443 if scheme == "https" else 80) if "://" in text else 8500
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}{parts.path.rstrip('/')}"


def _boolean(environment: Mapping[str, str], name: str, otherwise: bool) -> bool:
    text = environment.get(name, "")
    if not text:
        return otherwise
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise TargetError(f"{name} is '{text}': write true or false")


def _token(file: str, name: str) -> str:
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"{name} '{file}' cannot be read ({error}): name a file that holds the token alone") from None
