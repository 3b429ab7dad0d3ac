"""JSON-RPC 2.0: reading a message into calls, and writing their answers. Source: www.jsonrpc.org/specification."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from api.edge.outcome import Refusal
from goldx.protocol.commands import BY_METHOD
from goldx.protocol.units import BadValue, as_json, parse_identifier

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
REFUSED: Final = -32000
"""A refusal by the exchange or the gateway; ``data.reason`` says why."""
MAX_BATCH: Final = 100
"""The largest number of requests in a batch."""
LARGEST_ID: Final = 10**100
"""Whole numbers between its negative and this one may be ids of requests."""
SHOWN: Final = 200
"""The most characters of a refused value that an error repeats."""
MAX_NESTING: Final = 16
"""Levels of objects and lists in one message. A batch of calls has four."""

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Request(NamedTuple):
    """One call of a method. ``answer`` takes the member ``result`` or ``error`` of the answer.

    ``trace`` is the sender's own id of what the request belongs to, or None.
    """

    method: str
    params: Any
    answer: Callable[[dict[str, Any]], None]
    trace: str | None = None

    def succeed(self, result: Any) -> None:
        """Answer with a result."""
        self.answer({"result": result})

    def fail(self, code: int, message: str, data: dict[str, Any] | None = None) -> None:
        """Answer with an error."""
        self.answer(_error(code, message, data))

    def reject(self, error: BadValue) -> None:
        """Answer with INVALID_PARAMS, naming the parameter, its value and what is allowed."""
        data = {"field": error.field, "value": _shown(error.value), "allowed": error.allowed}
        self.fail(INVALID_PARAMS, str(error), data)

    def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal."""
        self.fail(REFUSED, str(refusal), {"reason": refusal.reason, **refusal.data})


def _error(code: int, message: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"error": error}


Send = Callable[[bytes], None]
Call = Callable[[Request], None]


def handle(raw: bytes, send: Send, call: Call, bill: Callable[[], object]) -> "Batch | None":
    """Read one message and call ``call`` for its request, or return the batch that it is.

    ``send`` gets the answer to a single request when it is given, and the answers of a batch when all are given.
    ``bill`` is called for a malformed message or request, which is answered here.
    """
    try:
        message = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        bill()
        send(encode({"jsonrpc": "2.0", "id": None, **_error(PARSE_ERROR, f"not JSON: {error}")}))
        return None
    # A message that has few brackets cannot be deep.
    if raw.count(b"[") + raw.count(b"{") > MAX_NESTING and _is_too_deep(message):
        bill()
        problem = f"objects and lists are nested deeper than {MAX_NESTING} levels"
        send(encode({"jsonrpc": "2.0", "id": None, **_error(INVALID_REQUEST, problem)}))
        return None
    if not isinstance(message, list):
        _handle_one(message, lambda answer: send(answer) if answer is not None else None, call, bill)
        return None
    if not 1 <= len(message) <= MAX_BATCH:
        bill()
        text = f"a batch of {len(message) or 'nothing'}; it may have 1 to {MAX_BATCH} requests"
        send(encode({"jsonrpc": "2.0", "id": None, **_error(INVALID_REQUEST, text)}))
        return None
    return Batch(message, send, call, bill)


def _is_too_deep(message: Any) -> bool:
    """Return whether a message has more than MAX_NESTING levels, which an answer could not repeat."""
    level: list[Any] = [message] if isinstance(message, dict | list) else []
    for _ in range(MAX_NESTING):
        level = [part for whole in level for part in (whole.values() if isinstance(whole, dict) else whole)]
        level = [part for part in level if isinstance(part, dict | list)]
        if not level:
            return False
    return True


