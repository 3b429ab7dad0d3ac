"""A migrated database filled with lots and custody events, by INSERT ... SELECT from generate_series.

Nothing is random: the same arguments give the same rows. Lots are spread over warehouses, accounts,
refiners and states; every lot's history has the same number of events. CHECKs and indexes stay on; foreign keys, which
hold by construction, are not looked up one by one.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import registry

WAREHOUSES: Final = 8
ACCOUNTS: Final = 200
REFINERS: Final = 50
FIRST_AT: Final = 1_760_000_000_000
"""Time of the first event, ms since the epoch."""
STEP_MS: Final = 20_000
"""Time between the arrivals of two lots."""
CLERK: Final = "clerk-1"
SYMBOL: Final = "AU"

_PEOPLE: Final = (
    "INSERT INTO instrument (symbol, name, name_zh, form, min_fineness, max_fineness, reference_price) "
    f"VALUES ('{SYMBOL}', 'Bars', '金条', 'NONAPPROVED_BAR', 90000, 100000, 60000)",
    f"INSERT INTO trading_account SELECT 'M' || n || '.H', 'M' || n, 1, 'M' || n FROM generate_series(1, {ACCOUNTS}) n",
    "INSERT INTO trading_account VALUES ('VENUE', 'VENUE', 1, 'VENUE')",
    "INSERT INTO engine_holding (account, asset, total, reserved, locked, unwithdrawable, sequence) "
    f"SELECT account, asset, 1000000000000, 0, 0, 0, 1 FROM trading_account, unnest(ARRAY['CNY', '{SYMBOL}']) asset",
    f"INSERT INTO warehouse SELECT 'W' || n, 'Warehouse ' || n, 'Xiamen', 'DOMESTIC' "
    f"FROM generate_series(1, {WAREHOUSES}) n",
)
_LOTS: Final = """
INSERT INTO lot (refiner, serial, year, symbol, form, account, warehouse, declared_gross_cg,
                 declared_fineness_e5, state, gross_cg, fineness_e5, fine_mg, residue_1e7)
SELECT 'R' || n % :refiners, 'B' || lpad(n::text, 8, '0'), 2020 + n % 6, :symbol, 'NONAPPROVED_BAR',
       'M' || 1 + n % :accounts || '.H', 'W' || 1 + n / 7 % :warehouses, gross, fineness,
       state, gross,
       CASE WHEN state <> 'ARRIVED' THEN fineness END,
       CASE WHEN state <> 'ARRIVED' THEN gross * fineness / 10000 END,
       CASE WHEN state <> 'ARRIVED' THEN gross * fineness % 10000 END
FROM (SELECT n, 50000 + n * 7919 % 950000 AS gross, 99000 + n * 31 % 1000 AS fineness,
             CASE n % 20 WHEN 0 THEN 'ARRIVED' WHEN 1 THEN 'REGISTERED' WHEN 2 THEN 'RELEASED' ELSE 'RECEIPTED' END
             AS state
      FROM generate_series(1::bigint, :lots) n) each
"""
_EVENTS: Final = """
INSERT INTO custody_event (lot_id, step, state, at, by, warehouse, detail)
SELECT lot_id, CASE k WHEN 0 THEN 'arrive' WHEN 1 THEN 'weigh' ELSE 'count' END, 'ARRIVED',
       :first + lot_id * :every + k * 3600000, :clerk, warehouse,
       CASE k WHEN 1 THEN jsonb_build_object('seal', 'S-' || lot_id) ELSE '{}' END
FROM lot, generate_series(0, :each - 1) k ORDER BY k, lot_id
"""
_RECEIPTS: Final = """
INSERT INTO receipt (lot_id, account, symbol, fine_mg, status)
SELECT lot_id, account, symbol, fine_mg, 'LIVE' FROM lot WHERE state = 'RECEIPTED'
"""


async def fill(connection: AsyncConnection, lots: int, events_each: int) -> None:
    """Fill an empty, migrated database in the caller's transaction. Needs the rights of its owner."""
    await registry.add_staff(connection, "bench", CLERK, "Clerk", ["settle"])
    for statement in _PEOPLE:
        await connection.execute(text(statement))
    await connection.execute(text("SET LOCAL session_replication_role = replica"))
    spread = {"refiners": REFINERS, "accounts": ACCOUNTS, "warehouses": WAREHOUSES, "symbol": SYMBOL}
    await connection.execute(text(_LOTS), {"lots": lots, **spread})
    timing = {"each": events_each, "first": FIRST_AT, "every": STEP_MS, "clerk": CLERK}
    await connection.execute(text(_EVENTS), timing)
    await connection.execute(text(_RECEIPTS))
    await connection.execute(text("SET LOCAL session_replication_role = origin"))
    for table in ("lot", "custody_event", "receipt"):
        await connection.execute(text(f"ANALYZE {table}"))
