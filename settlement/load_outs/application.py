"""Load-out (提货): an application, the lots it gets, and what the engine says to it.

Lots are specific and never weigh exactly what is asked for. The difference, allocated less asked, is the over/short
weight (溢短): the member buys the over weight from the venue's own account, or sells it the short weight, at the last
trade's price, or the reference price if there is none. All of it goes to the engine as one ``holding.settle``, so
money and metal move together or not at all.

The owner chooses which lots come first: its own deposits (OWN_FIRST), which also takes from its own stock first, or the
oldest of all (AGE), which takes bought title first. By what it takes, a sheet is of type SELF (自提, own stock alone),
TRADE (交提, bought title alone) or PARTIAL (domain sheet 2.3).

What happens at the counter stands in ``settlement.load_outs.handing_over``, how a sheet ends without a collector in
``settlement.load_outs.cancels``.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from hashlib import scrypt
from typing import Any, NamedTuple

from sqlalchemy import Row, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, BadValue, format_money, format_price, format_weight
from settlement.base import identity_numbers, proposals, working_days
from settlement.base.arithmetic import value_fen
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import advance, load
from settlement.base.sub_accounts import Legs, check_trading_account
from settlement.base.texts import printable
from settlement.charges import accruals, bills, tariff
from settlement.custody import receipts
from settlement.documents.load_outs import LOAD_OUT
from settlement.ledger import outbox, stock
from settlement.load_outs import allocation
from settlement.load_outs.allocation import Candidate
from settlement.lots import locks, lots
from settlement.reconciliation import vault_freeze
from settlement.tables.custody import receipt
from settlement.tables.ledger import engine_holding, instrument
from settlement.tables.load_outs import DECLARED_USES, LOAD_OUT_ORDERS, load_out, load_out_lot
from settlement.tables.lots import lot, warehouse

OVER_SHORT_ACCOUNT = "VENUE"
"""The venue's own trading account: it sells over weight and buys short weight, prepaid like everybody else."""
TOLERANCE_PERCENT = 5
"""How far the allocated lots may be from the ask; COMEX allows 5% on 100 oz (domain sheet 2.4). More than that would
be a cash settlement in the guise of a withdrawal."""
FURTHEST_DAYS = 60
"""How far ahead a collection may be planned."""


