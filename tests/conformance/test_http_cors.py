"""HTTPRoutes: CORS, preflights and what follows them."""

from __future__ import annotations

import pytest

from .marks import case
from .stage import Stage
from .world import Answer, Document, to

pytestmark = pytest.mark.envoy

ASKED = {"access-control-request-headers": "x-one, x-two"}


def rule(path: str, **fields: object) -> Document:
    return to(
        "a", matches=[{"path": {"type": "PathPrefix", "value": path}}], filters=[{"type": "CORS", "cors": fields}]
    )


def parts(answer: Answer, name: str) -> set[str]:
    """A list in a header of the answer; empty if there is no such header."""
    value = answer.header(f"access-control-{name}") or ""
    return {part.strip() for part in value.split(",") if part.strip()}


def preflight(stage: Stage, path: str, origin: str, method: str, **headers: str) -> Answer:
    """Answered by the gateway itself: no backend has a word in it."""
    sent = {"Origin": origin, "access-control-request-method": method, **headers}
    answer = stage.world.until_answer(
        stage.port, path, method="OPTIONS", headers=sent, right=lambda answer: answer.status in (200, 204)
    )
    assert answer.body == {}
    return answer


@case("HTTPRouteCORS")
def test_cors(stage: Stage) -> None:
    stage.apply(
        stage.route(
            rule(
                "/cors",
                allowOrigins=["https://www.foo.example", "https://*.bar.example"],
                allowMethods=["GET", "OPTIONS"],
                allowHeaders=["x-one", "x-two"],
                exposeHeaders=["x-three", "x-four"],
                allowCredentials=True,
                maxAge=3600,
            ),
            rule("/methods", allowOrigins=["https://www.foo.example"], allowMethods=["*"]),
            rule("/origins", allowOrigins=["*"], allowMethods=["PUT"], allowCredentials=False),
            rule("/all", allowOrigins=["*"], allowMethods=["*"], allowHeaders=["*"], allowCredentials=True),
            rule("/all-unnamed", allowOrigins=["*"], allowMethods=["*"], allowHeaders=["*"], allowCredentials=False),
        )
    )
    for origin in ("https://www.foo.example", "https://www.bar.example", "https://more.www.bar.example"):
        answer = preflight(stage, "/cors", origin, "GET", **ASKED)
        assert answer.header("access-control-allow-origin") == origin
        assert parts(answer, "allow-methods") == {"GET", "OPTIONS"}
        assert parts(answer, "allow-headers") == {"x-one", "x-two"}
        assert parts(answer, "expose-headers") == {"x-three", "x-four"}
        assert answer.header("access-control-max-age") == "3600"
        assert answer.header("access-control-allow-credentials") == "true"
    sent = {"Origin": "https://foobar.example", "access-control-request-method": "GET"}
    answer = stage.world.until_answer(
        stage.port, "/cors", method="OPTIONS", headers=sent, right=lambda answer: answer.status in (200, 204, 403)
    )
    assert answer.body == {}
    assert answer.header("access-control-allow-origin") is None
    assert stage.expect("a", "/cors", headers=sent).header("access-control-allow-origin") is None
    for origin in ("https://www.foo.example", "https://www.bar.example"):
        answer = stage.expect("a", "/cors", headers={"Origin": origin, "access-control-request-method": "GET", **ASKED})
        assert answer.header("access-control-allow-origin") == origin
    answer = preflight(stage, "/methods", "https://www.foo.example", "POST")
    assert parts(answer, "allow-methods") in ({"POST"}, {"*"})
    assert answer.header("access-control-allow-origin") == "https://www.foo.example"
    assert answer.header("access-control-allow-credentials") is None
    assert_any_origin(stage)
    assert_everything_allowed(stage)


def assert_any_origin(stage: Stage) -> None:
    for origin in ("https://foobar.example", "https://foobar.example:12345"):
        answer = preflight(stage, "/origins", origin, "PUT")
        assert answer.header("access-control-allow-origin") in ("*", origin)
        assert parts(answer, "allow-methods") == {"PUT"}
        assert answer.header("access-control-allow-credentials") is None
        answer = stage.expect("a", "/origins", method="PUT", headers={"Origin": origin})
        assert answer.header("access-control-allow-origin") in ("*", origin)
        assert answer.header("access-control-allow-credentials") is None


def assert_everything_allowed(stage: Stage) -> None:
    """With credentials no `*` may be sent: what was asked for is named."""
    origin = "https://other.foo.example"
    answer = preflight(stage, "/all", origin, "PUT", **ASKED)
    assert answer.header("access-control-allow-origin") == origin
    assert parts(answer, "allow-methods") == {"PUT"}
    assert parts(answer, "allow-headers") == {"x-one", "x-two"}
    assert answer.header("access-control-allow-credentials") == "true"
    answer = preflight(stage, "/all-unnamed", origin, "PUT", **ASKED)
    assert answer.header("access-control-allow-origin") in ("*", origin)
    assert parts(answer, "allow-methods") in ({"PUT"}, {"*"})
    assert parts(answer, "allow-headers") in ({"x-one", "x-two"}, {"*"})
    assert answer.header("access-control-allow-credentials") is None
    answer = stage.expect("a", "/all", headers={"Origin": origin})
    assert answer.header("access-control-allow-origin") == origin
    assert answer.header("access-control-allow-credentials") == "true"
    answer = stage.expect("a", "/all-unnamed", headers={"Origin": origin})
    assert answer.header("access-control-allow-origin") in ("*", origin)
    assert answer.header("access-control-allow-credentials") is None
