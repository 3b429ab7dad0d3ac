"""REST: the public market, the status of the gateway, and the operators' commands."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import TheGateway, ThePrincipal
from api.edge import problems
from api.edge.auth import Principal
from api.edge.outcome import Outcome, Refusal
from api.edge.params import MAX_ROWS
from api.edge.problems import documented
from api.edge.request_keys import KEY_HEADER, KEY_PARAMETER, content_of, response_of
from api.edge.rpc import encode
from api.gateway import Gateway
from api.listing import ThePage, listed, page_dependency
from api.metrics import write
from api.sessions.act_log import take_reason
from api.sessions.exchange_time import exchange_time
from api.sessions.long_results import long_result
from api.sessions.trading import OPERATOR_METHODS, PREVIEW, Trading
from api.view.limit_forms import write_member, write_members
from api.view.market_data import MarketData
from goldx.protocol.commands import AnyCommand
from goldx.protocol.units import BadValue
from settlement.base.paging import Page, PageRequest, cut, cut_in_order, parse_parts
from settlement.base.request_keys import KeptAnswer

router = APIRouter()
_PROBLEMS: Final = documented(
    {
        503: "a server behind the gateway is away, nothing was placed",
        401: "no valid bearer token",
        403: "the key has not the permission",
        409: "refused by the exchange; `reason` says why",
        422: "a value that is not allowed",
    }
)
_NOT_FOUND: Final = documented({404: "no such instrument"})
_NO_NOTICE: Final = documented(
    {404: "no such notice", 401: "no valid bearer token", 403: "the key has not the permission"}
)

_OF_STAFF: Final = documented({401: "no valid bearer token", 403: "the key has not the permission"})

Depth = Annotated[int, Query(ge=1, le=MAX_ROWS)]
TradesPage = Annotated[PageRequest, Depends(page_dependency(50))]


class OperatorCommandRequest(BaseModel):
    """One command of the venue, in the form of the member protocol."""

    model_config = ConfigDict(extra="forbid")

    method: str = Field(description="One of " + ", ".join(OPERATOR_METHODS), examples=["market.set_phase"])
    params: dict[str, Any] = Field(default_factory=dict, examples=[{"symbol": "AU-SCRAP", "phase": "continuous"}])


@router.get("/health", tags=["service"], responses=documented({503: "orders are not taken or not matched"}))
async def health(gateway: TheGateway) -> dict[str, Any]:
    """Return 200 if orders are taken and matched as far as this gateway can see, otherwise 503; `detail` says why not.

    `follows_market`, in both answers, is whether what this gateway shows of the market is the present.
    """
    condition = gateway.condition
    follows = condition.not_following is None
    if (trouble := condition.trouble) is not None:
        raise Refusal("UNAVAILABLE", trouble, retry_after_ms=1_000, follows_market=follows)
    return {"status": "ok", "follows_market": follows}


@router.get("/v1/status", tags=["service"])
async def status(gateway: TheGateway) -> dict[str, Any]:
    """Return the status of the gateway and the engines: progress, sessions, durability, what is wrong.

    When the journal's server is away, the answer is the last one known: `server_reachable` and `server_age_ms` say so.
    """
    return await gateway.status()


@router.get("/v1/time", tags=["market"])
async def time(gateway: TheGateway) -> dict[str, Any]:
    """Return the gateway's time, and the journal's time and the sequence of the newest event that it knows.

    Times are in ms since the epoch. `trouble` says why orders are not taken or not matched, or is null.
    """
    return exchange_time(gateway.view)


@router.get("/metrics", tags=["service"], response_class=PlainTextResponse)
async def metrics(gateway: TheGateway) -> Response:
    """Return the status as metrics for Prometheus."""
    return Response(write(await gateway.status()), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/instruments", tags=["market"])
async def instruments(gateway: TheGateway, page: ThePage) -> dict[str, Any]:
    """List the grade classes with their terms of trade and their phase, in the order of their definition."""
    markets = list(gateway.view.markets.values())
    return listed("instruments", MarketData.instrument, cut(markets, lambda market: market.symbol, page))


@router.get("/v1/book/{symbol}", tags=["market"], responses=_NOT_FOUND)
async def book(gateway: TheGateway, symbol: str, depth: Depth = 50) -> dict[str, Any]:
    """Return the price levels, best first: price in CNY per fine gram, visible quantity in fine grams.

    `checksum` is that of the whole book, `sequence` that of channel `book.{symbol}`.
    """
    return gateway.queries.market(symbol).depth(depth)


@router.get("/v1/trades/{symbol}", tags=["market"], responses=_NOT_FOUND)
async def trades(gateway: TheGateway, symbol: str, page: TradesPage) -> dict[str, Any]:
    """List the newest trades, newest first; the gateway keeps a thousand of an instrument."""
    market = gateway.queries.market(symbol)
    rows = cut(list(reversed(market.trades)), lambda trade: str(trade.trade_id), page)
    return listed("trades", market.write_trade, rows, symbol=symbol)


def _require_staff(principal: Principal) -> None:
    """Raise Refusal unless a key may read what concerns all members."""
    if not {"operate", "supervise"} & set(principal.permissions):
        raise Refusal("NOT_PERMITTED", f"key {principal.key_id} has neither the permission 'operate' nor 'supervise'")


@router.get("/v1/venue/regime", tags=["market"])
async def regime(gateway: TheGateway) -> dict[str, Any]:
    """Return the legal regime in force with its document, one that a person has proposed, and the history.

    `regime` is null before the first one: then nothing is refused for it.
    """
    return gateway.queries.regime()


@router.get("/v1/notices", tags=["market"])
async def notices(gateway: TheGateway, page: ThePage) -> dict[str, Any]:
    """List the venue's notices, newest first; the newest 1,024 are kept.

    `to_acknowledge`: members have to acknowledge it; false if another one has taken its place, absent if nobody has to.
    """
    kept = gateway.view.notices
    rows = cut(list(reversed(kept.by_id.values())), lambda notice: str(notice.notice_id), page)
    return listed("notices", lambda notice: kept.write(notice, None), rows)


@router.get("/v1/notices/{notice_id}/answers", tags=["operator"], responses=_NO_NOTICE)
async def notice_answers(gateway: TheGateway, principal: ThePrincipal, notice_id: int) -> dict[str, Any]:
    """Return a notice with the members that have acknowledged it, and those that have still to.

    Needs the permission `operate` or `supervise`.
    """
    _require_staff(principal)
    notice = gateway.view.notices.by_id.get(notice_id)
    if notice is None:
        raise Refusal("UNKNOWN_NOTICE", f"notice_id: {notice_id} is not known; GET /v1/notices lists the newest")
    return gateway.view.notices.write_answers(notice, gateway.view.members)


@router.get("/v1/limits", tags=["operator"], responses=_OF_STAFF)
async def limits(gateway: TheGateway, principal: ThePrincipal, page: ThePage) -> dict[str, Any]:
    """List the members that have limits in force, with these and what is used of them.

    Needs the permission `operate` or `supervise`.
    """
    _require_staff(principal)
    members = {member for member, _ in gateway.view.limits.state.in_force}
    rows = cut_in_order(members, str, lambda key: parse_parts(key, 1), page)
    written = await write_members(gateway.view, rows)
    return listed("members", dict, Page(written, rows.next))


@router.get("/v1/limits/{member}", tags=["operator"], responses=_OF_STAFF)
async def limits_of_member(gateway: TheGateway, principal: ThePrincipal, member: str) -> dict[str, Any]:
    """Return the limits of a member and its accounts, what is used of them, and the newest changes, newest first.

    Needs the permission `operate` or `supervise`.
    """
    _require_staff(principal)
    if member not in gateway.view.members:
        raise Refusal("UNKNOWN_MEMBER", f"member: there is no member {member[:32]}")
    return {**write_member(gateway.view, member), "history": gateway.view.limits.write_history(member)}


@router.post(
    "/v1/operator/commands", tags=["operator"], responses=_PROBLEMS, openapi_extra={"parameters": [KEY_PARAMETER]}
)
async def operator_command(
    request: Request, gateway: TheGateway, principal: ThePrincipal, command: OperatorCommandRequest
) -> Any:
    """Place one command of the venue, and return its events. Needs the permission `operate`.

    The parameter `reason` goes to the audit log with the command. The holder of the token is recorded in `by`.
    `instrument.preview` places nothing and returns in `preview` what `instrument.define` with its parameters would
    change. Only settlement moves gold and money.
    """
    if "operate" not in principal.permissions:
        raise Refusal("NOT_PERMITTED", f"key {principal.key_id} has not the permission 'operate'")
    if command.method == PREVIEW:
        return {"events": [], "preview": gateway.trading.preview(command.params)}
    if command.method not in OPERATOR_METHODS:
        raise BadValue("method", command.method, "one of " + ", ".join(OPERATOR_METHODS))
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return response_of(await _operate(gateway, principal, command, gateway.command))
    work = partial(_operate, gateway, principal, command, gateway.sequencer.place)
    content = await content_of(request)
    answer, replayed = await gateway.command_keys.once(str(principal.staff), key, content, work)
    return response_of(answer, replayed=replayed)


async def _operate(
    gateway: Gateway,
    principal: Principal,
    command: OperatorCommandRequest,
    place: Callable[[AnyCommand], Awaitable[Outcome]],
) -> KeptAnswer:
    """Place a command of an operator and return the answer. Raises BadValue and Refusal if it is not placed."""
    params, reason = take_reason(command.method, command.params)
    read = Trading.read(command.method, params, by=str(principal.staff))
    placed = await gateway.trading.check(read)
    await gateway.trading.record(principal, placed, reason)
    outcome = await gateway.trading.named_lots.place(placed, place)
    long = long_result(placed, outcome, gateway.view)
    if long is not None:
        while long.step():
            await asyncio.sleep(0)
        return KeptAnswer(200, encode(long.result()).decode())
    try:
        return KeptAnswer(200, encode(gateway.trading.operator_result(placed, outcome)).decode())
    except Refusal as refusal:
        refused = problems.refused(refusal)
        return KeptAnswer(refused.status_code, bytes(refused.body).decode())
