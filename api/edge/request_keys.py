"""The header ``Idempotency-Key`` of a POST: its documentation, what is compared under it, and the repeated answer."""

from typing import Any, Final

from fastapi import Request, Response

from api.edge.problems import MEDIA_TYPE
from settlement.base.request_keys import LONGEST_KEY, KeptAnswer

KEY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"
KEY_PARAMETER: Final[dict[str, Any]] = {
    "name": KEY_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": LONGEST_KEY},
    "description": "A key that the caller chooses for this request. Repeated with it, the request gets the same answer "
    "and nothing is done again",
}
"""The parameter of each POST that may carry a key, as the documentation shows it."""


async def content_of(request: Request) -> bytes:
    """Return what two requests under the same key must have in common: path, query and body."""
    return f"{request.url.path}?{request.url.query}\n".encode() + await request.body()


def response_of(answer: KeptAnswer, *, replayed: bool = False) -> Response:
    """Return an answer as a response; ``replayed``: the request was answered before under its key."""
    media_type = MEDIA_TYPE if answer.status >= 400 else "application/json"
    return Response(answer.body, answer.status, {REPLAYED_HEADER: "true"} if replayed else None, media_type)
