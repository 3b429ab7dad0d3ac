"""A core that applies the order log of a real venue."""

import pytest

from goldx.protocol import commands, events, terms
from matching.core.engine import Engine
from tests.matching.core.driving import apply
from tests.matching.core.real_venue import BUY, Row

TICK = 1_000
"""The tick that stands for one of the venue's cents: with a lot of 1 mg for 1e-8, all money is whole."""


class RealVenueCore:
    """A core that gets the venue's orders, with what is left of them by the venue's ids and each taker's fills."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.left: dict[int, int] = {}
        self.venue_id: dict[int, int] = {}
        self.total: dict[int, int] = {}
        self.fills: dict[int, list[tuple[int, int]]] = {}
        self.at = 0
        self.send(commands.InstrumentDefine("X", tick=TICK, lot=1))
        for account in ("buyers", "sellers"):
            self.send(commands.AccountOpen(account, account))
        self.send(commands.HoldingAdjust("buyers", "CNY", 10**17, "r1"))
        self.send(commands.HoldingAdjust("sellers", "X", 10**17, "r2"))
        self.send(commands.MarketSetPhase("X", terms.CONTINUOUS))

    def send(self, command: commands.AnyCommand) -> None:
        for event in apply(self.engine, self.at, command):
            match event:
                case events.OrderAccepted():
                    self.venue_id[event.order_id] = int(event.client_order_id)
                    self.left[int(event.client_order_id)] = self.total[int(event.client_order_id)] = event.quantity
                case events.Trade():
                    maker, taker = self.venue_id[event.maker_order_id], self.venue_id[event.taker_order_id]
                    self.left[maker], self.left[taker] = event.maker_remaining, event.taker_remaining
                    self.fills.setdefault(taker, []).append((maker, event.quantity))
                case events.OrderCancelled():
                    self.left[self.venue_id[event.order_id]] = 0
                case events.OrderReplaced():
                    self.left[self.venue_id[event.order_id]] = event.remaining
                    self.total[self.venue_id[event.order_id]] = event.quantity
                case events.OrderRejected() | events.CommandRejected():
                    pytest.fail(f"refused: {command} {event}")

    def place(self, row: Row) -> None:
        self.send(
            commands.OrderPlace(
                account=_account(row),
                client_order_id=str(row.order_id),
                symbol="X",
                side=terms.BUY if row.side == BUY else terms.SELL,
                type=terms.LIMIT,
                quantity=row.amount,
                price=row.price * TICK,
            )
        )

    def follow(self, row: Row) -> None:
        """Apply one row of the log; what the venue has less of than the core is cancelled."""
        self.at = row.at
        if row.kind == "order_created":
            self.place(row)
        elif self.left.get(row.order_id, 0) == 0:
            return
        elif row.kind == "order_deleted":
            self.send(commands.OrderCancel(_account(row), client_order_id=str(row.order_id)))
        elif row.amount < self.left[row.order_id]:
            filled = self.total[row.order_id] - self.left[row.order_id]
            total = filled + row.amount
            self.send(commands.OrderReplace(_account(row), client_order_id=str(row.order_id), quantity=total))


def _account(row: Row) -> str:
    return "buyers" if row.side == BUY else "sellers"
