"""The commands of negotiated deals. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar, TypeAlias

from goldx.protocol.bases import LotsFound, MemberCommand


class DealPropose(MemberCommand, tag=27, frozen=True):
    """Proposes a trade to one other account, and reserves at once what the proposer would give for it.

    ``side`` is the proposer's. The proposal stands until it is accepted, declined or cancelled, until ``expire_at``, or
    until the trading day ends. ``agreed_at``: when the two parties agreed on the terms, where they did so elsewhere.
    Without ``persist`` the end of its session cancels it. ``lots``: the numbers of the receipts of the lots that change
    hands; without any the deal is for grams of the class. ``lots_found``, which the gateway sets, is about these lots.
    """

    method: ClassVar[str] = "deal.propose"
    account: str
    client_deal_id: str
    counter_account: str
    symbol: str
    side: int
    quantity: int
    price: int
    expire_at: int
    agreed_at: int | None = None
    persist: bool = False
    session: str = ""
    lots: tuple[int, ...] = ()
    lots_found: LotsFound | None = None


class DealAccept(MemberCommand, tag=28, frozen=True):
    """Accepts a proposal that was made to ``account``: it is a settled trade in this command, or is refused.

    ``lots_found``, which the gateway sets, is about the lots that the acceptor gives, where the proposer buys some.
    """

    method: ClassVar[str] = "deal.accept"
    account: str
    deal_id: int
    lots_found: LotsFound | None = None


class DealDecline(MemberCommand, tag=29, frozen=True):
    """Declines a proposal that was made to ``account``."""

    method: ClassVar[str] = "deal.decline"
    account: str
    deal_id: int


class DealCancel(MemberCommand, tag=30, frozen=True):
    """Takes back a proposal that ``account`` has made."""

    method: ClassVar[str] = "deal.cancel"
    account: str
    deal_id: int


DealCommand: TypeAlias = DealPropose | DealAccept | DealDecline | DealCancel
