"""The events of negotiated deals. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar, TypeAlias

from goldx.protocol.bases import Event


class DealProposed(Event, tag=34, frozen=True):
    """``account`` has proposed a trade to ``counter_account``. ``side`` is that of the proposer.

    ``lots``: the numbers of the receipts of named lots. ``lot_reservation``: the number under which settlement keeps
    them, where the proposer sells them.
    """

    event: ClassVar[str] = "deal.proposed"
    deal_id: int
    account: str
    client_deal_id: str
    counter_account: str
    symbol: str
    side: int
    quantity: int
    price: int
    expire_at: int
    agreed_at: int | None = None
    persist: bool | None = None
    lots: tuple[int, ...] | None = None
    lot_reservation: int | None = None


class DealAccepted(Event, tag=35, frozen=True):
    """A proposal was accepted; the trade of ``trade_id`` follows in the same command.

    ``lot_reservation``: the number under which settlement keeps named lots, where the acceptor sells them.
    """

    event: ClassVar[str] = "deal.accepted"
    deal_id: int
    account: str
    client_deal_id: str
    counter_account: str
    symbol: str
    trade_id: int
    lot_reservation: int | None = None


class DealEnded(Event, tag=36, frozen=True):
    """A proposal ended without a trade, and what it had reserved is free. ``detail`` is the venue's own reason."""

    event: ClassVar[str] = "deal.ended"
    deal_id: int
    account: str
    client_deal_id: str
    counter_account: str
    symbol: str
    reason: str
    detail: str | None = None


class TradePublished(Event, tag=37, frozen=True):
    """A trade without orders is public from now on, without its parties."""

    event: ClassVar[str] = "trade.published"
    trade_id: int
    symbol: str
    price: int
    quantity: int
    amount: int
    traded_at: int
    kind: int


DealEvent: TypeAlias = DealProposed | DealAccepted | DealEnded
DirectEvent: TypeAlias = DealEvent | TradePublished
