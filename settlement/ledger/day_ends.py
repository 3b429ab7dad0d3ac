"""Holdings, own stock and instruments at the end of a trading day, kept when the event that ended it is posted.

The next event may change them. Balances are not kept here, since they follow from postings.
"""

from collections.abc import Sequence

from sqlalchemy import BigInteger, func, literal, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.events import PhaseChanged
from settlement.tables.closing import holding_at_end, instrument_at_end, phase_change, stock_at_end
from settlement.tables.ledger import engine_holding, instrument, stock


async def record_phases(connection: AsyncConnection, changes: Sequence[PhaseChanged]) -> None:
    """Record changes of phase."""
    rows = [
        {
            "sequence": event.sequence,
            "at": event.at,
            "symbol": event.symbol,
            "phase": event.phase,
            "previous": event.previous,
            "planned_at": event.planned_at,
        }
        for event in changes
    ]
    if rows:
        await connection.execute(insert(phase_change), rows)


async def keep(connection: AsyncConnection, sequence: int) -> None:
    """Keep what there is after the event that ends a day: what has changed since the last end, and all instruments."""
    end = literal(sequence, BigInteger)
    before = select(func.coalesce(func.max(instrument_at_end.c.sequence), 0)).scalar_subquery()
    held = engine_holding.c
    changed = select(held.account, held.asset, end, held.total, held.reserved, held.locked, held.unwithdrawable)
    names = ("account", "asset", "sequence", "total", "reserved", "locked", "unwithdrawable")
    await connection.execute(insert(holding_at_end).from_select(names, changed.where(held.sequence > before)))

    kept = stock_at_end.c
    known = select(stock_at_end).where(kept.account == stock.c.account, kept.symbol == stock.c.symbol)
    newest = known.order_by(kept.sequence.desc()).limit(1).lateral("newest")
    moved = select(stock.c.account, stock.c.symbol, end, stock.c.own_mg, stock.c.own_sold_mg)
    moved = moved.select_from(stock.outerjoin(newest, true())).where(
        newest.c.own_mg.is_distinct_from(stock.c.own_mg) | newest.c.own_sold_mg.is_distinct_from(stock.c.own_sold_mg)
    )
    names_of_stock = ("account", "symbol", "sequence", "own_mg", "own_sold_mg")
    await connection.execute(insert(stock_at_end).from_select(names_of_stock, moved))

    names_of_instrument = ("symbol", "reference_price", "last_price", "name", "name_zh", "form")
    instruments = select(end, *(instrument.c[name] for name in names_of_instrument))
    kept_names = ("sequence", *names_of_instrument)
    await connection.execute(insert(instrument_at_end).from_select(kept_names, instruments))
