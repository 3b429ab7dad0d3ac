"""The application for a load-out (提货): the lots it gets, its sheet, and the engine's answer.

The owner chooses which lots come first: those under its own receipts (OWN_FIRST), which also takes from its own stock
first, or the oldest of all (AGE), which takes bought title first. By the stock it takes, a sheet is of type SELF (自提,
own stock alone), TRADE (交提, bought title alone) or PARTIAL (domain sheet 2.3). ``settlement.load_outs.over_short``
settles the difference between ask and lots.

Handing over to the collector is in ``settlement.load_outs.handing_over``, the end of a sheet without a collector in
``settlement.load_outs.cancels``.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, format_money, format_price, format_weight
from settlement.base import audit, proposals, working_days
from settlement.base.arithmetic import value_fen
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import SERVICE, advance
from settlement.base.sub_accounts import check_trading_account
from settlement.base.texts import masked, printable
from settlement.charges import tariff
from settlement.custody import receipts
from settlement.documents.custody import RECEIPT_LIVE
from settlement.documents.load_outs import LOAD_OUT
from settlement.ledger import arrears, outbox, own_stock
from settlement.load_outs import allocation, collectors, load_outs, over_short
from settlement.load_outs.allocation import Candidate
from settlement.lots import locks, lots
from settlement.reconciliation import vault_freeze
from settlement.tables.custody import receipt
from settlement.tables.ledger import engine_holding, instrument
from settlement.tables.load_outs import DECLARED_USES, LOAD_OUT_ORDERS, load_out, load_out_lot
from settlement.tables.lots import lot, warehouse

FURTHEST_DAYS: Final = 60
"""Days ahead up to which a collection may be planned."""


class Application(NamedTuple):
    """A member's application: account, class, warehouse and fine mg, and the collector with identity paper and code.

    Without days the window opens today and is as long as the tariff allows. ``code_again`` is the pick-up code as it
    was entered the second time.
    """

    account: str
    symbol: str
    warehouse: str
    ask_mg: int
    collector: str
    collector_id: str
    pickup_code: str
    code_again: str
    lots_by: str = "AGE"
    declared_use: str = "NON_INVESTMENT"
    from_day: date | None = None
    until_day: date | None = None


async def apply(connection: AsyncConnection, by: str, request: Application) -> int:
    """Allocate lots, propose the load-out and return the proposal's number.

    Raises BadValue for a value that is malformed or unknown; Refused: NO_FITTING_LOTS, NO_PRICE, ARREAR for an account
    with a bill that it could not pay, VAULT_FROZEN, and INSUFFICIENT_GOLD or INSUFFICIENT_CASH for holdings of the
    member or of the venue.
    """
    await audit.lock(connection)
    figures = await tariff.on(connection, working_days.today())
    await _check(connection, request, figures)
    await arrears.check_none(connection, request.account)
    await vault_freeze.check(connection, request.warehouse)
    first, last = _window(request, figures["LOAD_OUT_WINDOW"])
    price, source = await over_short.price_of(connection, request.symbol)
    chosen = await _allocate(connection, request)
    allocated = sum(candidate.fine_mg for candidate in chosen)
    over_short_fen = value_fen(allocated - request.ask_mg, price)
    legs = over_short.legs_of(request.account, request.symbol, request.ask_mg, allocated, over_short_fen)
    await over_short.check_funds(connection, legs)
    own_mg, kind = await _origin(connection, request)
    sheet = {
        "account": request.account,
        "symbol": request.symbol,
        "warehouse": request.warehouse,
        "ask_mg": request.ask_mg,
        "allocated_mg": allocated,
        "price": price,
        "price_source": source,
        "over_short_fen": over_short_fen,
        "lots_by": request.lots_by,
        "type": kind,
        "own_mg": own_mg,
        "declared_use": request.declared_use,
        "from_day": first,
        "until_day": last,
    }
    ids = [candidate.lot_id for candidate in chosen]
    number = await _write(connection, by, sheet | _secrets(request), ids)
    return await proposals.propose(connection, by, "load_out", [number], _summary(number, sheet, ids))


def _secrets(request: Application) -> dict[str, Any]:
    """Return the columns that name the collector: hashes, and what may be shown."""
    salt = secrets.token_bytes(16)
    return {
        "code_salt": salt,
        "code_hash": collectors.hash_secret(request.pickup_code, salt),
        "collector": masked(request.collector, 1),
        "collector_id": collectors.masked_id(request.collector_id),
        "id_hash": collectors.hash_secret(collectors.normal_id(request.collector_id), salt),
    }


async def _write(connection: AsyncConnection, by: str, sheet: Mapping[str, Any], ids: Sequence[int]) -> int:
    """Write a sheet, allocate its lots and return its number."""
    added = (
        insert(load_out)
        .values(**sheet, status=LOAD_OUT.steps["apply"].after, applied_at=now_ms())
        .returning(load_out.c.load_out_no)
    )
    number = int((await connection.execute(added)).scalar_one())
    await connection.execute(insert(load_out_lot), [{"load_out_no": number, "lot_id": lot_id} for lot_id in ids])
    await lots.take(connection, by, "allocate", ids, details={key: {"load_out": number} for key in ids})
    return number


def _summary(number: int, sheet: Mapping[str, Any], ids: Sequence[int]) -> dict[str, Any]:
    """Return the sheet as the second person reads it."""
    return {
        "load_out": number,
        "account": sheet["account"],
        "symbol": sheet["symbol"],
        "warehouse": sheet["warehouse"],
        "ask_g": format_weight(sheet["ask_mg"]),
        "allocated_g": format_weight(sheet["allocated_mg"]),
        "lots": ids,
        "type": sheet["type"],
        "price": format_price(sheet["price"]),
        "price_source": sheet["price_source"],
        "over_short": format_money(sheet["over_short_fen"]),
        "from": sheet["from_day"].isoformat(),
        "until": sheet["until_day"].isoformat(),
        "declared_use": sheet["declared_use"],
    }


async def _check(connection: AsyncConnection, request: Application, figures: Mapping[str, int]) -> None:
    if request.ask_mg < max(figures["LOAD_OUT_MINIMUM"], 1):
        least = format_weight(max(figures["LOAD_OUT_MINIMUM"], 1))
        raise BadValue("weight", format_weight(request.ask_mg), f"at least {least} fine grams")
    printable("collector", request.collector, 64)
    collectors.check_id(request.collector_id)
    collectors.check_code(request.pickup_code, request.code_again)
    for field, value, words in (
        ("lots_by", request.lots_by, LOAD_OUT_ORDERS),
        ("declared_use", request.declared_use, DECLARED_USES),
    ):
        if value not in words:
            raise BadValue(field, value, "one of " + ", ".join(words))
    await check_trading_account(connection, request.account)
    for column, value, what in (
        (instrument.c.symbol, request.symbol, "a class that the exchange has defined"),
        (warehouse.c.warehouse, request.warehouse, "a warehouse"),
    ):
        if await connection.scalar(select(column).where(column == value)) is None:
            raise BadValue(column.name, value, what)


def _window(request: Application, days: int) -> tuple[date, date]:
    today = working_days.today()
    first = request.from_day or today
    last = request.until_day or first + timedelta(days=days)
    if not today <= first <= today + timedelta(days=FURTHEST_DAYS):
        raise BadValue("from_day", first.isoformat(), f"today or one of the {FURTHEST_DAYS} days after it")
    if not first <= last <= first + timedelta(days=days):
        raise BadValue("until_day", last.isoformat(), f"{first.isoformat()} or one of the {days} days after it")
    return first, last


async def _allocate(connection: AsyncConnection, request: Application) -> list[Candidate]:
    """Return the free lots that come closest to the ask, those under the owner's receipts first if it chose so.

    Lots that others have bought by name come last: who has named a bar wants that one, while grams are as good as any.

    Raises Refused (NO_FITTING_LOTS).
    """
    live = exists().where(receipt.c.lot_id == lot.c.lot_id, receipt.c.status == RECEIPT_LIVE)
    own = live.where(receipt.c.account == request.account)
    named = live.where(receipt.c.account != request.account, receipt.c.trade_id.is_not(None))
    query = select(lot.c.lot_id, lot.c.fine_mg, own.label("own"), named.label("named")).where(
        lot.c.symbol == request.symbol,
        lot.c.warehouse == request.warehouse,
        lot.c.state == "RECEIPTED",
        locks.is_free(),
    )
    rows = (await connection.execute(query.order_by(lot.c.lot_id))).all()
    own_first = request.lots_by == "OWN_FIRST"
    mine = [row for row in rows if own_first and row.own]
    others = [row for row in rows if not row.named and not (own_first and row.own)]
    pools = [mine, mine + others, mine + others + [row for row in rows if row.named]]
    chosen: list[Candidate] = []
    for pool in pools:
        chosen = allocation.choose([Candidate(row.lot_id, row.fine_mg) for row in pool], request.ask_mg)
        if chosen and over_short.is_tolerated(chosen, request.ask_mg):
            return sorted(chosen)
    allocated = sum(candidate.fine_mg for candidate in chosen)
    free = f"the {len(pool)} free lots of {request.symbol} in {request.warehouse}"
    nearest = f"the nearest are {format_weight(allocated)} g" if chosen else "none comes near"
    text = f"{free} do not make {format_weight(request.ask_mg)} g within {over_short.TOLERANCE_PERCENT}%: {nearest}"
    raise Refused("NO_FITTING_LOTS", text)


async def _origin(connection: AsyncConnection, request: Application) -> tuple[int, str]:
    """Return the part of the ask that is own stock, in fine mg, and the sheet's type."""
    own = await own_stock.amount(connection, request.account, request.symbol)
    query = select(engine_holding.c.total).where(engine_holding.c.account == request.account)
    total = int(await connection.scalar(query.where(engine_holding.c.asset == request.symbol)) or 0)
    own = min(own, total)
    part = min(own, request.ask_mg) if request.lots_by == "OWN_FIRST" else max(request.ask_mg - (total - own), 0)
    part = min(part, request.ask_mg, own)
    return part, "SELF" if part == request.ask_mg else "TRADE" if part == 0 else "PARTIAL"


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Send the legs of the load-outs to the engine.

    Raises Refused: VAULT_FROZEN, LOCKED for lots that were frozen or held meanwhile, ARREAR for an account that has not
    paid a bill meanwhile, and TOO_LATE after the window, when the sheet can only be declined.
    """
    rows = await advance(connection, load_out, LOAD_OUT, by, "approve", subjects)
    await load_outs.check_not_held(connection, subjects)
    for number, row in rows.items():
        await vault_freeze.check(connection, row.warehouse)
        await arrears.check_none(connection, row.account)
        if working_days.today() > row.until_day:
            text = f"load-out {number} was to be collected until {row.until_day.isoformat()}; it can only be declined"
            raise Refused("TOO_LATE", text)
    moves = [
        (number, over_short.legs_of(row.account, row.symbol, row.ask_mg, row.allocated_mg, row.over_short_fen))
        for number, row in rows.items()
    ]
    await outbox.put(connection, "load_out", by, moves)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Free the lots again. A member cancels an application that nobody has approved in the same way, free of charge."""
    await advance(connection, load_out, LOAD_OUT, by, "decline", subjects)
    await lots.take(connection, by, "deallocate", await load_outs.lots_of(connection, subjects))


async def lapse(connection: AsyncConnection, today: date) -> list[int]:
    """End the applications that were not approved in their window, free their lots, and return their numbers."""
    await audit.lock(connection)
    query = select(load_out.c.load_out_no).where(load_out.c.status == "APPLIED", load_out.c.until_day < today)
    numbers = sorted((await connection.execute(query)).scalars())
    if numbers:
        await declined(connection, SERVICE, numbers)
        await proposals.lapse(connection, SERVICE, "load_out", numbers)
    return numbers


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Record that the engine has settled: the lots are the withdrawer's, their receipts are cancelled."""
    await advance(connection, load_out, LOAD_OUT, by, "complete", subjects)
    ids = await load_outs.lots_of(connection, subjects)
    await lots.take(connection, by, "withdraw", ids)
    await receipts.cancel(connection, by, ids)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """Free the lots again where the engine has refused, for example because the gold is in an order by now."""
    for number, reason in reasons.items():
        await advance(connection, load_out, LOAD_OUT, by, "refuse", [number], {"reason": reason})
    await lots.take(connection, by, "deallocate", await load_outs.lots_of(connection, list(reasons)))
