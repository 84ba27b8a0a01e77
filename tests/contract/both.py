"""One script, played on both servers at once: each call's answers are compared as they come, and all that differs is
told at the end.

Paths, parameters and bodies may name what a server has given before: `{session}` after
`both.keep("session", answer, "ID")`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from .accepted import ACCEPTED
from .comparison import differences
from .server import Server, clean, settled

DEADLINE_SECONDS = 30.0
LONG, SHORT, SHORT_SECONDS = "60s", "400ms", 0.4
"""To wait for what comes, and for what does not come."""

Answers = list[httpx.Response]


class Both:
    """`servers`: the real one first. Alone, a script shows what it answers."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers
        self.case = ""
        self.told: list[str] = []
        self.different: list[str] = []
        self._threads = ThreadPoolExecutor(max_workers=8)

    def close(self) -> None:
        self._threads.shutdown()
        for server in self.servers:
            server.client.close()

    def get(self, path: str, status: int = 200, **options: Any) -> Answers:
        return self.call("GET", path, status, **options)

    def put(self, path: str, status: int = 200, **options: Any) -> Answers:
        return self.call("PUT", path, status, **options)

    def delete(self, path: str, status: int = 200, **options: Any) -> Answers:
        return self.call("DELETE", path, status, **options)

    def call(self, method: str, path: str, status: int | None = 200, **options: Any) -> Answers:
        """Made on both, compared; `status` is what Consul must answer, so that no script compares two mistakes (None:
        whatever it is)."""
        answers = [server.call(method, path, options) for server in self.servers]
        self._compare(f"{method} {path}", status, answers, options)
        if method == "PUT" and path.startswith("/v1/agent/"):
            self.settle()
        return answers

    def keep(self, name: str, answers: Answers, member: str) -> None:
        for server, answer in zip(self.servers, answers, strict=True):
            server.names[name] = str(answer.json()[member])

    def keep_index(self, name: str, answers: Answers) -> None:
        for server, answer in zip(self.servers, answers, strict=True):
            server.names[name] = answer.headers["X-Consul-Index"]

    @contextmanager
    def woken(self, path: str, since: Answers, **parameters: Any) -> Iterator[None]:
        """A blocking query that what happens in the block ends."""
        with self._blocking(path, since, LONG, parameters):
            yield

    @contextmanager
    def asleep(self, path: str, since: Answers, **parameters: Any) -> Iterator[None]:
        """A blocking query that nothing in the block ends: only its time does."""
        with self._blocking(path, since, SHORT, parameters):
            yield

    @contextmanager
    def _blocking(self, path: str, since: Answers, wait: str, parameters: dict[str, Any]) -> Iterator[None]:
        self.keep_index("since", since)
        waiting: list[Future[httpx.Response]] = [
            self._threads.submit(server.ask, path, {"index": server.names["since"], "wait": wait, **parameters})
            for server in self.servers
        ]
        # A round trip later they wait, most likely; one that came too late is answered at once, with the same.
        self.get("/v1/status/leader")
        yield
        answers = [one.result(DEADLINE_SECONDS) for one in waiting]
        if wait == SHORT:
            early = [number for number, one in enumerate(answers) if one.elapsed.total_seconds() < SHORT_SECONDS]
            assert not early, f"{path} ended before its time on {early}"
        self._compare(f"GET {path}", answers[0].status_code, answers)

    def until(self, path: str, holds: Callable[[Any], bool], **options: Any) -> Answers:
        """Asks until it holds of both; compares the last answers alone."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            answers = [server.call("GET", path, options) for server in self.servers]
            if all(answer.is_success and holds(answer.json()) for answer in answers):
                self._compare(f"GET {path}", answers[0].status_code, answers)
                return answers
            assert time.monotonic() < deadline, [answer.text for answer in answers]
            time.sleep(0.01)

    def retry(self, path: str, content: bytes) -> Answers:
        """A write that answers `false` until it may."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        answers = []
        for server in self.servers:
            while (answer := server.call("PUT", path, {"content": content})).text.strip() != "true":
                assert time.monotonic() < deadline, answer.text
                time.sleep(0.02)
            answers.append(answer)
        return answers

    def settle(self) -> None:
        """A real agent tells its servers a little later what was registered with it: until then its catalogue rises."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        for server in self.servers:
            while not settled(server):
                assert time.monotonic() < deadline, f"the catalogue of {server.client.base_url} is not its agent's"
                time.sleep(0.005)

    def begin(self, case: str) -> None:
        """Nothing is left of the case before."""
        self.case, self.told, self.different = case, [f"## {case}"], []
        for server in self.servers:
            server.begin()
            clean(server.client)
        self.settle()

    def _compare(self, call: str, status: int | None, answers: Answers, options: dict[str, Any] | None = None) -> None:
        shown = [server.roles.comparable(answer, call) for server, answer in zip(self.servers, answers, strict=True)]
        self.told.append(f"{call} {str(options or '')[:300]}\n    {shown[0]}")
        assert status in (None, shown[0]["status"]), (
            f"{call}: Consul answers {answers[0].status_code} {answers[0].text[:300]}"
        )
        for other in shown[1:]:
            self.different += [
                f"{call} {where}: {what}"
                for where, what in differences(shown[0], other)
                if not any(one.covers(self.case, call, where, what, _refused(answers)) for one in ACCEPTED)
            ]


def _refused(answers: Answers) -> bool:
    return all(answer.is_error for answer in answers)
