"""The methods that only read: the public market, and a member's own orders and holdings."""

from collections import deque
from itertools import islice
from typing import Any, Final

from msgspec import Raw

from api.edge.outcome import Refusal
from api.edge.params import check_names, check_whole, read_rows
from api.edge.rpc import Request, encode
from api.sessions.refused import refuse
from api.sessions.session import Method, Session
from api.sessions.targets import find_order
from api.view.accounts import Account
from api.view.candles import INTERVALS, write_candle
from api.view.channels import PART_ROWS, Channel
from api.view.deals import write_deal
from api.view.limit_forms import write_member
from api.view.market_data import MarketData
from api.view.orders import write_order, write_trades
from api.view.request_forms import write_own_request, write_request_to_quote
from api.view.requests import CHANNEL_PREFIX
from api.view.view import View
from goldx.protocol.notice_events import NoticePublished
from goldx.protocol.units import BadValue, parse_identifier
from goldx.protocol.wire import CODECS, write_event

ROWS_OF_A_LONG_ENTRY: Final = 5
"""The cost of an instrument in a list, in rows, and of a notice without its texts."""
BYTES_OF_A_ROW: Final = 200
"""So many bytes of the texts of a notice cost one more row."""
LARGEST_ID: Final = (1 << 63) - 1


class Queries:
    """``methods`` maps the names of methods to their functions, for the sessions."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.methods: dict[str, Method] = {
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

    def _instruments(self, session: Session, request: Request) -> None:
        check_names(request.params)
        session.charge(len(self._view.markets) * ROWS_OF_A_LONG_ENTRY)
        request.succeed({"instruments": [market.instrument() for market in self._view.markets.values()]})

    def _book(self, session: Session, request: Request) -> None:
        check_names(request.params, "symbol", "depth")
        depth = read_rows(request.params, "depth", 50)
        market = self.market(request.params.get("symbol"))
        session.charge(market.book.count_levels(depth))
        request.succeed(market.depth(depth))

    def _trades(self, session: Session, request: Request) -> None:
        check_names(request.params, "symbol", "limit")
        market = self.market(request.params.get("symbol"))
        limit = min(read_rows(request.params, "limit", 50), len(market.trades))
        session.charge(limit)
        request.succeed({"symbol": market.symbol, "trades": market.recent(limit)})

    def _candles(self, session: Session, request: Request) -> None:
        check_names(request.params, "symbol", "interval", "limit")
        market = self.market(request.params.get("symbol"))
        interval = request.params.get("interval")
        if not isinstance(interval, str) or interval not in INTERVALS:
            raise BadValue("interval", interval, "one of " + ", ".join(INTERVALS))
        kept = list(market.candles[interval].kept)[-read_rows(request.params, "limit", 200) :]
        session.charge(len(kept))
        request.succeed({"symbol": market.symbol, "interval": interval, "candles": [write_candle(c) for c in kept]})

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
        before = check_whole("before", request.params.get("before", LARGEST_ID), 1, LARGEST_ID)
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
        check_names(request.params, "account")
        account = self.account(session, request.params.get("account"))
        request.succeed({"account": account.name, "holdings": account.write_holdings()})

    def _protections(self, session: Session, request: Request) -> None:
        check_names(request.params, "account")
        account = self.account(session, request.params.get("account"))
        written = self._view.protections.write(account.member)
        session.charge(len(written))
        request.succeed({"protections": written})

    def _orders(self, session: Session, request: Request) -> None:
        check_names(request.params, "account", "symbol", "limit", "after")
        account = self.account(session, request.params.get("account"))
        symbol = request.params.get("symbol")
        wanted = None if symbol is None else self.market(symbol).symbol
        after = check_whole("after", request.params.get("after", 0), 0, LARGEST_ID)
        limited = request.params.get("limit") is not None
        # One more than the page, which shows whether there is another page.
        most = read_rows(request.params, "limit", 1) + 1 if limited else len(account.live)
        matching = (
            order
            for order_id, order in account.live.items()
            if order_id > after and (wanted is None or order.symbol == wanted)
        )
        live = list(islice(matching, most))
        more = limited and len(live) == most
        if more:
            live.pop()
        session.charge(len(live))
        page = {"next": live[-1].order_id if more else None} if limited else {}
        if len(live) <= PART_ROWS:
            request.succeed({"orders": [write_order(order) for order in live], **page})
            return
        parts: list[bytes] = []
        left = deque(live)

        def step() -> bool:
            """Write the next orders, each as it is now; one that has ended meanwhile is left out."""
            taken = [left.popleft() for _ in range(min(PART_ROWS, len(left)))]
            parts.extend(encode(write_order(order)) for order in taken if order.live)
            if not left and not session.ended:
                request.succeed({"orders": Raw(b"[" + b",".join(parts) + b"]"), **page})
            return bool(left) and not session.ended

        session.work(step)

    def _deals(self, session: Session, request: Request) -> None:
        check_names(request.params, "account")
        account = self.account(session, request.params.get("account"))
        found = self._view.deals.open_of(account.name)
        session.charge(len(found))
        request.succeed({"deals": [write_deal(deal, account.name) for deal in found]})

    def _requests(self, session: Session, request: Request) -> None:
        check_names(request.params, "account")
        account = self.account(session, request.params.get("account"))
        requests = self._view.requests
        own = requests.own(account.name)
        others = requests.to_quote(account.name, account.member)
        session.charge(len(others) + sum(1 + len(one.quotes) for one in own))
        to_quote = [write_request_to_quote(one, one.quote_of(account.name)) for one in others]
        request.succeed({"requests": [write_own_request(one) for one in own], "to_quote": to_quote})

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


def _rows_of(notice: NoticePublished) -> int:
    """Return the cost of a notice in a list, in rows: it has up to 8,000 characters."""
    texts = (notice.title, notice.text, notice.title_zh or "", notice.text_zh or "")
    return ROWS_OF_A_LONG_ENTRY + sum(len(text.encode()) for text in texts) // BYTES_OF_A_ROW


def unknown_account(name: object) -> Refusal:
    """Return the refusal of a request about another member's account, the same as for an account that is unknown."""
    return refuse("UNKNOWN_ACCOUNT", "account", name)
