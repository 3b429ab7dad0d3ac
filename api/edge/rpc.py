"""JSON-RPC 2.0: reading a message into calls, and writing their answers. Source: www.jsonrpc.org/specification."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from api.edge.outcome import Refusal
from goldx.protocol.units import BadValue

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
REFUSED: Final = -32000
"""A refusal by the exchange or the gateway; ``data.reason`` says why."""

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Request(NamedTuple):
    """One call of a method. ``answer`` takes the member ``result`` or ``error`` of the answer."""

    method: str
    params: Any
    answer: Callable[[dict[str, Any]], None]

    def succeed(self, result: Any) -> None:
        """Answer with a result."""
        self.answer({"result": result})

    def fail(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        """Answer with an error."""
        self.answer(_error(code, message, data))

    def reject(self, error: BadValue) -> None:
        """Answer with INVALID_PARAMS, naming the parameter, its value and what is allowed."""
        data = {"field": error.field, "value": error.value, "allowed": error.allowed}
        self.fail(INVALID_PARAMS, str(error), data)

    def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal."""
        self.fail(REFUSED, str(refusal), {"reason": refusal.reason, **refusal.data})


def _error(code: int, message: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"error": error}


def handle(raw: bytes, send: Callable[[bytes], None], call: Callable[[Request], None]) -> None:
    """Read one message and call ``call`` for each request in it.

    ``send`` gets the answer to a single request when it is given, and the answers of a batch when all are given.
    """
    try:
        message = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        send(encode({"jsonrpc": "2.0", "id": None, **_error(PARSE_ERROR, f"not JSON: {error}")}))
        return
    if not isinstance(message, list):
        _handle_one(message, lambda answer: send(encode(answer)) if answer is not None else None, call)
    elif not message:
        send(encode({"jsonrpc": "2.0", "id": None, **_error(INVALID_REQUEST, "a batch of nothing")}))
    else:
        batch = _Batch(len(message), send)
        for element in message:
            _handle_one(element, batch.add, call)


class _Batch:
    """Collects the answers of a batch and sends them together. Notifications have no answer."""

    def __init__(self, missing: int, send: Callable[[bytes], None]) -> None:
        self._missing = missing
        """Requests of the batch that are not answered yet."""
        self._send = send
        self._answers: list[dict[str, Any]] = []

    def add(self, answer: dict[str, Any] | None) -> None:
        self._missing -= 1
        if answer is not None:
            self._answers.append(answer)
        if not self._missing and self._answers:
            self._send(encode(self._answers))


def _handle_one(message: Any, reply: Callable[[dict[str, Any] | None], None], call: Callable[[Request], None]) -> None:
    problem = _problem(message)
    if problem is not None:
        request_id = message.get("id") if isinstance(message, dict) else None
        if not _is_id(request_id):
            request_id = None
        reply({"jsonrpc": "2.0", "id": request_id, **_error(INVALID_REQUEST, problem)})
        return
    if "id" in message:
        request_id = message["id"]

        def answer(body: dict[str, Any]) -> None:
            reply({"jsonrpc": "2.0", "id": request_id, **body})
    else:

        def answer(body: dict[str, Any]) -> None:  # noqa: ARG001
            reply(None)

    params = message.get("params")
    request = Request(message["method"], {} if params is None else params, answer)
    if isinstance(request.params, dict):
        call(request)
    else:
        request.fail(INVALID_PARAMS, "params: a list is not allowed; it must be an object of named parameters")


def _is_id(value: Any) -> bool:
    if isinstance(value, int | float):
        return not isinstance(value, bool) and abs(value) < 2**63
    return value is None or isinstance(value, str)


def _problem(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "a request must be an object"
    if message.get("jsonrpc") != "2.0":
        return 'jsonrpc must be "2.0"'
    if not isinstance(message.get("method"), str):
        return "method must be a string"
    if not isinstance(message.get("params", {}), dict | list | None):
        return "params must be an object"
    if not _is_id(message.get("id")):
        return "id must be a string, a number or null"
    return None
