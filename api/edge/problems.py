"""Errors over REST as problem details (RFC 9457). Programs read ``reason``."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from starlette.responses import JSONResponse

from api.edge.outcome import Refusal
from goldx.protocol.reasons import describe

MEDIA_TYPE: Final = "application/problem+json"


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    reason: str | None = None


def problem(
    status: int, detail: str, reason: str | None = None, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Return the response for an error; ``more`` are extension members (RFC 9457, section 3.2)."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body["detail"] = detail
    if reason is not None:
        body["reason"] = reason
    return _Escaped(body | more, status, headers, MEDIA_TYPE)


class _Escaped(JSONResponse):
    """JSON in ASCII, because it may quote halves of surrogate pairs, which UTF-8 cannot encode."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def documented(texts: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of routes: for each status a problem, described by a text.

    They refer to ``Problem``, which the document itself has (``api.documentation``): as the ``model`` of each response
    it would cost FastAPI a validator for each status of each route.
    """
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": text, "content": content} for status, text in texts.items()}


def refused(error: Refusal) -> JSONResponse:
    """Return the response for a refusal."""
    headers = {}
    if (retry_after := error.data.get("retry_after_ms")) is not None:
        headers["Retry-After"] = str(-(-retry_after // 1_000))
    return problem(describe(error.reason).http_status, str(error), error.reason, headers, **error.data)
