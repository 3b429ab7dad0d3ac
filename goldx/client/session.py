"""The member's client::

    async with connect("http://127.0.0.1:8600", Key.load("member.pem")) as exchange:
        placed = await exchange.place("FIRM.H", "AU-SCRAP", "buy", price="925.00", quantity="10")
        async for message in exchange.subscribe("account.FIRM.H"):
            print(message["data"])

Prices (CNY per fine gram), quantities (fine grams) and money (CNY) are decimal strings throughout, as in the protocol.
"""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from goldx.client.connection import HEARTBEAT_SECONDS, TRACE, Connection, SessionMessage
from goldx.client.errors import when_allowed
from goldx.client.keys import Key
from goldx.client.results import (
    AllCancelled,
    CancelAfter,
    Cancelled,
    Deal,
    ExchangeTime,
    Holding,
    Message,
    OfDeal,
    OfRequest,
    OpenRequests,
    Order,
    Placed,
    RequestQuote,
    SessionStatus,
)

PAGE: Final = 1_000
"""Rows in one page of a listing, the most that there may be."""
NEWEST_FIRST: Final = frozenset({"market.candles", "notice.list"})
"""The listings whose pages go back in time: their ``next`` is the ``before`` of the page that follows."""


class ExchangeClient:
    """A member's session with a gateway. Made by ``connect``; not to be shared between threads."""

    def __init__(
        self, url: str, key: Key | None, reconnect: bool, heartbeat_seconds: float, oldest_protocol: int | None
    ) -> None:
        self._connection = Connection(url, key, reconnect, heartbeat_seconds, oldest_protocol)

    async def __aenter__(self) -> Self:
        await self._connection.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()

    @property
    def identity(self) -> dict[str, Any]:
        """The answer to the log-on: member, accounts, permissions, session, protocol, version. Empty without one."""
        return self._connection.identity

    async def call(self, method: str, **params: Any) -> Any:
        """Call a method of the protocol and return its result; parameters that are None are left out.

        Raises ExchangeError, or ConnectionLost when the connection ends before the answer.
        """
        return await self._connection.call(method, {name: value for name, value in params.items() if value is not None})

    @contextmanager
    def traced(self, trace: str) -> Iterator[None]:
        """Send the requests made within ``with`` under an id of your own, 1 to 32 characters of A-Z a-z 0-9 . _ -

        The gateway's log has it where a request is refused or fails, and the ExchangeError has it as ``trace``.
        """
        before = TRACE.set(trace)
        try:
            yield
        finally:
            TRACE.reset(before)

    async def pages(self, method: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield the pages of a listing of the protocol, each as it is when it is asked for. Raises as ``call`` does.

        They are of ``PAGE`` rows unless ``params`` has another ``limit``. A page that the gateway refuses for too many
        requests (RATE_LIMITED) is waited for.
        """
        asked = {"limit": PAGE} | {name: value for name, value in params.items() if value is not None}
        following = "before" if method in NEWEST_FIRST else "after"
        while True:
            page = await when_allowed(partial(self.call, method, **asked))
            yield page
            if page["next"] is None:
                return
            asked[following] = page["next"]

    async def place(
        self,
        account: str,
        symbol: str,
        side: str,
        quantity: str,
        price: str | None = None,
        client_order_id: str | None = None,
        *,
        type: str | None = None,
        time_in_force: str | None = None,
        **more: Any,
    ) -> Placed:
        """Place an order; without a price it is a market order.

        ``client_order_id`` is generated unless it is given; give your own to be able to repeat the order after a
        ConnectionLost: until the trading day after its first use has ended it is placed at most once. ``more``:
        expire_at, post_only, display_quantity, stop_price, stp, persist.
        """
        placed: Placed = await self.call(
            "order.place",
            account=account,
            symbol=symbol,
            side=side,
            type=type or ("market" if price is None else "limit"),
            price=price,
            quantity=quantity,
            client_order_id=client_order_id or uuid.uuid4().hex,
            time_in_force=time_in_force,
            **more,
        )
        return placed

    async def cancel(self, account: str, order_id: int | None = None, client_order_id: str | None = None) -> Cancelled:
        """Cancel an open order, named by one of its two ids."""
        cancelled: Cancelled = await self.call(
            "order.cancel", account=account, order_id=order_id, client_order_id=client_order_id
        )
        return cancelled

    async def cancel_all(self, account: str, symbol: str | None = None, side: str | None = None) -> AllCancelled:
        """Cancel the account's open orders, all or those of one instrument or side."""
        cancelled: AllCancelled = await self.call("order.cancel_all", account=account, symbol=symbol, side=side)
        return cancelled

    async def replace(self, account: str, order_id: int | None = None, **change: Any) -> Placed:
        """Change an open order.

        ``change``: client_order_id instead of order_id; new_client_order_id, price, quantity (the new total).
        """
        replaced: Placed = await self.call("order.replace", account=account, order_id=order_id, **change)
        return replaced

    async def propose_deal(
        self,
        account: str,
        counter_account: str,
        symbol: str,
        side: str,
        quantity: str,
        price: str,
        expire_at: int,
        client_deal_id: str | None = None,
        *,
        agreed_at: int | None = None,
        persist: bool | None = None,
        lots: list[int] | None = None,
    ) -> OfDeal:
        """Propose a deal to another member's account; ``side`` is your own. What it takes is reserved at once.

        ``expire_at`` is a time in ms. ``agreed_at``: when you agreed on it, if you did so elsewhere. As with orders,
        give your own ``client_deal_id`` to be able to repeat the proposal, and ``persist`` if it may outlive the
        session. ``lots``: the numbers of the seller's receipts, whose fine weight the ``quantity`` then is.
        """
        proposed: OfDeal = await self.call(
            "deal.propose",
            account=account,
            client_deal_id=client_deal_id or uuid.uuid4().hex,
            counter_account=counter_account,
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=price,
            expire_at=expire_at,
            agreed_at=agreed_at,
            persist=persist,
            lots=lots,
        )
        return proposed

    async def accept_deal(self, account: str, deal_id: int) -> OfDeal:
        """Accept a deal that was proposed to the account: the result has its trade, which has settled."""
        accepted: OfDeal = await self.call("deal.accept", account=account, deal_id=deal_id)
        return accepted

    async def decline_deal(self, account: str, deal_id: int) -> OfDeal:
        """Decline a deal that was proposed to the account."""
        declined: OfDeal = await self.call("deal.decline", account=account, deal_id=deal_id)
        return declined

    async def cancel_deal(self, account: str, deal_id: int) -> OfDeal:
        """Take back a deal that the account has proposed."""
        cancelled: OfDeal = await self.call("deal.cancel", account=account, deal_id=deal_id)
        return cancelled

    async def deals(self, account: str) -> list[Deal]:
        """Return the open deals that the account has proposed, and those proposed to it."""
        return [deal async for page in self.pages("deal.list", account=account) for deal in page["deals"]]

    async def create_rfq(
        self,
        account: str,
        symbol: str,
        side: str,
        quantity: str,
        expire_at: int,
        client_rfq_id: str | None = None,
        *,
        members: list[str] | None = None,
        grace_ms: int | None = None,
        anonymous: bool | None = None,
        persist: bool | None = None,
    ) -> OfRequest:
        """Ask the members (None: all) for prices at which the account would trade; ``side`` is your own.

        You see their quotes, and can accept, when ``grace_ms`` have passed; ``expire_at`` is a time in ms. As with
        orders, give your own ``client_rfq_id`` to be able to repeat the request, and ``persist`` if it may outlive the
        session.
        """
        created: OfRequest = await self.call(
            "rfq.create",
            account=account,
            client_rfq_id=client_rfq_id or uuid.uuid4().hex,
            symbol=symbol,
            side=side,
            quantity=quantity,
            expire_at=expire_at,
            members=members,
            grace_ms=grace_ms,
            anonymous=anonymous,
            persist=persist,
        )
        return created

    async def quote_rfq(
        self, account: str, rfq_id: int, price: str, quantity: str, *, all_or_none: bool | None = None
    ) -> RequestQuote:
        """Answer a request with a price: it is reserved at once, replaces your last quote there, and is firm."""
        given = {"price": price, "quantity": quantity, "all_or_none": all_or_none}
        quote: RequestQuote = (await self.call("rfq.quote", account=account, rfq_id=rfq_id, **given))["quote"]
        return quote

    async def withdraw_rfq(self, account: str, rfq_id: int) -> RequestQuote:
        """Take back the account's quote in a request, once it is no longer firm."""
        quote: RequestQuote = (await self.call("rfq.withdraw", account=account, rfq_id=rfq_id))["quote"]
        return quote

    async def accept_rfq(self, account: str, rfq_id: int, price: str, quantity: str | None = None) -> OfRequest:
        """Accept the best quotes of your request at ``price`` or better: the result has its trades, which have settled.

        ``quantity`` is traded whole, or nothing is; None: all that was asked for.
        """
        accepted: OfRequest = await self.call(
            "rfq.accept", account=account, rfq_id=rfq_id, price=price, quantity=quantity
        )
        return accepted

    async def cancel_rfq(self, account: str, rfq_id: int) -> OfRequest:
        """Take back a request of the account; its quotes end with it."""
        cancelled: OfRequest = await self.call("rfq.cancel", account=account, rfq_id=rfq_id)
        return cancelled

    async def rfqs(self, account: str) -> OpenRequests:
        """Return the open requests of the account with the quotes that it may see, and those that it may answer."""
        found: OpenRequests = {"requests": [], "to_quote": []}
        async for page in self.pages("rfq.list", account=account):
            found["requests"] += page["requests"]
            found["to_quote"] += page["to_quote"]
        return found

    async def holdings(self, account: str) -> dict[str, Holding]:
        """Return the account's holdings by asset."""
        holdings: dict[str, Holding] = {}
        async for page in self.pages("account.holdings", account=account):
            holdings |= page["holdings"]
        return holdings

    async def orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """Return the account's open orders. They are read in pages: an order that ends meanwhile may be missing."""
        pages = self.pages("order.list", account=account, symbol=symbol)
        return [order async for page in pages for order in page["orders"]]

    async def regime(self) -> dict[str, Any]:
        """Return the legal regime in force, one that a person has proposed, and the history, oldest first."""
        found: dict[str, Any] = await self.call("venue.regime")
        return found

    async def cancel_after(self, ms: int) -> CancelAfter:
        """Have the session's orders cancelled unless this is called again within ``ms``; 0 stops the timer.

        Raises ExchangeError: with UNAVAILABLE the timer runs, but only at this gateway.
        """
        started: CancelAfter = await self.call("session.cancel_after", ms=ms)
        return started

    async def heartbeats(self, seconds: int) -> None:
        """Have the gateway send a heartbeat whenever it sent nothing else for ``seconds``, at most 60; 0: none.

        ``session_messages`` yields them. Answers to what the client itself sends in the background count as messages.
        """
        await self.call("session.heartbeat", seconds=seconds)

    async def session_status(self) -> SessionStatus:
        """Return the name and the settings of this session."""
        status: SessionStatus = await self.call("session.status")
        return status

    def session_messages(self) -> AsyncGenerator[SessionMessage, None]:
        """Yield what the gateway says to this session alone, as its method and its params, once it is waited for.

        ``session.cancel_after``: its orders have been cancelled, because its timer had run out.
        ``session.heartbeat``: it had nothing else to send; the params are an ``ExchangeTime``. Ends as ``subscribe``.
        """
        return self._connection.session_messages()

    async def time(self) -> ExchangeTime:
        """Return the gateway's time, and the time and sequence of the newest event that it knows."""
        found: ExchangeTime = await self.call("exchange.time")
        return found

    async def limits(self) -> dict[str, Any]:
        """Return the limits that the venue has set for your member and for its accounts, and what is used of them."""
        found: dict[str, Any] = await self.call("session.limits")
        return found

    async def notices(self, limit: int = 20, before: int | None = None) -> list[dict[str, Any]]:
        """Return the newest notices of the venue, newest first; ``before``: those with a lower number.

        With ``to_acknowledge`` those that your member has to acknowledge, or has.
        """
        found: list[dict[str, Any]] = (await self.call("notice.list", limit=limit, before=before))["notices"]
        return found

    async def acknowledge(self, account: str, notice_id: int) -> dict[str, Any]:
        """Say for the account's member that it has taken note of a notice."""
        notice: dict[str, Any] = (await self.call("notice.acknowledge", account=account, notice_id=notice_id))["notice"]
        return notice

    def subscribe(
        self,
        *channels: str,
        from_sequence: int | dict[str, int] | None = None,
        epoch: str | dict[str, str] | None = None,
    ) -> AsyncGenerator[Message, None]:
        """Yield the messages of channels, which are described by ``goldx.client.results.Message``.

        ``from_sequence`` is the last sequence received, for all channels or by channel, and ``epoch`` the epoch of that
        message. Raises ExchangeError (CANNOT_RESUME) if the exchange does not have that message; a message of type
        ``gap`` says how many are no longer kept. With ``reconnect=True`` the messages continue after a lost connection;
        without it they end with ConnectionLost.
        """
        return self._connection.subscribe(channels, from_sequence, epoch)


def connect(
    url: str,
    key: Key | None = None,
    *,
    reconnect: bool = False,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    oldest_protocol: int | None = None,
) -> ExchangeClient:
    """Return a client of the gateway at ``http(s)://`` or ``ws(s)://``, to be used in ``async with``.

    With a key it logs on; without one it may only read the public market. With ``reconnect`` a lost connection is
    replaced and subscriptions continue; calls in flight at the loss still raise ConnectionLost. A heartbeat is sent
    every ``heartbeat_seconds``; if it is not answered in that time, the connection counts as lost. A gateway whose
    version of the protocol is older than ``oldest_protocol`` refuses the log-on (PROTOCOL). Entering raises OSError,
    websockets' exceptions, ExchangeError.
    """
    return ExchangeClient(url, key, reconnect, heartbeat_seconds, oldest_protocol)
