"""Load-out (提货): from an application to the metal leaving the warehouse.

Lots are specific and never weigh exactly what is asked for. The difference, allocated less asked, is the over/short
weight (溢短): the member buys the over weight from the venue's own account, or sells it the short weight, at the last
trade's price, or the reference price if there is none. All of it goes to the engine as one ``holding.settle``, so
money and metal move together or not at all.
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from hashlib import scrypt
from typing import Any, NamedTuple

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.units import CASH, BadValue, format_money, format_price, format_weight
from settlement import allocation, locks, lots, outbox, proposals, receipts
from settlement.allocation import Candidate
from settlement.arithmetic import value_fen
from settlement.database import among, now_ms
from settlement.refusal import Refused
from settlement.schema import engine_holding, instrument, load_out, load_out_lot, lot, warehouse
from settlement.states import EXCHANGE, Machine, Step, advance
from settlement.sub_accounts import Legs, check_trading_account

OVER_SHORT_ACCOUNT = "VENUE"
"""The venue's own trading account: it sells over weight and buys short weight, prepaid like everybody else."""
TOLERANCE_PERCENT = 5
"""How far the allocated lots may be from the ask; COMEX allows 5% on 100 oz (domain sheet 2.4). More than that would
be a cash settlement in the guise of a withdrawal."""


MACHINE = Machine(
    "load_out",
    {
        "apply": Step((), "APPLIED"),
        "approve": Step(("APPLIED",), "APPROVED", people=2),
        "decline": Step(("APPLIED",), "CANCELLED"),
        "settle": Step(("APPROVED",), "SUCCESS", (EXCHANGE,)),
        "refuse": Step(("APPROVED",), "REFUSED", (EXCHANGE,)),
        "release": Step(("SUCCESS",), "RELEASED"),
    },
)


class Application(NamedTuple):
    """Who wants how much of what, where, and who will come for it with which code."""

    account: str
    symbol: str
    warehouse: str
    ask_mg: int
    collector: str
    pickup_code: str


async def apply(connection: AsyncConnection, by: str, wish: Application) -> int:
    """Allocates lots and proposes the load-out; returns the proposal's number.

    Raises BadValue for what is malformed or unknown, Refused where there are no fitting lots (NO_FITTING_LOTS), no
    price (NO_PRICE), or the member's or the venue's holdings do not suffice (INSUFFICIENT_GOLD, INSUFFICIENT_CASH).
    """
    await _check(connection, wish)
    price, source = await _price(connection, wish.symbol)
    chosen = await _allocate(connection, wish)
    allocated = sum(candidate.fine_mg for candidate in chosen)
    over_short_fen = value_fen(allocated - wish.ask_mg, price)
    await _check_funds(connection, _legs(wish.account, wish.symbol, wish.ask_mg, allocated, over_short_fen))
    salt = secrets.token_bytes(16)
    row = {
        **{"account": wish.account, "symbol": wish.symbol, "warehouse": wish.warehouse, "ask_mg": wish.ask_mg},
        **{"allocated_mg": allocated, "price": price, "price_source": source, "over_short_fen": over_short_fen},
        **{"collector": wish.collector, "code_salt": salt, "code_hash": _hash(wish.pickup_code, salt)},
        **{"status": "APPLIED", "applied_at": now_ms()},
    }
    added = await connection.execute(insert(load_out).values(row).returning(load_out.c.load_out_no))
    number = int(added.scalar_one())
    ids = [candidate.lot_id for candidate in chosen]
    await connection.execute(insert(load_out_lot), [{"load_out_no": number, "lot_id": lot_id} for lot_id in ids])
    await lots.take(connection, by, "allocate", ids, details={key: {"load_out": number} for key in ids})
    summary = {
        **{"load_out": number, "account": wish.account, "symbol": wish.symbol, "warehouse": wish.warehouse},
        **{"ask_g": format_weight(wish.ask_mg), "allocated_g": format_weight(allocated), "lots": ids},
        **{"price": format_price(price), "price_source": source, "over_short": format_money(over_short_fen)},
    }
    return await proposals.propose(connection, by, "load_out", [number], summary)


