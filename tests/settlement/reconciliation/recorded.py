"""Breaks of each area, as the tests of their workflow record them."""

from goldx.protocol.units import CASH
from settlement.reconciliation import breaks
from settlement.reconciliation.breaks import Break, statement_scope
from tests.settlement.small_exchange import ONE, SmallExchange, do

XM1 = statement_scope("XM1")
LIGHT = Break("WEIGHT_DIFF", "XM1 HX A1 2024", "AU", 100_000, 99_900, "gross_mg", "lot 1", 1)
HOLDING = Break("HOLDING", "A.H", "AU", 1_000, 2_000)
UNPAID = Break("VENUE_ONLY", "cash:1", CASH, 500, 0, note="B.H, reference bank-1")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


async def record(exchange: SmallExchange, scope: str, *found: Break) -> int:
    """Record what a run has found."""
    return await do(exchange, breaks.record_run, ONE, scope, 1, found)


async def state(exchange: SmallExchange, number: int = 1) -> str:
    """Return the status of a break."""
    return str((await do(exchange, breaks.find, number)).status)