class Batch:
    """The requests of a batch, which are handled in their order; their answers are sent together.

    A command need not wait for the commands before it, as the journal keeps their order. Any other request waits until
    all before it are answered, and what comes after it waits for its answer. Notifications have no answer.
    """

    def __init__(self, requests: list[Any], send: Send, call: Call, bill: Callable[[], object]) -> None:
        self._left = deque(requests)
        self._send = send
        self._call = call
        self._bill = bill
        self._unanswered = 0
        self._only_commands = True
        """Whether all unanswered requests are commands."""
        self._at_work = True
        """Whether ``step`` is to be called again without a call of ``wake``."""
        self._answers: list[bytes] = []
        self.wake: Callable[[], None] = lambda: None
        """Called when the next request need no longer wait, if ``step`` has said that it must."""

    @property
    def ready(self) -> bool:
        """Whether there is a next request, and it need not wait."""
        if not self._left:
            return False
        return not self._unanswered or (self._only_commands and _is_command(self._left[0]))

    def step(self) -> bool:
        """Handle the next request, which must be ready; return whether the one after it is."""
        request = self._left.popleft()
        self._only_commands = _is_command(request)
        self._unanswered += 1
        _handle_one(request, self._take_answer, self._call, self._bill)
        self._at_work = self.ready
        return self._at_work

    def has_waiting(self, method: str) -> bool:
        """Return whether a request of a method is still to be handled."""
        return any(isinstance(request, dict) and request.get("method") == method for request in self._left)

    def _take_answer(self, answer: bytes | None) -> None:
        self._unanswered -= 1
        if answer is not None:
            self._answers.append(answer)
        if self._left:
            if not self._at_work and self.ready:
                self._at_work = True
                self.wake()
        elif not self._unanswered and self._answers:
            self._send(b"[" + b",".join(self._answers) + b"]")


def _is_command(message: Any) -> bool:
    return isinstance(message, dict) and isinstance(method := message.get("method"), str) and method in BY_METHOD


def _handle_one(message: Any, reply: Callable[[bytes | None], None], call: Call, bill: Callable[[], object]) -> None:
    problem = _problem(message)
    trace, wrong_trace = _read_trace(message)
    traced = {} if trace is None else {"trace": trace}
    if problem is not None:
        bill()
        request_id = message.get("id") if isinstance(message, dict) else None
        if not _is_id(request_id):
            request_id = None
        reply(encode({"jsonrpc": "2.0", "id": _written_id(request_id), **traced, **_error(INVALID_REQUEST, problem)}))
        return
    if "id" in message:
        request_id = _written_id(message["id"])

        def answer(body: dict[str, Any]) -> None:
            reply(encode({"jsonrpc": "2.0", "id": request_id, **traced, **body}))
    else:

        def answer(body: dict[str, Any]) -> None:  # noqa: ARG001
            reply(None)

    params = message.get("params")
    request = Request(message["method"], {} if params is None else params, answer, trace)
    if wrong_trace is not None:
        bill()
        request.reject(wrong_trace)
    elif isinstance(request.params, dict):
        call(request)
    else:
        bill()
        request.fail(INVALID_PARAMS, "params: a list is not allowed; it must be an object of named parameters")


def _read_trace(message: Any) -> tuple[str | None, BadValue | None]:
    """Return the trace of a message, None if it has none, and what is wrong with it."""
    if not isinstance(message, dict) or (trace := message.get("trace")) is None:
        return None, None
    try:
        return parse_identifier(trace, "trace"), None
    except BadValue as error:
        return None, error


def _is_id(value: Any) -> bool:
    if isinstance(value, int | float):
        return not isinstance(value, bool) and abs(value) < LARGEST_ID
    return value is None or isinstance(value, str)


def _written_id(value: Any) -> Any:
    """Return a request's id as it is encoded: msgspec does not write whole numbers of more than 64 bits."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return msgspec.Raw(str(value).encode())
    return value


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


def _shown(value: Any) -> Any:
    """Return a refused value as an error repeats it: unchanged, or the beginning of its JSON text if it is long."""
    try:
        text = encode(value)
    except (OverflowError, RecursionError):
        return as_json(value)[:SHOWN]
    return msgspec.Raw(text) if len(text) <= SHOWN else text[:SHOWN].decode(errors="ignore")
