"""Admission of REST requests: the sender, the size and the sender's allowance are checked before the body is read.

A body is read only for a registered key. Every request is billed, even if refused: one unit at once, and its answer by
size. Requests without a token pay from the bucket of their address, others from that of their key; wrong tokens have a
second bucket of the address, so that they do not use up the allowance of others there.
"""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.edge.allowance import Allowances, TokenBucket
from api.edge.auth import NotAuthentic, Principal
from api.edge.connections import client_of
from api.edge.problems import problem

COMMAND_BYTES: Final = 64 << 10
"""The largest body of a request that the gateway itself answers."""
JSON_BYTES: Final = 1 << 20
"""The largest body that staff may send, except for files."""
FILE_BYTES: Final = 32 << 20
"""The largest file that staff may send."""
BODIES_BYTES: Final = 128 << 20
"""Bytes of bodies that may be in memory at the same time."""
BILLED_BYTES: Final = 2_048
"""Bytes of an answer that cost one unit."""
PAPER_COST: Final = 100
"""Units that a paper costs, which is written when it is asked for."""
PAPER_PATHS: Final = ("/file", "/pdf", "/list", "/report")
"""Endings of the paths of papers."""
EXPORTS: Final = "/exports/"
"""Part of the paths of tables as files, which cost as much as papers; their bytes cost more, like those of all answers.
"""
WRONG_TOKEN_COST: Final = 5
"""Units that a token costs; they are given back once its key turns out to be registered."""
PRINCIPAL: Final = "goldx.principal"
"""The key of the authenticated principal in an ASGI scope."""
STAFF_PATHS: Final = (
    "/v1/settlement",
    "/v1/certificates",
    "/v1/receipts",
    "/v1/statements",
    "/v1/withdrawals",
    "/v1/withdrawable",
    "/v1/payees",
    "/v1/invoices",
    "/v1/bulletins",
    "/v1/benchmarks",
    "/docs",
    "/openapi.json",
)
"""Prefixes of the paths that a process beside the gateway answers (``api.staff``)."""
FREE_PATHS: Final = ("/health",)
"""Paths for monitoring, which cost nothing."""

log = structlog.get_logger()

Authenticate = Callable[[str], Awaitable[Principal]]


