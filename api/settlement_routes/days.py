"""The close of trading days: steps, prices, signatures, and what stands in the way."""

from datetime import date
from typing import Annotated, Any

from fastapi import Depends
from pydantic import Field

from api.dependencies import TheGateway
from api.listing import ThePage, listed
from api.settlement_routes.access import AnyStaff, Clerk, Number, Signer, Strict, Transaction, new_router
from api.settlement_routes.base import DECIDED
from api.settlement_routes.rows import Projection
from settlement.base.working_days import parse_day
from settlement.closing import close, day_report, listing, opening, prices, signing, taking_over, why
from settlement.documents.closing import CAPACITIES, DAY_DIFFERENCE
from settlement.ledger import market_proposals
from settlement.service import movements

router = new_router()

DAY = Projection("day first last state closing_hash record")
STEP = Projection("step position status input_hash output_hash obstacles started_at finished_at")
RUNNING = Projection("step done of")
SIGNATURE = Projection("capacity signed_by signed_at")
OBSTACLE = Projection("step what who")
MARKET_PROPOSAL = Projection("number method subject proposed_by proposed_at does params lapses")
LEFT_OPEN = Projection("kind subject state why")
OPENING = Projection("day sequence obstacles opened_by operated opened")
PRICE = Projection("symbol closing_method settlement_method", closing="closing_price", settlement="settlement_price")


class CloseRequest(Strict):
    until: str | None = Field(default=None, description="the last day to close; default: all that are over")


class SeenDifference(Strict):
    account: str
    asset: str = Field(description="CNY or a class")
    engine: str = Field(description="what the engine has, in CNY or fine grams")
    ledger: str = Field(description="what the ledger has, in CNY or fine grams")


class TakeOverRequest(Strict):
    differences: list[SeenDifference] = Field(description="each as it was seen")
    owner: str = Field(description="who of the staff deals with them")
    reason: str = Field(description="what is known of the cause")


class SignRequest(Strict):
    capacity: str = Field(description="one of " + ", ".join(CAPACITIES))


class OpenRequest(Strict):
    reason: str = Field(description="why the day opens in spite of what stands in the way")


def _day(day: str) -> date:
    return parse_day("day", day)


TheTradingDay = Annotated[date, Depends(_day)]


@router.get("/days")
async def get_days(_: AnyStaff, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the trading days that are over, oldest first: OVER, CLOSING, CLOSED (to be signed) or SIGNED."""
    return listed("days", DAY, await listing.listing(connection, page))


@router.post("/days/close")
async def close_days(by: Clerk, gateway: TheGateway, _: Transaction, request: CloseRequest) -> dict[str, list[date]]:
    """Close the days that are over, oldest first; a refusal with DAY_BLOCKED says what stands in the way."""
    until = None if request.until is None else parse_day("until", request.until)
    return {"closed": await close.close(gateway.database, by, lambda _: None, until)}


@router.get("/days/obstacles")
async def get_obstacles(_: AnyStaff, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List what stands in the way of closing, signing and opening now, and who can clear it."""
    return listed("obstacles", OBSTACLE, await why.listing(connection, page))


@router.get("/market-proposals")
async def get_market_proposals(_: AnyStaff, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List what one operator has proposed in the market and no second one has confirmed, oldest first.

    A far reference price, terms that take two people, the annulment of a trade, the end of a day ahead of the calendar,
    a legal regime, limits of a member that are raised. A second operator confirms it by the same command: `method` with
    `params`. All is void with the end of the trading day `lapses`, the annulment of a trade earlier if the terms of its
    instrument say so.
    """
    return listed("proposals", MARKET_PROPOSAL, await market_proposals.listing(connection, page))


@router.get("/days/{day}")
async def get_day(_: AnyStaff, connection: Transaction, day: TheTradingDay) -> dict[str, Any]:
    """Return a day that is over: its steps, its prices with what they were found from, and who has signed it."""
    found = await listing.status(connection, day)
    return {
        **DAY(found.day),
        "steps": [STEP(row) for row in found.steps],
        "progress": None if found.progress is None else RUNNING(found.progress),
        "prices": [
            {**PRICE(row), "inputs": prices.shown_inputs(row.inputs)}
            for row in await prices.listing(connection, day=day)
        ],
        "signatures": [SIGNATURE(row) for row in found.signatures],
    }


@router.get("/days/{day}/summary")
async def get_summary(_: AnyStaff, connection: Transaction, day: TheTradingDay) -> dict[str, Any]:
    """Return what is signed for a closed day: prices, volumes, fees, papers, breaks, what stays open, the hashes."""
    return await day_report.of_day(connection, day)


@router.get("/days/{day}/left-open")
async def get_left_open(_: AnyStaff, connection: Transaction, page: ThePage, day: TheTradingDay) -> dict[str, Any]:
    """List what stayed open when a day was closed, and why."""
    return listed("left_open", LEFT_OPEN, await day_report.left_open(connection, day, page))


@router.post("/days/{day}/sign")
async def sign_day(by: Signer, connection: Transaction, day: TheTradingDay, request: SignRequest) -> dict[str, Any]:
    """Sign a closed day; settlement, warehouse and risk are three different people. The last one makes the record."""
    signed = await signing.sign(connection, by, day, request.capacity)
    record = None if signed.record is None else signed.record.hex()
    return {"day": day, "missing": signed.missing, "record": record}


@router.post("/days/{day}/open")
async def open_day(by: Signer, connection: Transaction, day: TheTradingDay, request: OpenRequest) -> dict[str, Any]:
    """Open the present trading day in spite of what stands in the way; it takes two people, one of them an operator."""
    found = await opening.open_anyway(connection, by, day, request.reason)
    return {**OPENING(found), "may_open": found.may_open}


@router.get("/days/{day}/differences")
async def get_differences(_: AnyStaff, connection: Transaction, page: ThePage, day: TheTradingDay) -> dict[str, Any]:
    """List the differences between engine and ledger at the end of a day by account, and what became of each."""
    return listed("differences", lambda one: one.shown(), await taking_over.listing(connection, day, page))


@router.post("/days/{day}/differences")
async def take_over(by: Clerk, connection: Transaction, day: TheTradingDay, request: TakeOverRequest) -> dict[str, int]:
    """Propose to take differences at the end of a day over into the next one; risk approves."""
    seen = [taking_over.seen(*each.model_dump().values()) for each in request.differences]
    number = await taking_over.propose(connection, by, day, seen, request.owner, request.reason)
    return {"proposal": number}


@router.post("/days/differences/{number}/approve")
async def approve_take_over(by: Signer, connection: Transaction, number: Number) -> dict[str, Any]:
    """Approve, as risk, that differences at a day's end are taken over."""
    return DECIDED(await movements.approve(connection, by, number, DAY_DIFFERENCE.kind))


@router.post("/days/differences/{number}/decline")
async def decline_take_over(by: Signer, connection: Transaction, number: Number) -> dict[str, Any]:
    """Decline that differences at a day's end are taken over."""
    return DECIDED(await movements.decline(connection, by, number, DAY_DIFFERENCE.kind))
