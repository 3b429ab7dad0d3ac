"""A request for quotes inside the core, and the quotes that were given for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldx.protocol.terms import ANONYMITY, BUY, DISCLOSED_REQUEST, SELL

if TYPE_CHECKING:
    from matching.core.holdings import Account, Balance, Member
    from matching.core.instrument import Instrument


class OpenRfqQuote:
    """An open quote of an account in a request; an account has one at most.

    ``price`` in fen per fine gram, ``quantity`` in fine mg, ``firm_until`` in ms. ``reserved`` is what it could use of
    ``balance``: price x quantity and the fee where it buys (fen), the quantity where it sells. ``leaves``: its session
    has ended, so that it ends when it is no longer firm.
    """

    __slots__ = (
        "account",
        "all_or_none",
        "balance",
        "firm_until",
        "leaves",
        "price",
        "quantity",
        "quote_id",
        "request",
        "reserved",
        "session",
    )

    def __init__(
        self,
        quote_id: int,
        request: OpenRfq,
        account: Account,
        price: int,
        quantity: int,
        all_or_none: bool,
        firm_until: int,
        session: str,
        balance: Balance,
        reserved: int,
    ) -> None:
        self.quote_id: int = quote_id
        self.request: OpenRfq = request
        self.account: Account = account
        self.price: int = price
        self.quantity: int = quantity
        self.all_or_none: bool = all_or_none
        self.firm_until: int = firm_until
        self.session: str = session
        self.balance: Balance = balance
        self.reserved: int = reserved
        self.leaves: bool = False


class OpenRfq:
    """An open request. ``account`` has made it, ``side`` is that account's; ``members`` may quote, all if it is empty.

    ``quantity`` in fine mg, times in ms. ``session`` as that of an order. ``quotes``: the open ones by account, in the
    order of their numbers.
    """

    __slots__ = (
        "account",
        "anonymous",
        "client_rfq_id",
        "expire_at",
        "grace_until",
        "instrument",
        "members",
        "quantity",
        "quotes",
        "rfq_id",
        "session",
        "side",
    )

    def __init__(
        self,
        rfq_id: int,
        account: Account,
        client_rfq_id: str,
        instrument: Instrument,
        side: int,
        quantity: int,
        grace_until: int,
        expire_at: int,
        members: tuple[str, ...],
        anonymous: bool,
        session: str,
    ) -> None:
        self.rfq_id: int = rfq_id
        self.account: Account = account
        self.client_rfq_id: str = client_rfq_id
        self.instrument: Instrument = instrument
        self.side: int = side
        self.quantity: int = quantity
        self.grace_until: int = grace_until
        self.expire_at: int = expire_at
        self.members: tuple[str, ...] = members
        self.anonymous: bool = anonymous
        self.session: str = session
        self.quotes: dict[str, OpenRfqQuote] = {}

    def quoting_side(self) -> int:
        """Return the side of its quotes."""
        return SELL if self.side == BUY else BUY

    def mode(self) -> int:
        """Return the way of trading that it is, one of ``goldx.protocol.terms.TRADING_MODES``."""
        return ANONYMITY if self.anonymous else DISCLOSED_REQUEST

    def asks(self, member: Member) -> bool:
        """Return whether the accounts of a member may quote."""
        return not self.members or member.name in self.members

    def is_worse(self, price: int, than: int) -> bool:
        """Return whether one price of quotes is worse for the requester than another."""
        return price > than if self.side == BUY else price < than
