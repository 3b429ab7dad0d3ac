"""The report of a closed day, on one page, as it is signed: from the outputs of its steps and their papers.

Everything shown here is covered by the hash that is signed. Prices are in CNY per fine gram, money in CNY, gold in fine
grams, as decimal strings.
"""

import json
from collections import Counter
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money, format_price, format_weight, half_up
from goldx.timetable.venue_time import shown_time
from settlement.base.paging import ALL, Page, PageRequest, cut_in_order, parse_number
from settlement.base.refusal import Refused
from settlement.charges.accruals import UFEN
from settlement.closing import bulletin, close, day, listing, signing, taken_over
from settlement.closing.left_open import NAME as LEFT_OPEN
from settlement.closing.left_open import Open
from settlement.documents.closing import DONE
from settlement.ledger.busts import standing
from settlement.reconciliation.breaks import shown, unit_shown
from settlement.tables.ledger import trade
from settlement.tables.papers import invoice


async def of_day(connection: AsyncConnection, date: date) -> dict[str, Any]:
    """Return the report of a closed day. Raises BadValue for a day that is not over, Refused (ILLEGAL_STEP)."""
    found = await listing.status(connection, date)
    about = found.day
    if about.closing_hash is None:
        raise Refused("ILLEGAL_STEP", f"{date} is {about.state}; to be shown as it is signed it must be CLOSED")
    outputs = {row.step: json.loads(row.output) for row in found.steps if row.status == DONE}
    whole = day.Day(about.day, about.first, about.last)
    paper = outputs[bulletin.NAME]
    return {
        "day": date.isoformat(),
        "state": about.state,
        "first": about.first,
        "last": about.last,
        "ended_at": shown_time(paper["ended_at"]),
        "sign_sha256": about.closing_hash.hex(),
        "record": None if about.record is None else about.record.hex(),
        **await _fees(connection, whole, outputs["fees"]),
        **await _invoices(connection, date),
        "statements": len(outputs["statements"]["statements"]),
        **_bank(outputs["reconciliation"]["bank"]),
        "signatures": [{"capacity": row.capacity, "signed_by": row.signed_by} for row in found.signatures],
        "prices": [_price(one) for one in paper["instruments"]],
        "benchmarks": [_benchmark(one) for one in paper.get("benchmarks", ())],
        "breaks": _breaks(outputs["reconciliation"]["breaks"]),
        "taken_over": [one.shown() for one in await taken_over.of_day(connection, date)],
        "left_open": [{name: one[name] for name in Open._fields} for one in outputs["left_open"]],
        "steps": [{"step": row.step, "output_sha256": row.output_hash.hex()} for row in found.steps],
    }


async def left_open(connection: AsyncConnection, date: date, page: PageRequest = ALL) -> Page[Open]:
    """Return what stayed open when a day was closed. Raises BadValue for a day that is not closed or being closed.

    The list does not change any more, so a row's number in it is its key.
    """
    await signing.find(connection, date)
    outputs = {row.step: row.output for row in await close.steps_of(connection, date) if row.status == DONE}
    found = [Open(**one) for one in json.loads(outputs.get(LEFT_OPEN, b"[]"))]
    rows = cut_in_order(enumerate(found, 1), lambda numbered: str(numbered[0]), parse_number, page)
    return Page((one for _, one in rows), rows.next)


def _price(one: dict[str, Any]) -> dict[str, Any]:
    """Return prices and volume of a class from the bulletin."""
    prices = {
        f"{name}_cny": None if one[f"{name}_price"] is None else format_price(one[f"{name}_price"])
        for name in ("closing", "settlement")
    }
    return {
        "symbol": one["symbol"],
        "closing_cny": prices["closing_cny"],
        "closing_method": one["closing_method"],
        "settlement_cny": prices["settlement_cny"],
        "settlement_method": one["settlement_method"],
        "trades": one["trades"],
        "quantity_g": format_weight(one["quantity"]),
        "amount_cny": format_money(one["amount"]),
    }


def _benchmark(one: dict[str, Any]) -> dict[str, Any]:
    """Return the benchmark of a form from the bulletin; a day that was closed before there were any has none."""
    return {
        "form": one["form"],
        "price_cny": None if one["price"] is None else format_price(one["price"]),
        "method": one["method"],
        "trades": one["trades"],
        "quantity_g": format_weight(one["quantity_mg"]),
        "amount_cny": format_money(one["amount_fen"]),
    }


async def _fees(connection: AsyncConnection, whole: day.Day, accrued: dict[str, Any]) -> dict[str, Any]:
    """Return the fees of the day's trades, without annulled ones, and those that the close has accrued."""
    columns = trade.c
    query = select(func.count(), func.coalesce(func.sum(columns.buy_fee + columns.sell_fee), 0))
    query = query.where(columns.sequence.between(whole.first, whole.last), standing())
    count, fees = (await connection.execute(query)).one()
    custody = half_up(sum(fee["amount_ufen"] for each in accrued.values() for fee in each), UFEN)
    return {
        "trades": int(count),
        "trading_fees_cny": format_money(int(fees)),
        "custody_fees_cny": format_money(custody),
    }


async def _invoices(connection: AsyncConnection, date: date) -> dict[str, Any]:
    """Return the number and total of the invoices that the close has made; red ones and their successors are later."""
    original = (invoice.c.day == date, invoice.c.corrects.is_(None), invoice.c.replaces.is_(None))
    query = select(func.count(), func.coalesce(func.sum(invoice.c.total_fen), 0)).where(*original)
    count, total = (await connection.execute(query)).one()
    return {"invoices": int(count), "invoices_cny": format_money(int(total))}


def _bank(proof: dict[str, Any] | None) -> dict[str, Any]:
    """Return what the bank and the ledger had at the day's end; None where no statement of a bank was taken in."""
    sides = ("bank_fen", "ledger_fen")
    return {f"{name.removesuffix('_fen')}_cny": None if proof is None else format_money(proof[name]) for name in sides}


def _breaks(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the breaks that were open, by kind: their number, and the sum of their differences where it has a unit."""
    counted: Counter[tuple[str, str, str]] = Counter()
    differences: Counter[tuple[str, str, str]] = Counter()
    for one in found:
        key = one["kind"], one["asset"], one["unit"]
        counted[key] += 1
        differences[key] += abs(one["found"] - one["expected"])
    return [
        {
            "kind": kind,
            "asset": asset,
            "open": counted[kind, asset, unit],
            "differences": shown(unit, asset, differences[kind, asset, unit]) if unit_shown(unit, asset) else None,
            "unit": unit_shown(unit, asset),
        }
        for kind, asset, unit in sorted(counted)
    ]
