"""JSON-RPC 2.0: from the bytes of one message to calls, and from their results to the bytes of the answer."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
REFUSED: Final = -32000
"""The exchange, or the gateway, refuses: ``data.reason`` says why."""

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Refusal(Exception):
    """A well-formed request that is refused. ``data`` stands beside the reason, for programs."""

    def __init__(self, reason: str, message: str, **data: Any) -> None:
        super().__init__(message)
        self.reason = reason
        self.data = data


class Request(NamedTuple):
    """One call. ``answer`` takes what stands beside the id; the answer to a notification is dropped."""

    method: str
    params: Any
    answer: Callable[[dict[str, Any] | None], None]

    def succeed(self, result: Any) -> None:
        """Answers with a result."""
        self.answer({"result": result})

    def fail(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        """Answers with an error."""
        self.answer(_error(code, message, data))

    def refuse(self, refusal: Refusal) -> None:
        """Answers with a refusal."""
        self.fail(REFUSED, str(refusal), {"reason": refusal.reason, **refusal.data})


def _error(code: int, message: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"error": error}


def handle(raw: bytes, send: Callable[[bytes], None], call: Callable[[Request], None]) -> None:
    """Reads one message and makes its calls; each call's answer is sent when it is there, a batch's all together."""
    try:
        message = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        send(encode({"jsonrpc": "2.0", "id": None, **_error(PARSE_ERROR, f"not JSON: {error}")}))
        return
    if not isinstance(message, list):
        _one(message, lambda answer: send(encode(answer)) if answer is not None else None, call)
    elif not message:
        send(encode({"jsonrpc": "2.0", "id": None, **_error(INVALID_REQUEST, "a batch of nothing")}))
    else:
        batch = _Batch(len(message), send)
        for one in message:
            _one(one, batch.add, call)


class _Batch:
    """Gathers the answers of a batch; notifications have none."""

    def __init__(self, missing: int, send: Callable[[bytes], None]) -> None:
        self._missing = missing
        self._send = send
        self._answers: list[dict[str, Any]] = []

    def add(self, answer: dict[str, Any] | None) -> None:
        self._missing -= 1
        if answer is not None:
            self._answers.append(answer)
        if not self._missing and self._answers:
            self._send(encode(self._answers))


def _one(message: Any, reply: Callable[[dict[str, Any] | None], None], call: Callable[[Request], None]) -> None:
    problem = _problem(message)
    if problem is not None:
        request_id = message.get("id") if isinstance(message, dict) else None
        if not _is_id(request_id):
            request_id = None
        reply({"jsonrpc": "2.0", "id": request_id, **_error(INVALID_REQUEST, problem)})
        return
    if "id" in message:
        request_id = message["id"]

        def answer(body: dict[str, Any] | None) -> None:
            reply({"jsonrpc": "2.0", "id": request_id, **(body or {})})
    else:

        def answer(body: dict[str, Any] | None) -> None:  # noqa: ARG001
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
