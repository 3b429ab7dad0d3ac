"""The bulletin of a day: prices, benchmarks, volumes, gold under receipt, stock of the vaults, open breaks.

A bulletin is made when its day is closed, after the prices; it is public and never changed. Stock is that of the end of
the day, and its movements are those since the end of the day before; gold under receipt follows from the ledger within
the day's range of events. A break is open if it was found by the end of the day and not corrected by then, or was taken
over from that end.

The day and hash of the newest signed record are part of the bulletin, so that what was signed is known outside. They
are no matter of the day's events, and neither are the stock (a weight may be corrected later) and the breaks (a closed
one may open again). They follow from records that only grow, as far as these had come when the step first ran, which is
kept as its facts (``settlement.closing.as_of``). Instruments have the names that they had at the day's end.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import Row, and_, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.terms import DEAL_TRADE, RFQ_TRADE
from goldx.protocol.units import CASH, BadValue
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.closing import as_of, invoices, prices, taken_over, tax_profiles
from settlement.closing.as_of import RecordPosition
from settlement.closing.canonical import canonical, digest
from settlement.closing.day import Day, balances_at, ended_at, instruments_at
from settlement.closing.differs import PaperDiffers
from settlement.documents.kinds import TRADE
from settlement.ledger.busts import of_orders, standing
from settlement.reconciliation import break_states
from settlement.reports import stock_report
from settlement.reports.stock_report import KnownEvents
from settlement.tables.closing import day_benchmark, day_price, day_record
from settlement.tables.ledger import instrument, ledger_account, ledger_entry, posting, trade
from settlement.tables.papers import bulletin

NAME: Final = "bulletin"
FORMAT: Final = 1
WITHOUT_ORDERS: Final = {DEAL_TRADE: "deals", RFQ_TRADE: "requests"}
"""By the kind of trades without orders: the field that counts them."""
Listed: TypeAlias = Page[Row[Any]]


class Bulletin(NamedTuple):
    """A bulletin as it is kept."""

    day: date
    text: str
    hash: bytes

    @property
    def content(self) -> dict[str, Any]:
        """Return the bulletin's content."""
        found: dict[str, Any] = msgspec.json.decode(self.text)
        return found


async def facts(connection: AsyncConnection, day: Day) -> bytes:
    """Return as JSON how far the records have come, and the names of an end that was kept without them."""
    position = await as_of.now(connection)
    names = {} if await instruments_at(connection, day) is not None else {"names": await _names_now(connection)}
    return canonical({"seen": position._asdict(), **names})


async def _names_now(connection: AsyncConnection) -> dict[str, list[str]]:
    names = select(instrument.c.symbol, instrument.c.name, instrument.c.name_zh).order_by(instrument.c.symbol)
    return {row.symbol: [row.name, row.name_zh] for row in await connection.execute(names)}


async def _known(connection: AsyncConnection, day: Day, kept: dict[str, Any] | None) -> dict[str, Any]:
    """Return the newest signed record (None if there is none), names, stock and breaks from the facts of a day.

    A day that an older program has closed has them in its facts, or at first the record alone.
    """
    if kept is not None and "stock" in kept:
        return kept
    position = RecordPosition(**kept["seen"]) if kept is not None and "seen" in kept else RecordPosition.latest()
    begun, ended = await ended_at(connection, day.first - 1), await ended_at(connection, day.last)
    at_end = await instruments_at(connection, day)
    names = None if at_end is None else {symbol: [one.name, one.name_zh] for symbol, one in at_end.items()}
    seen = KnownEvents(position.events, position.breaks)
    return {
        "record": kept if kept is None or "seen" not in kept else await _record(connection, position),
        "names": names or (kept or {}).get("names") or await _names_now(connection),
        "stock": [line._asdict() for line in await stock_report.between(connection, begun + 1, ended + 1, seen)],
        "breaks": await _breaks(connection, day, ended, position),
    }


async def _record(connection: AsyncConnection, position: RecordPosition) -> dict[str, str] | None:
    columns = day_record.c
    newest = select(columns.day, columns.hash).where(columns.record_no <= position.records)
    row = (await connection.execute(newest.order_by(columns.record_no.desc()).limit(1))).first()
    return None if row is None else {"day": row.day.isoformat(), "sha256": row.hash.hex()}