class Application(NamedTuple):
    """Who wants how much of what, where, and who will come for it, by which identity paper and with which code.

    Without days the window opens today and is as long as the tariff says. ``code_again`` is the pick-up code as it was
    entered the second time.
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


async def apply(connection: AsyncConnection, by: str, wish: Application) -> int:
    """Allocates lots and proposes the load-out; returns the proposal's number.

    Raises BadValue for what is malformed or unknown, Refused where there are no fitting lots (NO_FITTING_LOTS), no
    price (NO_PRICE), a bill that the account could not pay (ARREAR), a vault that hands nothing out (VAULT_FROZEN), or
    the member's or the venue's holdings do not suffice (INSUFFICIENT_GOLD, INSUFFICIENT_CASH).
    """
    figures = await tariff.on(connection, working_days.today())
    await _check(connection, wish, figures)
    await bills.check_no_arrear(connection, wish.account)
    await vault_freeze.check(connection, wish.warehouse)
    first, last = _window(wish, figures["LOAD_OUT_WINDOW"])
    price, source = await _price(connection, wish.symbol)
    chosen = await _allocate(connection, wish)
    allocated = sum(candidate.fine_mg for candidate in chosen)
    over_short_fen = value_fen(allocated - wish.ask_mg, price)
    await _check_funds(connection, _legs(wish.account, wish.symbol, wish.ask_mg, allocated, over_short_fen))
    own_mg, kind = await _origin(connection, wish)
    salt = secrets.token_bytes(16)
    row = {
        "account": wish.account,
        "symbol": wish.symbol,
        "warehouse": wish.warehouse,
        "ask_mg": wish.ask_mg,
        "allocated_mg": allocated,
        "price": price,
        "price_source": source,
        "over_short_fen": over_short_fen,
        "lots_by": wish.lots_by,
        "type": kind,
        "own_mg": own_mg,
        "declared_use": wish.declared_use,
        "from_day": first,
        "until_day": last,
        "code_salt": salt,
        "code_hash": hash_secret(wish.pickup_code, salt),
        "collector": masked_name(wish.collector),
        "collector_id": masked_id(wish.collector_id),
        "id_hash": hash_secret(normal_id(wish.collector_id), salt),
        "status": "APPLIED",
        "applied_at": now_ms(),
    }
    added = await connection.execute(insert(load_out).values(row).returning(load_out.c.load_out_no))
    number = int(added.scalar_one())
    ids = [candidate.lot_id for candidate in chosen]
    await connection.execute(insert(load_out_lot), [{"load_out_no": number, "lot_id": lot_id} for lot_id in ids])
    await lots.take(connection, by, "allocate", ids, details={key: {"load_out": number} for key in ids})
    summary = {
        "load_out": number,
        "account": wish.account,
        "symbol": wish.symbol,
        "warehouse": wish.warehouse,
        "ask_g": format_weight(wish.ask_mg),
        "allocated_g": format_weight(allocated),
        "lots": ids,
        "type": kind,
        "price": format_price(price),
        "price_source": source,
        "over_short": format_money(over_short_fen),
        "from": first.isoformat(),
        "until": last.isoformat(),
        "declared_use": wish.declared_use,
    }
    return await proposals.propose(connection, by, "load_out", [number], summary)


async def _check(connection: AsyncConnection, wish: Application, figures: Mapping[str, int]) -> None:
    if wish.ask_mg < max(figures["LOAD_OUT_MINIMUM"], 1):
        least = format_weight(max(figures["LOAD_OUT_MINIMUM"], 1))
        raise BadValue("weight", format_weight(wish.ask_mg), f"at least {least} fine grams")
    printable("collector", wish.collector, 64)
    identity_numbers.check_if_resident_id("collector_id", normal_id(wish.collector_id))
    check_code(wish.pickup_code, wish.code_again)
    for field, value, words in (
        ("lots_by", wish.lots_by, LOAD_OUT_ORDERS),
        ("declared_use", wish.declared_use, DECLARED_USES),
    ):
        if value not in words:
            raise BadValue(field, value, "one of " + ", ".join(words))
    await check_trading_account(connection, wish.account)
    for column, value, what in (
        (instrument.c.symbol, wish.symbol, "a class that the exchange has defined"),
        (warehouse.c.warehouse, wish.warehouse, "a warehouse"),
    ):
        if await connection.scalar(select(column).where(column == value)) is None:
            raise BadValue(column.name, value, what)


def check_code(code: str, again: str) -> None:
    """Raises BadValue for a pick-up code that is malformed or not the same twice; never shows it."""
    if not (code.isascii() and code.isdigit() and 6 <= len(code) <= 12):
        raise BadValue("pickup_code", "*" * len(code), "6 to 12 digits")
    if code != again:
        raise BadValue("code_again", "*" * len(again), "the same pick-up code once more")


def _window(wish: Application, days: int) -> tuple[date, date]:
    today = working_days.today()
    first = wish.from_day or today
    last = wish.until_day or first + timedelta(days=days)
    if not today <= first <= today + timedelta(days=FURTHEST_DAYS):
        raise BadValue("from_day", first.isoformat(), f"today or one of the {FURTHEST_DAYS} days after it")
    if not first <= last <= first + timedelta(days=days):
        raise BadValue("until_day", last.isoformat(), f"{first.isoformat()} or one of the {days} days after it")
    return first, last


async def _price(connection: AsyncConnection, symbol: str) -> tuple[int, str]:
    """Fen per fine gram, and where it comes from."""
    columns = (instrument.c.last_price, instrument.c.reference_price)
    last, reference = (await connection.execute(select(*columns).where(instrument.c.symbol == symbol))).one()
    if last is not None:
        return last, "last trade"
    if reference is not None:
        return reference, "reference"
    raise Refused("NO_PRICE", f"{symbol} has neither a trade nor a reference price to settle over/short weight at")


async def _allocate(connection: AsyncConnection, wish: Application) -> list[Candidate]:
    """The free lots that come closest, own deposits first where the owner wants it so."""
    mine = exists().where(receipt.c.lot_id == lot.c.lot_id, receipt.c.status == "LIVE")
    mine = mine.where(receipt.c.account == wish.account)
    query = select(lot.c.lot_id, lot.c.fine_mg, mine.label("mine")).where(
        lot.c.symbol == wish.symbol, lot.c.warehouse == wish.warehouse, lot.c.state == "RECEIPTED", locks.is_free()
    )
    rows = (await connection.execute(query.order_by(lot.c.lot_id))).all()
    pool = [Candidate(row.lot_id, row.fine_mg) for row in rows]
    pools = [pool]
    if wish.lots_by == "OWN_FIRST":
        own = [Candidate(row.lot_id, row.fine_mg) for row in rows if row.mine]
        others = [Candidate(row.lot_id, row.fine_mg) for row in rows if not row.mine]
        pools = [own, own + others]
    chosen: list[Candidate] = []
    for candidates in pools:
        chosen = allocation.choose(candidates, wish.ask_mg)
        if chosen and _fits(chosen, wish.ask_mg):
            return sorted(chosen)
    allocated = sum(candidate.fine_mg for candidate in chosen)
    there = f"the {len(pool)} free lots of {wish.symbol} in {wish.warehouse}"
    nearest = f"the nearest are {format_weight(allocated)} g" if chosen else "none comes near"
    text = f"{there} do not make {format_weight(wish.ask_mg)} g within {TOLERANCE_PERCENT}%: {nearest}"
    raise Refused("NO_FITTING_LOTS", text)


def _fits(chosen: Sequence[Candidate], ask_mg: int) -> bool:
    allocated = sum(candidate.fine_mg for candidate in chosen)
    return abs(allocated - ask_mg) * 100 <= ask_mg * TOLERANCE_PERCENT


async def _origin(connection: AsyncConnection, wish: Application) -> tuple[int, str]:
    """How much of the ask is own stock, and the sheet's type."""
    own = await stock.own(connection, wish.account, wish.symbol)
    query = select(engine_holding.c.total).where(engine_holding.c.account == wish.account)
    total = int(await connection.scalar(query.where(engine_holding.c.asset == wish.symbol)) or 0)
    own = min(own, total)
    part = min(own, wish.ask_mg) if wish.lots_by == "OWN_FIRST" else max(wish.ask_mg - (total - own), 0)
    part = min(part, wish.ask_mg, own)
    return part, "SELF" if part == wish.ask_mg else "TRADE" if part == 0 else "PARTIAL"


