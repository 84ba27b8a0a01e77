"""What can go wrong between us and Consul. No message holds a token: none is ever put into one, and one that the
server repeats is blotted out."""

from __future__ import annotations


class ConsulError(Exception):
    """Any of the errors below: `str` says what happened and where."""


class UnreachableError(ConsulError):
    """No answer: nobody listens, the connection broke, the time is over, or TLS does not agree."""


class LeaderlessError(ConsulError):
    """The servers answer, and are not agreed on who leads them."""


class GarbageError(ConsulError):
    """An answer that is none of Consul's: something else listens there, or a proxy between spoke."""


class RefusedError(ConsulError):
    """An answer that says no. `text` is Consul's own."""

    def __init__(self, method: str, path: str, status: int, text: str, retry_after: float = 0.0) -> None:
        self.method, self.path, self.status, self.text, self.retry_after = method, path, status, text, retry_after
        super().__init__(f"{method} {path}: {status} {text}".rstrip())

    @property
    def forbidden(self) -> bool:
        """The token does not permit it, or is unknown."""
        return self.status in (401, 403)

    @property
    def limited(self) -> bool:
        """Too many requests or connections: `http_max_conns_per_client` and `limits.request_limits` answer 429, the
        latter also 503 with Retry-After for writes."""
        return self.status == 429 or (self.status == 503 and self.retry_after > 0)
