"""`/v1/txn`: https://developer.hashicorp.com/consul/api-docs/txn."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sampan.registry.api.answer import RefusalError, plain_json
from sampan.registry.api.application import Route
from sampan.registry.api.question import Question
from sampan.registry.registration import decode
from sampan.registry.registration.decode import RegistrationError
from sampan.registry.registry import Registry
from sampan.registry.transactions import operation, read
from sampan.registry.transactions.operation import Operation

MOST_OPERATIONS = 64
LARGEST_BODY = 512 * 1024
"""Bytes; Consul's txn_max_req_len."""
_READ_FIELDS = {"Index": 0, "LastContact": 0, "KnownLeader": True, "ConsistencyLevel": ""}
_READ_HEADERS = {"X-Consul-Knownleader": "true", "X-Consul-Lastcontact": "0"}


async def transact(registry: Registry, question: Question) -> web.Response:
    operations = await _operations(question)
    outcome = operation.run(registry, operations)
    failed = bool(outcome.errors)
    said: dict[str, Any] = {
        "Results": None if failed else list(outcome.results),
        "Errors": [{"OpIndex": number, "What": what} for number, what in outcome.errors] if failed else None,
    }
    if any(one.writes for one in operations):
        return plain_json(said, pretty=question.pretty, status=409 if failed else 200)
    answer = plain_json({**said, **_READ_FIELDS}, pretty=question.pretty, status=409 if failed else 200)
    answer.headers.update(_READ_HEADERS)
    return answer


ROUTES = (Route("PUT", "/v1/txn", transact),)


async def _operations(question: Question) -> list[Operation]:
    length = question.request.content_length
    if length is not None and length > LARGEST_BODY:
        raise _too_large(f"({length} bytes)")
    body = await question.body()
    if len(body) > LARGEST_BODY:
        raise _too_large("")
    try:
        given = decode.parse(body)
        if isinstance(given, list) and len(given) > MOST_OPERATIONS:
            raise RefusalError(413, f"Transaction contains too many operations ({len(given)} > {MOST_OPERATIONS})")
        return read.operations(given)
    except (ValueError, RegistrationError) as error:
        raise RefusalError(400, f"Failed to parse body: {error}") from None


def _too_large(told: str) -> RefusalError:
    return RefusalError(
        413,
        f"Request body{told} too large, max size: {LARGEST_BODY} bytes. "
        "See https://www.consul.io/docs/agent/options.html#txn_max_req_len.",
    )
