"""The forms of requests for quotes and of their quotes, for the requester and for who may answer.

A quoter sees its own quote alone. The requester sees no quote before the grace has ended. In an anonymous request
neither side sees the name of the other one, also afterwards.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from api.view.records import OPEN
from goldx.protocol import terms, units
from goldx.protocol.rfq_events import OfQuote, RfqGraceEnded

if TYPE_CHECKING:
    from api.view.requests import Quote, ViewedRequest


class QuoteForm(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The protocol's form of a quote. ``side`` is the quoter's; ``account`` is left out where it is not shown.

    A quote that was accepted has the price, the quantity and the trade; ``covering_price`` is for its quoter alone.
    """

    rfq_id: int
    rfq_quote_id: int
    symbol: str
    side: str
    price: str
    quantity: str
    amount: str
    firm_until: int
    at: int
    status: str
    account: str | None = None
    all_or_none: bool = False
    done_price: str | None = None
    done_quantity: str | None = None
    trade_id: int | None = None
    covering_price: str | None = None
    reason: str | None = None


class RequestForm(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The protocol's form of a request. ``side`` is the requester's.

    ``client_rfq_id``, ``members``, ``persist``, ``quotes`` and what became of it are for the requester alone; ``quote``
    is the reader's own, for who may answer.
    """

    rfq_id: int
    symbol: str
    side: str
    quantity: str
    grace_until: int
    expire_at: int
    at: int
    status: str
    account: str | None = None
    client_rfq_id: str | None = None
    members: list[str] | None = None
    anonymous: bool = False
    persist: bool = False
    quotes: list[QuoteForm] | None = None
    quote: QuoteForm | None = None
    price: str | None = None
    accepted_quantity: str | None = None
    trade_ids: list[int] | None = None
    reason: str | None = None


def write_own_request(request: "ViewedRequest") -> RequestForm:
    """Return the form of a request for its requester, with the quotes that it may see."""
    event = request.created
    accepted = request.accepted
    shown = [quote for quote in request.quotes.values() if request.grace_is_over and quote.status == OPEN]
    return RequestForm(
        *_common(request),
        account=event.account,
        client_rfq_id=event.client_rfq_id,
        members=list(event.members) or None,
        anonymous=bool(event.anonymous),
        persist=bool(event.persist),
        quotes=[write_quote(quote, of_requester=True) for quote in shown],
        price=None if accepted is None else units.format_price(accepted.price),
        accepted_quantity=None if accepted is None else units.format_weight(accepted.quantity),
        trade_ids=None if accepted is None else list(accepted.trade_ids),
        reason=request.reason,
    )


def write_request_to_quote(request: "ViewedRequest", own: "Quote | None" = None) -> RequestForm:
    """Return the form of a request for who may answer it, with the reader's own quote if it has one."""
    event = request.created
    return RequestForm(
        *_common(request),
        account=None if event.anonymous else event.account,
        anonymous=bool(event.anonymous),
        quote=None if own is None else write_quote(own, of_requester=False),
    )


def write_quote(quote: "Quote", *, of_requester: bool) -> QuoteForm:
    """Return the form of a quote, for the requester or for the quoter."""
    event, done = quote.quoted, quote.done
    cover = None if done is None or of_requester else done.covering_price
    return QuoteForm(
        event.rfq_id,
        event.rfq_quote_id,
        event.symbol,
        terms.SIDES[event.side],
        units.format_price(event.price),
        units.format_weight(event.quantity),
        units.format_money(event.price * event.quantity // units.MG_PER_GRAM),
        event.firm_until,
        event.at,
        quote.status,
        account=None if of_requester and event.anonymous else event.account,
        all_or_none=bool(event.all_or_none),
        done_price=None if done is None else units.format_price(done.price),
        done_quantity=None if done is None else units.format_weight(done.quantity),
        trade_id=None if done is None else done.trade_id,
        covering_price=None if cover is None else units.format_price(cover),
        reason=quote.reason,
    )


def keep_secrets(event: OfQuote | RfqGraceEnded, account: str, written: dict[str, Any]) -> None:
    """Take out of a written event what the account that gets it may not see."""
    written.pop("hidden", None)
    if isinstance(event, RfqGraceEnded):
        for quote in written["quotes"] if event.anonymous else ():
            del quote["account"]
        return
    is_quoter = account == event.account
    if not is_quoter:
        written.pop("covering_price", None)
    if event.anonymous:
        del written["counter_account" if is_quoter else "account"]


def _common(request: "ViewedRequest") -> tuple[int, str, str, str, int, int, int, str]:
    event = request.created
    return (
        event.rfq_id,
        event.symbol,
        terms.SIDES[event.side],
        units.format_weight(event.quantity),
        event.grace_until,
        event.expire_at,
        event.at,
        request.status,
    )
