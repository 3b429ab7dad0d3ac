"""An order inside the core.

The properties of every order are in ``Order``. Those that few orders have (icebergs, stops, expiry, self-trade modes
other than the default) are in ``Special``, so that a plain limit order stays small. The orders at one price form a
doubly linked queue through ``previous`` and ``next``: joining it, leaving it and finding its head each take a constant
number of steps, however many orders rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldx.protocol import terms

if TYPE_CHECKING:
    from matching.core.book import Level
    from matching.core.holdings import Account, Balance
    from matching.core.instrument import Instrument


class Special:
    """The uncommon properties of an order. Prices in fen per fine gram, quantities in fine mg, times in ms."""

    __slots__ = (
        "display",
        "expire_at",
        "group",
        "level",
        "market",
        "pending",
        "post_only",
        "quote_id",
        "shown",
        "stop_price",
        "stp",
    )

    def __init__(self) -> None:
        self.market: bool = False
        self.display: int = 0
        """The largest quantity that one slice of an iceberg shows; 0 if the order shows all of its quantity."""
        self.shown: int = 0
        """The quantity that the current slice still shows, while the order rests."""
        self.stop_price: int = 0
        self.pending: bool = False
        """True for a stop that has not triggered."""
        self.expire_at: int = 0
        self.post_only: bool = False
        self.stp: int = terms.CANCEL_TAKER
        self.quote_id: str | None = None
        self.group: str = ""
        """The group of limits of a quote; empty for every other order."""
        self.level: int = 0
        """The level of a side of mass quotes; 0 for every other order."""


class Order:
    """An open order, or one that is over and may be used again.

    ``price`` is the limit; for a market order it is the worst price at which it may trade now. ``quantity`` is the
    total, ``remaining`` the part that can still trade, 0 when the order is over. ``reserved`` is what the order has
    reserved of ``balance``: fen for a buy, fine mg for a sell. ``residue`` is what rounding has kept back from the fees
    so far, in ten-thousandths of a fen (``matching.core.fees``). ``session`` is that which
    placed the order, with a ``+`` before it if the order outlives it, and then empty in journals older than that rule.

    The constructor makes a blank order and ``reset`` fills it in. Orders that are over are used again
    (``State.free_orders``), because creating and destroying one takes longer than filling it in.
    """

    __slots__ = (
        "account",
        "balance",
        "client_order_id",
        "instrument",
        "level",
        "next",
        "order_id",
        "previous",
        "price",
        "quantity",
        "remaining",
        "reserved",
        "residue",
        "session",
        "side",
        "special",
        "time_in_force",
    )

    account: Account
    balance: Balance
    client_order_id: str
    instrument: Instrument
    order_id: int
    price: int
    quantity: int
    remaining: int
    reserved: int
    residue: int
    session: str
    side: int
    special: Special | None
    time_in_force: int

    def __init__(self) -> None:
        self.level: Level | None = None
        self.previous: Order | None = None
        self.next: Order | None = None

    def reset(
        self,
        order_id: int,
        account: Account,
        balance: Balance,
        client_order_id: str,
        instrument: Instrument,
        side: int,
        price: int,
        quantity: int,
        time_in_force: int,
    ) -> Order:
        """Make this a new plain order, of which nothing has traded and for which nothing is reserved; return it."""
        self.order_id = order_id
        self.account = account
        self.balance = balance
        self.client_order_id = client_order_id
        self.instrument = instrument
        self.side = side
        self.price = price
        self.quantity = quantity
        self.remaining = quantity
        self.time_in_force = time_in_force
        self.session = ""
        self.reserved = 0
        self.residue = 0
        self.special = None
        return self

    def visible(self) -> int:
        """Return the quantity that can trade before the order has to queue again: an iceberg's slice, else all."""
        special = self.special
        if special is not None and special.display:
            return special.shown
        return self.remaining

    def self_trade_mode(self) -> int:
        """Return the self-trade prevention mode, one of ``goldx.protocol.terms``."""
        return terms.CANCEL_TAKER if self.special is None else self.special.stp
