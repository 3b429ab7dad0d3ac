"""Requests for quotes as a gateway keeps them, and the channel in which each member sees those that it may answer.

A request is kept with its quotes until the end of its trading day, with which every request ends.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from api.view.channels import Channel, Content
from api.view.records import OPEN
from api.view.request_forms import write_request_to_quote
from goldx.protocol.rfq_events import (
    RfqAccepted,
    RfqCreated,
    RfqEnded,
    RfqGraceEnded,
    RfqQuoted,
    RfqQuoteDone,
    RfqQuoteEnded,
)

ACCEPTED: Final = "accepted"
ENDED: Final = "ended"
DONE: Final = "done"
CHANNEL_PREFIX: Final = "rfq."
"""Before the name of a member: its channel of requests."""


class Quote(msgspec.Struct, array_like=True, gc=False):
    """One quote: the event that gave it, and what became of it."""

    quoted: RfqQuoted
    status: str = OPEN
    done: RfqQuoteDone | None = None
    reason: str | None = None


class ViewedRequest(msgspec.Struct, array_like=True, gc=False):
    """One request: the event that made it, its quotes by number, and what became of it.

    ``grace_is_over``: the requester sees the quotes. A quote that another one has replaced is not kept.
    """

    created: RfqCreated
    status: str = OPEN
    grace_is_over: bool = False
    accepted: RfqAccepted | None = None
    reason: str | None = None
    quotes: dict[int, Quote] = {}

    def quote_of(self, account: str) -> Quote | None:
        """Return the newest quote of an account, open or not."""
        found = [quote for quote in self.quotes.values() if quote.quoted.account == account]
        return found[-1] if found else None

    def asks(self, member: str) -> bool:
        """Return whether the accounts of a member may quote."""
        return not self.created.members or member in self.created.members


class Requests:
    """The requests of this trading day, and the channels of requests by member."""

    def __init__(self, now: Callable[[], int]) -> None:
        """Begin without any. ``now`` gives the time of the newest event, in ms."""
        self.by_id: dict[int, ViewedRequest] = {}
        self.open: dict[int, ViewedRequest] = {}
        self.channels: dict[str, Channel] = {}
        self._now = now

    def handlers(self) -> dict[type[Any], Callable[[Any], None]]:
        """Return the functions that fold the events."""
        return {
            RfqCreated: self._created,
            RfqQuoted: self._quoted,
            RfqGraceEnded: self._grace_ended,
            RfqQuoteEnded: self._quote_ended,
            RfqQuoteDone: self._quote_done,
            RfqAccepted: self._accepted,
            RfqEnded: self._ended,
        }

    def add_member(self, member: str, add: Callable[[Channel], None]) -> None:
        """Make the channel of a member, if it is new, and add it."""
        if member not in self.channels:

            def snapshot() -> Content:
                found = [write_request_to_quote(request) for request in self.open.values() if request.asks(member)]
                return Content(self._now(), {"requests": found})

            channel = self.channels[member] = Channel(f"{CHANNEL_PREFIX}{member}", _same, snapshot)
            add(channel)

    def add(self, request: ViewedRequest) -> None:
        """Add a request."""
        number = request.created.rfq_id
        self.by_id[number] = request
        if request.status == OPEN:
            self.open[number] = request

    def own(self, account: str) -> list[ViewedRequest]:
        """Return the open requests of an account, oldest first. O(open requests)."""
        return [request for request in self.open.values() if request.created.account == account]

    def concerning(self, account: str, member: str) -> Iterator[ViewedRequest]:
        """Yield the open requests of an account of a member and those that it may answer, oldest first."""
        return (r for r in self.open.values() if r.created.account == account or r.asks(member))

    def quoted_by(self, account: str) -> list[ViewedRequest]:
        """Return the open requests in which an account has an open quote. O(open requests and quotes)."""
        found = []
        for request in self.open.values():
            quote = request.quote_of(account)
            if quote is not None and quote.status == OPEN:
                found.append(request)
        return found

    def count_quotes(self) -> Counter[str]:
        """Return the number of open quotes in open requests by account. O(open requests and quotes)."""
        found: Counter[str] = Counter()
        for request in self.open.values():
            found.update(quote.quoted.account for quote in request.quotes.values() if quote.status == OPEN)
        return found

    def count_open(self, symbol: str) -> int:
        """Return the number of open requests in an instrument."""
        return sum(request.created.symbol == symbol for request in self.open.values())

    def find(self, account: str, client_rfq_id: str) -> ViewedRequest | None:
        """Return the request of today that an account has made under a client id. O(requests of today)."""
        wanted = (account, client_rfq_id)
        found = (r for r in self.by_id.values() if (r.created.account, r.created.client_rfq_id) == wanted)
        return next(found, None)

    def begin_day(self) -> None:
        """Forget the requests of the day that has ended, all of which are over."""
        self.by_id.clear()
        self.open.clear()

    def _created(self, event: RfqCreated) -> None:
        request = ViewedRequest(event, quotes={})
        self.add(request)
        written = msgspec.to_builtins(write_request_to_quote(request))
        self._publish(request, Content(event.at, {"event": event.event, **written}))

    def _quoted(self, event: RfqQuoted) -> None:
        quotes = self.by_id[event.rfq_id].quotes
        if event.replaces is not None:
            quotes.pop(event.replaces, None)
        quotes[event.rfq_quote_id] = Quote(event)

    def _grace_ended(self, event: RfqGraceEnded) -> None:
        self.by_id[event.rfq_id].grace_is_over = True

    def _quote_ended(self, event: RfqQuoteEnded) -> None:
        quote = self.by_id[event.rfq_id].quotes[event.rfq_quote_id]
        quote.status, quote.reason = ENDED, event.reason

    def _quote_done(self, event: RfqQuoteDone) -> None:
        quote = self.by_id[event.rfq_id].quotes[event.rfq_quote_id]
        quote.status, quote.done = DONE, event

    def _accepted(self, event: RfqAccepted) -> None:
        request = self.open.pop(event.rfq_id)
        request.status, request.accepted = ACCEPTED, event
        self._close(request, event.at)

    def _ended(self, event: RfqEnded) -> None:
        request = self.open.pop(event.rfq_id)
        request.status, request.reason = ENDED, event.reason
        self._close(request, event.at)

    def _close(self, request: ViewedRequest, at: int) -> None:
        """Let the members know that a request is over, and not how: that is for its parties."""
        created = request.created
        closed = {"event": "rfq.closed", "rfq_id": created.rfq_id, "symbol": created.symbol}
        self._publish(request, Content(at, closed))

    def _publish(self, request: ViewedRequest, content: Content) -> None:
        for member in dict.fromkeys(request.created.members) or self.channels:
            self.channels[member].publish(content)


def _same(content: Content) -> Content:
    return content
