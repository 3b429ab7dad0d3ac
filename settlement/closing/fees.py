"""The custody fees of a trading day: accrued for every calendar day since the trading day before.

A calendar day between two trading days costs storage on what was held at the end of the first of them, the trading day
itself on what was held at its own end. Own stock sold up to the day's end pays freight and insurance once. Gold that
its collector has not fetched is no matter of the engine's events: what was overdue, the days that were accrued before
and the own stock that was charged as sold follow from records that only grow, as far as these had come when the step
first ran, which is kept as its facts (``settlement.closing.as_of``).

A calendar day that has not begun when the trading day ends is not accrued, whatever date the trading day has: the close
of the next trading day accrues it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH
from settlement.base import working_days
from settlement.base.database import among
from settlement.base.sub_accounts import owner_of
from settlement.charges import accruals, tariff
from settlement.charges.accruals import Fee, Key
from settlement.closing import as_of
from settlement.closing import day as days
from settlement.closing.as_of import RecordPosition
from settlement.closing.canonical import canonical
from settlement.closing.day import Day, OwnStock, balances_at, stocks_at
from settlement.documents.load_outs import LOAD_OUT, UNCOLLECTED
from settlement.lots import locks
from settlement.tables.charges import accrual_day
from settlement.tables.load_outs import load_out, load_out_lot

NAME: Final = "fees"


class KnownFacts(NamedTuple):
    """The facts behind the fees: by calendar day the overdue load-outs, and the own stock charged as sold, in mg.

    ``last`` is the calendar day that costs what was held at the end of the trading day.
    """

    last: str
    overdue: Mapping[str, list[Any]]
    charged: Mapping[Key, int]


async def facts(connection: AsyncConnection, day: Day) -> bytes:  # noqa: ARG001
    """Return how far the records have come."""
    return canonical({"seen": (await as_of.now(connection))._asdict()})


def kept_facts(kept: bytes) -> Sequence[str]:
    """Return which facts the step does not compute anew; of a day that an older program has closed, all."""
    return () if "seen" in json.loads(kept) else ("overdue", "charged")


async def _at(connection: AsyncConnection, day: Day, position: RecordPosition) -> KnownFacts:
    """Return the calendar days that this close accrues, for each of them the load-outs that were overdue, and the own
    stock that was charged as sold, at a position.
    """
    before = await days.before(connection, day)
    last = await _last_date(connection, day)
    following = None if before is None else await _last_date(connection, before) + timedelta(days=1)
    first = last if following is None else max(following, last - timedelta(days=accruals.CATCH_UP_DAYS))
    dates = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    done = await as_of.existing(connection, position, accrual_day.name, [each.isoformat() for each in dates])
    waiting = await _uncollected(connection, position)
    found: dict[str, list[Any]] = {}
    for each in dates:
        if each.isoformat() not in done:
            late = [row for row in waiting if row.until_day < each]
            found[each.isoformat()] = [
                [row.account, row.symbol, row.allocated_mg, f"load_out:{row.load_out_no}"] for row in late
            ]
    charged = await accruals.charged_as_sold(connection, until=position.accruals)
    return KnownFacts(last.isoformat(), found, charged)


async def _uncollected(connection: AsyncConnection, position: RecordPosition) -> list[Row[Any]]:
    """Return the load-outs that waited for their collectors, without those of which a lot was frozen or held."""
    rows = await as_of.documents(connection, position, LOAD_OUT, load_out, UNCOLLECTED)
    held = await as_of.held_lots(connection, position, locks.OVER_OTHERS)
    numbers = [row.load_out_no for row in rows]
    columns = load_out_lot.c
    stopped = select(columns.load_out_no).where(among(columns.load_out_no, numbers), among(columns.lot_id, held))
    kept_back = set(await connection.scalars(stopped))
    return [row for row in rows if row.load_out_no not in kept_back]


async def _last_date(connection: AsyncConnection, day: Day) -> date:
    """Return the last calendar day that belongs to a trading day: its date, or that of its end, if it is earlier."""
    return min(day.day, working_days.day_of(await days.ended_at(connection, day.last)))


async def work(connection: AsyncConnection, day: Day, kept: bytes) -> bytes:
    """Accrue the fees of the days that the facts name, and return them."""
    found = await compute(connection, day, await _known(connection, day, json.loads(kept)))
    for each, fees in found.items():
        await accruals.write_day(connection, each, fees)
    return canonical({each.isoformat(): [fee._asdict() for fee in fees] for each, fees in found.items()})


async def _known(connection: AsyncConnection, day: Day, kept: Mapping[str, Any]) -> KnownFacts:
    """Return what the step has to know.

    An older program kept it as the step's facts, at first the calendar days with what was overdue alone.
    """
    if "seen" in kept:
        return await _at(connection, day, RecordPosition(**kept["seen"]))
    if "days" in kept:
        last = (await _last_date(connection, day)).isoformat()
        return KnownFacts(last, kept["days"], {(account, symbol): mg for account, symbol, mg in kept["charged"]})
    before = date.fromisoformat(min(kept)) if kept else None
    return KnownFacts(day.day.isoformat(), kept, await accruals.charged_as_sold(connection, before))


async def compute(connection: AsyncConnection, day: Day, known: KnownFacts) -> dict[date, list[Fee]]:
    """Return the fees of each calendar day that a close accrues."""
    ends = {end: await _held(connection, day, end) for end in (day.first - 1, day.last)}
    found: dict[date, list[Fee]] = {}
    for name, late in known.overdue.items():
        each = date.fromisoformat(name)
        gold, stocks = ends[day.last if name == known.last else day.first - 1]
        rates = await tariff.on(connection, each)
        own = {(stock.account, stock.symbol): stock.own_mg for stock in stocks}
        fees = accruals.storage(rates, gold, own)
        if name == known.last:
            sold = {(stock.account, stock.symbol): stock.own_sold_mg for stock in stocks}
            fees += accruals.sold(rates, {key: mg - known.charged.get(key, 0) for key, mg in sold.items()})
        rate = rates["OVERDUE"]
        for account, symbol, mg, subject in late:
            amount = accruals.per_kg_day(mg, rate)
            fees.append(Fee(account, symbol, "OVERDUE", mg, rate, amount, subject))
        found[each] = [fee for fee in fees if accruals.is_charged(fee)]
    return found


async def _held(connection: AsyncConnection, day: Day, end: int) -> tuple[dict[Key, int], list[OwnStock]]:
    """Return the gold of each account at an end, sub-accounts included, in mg by account and class, and own stock."""
    totals: dict[Key, int] = {}
    for found in await balances_at(connection, end, before=day.first):
        if found.kind == "member" and found.asset != CASH and found.balance > 0:
            key = owner_of(found.name), found.asset
            totals[key] = totals.get(key, 0) + found.balance
    return totals, await stocks_at(connection, end)