def _legs(account: str, symbol: str, ask_mg: int, allocated_mg: int, over_short_fen: int) -> Legs:
    """What moves. The gold taken out in all is exactly what the lots hold; the money only changes hands."""
    if account == OVER_SHORT_ACCOUNT:
        return ((account, symbol, -allocated_mg),)
    legs = (
        (account, symbol, -ask_mg),
        (OVER_SHORT_ACCOUNT, symbol, ask_mg - allocated_mg),
        (account, CASH, -over_short_fen),
        (OVER_SHORT_ACCOUNT, CASH, over_short_fen),
    )
    return tuple(leg for leg in legs if leg[2])


async def _check_funds(connection: AsyncConnection, legs: Legs) -> None:
    """Says early and clearly what the engine, which has the last word, would refuse."""
    for account, asset, amount in legs:
        held = select(engine_holding).where(engine_holding.c.account == account, engine_holding.c.asset == asset)
        row = (await connection.execute(held)).first()
        free = row.total - row.reserved - row.locked - row.unwithdrawable if row else 0
        if free + amount < 0:
            what, unit, show = ("CASH", "CNY", format_money) if asset == CASH else ("GOLD", "g", format_weight)
            text = f"account {account} needs {show(-amount)} {unit} of {asset} and has {show(max(free, 0))} available"
            raise Refused(f"INSUFFICIENT_{what}", text)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Sends all legs to the engine. Refused while the vault hands nothing out (VAULT_FROZEN), and once the window is
    over (TOO_LATE): the sheet can only be declined."""
    rows = await advance(connection, load_out, LOAD_OUT, by, "approve", subjects)
    for number, row in rows.items():
        await vault_freeze.check(connection, row.warehouse)
        if working_days.today() > row.until_day:
            text = f"load-out {number} was to be collected until {row.until_day.isoformat()}; it can only be declined"
            raise Refused("TOO_LATE", text)
    moves = [
        (number, _legs(row.account, row.symbol, row.ask_mg, row.allocated_mg, row.over_short_fen))
        for number, row in rows.items()
    ]
    await outbox.put(connection, "load_out", by, moves)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """The lots are free again. It is also how a member cancels what nobody has approved yet, free of charge."""
    await advance(connection, load_out, LOAD_OUT, by, "decline", subjects)
    await lots.take(connection, by, "deallocate", await lots_of(connection, subjects))


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """The engine has settled: the lots are the withdrawer's, their receipts are cancelled."""
    rows = await advance(connection, load_out, LOAD_OUT, by, "complete", subjects)
    for number, row in rows.items():
        held = await lots.find(connection, await lots_of(connection, [number]))
        await accruals.charge_load_out(connection, row, sum(one.melt_cg or one.gross_cg for one in held.values()))
    ids = await lots_of(connection, subjects)
    await lots.take(connection, by, "withdraw", ids)
    await receipts.cancel(connection, by, ids)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """The engine has refused, for example because the gold is in an order by now: the lots are free again."""
    for number, reason in reasons.items():
        await advance(connection, load_out, LOAD_OUT, by, "refuse", [number], {"reason": reason})
    await lots.take(connection, by, "deallocate", await lots_of(connection, list(reasons)))


