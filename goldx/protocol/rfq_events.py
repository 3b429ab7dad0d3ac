"""The events of requests for quotes. Units as in ``goldx.protocol.commands``.

In all of them ``rfq_id`` is the request. In those about a quote, ``account`` has given it and ``counter_account`` has
asked for it; ``hidden`` is True while the requester does not see it, and ``anonymous`` if neither side sees the name
of the other one.
"""

from typing import ClassVar, TypeAlias

import msgspec

from goldx.protocol.bases import Event


class RfqCreated(Event, tag=38, frozen=True):
    """``account`` has asked the ``members`` (none: all) for quotes. ``side`` is that of the requester."""

    event: ClassVar[str] = "rfq.created"
    rfq_id: int
    account: str
    client_rfq_id: str
    symbol: str
    side: int
    quantity: int
    grace_until: int
    expire_at: int
    members: tuple[str, ...] = ()
    anonymous: bool | None = None
    persist: bool | None = None


class RfqQuoted(Event, tag=39, frozen=True):
    """A quote was given. ``side`` is that of the quoter. ``replaces``: the account's quote that it takes the place of.

    Until ``firm_until`` it can be improved, and neither withdrawn nor worsened.
    """

    event: ClassVar[str] = "rfq.quoted"
    rfq_id: int
    rfq_quote_id: int
    account: str
    counter_account: str
    symbol: str
    side: int
    price: int
    quantity: int
    firm_until: int
    all_or_none: bool | None = None
    replaces: int | None = None
    hidden: bool | None = None
    anonymous: bool | None = None


class ShownQuote(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One quote of a ``rfq.grace_ended``."""

    rfq_quote_id: int
    account: str
    price: int
    quantity: int
    firm_until: int
    all_or_none: bool | None = None


class RfqGraceEnded(Event, tag=40, frozen=True):
    """The requester sees the quotes of its request from now on, and can accept."""

    event: ClassVar[str] = "rfq.grace_ended"
    rfq_id: int
    account: str
    client_rfq_id: str
    symbol: str
    quotes: tuple[ShownQuote, ...]
    anonymous: bool | None = None


class RfqQuoteEnded(Event, tag=41, frozen=True):
    """A quote ended without a trade, and what it had reserved is free. ``detail`` is the venue's own reason."""

    event: ClassVar[str] = "rfq.quote_ended"
    rfq_id: int
    rfq_quote_id: int
    account: str
    counter_account: str
    symbol: str
    reason: str
    hidden: bool | None = None
    anonymous: bool | None = None
    detail: str | None = None


class RfqAccepted(Event, tag=42, frozen=True):
    """A request was accepted at one price; its trades follow in the same command."""

    event: ClassVar[str] = "rfq.accepted"
    rfq_id: int
    account: str
    client_rfq_id: str
    symbol: str
    price: int
    quantity: int
    trade_ids: tuple[int, ...]


class RfqQuoteDone(Event, tag=43, frozen=True):
    """A quote was accepted; the trade of ``trade_id`` follows. What it had reserved beyond that is free.

    ``covering_price`` is the best price of a quote that could have traded and did not; None if there was none.
    """

    event: ClassVar[str] = "rfq.quote_done"
    rfq_id: int
    rfq_quote_id: int
    account: str
    counter_account: str
    symbol: str
    price: int
    quantity: int
    trade_id: int
    covering_price: int | None = None
    anonymous: bool | None = None


class RfqEnded(Event, tag=44, frozen=True):
    """A request ended without a trade, and with it all its quotes. ``detail`` is the venue's own reason."""

    event: ClassVar[str] = "rfq.ended"
    rfq_id: int
    account: str
    client_rfq_id: str
    symbol: str
    reason: str
    detail: str | None = None


OfQuote: TypeAlias = RfqQuoted | RfqQuoteEnded | RfqQuoteDone
"""The events about one quote."""
RfqEvent: TypeAlias = RfqCreated | RfqQuoted | RfqGraceEnded | RfqQuoteEnded | RfqAccepted | RfqQuoteDone | RfqEnded