def kept_facts(kept: bytes) -> Sequence[str]:
    """Return which facts the step does not compute anew.

    The first programs kept the newest signed record alone, null without one, and no positions.
    """
    known = (msgspec.json.decode(kept) if kept else None) or {}
    if "stock" in known:
        return ("record", "names", "stock", "breaks")
    record = () if "seen" in known else ("record",)
    return (*record, "names") if "names" in known else record


async def work(connection: AsyncConnection, day: Day, kept: bytes) -> bytes:
    """Make the bulletin of a day, a step of its close, and return its content; repeated, it changes nothing.

    Raises PaperDiffers if the bulletin was made before with another content.
    """
    known = await _known(connection, day, msgspec.json.decode(kept) if kept else None)
    made = canonical(await content(connection, day, known))
    before = await connection.scalar(select(bulletin.c.hash).where(bulletin.c.day == day.day))
    if before is None:
        values = {"day": day.day, "content": made.decode(), "hash": bytes.fromhex(digest(made)), "made_at": now_ms()}
        await connection.execute(insert(bulletin).values(values))
    elif before.hex() != digest(made):
        raise PaperDiffers(f"{day.day}: the bulletin was {before.hex()}, and is now {digest(made)}")
    return made


async def content(connection: AsyncConnection, day: Day, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a day's bulletin: prices in fen per gram, money in fen, weights in mg.

    ``known`` are its record, names, stock and breaks.
    """
    issuer, corrected = await tax_profiles.issuer(connection, day.day), await _corrected(connection, day)
    benchmarks = await _benchmarks(connection, day)
    return {
        "format": FORMAT,
        "paper": NAME,
        **({} if issuer is None else {"issuer": issuer}),
        **{name: sums for name, sums in corrected.items() if sums["count"]},
        "day": day.day.isoformat(),
        "first_sequence": day.first,
        "last_sequence": day.last,
        "ended_at": await ended_at(connection, day.last),
        "instruments": await _instruments(connection, day, known["names"]),
        **({"benchmarks": benchmarks} if benchmarks else {}),
        "registered": await _registered(connection, day),
        **{name: known[name] for name in ("stock", "breaks", "record")},
    }


async def _instruments(connection: AsyncConnection, day: Day, names: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return prices and volumes by class, in the order of their codes. Annulled trades do not count.

    Trades without orders stand apart by their kind (``WITHOUT_ORDERS``), where there were any: they make no price.
    """
    columns = trade.c
    without_orders = await _without_orders(connection, day)
    sums = select(
        columns.symbol,
        func.count().label("trades"),
        func.sum(columns.quantity).label("quantity"),
        func.sum(columns.amount).label("amount"),
        func.max(columns.price).label("high"),
        func.min(columns.price).label("low"),
        func.min(columns.sequence).label("first"),
    )
    of_day = sums.where(columns.sequence.between(day.first, day.last), standing(), of_orders())
    traded = of_day.group_by(columns.symbol).subquery()
    opening = select(traded, columns.price.label("open")).join(trade, columns.sequence == traded.c.first)
    volumes = {row.symbol: row for row in await connection.execute(opening)}
    before = await prices.before(connection, day)
    query = select(day_price).where(day_price.c.day == day.day)
    found = []
    for row in await connection.execute(query.order_by(day_price.c.symbol)):
        volume, previous = volumes.get(row.symbol), getattr(before.get(row.symbol), "settlement_price", None)
        name, name_zh = names[row.symbol]
        change = None if row.settlement_price is None or previous is None else row.settlement_price - previous
        found.append(
            {
                "symbol": row.symbol,
                "name": name,
                "name_zh": name_zh,
                **{field: getattr(volume, field, None) for field in ("open", "high", "low")},
                "closing_price": row.closing_price,
                "closing_method": row.closing_method,
                "settlement_price": row.settlement_price,
                "settlement_method": row.settlement_method,
                "previous_settlement": previous,
                "change": change,
                **{field: int(getattr(volume, field, 0)) for field in ("trades", "quantity", "amount")},
                **without_orders.get(row.symbol, {}),
            }
        )
    return found


async def _without_orders(connection: AsyncConnection, day: Day) -> dict[str, dict[str, dict[str, int]]]:
    """Return by class and kind the number, quantity and amount of the day's trades without orders."""
    columns = trade.c
    of_kind = (columns.symbol, columns.kind)
    sums = select(*of_kind, func.count().label("trades"), func.sum(columns.quantity).label("quantity"))
    sums = sums.add_columns(func.sum(columns.amount).label("amount")).group_by(*of_kind).order_by(*of_kind)
    query = sums.where(columns.sequence.between(day.first, day.last), standing(), ~of_orders())
    fields = ("trades", "quantity", "amount")
    found: dict[str, dict[str, dict[str, int]]] = {}
    for row in await connection.execute(query):
        of_symbol = found.setdefault(row.symbol, {})
        of_symbol[WITHOUT_ORDERS[row.kind]] = {name: int(getattr(row, name)) for name in fields}
    return found


async def _benchmarks(connection: AsyncConnection, day: Day) -> list[dict[str, Any]]:
    """Return the benchmarks by form, each with the trades that it was found from, by class and kind."""
    query = select(day_benchmark).where(day_benchmark.c.day == day.day).order_by(day_benchmark.c.form)
    return [
        {
            **{name: getattr(row, name) for name in ("form", "price", "method", "trades")},
            "quantity_mg": int(row.quantity_mg),
            "amount_fen": int(row.amount_fen),
            **row.inputs,
        }
        for row in await connection.execute(query)
    ]


async def _registered(connection: AsyncConnection, day: Day) -> list[dict[str, Any]]:
    """Return the fine gold under receipt by class: at both ends of the day, taken in and given out."""
    ends = []
    for sequence in (day.first - 1, day.last):
        rows = await balances_at(connection, sequence)
        ends.append({row.asset: -row.balance for row in rows if row.kind == "vault"})
    vault = (ledger_account.c.kind == "vault", ledger_account.c.asset != CASH, ledger_entry.c.kind != TRADE)
    moved = select(
        ledger_account.c.asset,
        func.sum(func.greatest(-posting.c.amount, 0)).label("taken_in"),
        func.sum(func.greatest(posting.c.amount, 0)).label("given_out"),
    )
    moved = moved.join(posting, posting.c.account_id == ledger_account.c.account_id)
    moved = moved.join(ledger_entry, ledger_entry.c.sequence == posting.c.sequence)
    moved = moved.where(posting.c.sequence.between(day.first, day.last), *vault).group_by(ledger_account.c.asset)
    flows = {row.asset: row for row in await connection.execute(moved)}
    before, after = ends
    return [
        {
            "symbol": symbol,
            "previous": before.get(symbol, 0),
            "taken_in": int(getattr(flows.get(symbol), "taken_in", 0)),
            "given_out": int(getattr(flows.get(symbol), "given_out", 0)),
            "total": after.get(symbol, 0),
        }
        for symbol in sorted(before.keys() | after.keys())
    ]


async def _corrected(connection: AsyncConnection, day: Day) -> dict[str, dict[str, int]]:
    """Return the number and the sum, which is negative, of the red invoices of the day.

    Those that leave something of the invoice that they correct stand apart.
    """
    red = [row for row in await invoices.corrections_of(connection, day.day) if row.corrects is not None]
    of_parts = [row for row in red if "remaining_fen" in msgspec.json.decode(row.content)]
    rest = [row for row in red if row not in of_parts]
    return {
        name: {"count": len(rows), "amount_fen": sum(row.total_fen for row in rows)}
        for name, rows in (("invoices_corrected", rest), ("invoices_corrected_in_part", of_parts))
    }


async def _breaks(connection: AsyncConnection, day: Day, ended: int, position: RecordPosition) -> list[dict[str, Any]]:
    """Return the number of breaks that were open when the day ended, or were taken over from its end, by kind."""
    columns = break_states.as_of(position.breaks).subquery().c
    then = and_(columns.opened_at <= ended, or_(columns.closed_at.is_(None), columns.closed_at > ended))
    taken = columns.break_id.in_([row.break_id for row in await taken_over.of_day(connection, day.day)])
    query = select(columns.kind, func.count().label("open")).where(or_(then, taken)).group_by(columns.kind)
    return [{"kind": row.kind, "open": row.open} for row in await connection.execute(query.order_by(columns.kind))]


async def find(connection: AsyncConnection, day: date) -> Bulletin:
    """Return the bulletin of a day. Raises BadValue for a day that has none."""
    query = select(bulletin.c.day, bulletin.c.content, bulletin.c.hash).where(bulletin.c.day == day)
    row = (await connection.execute(query)).first()
    if row is None:
        raise BadValue("day", day.isoformat(), "a trading day that is closed")
    return Bulletin(*row)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Listed:
    """Return the bulletins without their content, oldest first."""
    query = select(bulletin.c.bulletin_no, bulletin.c.day, bulletin.c.hash, bulletin.c.made_at)
    return await fetch(connection, query, (bulletin.c.bulletin_no,), page)
