"""Over/short weight (溢短): the difference between the gold allocated and the gold asked for, settled in money.

Lots are specific and never weigh exactly what is asked for. The member buys the over weight from the venue's own
account, or sells it the short weight, at the last trade's price, or the reference price if there is none. All of it
goes to the engine as one ``holding.settle``, so money and metal move together or not at all.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH
from settlement.base.refusal import Refused
from settlement.base.sub_accounts import Legs
from settlement.ledger import holdings
from settlement.ledger.holdings import OVER_SHORT_ACCOUNT
from settlement.load_outs.allocation import Candidate
from settlement.tables.ledger import instrument

TOLERANCE_PERCENT: Final = 5
"""Largest difference between allocated lots and ask; COMEX allows 5% on 100 oz (domain sheet 2.4). A larger one would
be a cash settlement in the guise of a withdrawal."""


def is_tolerated(chosen: Sequence[Candidate], ask_mg: int) -> bool:
    """Return whether the lots are as near to the ask as they must be."""
    allocated = sum(candidate.fine_mg for candidate in chosen)
    return abs(allocated - ask_mg) * 100 <= ask_mg * TOLERANCE_PERCENT


async def price_of(connection: AsyncConnection, symbol: str) -> tuple[int, str]:
    """Return the price of over/short weight in fen per fine gram, and its source. Raises Refused (NO_PRICE)."""
    columns = (instrument.c.last_price, instrument.c.reference_price)
    last, reference = (await connection.execute(select(*columns).where(instrument.c.symbol == symbol))).one()
    if last is not None:
        return last, "last trade"
    if reference is not None:
        return reference, "reference"
    raise Refused("NO_PRICE", f"{symbol} has neither a trade nor a reference price to settle over/short weight at")


def legs_of(account: str, symbol: str, ask_mg: int, allocated_mg: int, over_short_fen: int) -> Legs:
    """Return the changes of holdings that a load-out makes, each (account, asset, amount).

    The gold taken out in all is exactly that of the lots; the money only changes hands.
    """
    if account == OVER_SHORT_ACCOUNT:
        return ((account, symbol, -allocated_mg),)
    legs = (
        (account, symbol, -ask_mg),
        (OVER_SHORT_ACCOUNT, symbol, ask_mg - allocated_mg),
        (account, CASH, -over_short_fen),
        (OVER_SHORT_ACCOUNT, CASH, over_short_fen),
    )
    return tuple(leg for leg in legs if leg[2])


async def check_funds(connection: AsyncConnection, legs: Legs) -> None:
    """Raise Refused (INSUFFICIENT_GOLD, INSUFFICIENT_CASH) where the engine, which decides, would refuse now."""
    for account, asset, amount in legs:
        await holdings.check_available(connection, account, asset, -amount)
