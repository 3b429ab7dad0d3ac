"""The commands of requests for quotes. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar, TypeAlias

from goldx.protocol import terms
from goldx.protocol.bases import MemberCommand


class RfqCreate(MemberCommand, tag=31, frozen=True):
    """Asks for prices at which ``account`` would trade: ``side`` is its own. Nothing is reserved for it.

    ``members``: those who may quote; empty: all. ``anonymous``: neither side sees the name of the other one, which the
    regime has to allow. The requester sees no quote, and can accept none, before ``grace_ms`` of journal time have
    passed. The request stands until it is accepted or cancelled, until ``expire_at``, or until the trading day ends.
    Without ``persist`` the end of its session cancels it.
    """

    method: ClassVar[str] = "rfq.create"
    account: str
    client_rfq_id: str
    symbol: str
    side: int
    quantity: int
    expire_at: int
    grace_ms: int = terms.DEFAULT_RFQ_GRACE_MS
    members: tuple[str, ...] = ()
    anonymous: bool = False
    persist: bool = False
    session: str = ""


class RfqQuote(MemberCommand, tag=32, frozen=True):
    """Answers a request with a price, and reserves at once what the quote could give; replaces the account's last one.

    ``all_or_none``: the quote, which is then for the whole quantity of the request, trades whole or not at all. A quote
    is firm (``goldx.protocol.terms.RFQ_FIRM_MS``): until then it may be improved, and neither withdrawn nor worsened.
    """

    method: ClassVar[str] = "rfq.quote"
    account: str
    rfq_id: int
    price: int
    quantity: int
    all_or_none: bool = False
    session: str = ""


class RfqWithdraw(MemberCommand, tag=33, frozen=True):
    """Takes back the quote of ``account`` in a request, once it is no longer firm."""

    method: ClassVar[str] = "rfq.withdraw"
    account: str
    rfq_id: int


class RfqAccept(MemberCommand, tag=34, frozen=True):
    """Accepts the best quotes of a request of ``account``: they are settled trades in this command, or it is refused.

    ``price`` is the worst price that is accepted. ``quantity`` is traded whole at one price; None: all that was asked
    for. The request is over then.
    """

    method: ClassVar[str] = "rfq.accept"
    account: str
    rfq_id: int
    price: int
    quantity: int | None = None


class RfqCancel(MemberCommand, tag=35, frozen=True):
    """Takes back a request of ``account``, whose quotes end with it."""

    method: ClassVar[str] = "rfq.cancel"
    account: str
    rfq_id: int


RfqCommand: TypeAlias = RfqCreate | RfqQuote | RfqWithdraw | RfqAccept | RfqCancel
