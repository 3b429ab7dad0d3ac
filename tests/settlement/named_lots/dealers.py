"""Members and gateways that deal in named lots at random: kept, sold, bought, declined, lost, given back."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from sqlalchemy import select

from goldx.protocol import terms
from goldx.protocol.bases import LotsFound
from goldx.protocol.commands import AnyCommand, TradeBust, TradeTerms
from goldx.protocol.deal_commands import DealAccept, DealDecline, DealPropose
from settlement.base.refusal import Refused
from settlement.custody import reservations
from settlement.custody.reservations import Move, UnfitLots
from settlement.tables.custody import receipt
from settlement.tables.ledger import trade
from tests.settlement.small_exchange import SmallExchange

T = TypeVar("T")
NEVER: Final = 1 << 45
"""A time in ms that does not come."""
NAMED_LOTS: list[tuple[object, ...]] = [
    ("sell_lot", "B.H", 1, "ACCEPT"),
    ("pledge_lot", "A.H", 1),
    ("post",),
    ("sell_lot", "A.H", 3, "STAND"),
    ("cancel_receipt", 3),
    ("sell_lot", "VENUE", 2, "LOSE"),
    ("buy_lot", "VENUE", 2),
    ("restart",),
    ("post",),
    ("give_back", 1),
    ("post",),
    ("sell_lot", "VENUE", 1, "ACCEPT"),
    ("post",),
    ("cancel_receipt", 1),
    ("approve", 0),
    ("send",),
    ("advance",),
    ("post",),
    ("issue",),
    ("approve", 0),
]
"""Lots are sold by name, kept, given back, and taken off their receipts and put back under some by their new owner."""


class LotDealers:
    """Does operations with lots under receipts, each of which may be refused."""

    def __init__(self, exchange: SmallExchange) -> None:
        self._exchange = exchange
        self._count = itertools.count(1)

    async def _act(self, act: Callable[..., Awaitable[T]], *values: Any, **more: Any) -> T:
        async with self._exchange.engine.begin() as connection:
            return await act(connection, *values, **more)

    async def _reserve(self, lot_id: int, to_account: str, trade_id: int | None = None) -> tuple[Move, LotsFound]:
        """Keep the lot of a live receipt for a command, as a gateway does. Raises Refused."""
        async with self._exchange.engine.begin() as connection:
            query = select(receipt).where(receipt.c.lot_id == lot_id, receipt.c.status == "LIVE")
            row = (await connection.execute(query)).first()
            if row is None or row.account == to_account:
                raise Refused("NO_RECEIPT", "nobody else has a receipt of it")
            move = Move(row.account, to_account, "AU", (row.receipt_no,), row.fine_mg, trade_id)
            try:
                number = await reservations.reserve(connection, move, NEVER)
            except UnfitLots as unfit:
                raise Refused("LOCKED", str(unfit)) from unfit
        return move, LotsFound((row.receipt_no,), row.fine_mg, number, NEVER)

    async def _settle(self, found: LotsFound, *commands: AnyCommand) -> int:
        """Let the engine apply commands, and free the lots unless it has taken them; return its newest deal's number.

        They have to come before all others, so that the engine follows the journal up to them.
        """
        await self._exchange.engine_runner.run(*commands)
        frames = await self._exchange.engine_runner.events.read(0)
        events = (event for frame in frames for outcome in frame.outcomes for event in outcome)
        if not any(getattr(event, "lot_reservation", None) == found.reservation for event in events):
            await self._act(reservations.release, found.reservation)
        return self._exchange.engine_runner.engine.state.last_deal_id

    async def _sell_lot(self, buyer: str, lot_id: int, then: str) -> None:
        move, found = await self._reserve(lot_id, buyer)
        name = f"d{next(self._count)}"
        terms_of_deal = (move.from_account, name, buyer, "AU", terms.SELL, move.fine_mg, 60_000, NEVER)
        if then == "LOSE":
            await self._act(reservations.release, found.reservation)
            return
        number = await self._settle(found, DealPropose(*terms_of_deal, lots=found.lots, lots_found=found))
        if then != "STAND":
            await self._exchange.engine_runner.run({"ACCEPT": DealAccept, "DECLINE": DealDecline}[then](buyer, number))

    async def _buy_lot(self, buyer: str, lot_id: int) -> None:
        async with self._exchange.engine.connect() as connection:
            query = select(receipt).where(receipt.c.lot_id == lot_id, receipt.c.status == "LIVE")
            row = (await connection.execute(query)).first()
        if row is None or row.account == buyer:
            return
        seen = LotsFound((row.receipt_no,), row.fine_mg, 0, NEVER)
        terms_of_deal = (buyer, f"p{next(self._count)}", row.account, "AU", terms.BUY, row.fine_mg, 60_000, NEVER)
        await self._exchange.engine_runner.run(DealPropose(*terms_of_deal, lots=seen.lots, lots_found=seen))
        number = self._exchange.engine_runner.engine.state.last_deal_id
        _, found = await self._reserve(lot_id, buyer)
        await self._settle(found, DealAccept(row.account, number, found))

    async def _give_back(self, number: int) -> None:
        """Annul a trade of a named lot by two operators, if its buyer still has the lot."""
        async with self._exchange.engine.connect() as connection:
            query = select(receipt.c.trade_id).where(receipt.c.trade_id.is_not(None)).order_by(receipt.c.receipt_no)
            trades = list(await connection.scalars(query))
            if not trades:
                return
            row = (
                await connection.execute(select(trade).where(trade.c.trade_id == trades[number % len(trades)]))
            ).one()
            held = select(receipt.c.lot_id).where(receipt.c.trade_id == row.trade_id, receipt.c.status == "LIVE")
            lot_id = await connection.scalar(held)
        day = self._exchange.engine_runner.engine.state.trading_day
        names = [name for name in TradeTerms.__struct_fields__ if hasattr(row, name)]
        given = TradeTerms(
            **{name: getattr(row, name) for name in names}, trading_day=day, maker_order_id=0, taker_order_id=0
        )
        _, found = await self._reserve(lot_id or 0, row.sell_account, row.trade_id)
        await self._settle(found, *(TradeBust(row.trade_id, "wrong lot", by, given, found) for by in ("ada", "ben")))