async def _check(connection: AsyncConnection, wish: Application) -> None:
    if wish.ask_mg <= 0:
        raise BadValue("weight", format_weight(wish.ask_mg), "more than zero")
    if not 1 <= len(wish.collector) <= 64 or not wish.collector.isprintable():
        raise BadValue("collector", wish.collector, "printable text of 1 to 64 characters")
    if not (wish.pickup_code.isascii() and wish.pickup_code.isdigit() and 6 <= len(wish.pickup_code) <= 12):
        raise BadValue("pickup_code", "*" * len(wish.pickup_code), "6 to 12 digits")
    await check_trading_account(connection, wish.account)
    for column, value, what in (
        (instrument.c.symbol, wish.symbol, "a class that the exchange has defined"),
        (warehouse.c.warehouse, wish.warehouse, "a warehouse"),
    ):
        if await connection.scalar(select(column).where(column == value)) is None:
            raise BadValue(column.name, value, what)


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
    query = select(lot.c.lot_id, lot.c.fine_mg).where(
        lot.c.symbol == wish.symbol, lot.c.warehouse == wish.warehouse, lot.c.state == "RECEIPTED", locks.is_free()
    )
    pool = [Candidate(row.lot_id, row.fine_mg) for row in await connection.execute(query.order_by(lot.c.lot_id))]
    chosen = allocation.choose(pool, wish.ask_mg)
    allocated = sum(candidate.fine_mg for candidate in chosen)
    if not chosen or abs(allocated - wish.ask_mg) * 100 > wish.ask_mg * TOLERANCE_PERCENT:
        there = f"the {len(pool)} free lots of {wish.symbol} in {wish.warehouse}"
        nearest = f"the nearest are {format_weight(allocated)} g" if chosen else "none comes near"
        text = f"{there} do not make {format_weight(wish.ask_mg)} g within {TOLERANCE_PERCENT}%: {nearest}"
        raise Refused("NO_FITTING_LOTS", text)
    return chosen


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
        free = row.total - row.reserved - row.unwithdrawable if row else 0
        if free + amount < 0:
            what, unit, show = ("CASH", "CNY", format_money) if asset == CASH else ("GOLD", "g", format_weight)
            text = f"account {account} needs {show(-amount)} {unit} of {asset} and has {show(max(free, 0))} available"
            raise Refused(f"INSUFFICIENT_{what}", text)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Sends all legs to the engine."""
    rows = await advance(connection, load_out, MACHINE, by, "approve", subjects)
    moves = [
        (number, _legs(row.account, row.symbol, row.ask_mg, row.allocated_mg, row.over_short_fen))
        for number, row in rows.items()
    ]
    await outbox.put(connection, "load_out", by, moves)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """The lots are free again."""
    await advance(connection, load_out, MACHINE, by, "decline", subjects)
    await lots.take(connection, by, "deallocate", await lots_of(connection, subjects))


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """The engine has settled: the lots are the withdrawer's, their receipts are cancelled."""
    await advance(connection, load_out, MACHINE, by, "settle", subjects)
    ids = await lots_of(connection, subjects)
    await lots.take(connection, by, "withdraw", ids)
    await receipts.cancel(connection, by, ids)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """The engine has refused, for example because the gold is in an order by now: the lots are free again."""
    for number, reason in reasons.items():
        await advance(connection, load_out, MACHINE, by, "refuse", [number], {"reason": reason})
    await lots.take(connection, by, "deallocate", await lots_of(connection, list(reasons)))


async def release(connection: AsyncConnection, by: str, load_out_no: int, pickup_code: str) -> list[int]:
    """Hands the lots to the collector against the pick-up code; returns their numbers.

    Raises BadValue for an unknown sheet, Refused if it is not in SUCCESS (ILLEGAL_STEP) or for a wrong code.
    """
    row = await sheet(connection, load_out_no, lock=True)
    MACHINE.allow("release", load_out_no, row.status)
    if not hmac.compare_digest(_hash(pickup_code, row.code_salt), row.code_hash):
        raise Refused("WRONG_CODE", f"that is not the pick-up code of load-out {load_out_no}")
    ids = await lots_of(connection, [load_out_no])
    detail = {"load_out": load_out_no, "collector": row.collector}
    await lots.take(connection, by, "release", ids, details=dict.fromkeys(ids, detail))
    await advance(connection, load_out, MACHINE, by, "release", [load_out_no])
    return ids


async def sheet(connection: AsyncConnection, load_out_no: int, *, lock: bool = False) -> Row[Any]:
    """The load-out sheet (提货单). Raises BadValue if there is none of that number."""
    query = select(load_out).where(load_out.c.load_out_no == load_out_no)
    row = (await connection.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise BadValue("load_out", load_out_no, "the number of a load-out")
    return row


async def lots_of(connection: AsyncConnection, load_outs: Sequence[int]) -> list[int]:
    """Numbers of the lots allocated to these load-outs."""
    query = select(load_out_lot.c.lot_id).where(among(load_out_lot.c.load_out_no, load_outs))
    return sorted((await connection.execute(query)).scalars())


def _hash(code: str, salt: bytes) -> bytes:
    return scrypt(code.encode(), salt=salt, n=2**12, r=8, p=1)
