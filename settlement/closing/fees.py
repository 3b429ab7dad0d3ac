"""The custody fees of a trading day: accrued for every calendar day since the trading day before.

A calendar day between two trading days costs storage on what was held at the end of the first of them, the trading day
itself on what was held at its own end. Own stock sold up to the day's end pays freight and insurance once. Gold that
its collector has not fetched is no matter of the engine's events: what was overdue is kept when the step first runs, as
are the days that were accrued before.
"""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH
from settlement.base.sub_accounts import owner_of
from settlement.charges import accruals, tariff
from settlement.charges.accruals import Fee, Key
from settlement.closing.canonical import canonical
from settlement.closing.day import Day, OwnStock, balances_at, stocks_at
from settlement.tables.closing import business_day

NAME: Final = "fees"


async def facts(connection: AsyncConnection, day: Day) -> bytes:
    """Return the calendar days that this close accrues, and for each of them the load-outs that are overdue now."""
    before = await connection.scalar(select(business_day.c.day).where(business_day.c.last_sequence == day.first - 1))
    earliest = day.day - timedelta(days=accruals.CATCH_UP_DAYS)
    first = day.day if before is None else max(min(before + timedelta(days=1), day.day), earliest)
    dates = [first + timedelta(days=number) for number in range((day.day - first).days + 1)]
    done = await accruals.accrued(connection, dates)
    found: dict[str, list[Any]] = {}
    for each in dates:
        if each not in done:
            late = await accruals.overdue(connection, await tariff.on(connection, each), each)
            found[each.isoformat()] = [[fee.account, fee.symbol, fee.quantity, fee.subject] for fee in late]
    return canonical(found)


async def work(connection: AsyncConnection, day: Day, kept: bytes) -> bytes:
    """Accrue the fees of the days that the facts name, and return them."""
    found = await compute(connection, day, json.loads(kept))
    for each, fees in found.items():
        await accruals.write_day(connection, each, fees)
    return canonical({each.isoformat(): [fee._asdict() for fee in fees] for each, fees in found.items()})


async def compute(connection: AsyncConnection, day: Day, overdue: Mapping[str, list[Any]]) -> dict[date, list[Fee]]:
    """Return the fees of each calendar day that a close accrues; ``overdue`` as in the facts."""
    ends = {end: await _held(connection, day, end) for end in (day.first - 1, day.last)}
    found: dict[date, list[Fee]] = {}
    for name, late in overdue.items():
        each = date.fromisoformat(name)
        gold, stocks = ends[day.last if each == day.day else day.first - 1]
        rates = await tariff.on(connection, each)
        own = {(stock.account, stock.symbol): stock.own_mg for stock in stocks}
        fees = accruals.storage(rates, gold, own)
        if each == day.day:
            charged = await accruals.charged_as_sold(connection, date.fromisoformat(min(overdue)))
            sold = {(stock.account, stock.symbol): stock.own_sold_mg for stock in stocks}
            fees += accruals.sold(rates, {key: mg - charged.get(key, 0) for key, mg in sold.items()})
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
