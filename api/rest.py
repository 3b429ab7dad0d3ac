"""REST: the public market, the status of the gateway, and the operators' commands."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import TheGateway, ThePrincipal
from api.edge.outcome import Refusal
from api.edge.params import MAX_ROWS
from api.edge.problems import Problem
from api.metrics import write
from api.sessions.trading import OPERATOR_METHODS, Trading
from goldx.protocol.units import BadValue

router = APIRouter()
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text}
    for code, text in (
        (401, "no valid bearer token"),
        (403, "the key has not the permission"),
        (409, "refused by the exchange; `reason` says why"),
        (422, "a value that is not allowed"),
        (503, "a server behind the gateway is away, nothing was placed"),
    )
}
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "no such instrument"}}

Rows = Annotated[int, Query(ge=1, le=MAX_ROWS)]


class OperatorCommand(BaseModel):
    """One command of the venue, in the words of the member protocol."""

    model_config = ConfigDict(extra="forbid")

    method: str = Field(description="One of " + ", ".join(OPERATOR_METHODS), examples=["market.set_phase"])
    params: dict[str, Any] = Field(default_factory=dict, examples=[{"symbol": "AU-SCRAP", "phase": "continuous"}])


@router.get("/health", tags=["service"], responses={503: _PROBLEMS[503]})
async def health(gateway: TheGateway) -> dict[str, str]:
    """Whether the gateway takes orders and follows the events."""
    if not gateway.healthy:
        raise Refusal("UNAVAILABLE", "the journal or the event stream is not reachable", retry_after_ms=1_000)
    return {"status": "ok"}


@router.get("/v1/status", tags=["service"], responses={503: _PROBLEMS[503]})
async def status(gateway: TheGateway) -> dict[str, Any]:
    """How far the gateway is, how many sessions it has, how durable an acknowledgement is; the engines."""
    return await gateway.status()


@router.get("/metrics", tags=["service"], response_class=PlainTextResponse, responses={503: _PROBLEMS[503]})
async def metrics(gateway: TheGateway) -> Response:
    """The same for Prometheus."""
    return Response(write(await gateway.status()), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/instruments", tags=["market"])
async def instruments(gateway: TheGateway) -> dict[str, Any]:
    """All grade classes with their terms of trade and their phase."""
    return {"instruments": gateway.queries.instruments()}


@router.get("/v1/book/{symbol}", tags=["market"], responses=_NOT_FOUND)
async def book(gateway: TheGateway, symbol: str, depth: Rows = 50) -> dict[str, Any]:
    """Price levels, best first: price in CNY per fine gram, visible quantity in fine grams.

    `checksum` is that of the whole book, `sequence` that of channel `book.{symbol}`.
    """
    return gateway.queries.market(symbol).depth(depth)


@router.get("/v1/trades/{symbol}", tags=["market"], responses=_NOT_FOUND)
async def trades(gateway: TheGateway, symbol: str, limit: Rows = 50) -> dict[str, Any]:
    """The newest trades, newest first."""
    return {"symbol": symbol, "trades": gateway.queries.market(symbol).recent(limit)}


@router.post("/v1/operator/commands", tags=["operator"], responses=_PROBLEMS)
async def operator_command(gateway: TheGateway, principal: ThePrincipal, command: OperatorCommand) -> dict[str, Any]:
    """Places one command of the venue and answers with its events. Needs the permission `operate`.

    `by` is set to whoever signed the token. Gold and money do not move here: that is settlement's.
    """
    if "operate" not in principal.permissions:
        raise Refusal("NOT_PERMITTED", f"key {principal.key_id} has not the permission 'operate'")
    if command.method not in OPERATOR_METHODS:
        raise BadValue("method", command.method, "one of " + ", ".join(OPERATOR_METHODS))
    placed = Trading.read(command.method, command.params, by=str(principal.staff))
    return gateway.trading.operator_result(placed, await gateway.command(placed))
