"""An order inside the core.

What every order has stands in ``Order``; what few have (icebergs, stops, expiry, modes other than the default) stands
in ``Special``, so that a plain limit order stays small. Orders at one price form a doubly linked queue through
``previous`` and ``next``: joining, leaving and being first are each a constant number of steps, whatever else rests.
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

    __slots__ = ("display", "expire_at", "market", "post_only", "quote_id", "shown", "stop_price", "stp", "waiting")

    def __init__(self) -> None:
        self.market: bool = False
        self.display: int = 0
        """What one slice of an iceberg shows at most; 0: all of it."""
        self.shown: int = 0
        """What the present slice still shows, while it rests."""
        self.stop_price: int = 0
        self.waiting: bool = False
        """A stop that has not triggered."""
        self.expire_at: int = 0
        self.post_only: bool = False
        self.stp: int = terms.CANCEL_TAKER
        self.quote_id: str | None = None


class Order:
    """``price`` is the limit (of a market order: what it may go to at present); ``quantity`` the total, ``remaining``
    the part of it that can still trade, 0 when the order is done; ``reserved`` fen of a buy's, fine mg of a
    sell's ``balance``.

    ``residue``: ten-thousandths of a fen that rounding has kept back from the fees so far (see ``matching.core.fees``).
    ``session`` is empty for orders that survive their session.

    An order is made blank, and ``begin`` fills it in. Those that are done are used
    again (``State.spare``): making and destroying one is dearer than filling it in.
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

    def begin(
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
        """Fills in all of the order, in place of the one before it, and returns it. Nothing is reserved yet."""
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
        """What can trade before the order has to queue again: a slice of an iceberg, all of any other."""
        special = self.special
        if special is not None and special.display:
            return special.shown
        return self.remaining

    def mode(self) -> int:
        """The self-trade mode."""
        return terms.CANCEL_TAKER if self.special is None else self.special.stp
