"""The methods that only read: the public market, and a member's own orders and holdings."""

from typing import Any, Final

from api.edge.outcome import Refusal
from api.edge.params import check_names, read_rows
from api.edge.rpc import Request
from api.sessions.exchange_time import exchange_time
from api.sessions.pages import (
    PAGE_PARAMS,
    answer_page,
    read_after_name,
    read_after_number,
    read_before,
    rows_after,
)
from api.sessions.refused import refuse
from api.sessions.session import Method, Session
from api.sessions.targets import find_order
from api.view.accounts import Account, write_holding
from api.view.candles import INTERVALS, write_candle
from api.view.channels import Channel
from api.view.deals import write_deal
from api.view.limit_forms import write_member
from api.view.market_data import MarketData
from api.view.orders import write_order, write_trades
from api.view.protections import write_limits
from api.view.records import OPEN
from api.view.request_forms import RequestForm, write_own_request, write_request_to_quote
from api.view.requests import CHANNEL_PREFIX, ViewedRequest
from api.view.view import View
from goldx.protocol.deal_events import TradePublished
from goldx.protocol.events import Trade
from goldx.protocol.notice_events import NoticePublished
from goldx.protocol.units import BadValue, parse_identifier
from goldx.protocol.wire import CODECS, write_event

ROWS_OF_A_LONG_ENTRY: Final = 5
"""The cost of an instrument in a list, in rows, and of a notice without its texts."""
BYTES_OF_A_ROW: Final = 200
"""So many bytes of the texts of a notice cost one more row."""
DEFAULT_TRADES: Final = 50
"""Trades in an answer where the request has no ``limit``."""


