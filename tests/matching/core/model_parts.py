"""The instruments, members, accounts and orders of the brute-force model. Nothing here is derived or cached.

What an account has reserved, what a level shows and which order is the best is computed from the plain list of open
orders each time it is needed.
"""

from dataclasses import dataclass, field

from goldx.protocol import terms, units
from goldx.protocol.commands import InstrumentDefine
from goldx.protocol.deal_commands import DealPropose
from goldx.protocol.rfq_commands import RfqCreate, RfqQuote
from goldx.protocol.terms import CLOSED


class Refused(Exception):
    """A command that changes nothing; ``reason`` from goldx.protocol.reasons."""

    def __init__(self, reason: str, order_id: int | None = None, account: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.order_id = order_id
        self.account = account


@dataclass(eq=False)
class Instrument:
    terms: InstrumentDefine
    phase: int = CLOSED
    reference: int | None = None
    last: int | None = None
    interrupted_until: int | None = None
    indicated: tuple[int | None, int | None] = (None, None)
    retired: bool = False
    proposed: tuple[int, str] | None = None
    """The reference price that only one person has given so far, and that person."""
    reopening: tuple[int, int] = (0, 1)
    """The last price before the interruption, and how many bands wide its corridor is at its next end."""
    planned_at: int = 0
    held: bool = False
    delayed: tuple[range, int] = (range(0), 0)
    """The planned times of the delayed steps, and the delay in ms."""
    printed: list[int] = field(default_factory=list)
    """The prices of the trades of the current sweep."""

    def limits(self) -> tuple[int, int]:
        """Return the lowest and highest price allowed; absolute limits win over a percentage of the reference."""
        lower, upper = self.terms.lower_price_limit, self.terms.upper_price_limit
        percent = self.terms.price_limit_percent
        if percent is not None and self.reference is not None:
            if lower is None:
                lower = -(-self.reference * (100 - percent) // 100)
            if upper is None:
                upper = self.reference * (100 + percent) // 100
        return lower or 1, units.MAX_PRICE_FEN if upper is None else upper


@dataclass(eq=False)
class Member:
    killed: bool = False
    halted: bool = False


@dataclass(eq=False)
class Account:
    name: str
    member: str
    kind: int
    owner: str
    total: dict[str, int] = field(default_factory=lambda: {units.CASH: 0})
    used_ids: dict[str, int] = field(default_factory=dict)
    """The order id of each client id that is taken."""
    used_on: dict[str, int] = field(default_factory=dict)
    """The number of the trading day on which each of them was first used."""
    bought: list[tuple[str, int, int]] = field(default_factory=list)
    """(symbol, quantity, number of the trading day from which it may be sold)."""
    retired: bool = False
    unwithdrawable: int = 0
    """The part of today's sale proceeds that may be traded with but not withdrawn before tomorrow."""
    claims: dict[str, int] = field(default_factory=dict)
    """The amount owed (fen) by the reference of each claim."""


@dataclass(eq=False)
class Order:
    order_id: int
    account: Account
    client_order_id: str
    symbol: str
    side: int
    type: int
    price: int | None
    quantity: int
    time_in_force: int = terms.GTC
    expire_at: int | None = None
    post_only: bool = False
    display: int | None = None
    stop_price: int | None = None
    stp: int = terms.CANCEL_TAKER
    persist: bool = False
    session: str = ""
    quote_id: str | None = None
    group: str = ""
    level: int = 0
    """The level of a side of mass quotes; 0 for every other order."""
    remaining: int = 0
    filled: int = 0
    shown: int = 0
    """The quantity that the current slice still shows."""
    turn: int = 0
    """The place in time priority: at one price the lowest turn is served first. 0 if not in the book."""
    pending: bool = False
    """True for a stop that has not triggered."""
    fee_residue: int = 0
    """The amount that rounding has kept back so far, in ten-thousandths of a fen."""

    def kept_session(self) -> str:
        """Return the session that is kept of the order: none if it outlives it in the form of older journals."""
        return "" if self.persist and not self.session.startswith("+") else self.session


@dataclass(eq=False)
class Proposal:
    number: int
    asked: DealPropose

    def parties(self) -> tuple[str, str]:
        return self.asked.account, self.asked.counter_account

    def names(self) -> tuple[int, str, str, str, str]:
        asked = self.asked
        return self.number, asked.account, asked.client_deal_id, asked.counter_account, asked.symbol


@dataclass(eq=False)
class Offer:
    """A quote in a request."""

    number: int
    given: RfqQuote
    firm_until: int
    leaving: bool = False
    """Whether its session has ended."""


@dataclass(eq=False)
class Asked:
    """A request for quotes."""

    number: int
    asked: RfqCreate
    at: int
    opened: bool = False
    """Whether its grace is over."""
    offers: list[Offer] = field(default_factory=list)

    def names(self) -> tuple[int, str, str, str]:
        return self.number, self.asked.account, self.asked.client_rfq_id, self.asked.symbol