async def sheet(connection: AsyncConnection, load_out_no: int) -> Row[Any]:
    """The load-out sheet (提货单), locked until the transaction ends. Raises BadValue if there is none."""
    return (await load(connection, load_out, LOAD_OUT, [load_out_no]))[load_out_no]


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, status: str | None = None) -> Page[Row[Any]]:
    """Return load-out sheets by number; of one ``status`` if it is given."""
    query = select(load_out)
    if status is not None:
        query = query.where(load_out.c.status == status)
    return await fetch(connection, query, (load_out.c.load_out_no,), page)


async def lots_of(connection: AsyncConnection, load_outs: Sequence[int]) -> list[int]:
    """Numbers of the lots allocated to these load-outs."""
    query = select(load_out_lot.c.lot_id).where(among(load_out_lot.c.load_out_no, load_outs))
    return sorted((await connection.execute(query)).scalars())


def hash_secret(secret: str, salt: bytes) -> bytes:
    """What is kept of a pick-up code or the number of an identity paper."""
    return scrypt(secret.encode(), salt=salt, n=2**12, r=8, p=1)


def normal_id(number: str) -> str:
    """The number of an identity paper without blanks, in capitals. Raises BadValue, which does not show it."""
    normal = "".join(number.split()).upper()
    if not 4 <= len(normal) <= 32 or not normal.isascii() or not normal.replace("-", "").isalnum():
        raise BadValue("collector_id", "*" * len(number), "4 to 32 letters, digits and hyphens of an identity paper")
    return normal


def masked_id(number: str) -> str:
    """Its last four characters, or two of a short one."""
    normal = normal_id(number)
    shown = 4 if len(normal) > 8 else 2
    return "*" * (len(normal) - shown) + normal[-shown:]


def masked_name(name: str) -> str:
    """The first character of a name."""
    return name[0] + "*" * (len(name) - 1)