class NotAdmitted(Exception):
    """Raised when a request is answered without the application: with a status, the reason and header fields."""

    def __init__(self, status: HTTPStatus, detail: str, reason: str | None = None, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Disconnected(Exception):
    """Raised when a client closes the connection in the middle of a body."""


class Admission:
    """The ASGI middleware. It finds the gateway in the state of the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._held = 0
        """Bytes of bodies that are in memory now."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in FREE_PATHS:
            await self._app(scope, receive, send)
            return
        gateway = scope["app"].state.gateway
        fields = {name: value.decode("latin-1") for name, value in scope["headers"]}
        for_staff = scope["path"].startswith(STAFF_PATHS)
        body: list[bytes] = []
        try:
            bucket = await self._bucket(gateway, scope, fields)
            if has_body(fields):
                largest = _largest(scope[PRINCIPAL], fields, for_staff)
                body = await self._read(receive, largest, fields)
        except NotAdmitted as refused:
            answer = problem(refused.status, str(refused), refused.reason, refused.headers)
            await answer(scope, receive, send)
            return
        except Disconnected:
            return

        async def billed_send(message: Message) -> None:
            bucket.spend(time.monotonic(), len(message.get("body", b"")) // BILLED_BYTES)
            await send(message)

        try:
            if for_staff and gateway.staff is not None:
                await gateway.staff.answer(scope, body, billed_send)
            else:
                await self._app(scope, _replay(b"".join(body), receive) if body else receive, billed_send)
        finally:
            self._held -= sum(map(len, body))

    async def _bucket(self, gateway: Any, scope: Scope, fields: dict[bytes, str]) -> TokenBucket:
        """Charge a request, and return the bucket that will pay for its answer. Raises NotAdmitted."""
        anonymous: Allowances = gateway.anonymous
        client = scope.get("client")
        address = client_of(client[0]) if client else ""
        authorization = fields.get(b"authorization")
        if authorization is None:
            if has_body(fields):
                anonymous.of(address).spend(time.monotonic())
                text = "a header 'Authorization: Bearer TOKEN' is needed before a body is read"
                raise NotAdmitted(HTTPStatus.UNAUTHORIZED, text, "NOT_PERMITTED", WWW_Authenticate="Bearer")
            return _paid(anonymous.of(address), _cost(scope["path"]))
        wrong_tokens = anonymous.of(f"token {address}")
        _paid(wrong_tokens, WRONG_TOKEN_COST)
        try:
            principal = scope[PRINCIPAL] = await gateway.authenticator.bearer(authorization)
        except NotAuthentic as error:
            raise NotAdmitted(
                HTTPStatus.UNAUTHORIZED, str(error), "NOT_PERMITTED", WWW_Authenticate="Bearer"
            ) from error
        except (SQLAlchemyError, OSError) as error:
            log.warning("a server is away", error=str(error))
            text = "a server behind the gateway is not reachable"
            raise NotAdmitted(HTTPStatus.SERVICE_UNAVAILABLE, text, "UNAVAILABLE", Retry_After="1") from error
        wrong_tokens.spend(time.monotonic(), -WRONG_TOKEN_COST)
        keys: Allowances = gateway.by_key
        return _paid(keys.of(principal.key_id), _cost(scope["path"]))

    async def _read(self, receive: Receive, largest: int, fields: dict[bytes, str]) -> list[bytes]:
        """Return the parts of a body and count its bytes as held. Raises NotAdmitted and Disconnected."""
        announced = fields.get(b"content-length", "")
        if announced.isdigit():
            self._check(int(announced), largest, int(announced))
        parts: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                part = message.get("body", b"")
                self._check(size + len(part), largest, len(part))
                parts.append(part)
                size += len(part)
                self._held += len(part)
                if not message.get("more_body", False):
                    return parts
        except BaseException:
            self._held -= size
            raise

    def _check(self, size: int, largest: int, more: int) -> None:
        """Refuse a body of ``size`` bytes, ``more`` of which are not held yet. Raises NotAdmitted."""
        if size > largest:
            text = f"a body of {size} bytes or more; at most {largest} are read here"
            raise NotAdmitted(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text, "BAD_VALUE")
        if self._held + more > BODIES_BYTES:
            text = "too much is being sent at the same time"
            raise NotAdmitted(HTTPStatus.SERVICE_UNAVAILABLE, text, "UNAVAILABLE", Retry_After="1")


def _largest(principal: Principal, fields: dict[bytes, str], for_staff: bool) -> int:
    """Return the largest size of a body: only staff may send files, and files are not JSON."""
    if not for_staff:
        return COMMAND_BYTES
    return JSON_BYTES if "json" in fields.get(b"content-type", "") or principal.staff is None else FILE_BYTES


def has_body(fields: dict[bytes, str]) -> bool:
    """Return whether a request announces a body."""
    return fields.get(b"content-length", "0").strip() != "0" or b"transfer-encoding" in fields


def _cost(path: str) -> int:
    """Return the units that a request costs before it is answered."""
    is_paper = path.endswith(PAPER_PATHS) or EXPORTS in path
    return PAPER_COST if path.startswith(STAFF_PATHS) and is_paper else 1


def _paid(bucket: TokenBucket, cost: int = 1) -> TokenBucket:
    """Take units from a bucket and return it. Raises NotAdmitted (RATE_LIMITED)."""
    wait_ms = bucket.take(time.monotonic(), cost)
    if wait_ms:
        text = f"too many requests; the next is allowed in {wait_ms} ms"
        raise NotAdmitted(HTTPStatus.TOO_MANY_REQUESTS, text, "RATE_LIMITED", Retry_After=str(-(-wait_ms // 1_000)))
    return bucket


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that first gives a body that has been read already."""
    left = [body]

    async def replayed() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return replayed