class Queries:
    """``methods`` maps the names of methods to their functions, for the sessions."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.methods: dict[str, Method] = {
            "exchange.time": self._time,
            "market.instruments": self._instruments,
            "market.book": self._book,
            "market.trades": self._trades,
            "market.candles": self._candles,
            "market.status": self._status,
            "venue.regime": self._regime,
            "notice.list": self._notices,
            "session.limits": self._limits,
            "account.holdings": self._holdings,
            "quote.protections": self._protections,
            "order.get": self._order,
            "order.list": self._orders,
            "deal.list": self._deals,
            "rfq.list": self._requests,
        }

    def market(self, symbol: object) -> MarketData:
        """Return the market data of an instrument. Raises BadValue, or Refusal (UNKNOWN_SYMBOL)."""
        market = self._view.markets.get(parse_identifier(symbol, "symbol"))
        if market is None:
            raise refuse("UNKNOWN_SYMBOL", "symbol", symbol)
        return market

    def account(self, session: Session, name: object) -> Account:
        """Return an account that the session may read: one of its member's own, or any for a supervisor.

        Raises BadValue, or Refusal (UNKNOWN_ACCOUNT, NOT_PERMITTED).
        """
        account = self._view.accounts.get(parse_identifier(name, "account"))
        principal = session.principal
        if principal is None or (principal.member is None and "supervise" not in principal.permissions):
            session.require("trade")
        if account is None or (principal is not None and principal.member not in (None, account.member)):
            raise unknown_account(name)
        return account

    def _time(self, _: Session, request: Request) -> None:
        check_names(request.params)
        request.succeed(exchange_time(self._view))

    def _instruments(self, session: Session, request: Request) -> None:
        check_names(request.params, *PAGE_PARAMS)
        markets = rows_after(self._view.markets.values(), _symbol, read_after_name(request.params))
        lists = {"instruments": MarketData.instrument}
        answer_page(session, request, markets, _symbol, lists, cost=lambda _: ROWS_OF_A_LONG_ENTRY)

    def _book(self, session: Session, request: Request) -> None:
        check_names(request.params, "symbol", "depth")
        depth = read_rows(request.params, "depth", 50)
        market = self.market(request.params.get("symbol"))
        session.charge(market.book.count_levels(depth))
        request.succeed(market.depth(depth))

    def _trades(self, session: Session, request: Request) -> None:
        """Answer with the newest trades, newest first; with a ``limit`` in pages.

        A trade of before those that are kept has none after it. A number above theirs was never given.
        """
        check_names(request.params, "symbol", *PAGE_PARAMS)
        market = self.market(request.params.get("symbol"))
        after = read_after_number(request.params)
        newest = max(map(_trade_id, market.trades), default=0)
        trades = rows_after(list(reversed(market.trades)), _trade_id, after, gone=after < newest)
        lists = {"trades": market.write_trade}
        answer_page(session, request, trades, _trade_id, lists, default=DEFAULT_TRADES, more={"symbol": market.symbol})

    def _candles(self, session: Session, request: Request) -> None:
        """Answer with the newest candles, oldest first; ``before`` is the start of the oldest one that is known."""
        check_names(request.params, "symbol", "interval", "limit", "before")
        market = self.market(request.params.get("symbol"))
        interval = request.params.get("interval")
        if not isinstance(interval, str) or interval not in INTERVALS:
            raise BadValue("interval", interval, "one of " + ", ".join(INTERVALS))
        before = read_before(request.params)
        older = [candle for candle in market.candles[interval].kept if candle.start < before]
        kept = older[-read_rows(request.params, "limit", 200) :]
        session.charge(len(kept))
        following = kept[0].start if len(kept) < len(older) else None
        written = [write_candle(candle) for candle in kept]
        request.succeed({"symbol": market.symbol, "interval": interval, "candles": written, "next": following})

    def _status(self, _: Session, request: Request) -> None:
        check_names(request.params, "symbol")
        market = self.market(request.params.get("symbol"))
        status = {**market.status(), "direct_volumes": market.direct.write_volumes()}
        request.succeed({**status, "trading_day": self._view.trading_day, "trouble": self._view.trouble})

    def regime(self) -> dict[str, Any]:
        """Return the legal regime of the venue in the protocol's form, what is proposed, and the history.

        Where there is none yet, nothing is refused for it.
        """
        history = [write_event(event) for event in self._view.regimes.history]
        proposed = self._view.regimes.proposed
        return {
            "regime": history[-1]["regime"] if history else None,
            "in_force": history[-1] if history else None,
            "proposed": None if proposed is None else write_event(proposed),
            "history": history,
        }

    def _regime(self, session: Session, request: Request) -> None:
        check_names(request.params)
        session.charge(len(self._view.regimes.history) + 1)
        request.succeed(self.regime())

    def _notices(self, session: Session, request: Request) -> None:
        """Answer with the newest notices, newest first; who logged on sees which its member has to acknowledge."""
        check_names(request.params, "limit", "before")
        before = read_before(request.params)
        most = read_rows(request.params, "limit", 20)
        older = [notice for number, notice in self._view.notices.by_id.items() if number < before]
        page = older[-1 : -most - 1 : -1]
        session.charge(sum(map(_rows_of, page)))
        member = None if session.principal is None else session.principal.member
        written = [self._view.notices.write(notice, member) for notice in page]
        request.succeed({"notices": written, "next": page[-1].notice_id if len(page) < len(older) else None})

    def _limits(self, session: Session, request: Request) -> None:
        """Answer with the limits of the key's member, or of any member for a supervisor or operator."""
        check_names(request.params, "member")
        principal = session.principal
        if principal is None or (principal.member is None and not {"supervise", "operate"} & principal.permissions):
            session.require("trade")
        assert principal is not None
        member = principal.member
        if member is None:
            member = parse_identifier(request.params.get("member"), "member")
        elif request.params.get("member") not in (None, member):
            raise BadValue("member", request.params["member"], "the member of the key")
        if member not in self._view.members:
            raise refuse("UNKNOWN_MEMBER", "member", member)
        session.charge(len(self._view.members[member]) * ROWS_OF_A_LONG_ENTRY + len(self._view.requests.open))
        request.succeed(write_member(self._view, member))

    def _holdings(self, session: Session, request: Request) -> None:
        check_names(request.params, "account", *PAGE_PARAMS)
        account = self.account(session, request.params.get("account"))
        after = read_after_name(request.params)
        held = (holding for asset, holding in sorted(account.holdings.items()) if asset > after)
        answer_page(
            session,
            request,
            held,
            lambda holding: holding.asset,
            {"holdings": lambda holding: write_holding(holding, account.owed)},
            by_key=True,
            more={"account": account.name},
        )

    def _protections(self, session: Session, request: Request) -> None:
        check_names(request.params, "account", *PAGE_PARAMS)
        account = self.account(session, request.params.get("account"))
        after = read_after_name(request.params)
        limits = (limits for limits in self._view.protections.of(account.member) if limits.set_by.group > after)
        answer_page(session, request, limits, lambda one: one.set_by.group, {"protections": write_limits})

    def _orders(self, session: Session, request: Request) -> None:
        check_names(request.params, "account", "symbol", *PAGE_PARAMS)
        account = self.account(session, request.params.get("account"))
        symbol = request.params.get("symbol")
        wanted = None if symbol is None else self.market(symbol).symbol
        after = read_after_number(request.params)
        matching = (
            order
            for order_id, order in account.live.items()
            if order_id > after and (wanted is None or order.symbol == wanted)
        )
        # An order that ends while a long list is written is left out.
        lists = {"orders": lambda order: write_order(order) if order.live else None}
        searched = after > 0 or wanted is not None
        answer_page(
            session, request, matching, lambda order: order.order_id, lists, among=len(account.live), searched=searched
        )

    def _deals(self, session: Session, request: Request) -> None:
        check_names(request.params, "account", *PAGE_PARAMS)
        account = self.account(session, request.params.get("account"))
        after = read_after_number(request.params)
        open_ones = self._view.deals.open_of(account.name)
        found = (deal for deal in open_ones if deal.proposed.deal_id > after)
        lists = {"deals": lambda deal: write_deal(deal, account.name) if deal.status == OPEN else None}
        answer_page(
            session,
            request,
            found,
            lambda deal: deal.proposed.deal_id,
            lists,
            among=len(open_ones),
            searched=after > 0,
        )

    def _requests(self, session: Session, request: Request) -> None:
        """Answer with a page of the requests that concern an account, in the order of their numbers, in two lists."""
        check_names(request.params, "account", *PAGE_PARAMS)
        account = self.account(session, request.params.get("account"))
        after = read_after_number(request.params)
        name = account.name
        found = (one for one in self._view.requests.concerning(name, account.member) if one.created.rfq_id > after)

        def write_own(one: ViewedRequest) -> RequestForm | None:
            return write_own_request(one) if one.created.account == name and one.status == OPEN else None

        def write_other(one: ViewedRequest) -> RequestForm | None:
            is_shown = one.created.account != name and one.status == OPEN
            return write_request_to_quote(one, one.quote_of(name)) if is_shown else None

        answer_page(
            session,
            request,
            found,
            lambda one: one.created.rfq_id,
            {"requests": write_own, "to_quote": write_other},
            cost=lambda one: 1 + len(one.quotes) if one.created.account == name else 1,
            among=len(self._view.requests.open),
            searched=True,
        )

    def requests_channel(self, session: Session, member: str) -> Channel:
        """Return the channel of requests of a member that the session may read: its own, or any for a supervisor.

        Raises BadValue, or Refusal (NOT_PERMITTED).
        """
        principal = session.principal
        if principal is None or (principal.member is None and "supervise" not in principal.permissions):
            session.require("trade")
        channel = self._view.requests.channels.get(member)
        if channel is None or (principal is not None and principal.member not in (None, member)):
            raise BadValue("channels", f"{CHANNEL_PREFIX}{member}", "the channel of the key's own member")
        return channel

    def _order(self, session: Session, request: Request) -> None:
        check_names(request.params, "account", "order_id", "client_order_id")
        account = self.account(session, request.params.get("account"))
        given = [(name, request.params.get(name)) for name in ("order_id", "client_order_id")]
        order_id, client_order_id = (None if value is None else CODECS[name].read(name, value) for name, value in given)
        order = find_order(self._view, account, order_id, client_order_id)
        if order is None:
            field, value = given[0] if order_id is not None else given[1]
            allowed = "an order of this account, open or of today"
            raise Refusal(
                "UNKNOWN_ORDER", str(BadValue(field, value, allowed)), field=field, value=value, allowed=allowed
            )
        request.succeed({"order": write_order(order), "trades": write_trades(order, self._view.fills)})


def _symbol(market: MarketData) -> str:
    return market.symbol


def _trade_id(trade: Trade | TradePublished) -> int:
    return trade.trade_id


def _rows_of(notice: NoticePublished) -> int:
    """Return the cost of a notice in a list, in rows: it has up to 8,000 characters."""
    texts = (notice.title, notice.text, notice.title_zh or "", notice.text_zh or "")
    return ROWS_OF_A_LONG_ENTRY + sum(len(text.encode()) for text in texts) // BYTES_OF_A_ROW


def unknown_account(name: object) -> Refusal:
    """Return the refusal of a request about another member's account, the same as for an account that is unknown."""
    return refuse("UNKNOWN_ACCOUNT", "account", name)
