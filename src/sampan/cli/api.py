"""Asks the running Sampan: JSON over HTTP on the Unix socket in its state folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from sampan.cli import state
from sampan.cli.problem import UserError

TIMEOUT_SECONDS = 30.0


class Api:
    """The daemon's API, at the state folder `folder`. Every call raises UserError with a sentence for the user."""

    def __init__(self, folder: Path, timeout: float = TIMEOUT_SECONDS) -> None:
        self.folder = folder
        self._timeout = timeout

    def health(self) -> dict[str, Any]:
        return self._get("/v1/health")

    def objects(self, kind: str = "", namespace: str = "", name: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("/v1/objects", kind=kind, namespace=namespace, name=name)["items"]
        return found

    def describe(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        return self._get("/v1/describe", kind=kind, namespace=namespace, name=name)

    def diagnostics(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("/v1/diagnostics")["items"]
        return found

    def proxies(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("/v1/proxies")["items"]
        return found

    def config(self, proxy: str, type_: str = "") -> dict[str, list[dict[str, Any]]]:
        """Resources of a proxy (`namespace/name`) by type."""
        found: dict[str, list[dict[str, Any]]] = self._get(f"{_proxy_path(proxy)}/config", type=type_)["resources"]
        return found

    def statistics(self, proxy: str, pattern: str = "") -> dict[str, Any]:
        """Envoy's own `/stats?format=json`."""
        return self._get(f"{_proxy_path(proxy)}/stats", filter=pattern)

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        given = {key: value for key, value in query.items() if value}
        status, body = self._exchange(path + ("?" + urlencode(given) if given else ""))
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise UserError(f"the Sampan at {self.folder} gave an answer that is not JSON to {path}") from error
        if status != 200:
            problem: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
            raise UserError(
                str(problem.get("error") or f"{path} was answered with {status}"), problem.get("hint") or ""
            )
        if not isinstance(answer, dict):
            raise UserError(f"the Sampan at {self.folder} gave an answer of an unknown shape to {path}")
        return answer

    def _exchange(self, target: str) -> tuple[int, bytes]:
        from sampan.cli import unix_http

        try:
            return unix_http.get(state.api_socket(self.folder), target, self._timeout)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunningError(self.folder) from error
        except PermissionError as error:
            raise UserError(
                f"the Sampan at {self.folder} belongs to another user", "run this command as the user who started it"
            ) from error
        except TimeoutError as error:
            raise UserError(f"the Sampan at {self.folder} did not answer within {self._timeout:g} s") from error
        except OSError as error:
            raise UserError(f"the Sampan at {self.folder} hung up: {error}", "its log says why") from error


class NotRunningError(UserError):
    """Nobody listens at the state folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"no running sampan found at {folder}", "start it with `sampan up -f PATH`")


def _proxy_path(proxy: str) -> str:
    namespace, _, name = proxy.rpartition("/")
    return f"/v1/proxies/{quote(namespace or 'default', safe='')}/{quote(name, safe='')}"


def running(state_option: str) -> Api:
    """The API at `--state`."""
    return Api(state.folder(state_option))
