"""Requests for quotes in the brute-force model: a plain list, searched for everything."""

from goldx.protocol import commands, terms, units
from goldx.protocol.deal_commands import DealPropose
from goldx.protocol.rfq_commands import RfqAccept, RfqCancel, RfqCreate, RfqQuote, RfqWithdraw
from goldx.protocol.rfq_events import (
    RfqAccepted,
    RfqCreated,
    RfqEnded,
    RfqGraceEnded,
    RfqQuoted,
    RfqQuoteDone,
    RfqQuoteEnded,
    ShownQuote,
)
from tests.amounts import money_of
from tests.matching.core.model_deals import Deals
from tests.matching.core.model_limits import check_limits
from tests.matching.core.model_parts import Account, Asked, Offer, Refused

FIRM_MS = 10_000
RFQ = 3
"""The kind of a trade that comes from a request for quotes."""
MOST_REQUESTS, MOST_QUOTES = 20, 200


class Requests(Deals):
    def __init__(self) -> None:
        super().__init__()
        self.last_rfq_id = 0
        self.last_offer = 0
        self.rfq_ids: dict[tuple[str, str], tuple[int, int]] = {}
        """By account and client id: the request, and the day on which the id was used."""

    def reserved(self, account: Account, asset: str) -> int:
        given = [self.offered(r, o) for r in self.requests for o in r.offers if o.given.account == account.name]
        return super().reserved(account, asset) + sum(amount for used, amount in given if used == asset)

    def as_deal(self, request: Asked, price: int, quantity: int) -> DealPropose:
        """Return the deal that a trade of this request at a price is, for what each of its sides gives."""
        return DealPropose("", "", "", request.asked.symbol, request.asked.side, quantity, price, 0)

    def offered(self, request: Asked, offer: Offer) -> tuple[str, int]:
        """Return asset and amount that a quote could use."""
        given = offer.given
        return self.gives(self.as_deal(request, given.price, given.quantity), 1 - request.asked.side)

    def touch_offer(self, request: Asked, offer: Offer) -> None:
        self.touch(self.accounts[offer.given.account], self.offered(request, offer)[0])

    # Who may trade

    def person_of(self, account: str) -> str:
        return self.person(self.accounts[account].owner)

    def check_way(self, c: RfqCreate, buyer: Account | None) -> None:
        """Refuse a request that the regime does not allow, and a buyer that may not buy."""
        if c.anonymous:
            self.check_regime()
        if buyer is None:
            return
        if not self.may_buy(buyer):
            raise Refused("REGIME")
        self.check_holder(self.instruments[c.symbol], [buyer])

    def may_buy(self, buyer: Account) -> bool:
        winds_down = self.regime is not None and self.regime.regime == terms.WIND_DOWN
        return not winds_down or (self.regime is not None and buyer.member in self.regime.buyers)

    # Commands

    def do_rfq_create(self, c: RfqCreate) -> None:
        if c.symbol not in self.instruments:
            raise Refused("UNKNOWN_SYMBOL")
        instrument, account = self.instruments[c.symbol], self.account(c.account)
        self.check_permission(account)
        if (c.account, c.client_rfq_id) in self.rfq_ids:
            raise Refused("DUPLICATE_ID")
        self.check_deals_allowed(instrument)
        if not 1_000 <= c.grace_ms <= 60_000:
            raise Refused("BAD_VALUE")
        if c.expire_at - self.at <= c.grace_ms:
            raise Refused("TOO_LATE")
        self.check_quantity(instrument, c.quantity)
        if set(c.members) - set(self.members):
            raise Refused("UNKNOWN_MEMBER")
        mine = [r for r in self.requests if self.accounts[r.asked.account].member == account.member]
        if len(mine) >= MOST_REQUESTS:
            raise Refused("TOO_MANY_OPEN")
        self.check_claims(account, c.side)
        self.check_way(c, account if c.side == terms.BUY else None)
        self.last_rfq_id += 1
        self.rfq_ids[c.account, c.client_rfq_id] = (self.last_rfq_id, self.day)
        self.requests.append(Asked(self.last_rfq_id, c, self.at))
        times = self.at + c.grace_ms, c.expire_at
        what = (c.account, c.client_rfq_id, c.symbol, c.side, c.quantity, *times, c.members)
        self.emit(RfqCreated, self.last_rfq_id, *what, c.anonymous or None, c.persist or None)

    def open_request(self, number: int) -> Asked:
        for request in self.requests:
            if request.number == number:
                return request
        raise Refused("UNKNOWN_RFQ")

    def do_rfq_quote(self, c: RfqQuote) -> None:
        account = self.account(c.account)
        request = self.open_request(c.rfq_id)
        asked, instrument = request.asked, self.instruments[request.asked.symbol]
        if asked.members and account.member not in asked.members:
            raise Refused("UNKNOWN_RFQ")
        self.check_permission(account)
        if self.person_of(c.account) == self.person_of(asked.account):
            raise Refused("SELF_TRADE")
        self.check_deals_allowed(instrument)
        self.check_price(instrument, c.price)
        self.check_quantity(instrument, c.quantity)
        if c.quantity > asked.quantity or (c.all_or_none and c.quantity != asked.quantity):
            raise Refused("BAD_QUANTITY")
        mine = [o for o in request.offers if o.given.account == c.account]
        of_member = [
            o for r in self.requests for o in r.offers if self.accounts[o.given.account].member == account.member
        ]
        if len(of_member) >= MOST_QUOTES and not mine:
            raise Refused("TOO_MANY_OPEN")
        self.check_way(asked, account if asked.side == terms.SELL else None)
        for old in mine:
            worse = self.order_of(request, c.price) > self.order_of(request, old.given.price)
            if self.at < old.firm_until and (
                worse or c.quantity < old.given.quantity or c.all_or_none > old.given.all_or_none
            ):
                raise Refused("FIRM")
        deal = self.as_deal(request, c.price, c.quantity)
        before = [self.as_deal(request, old.given.price, old.given.quantity) for old in mine]
        self.check_limits_of(deal, account, 1 - asked.side, 1 - len(mine), *before)
        request.offers = [o for o in request.offers if o not in mine]
        try:
            self.check_means(deal, account, 1 - asked.side)
        except Refused:
            request.offers = sorted([*request.offers, *mine], key=lambda o: o.number)
            raise
        self.last_offer += 1
        seen_from = max(self.at, request.at + asked.grace_ms)
        offer = Offer(self.last_offer, c, min(seen_from + FIRM_MS, asked.expire_at))
        request.offers.append(offer)
        self.touch_offer(request, offer)
        replaces = mine[0].number if mine else None
        what = (1 - asked.side, c.price, c.quantity, offer.firm_until, c.all_or_none or None, replaces)
        self.emit(RfqQuoted, *self.names_of(request, offer), *what, *self.seen(request))

    def names_of(self, request: Asked, offer: Offer) -> tuple[int, int, str, str, str]:
        return request.number, offer.number, offer.given.account, request.asked.account, request.asked.symbol

    def seen(self, request: Asked) -> tuple[bool | None, bool | None]:
        """Return whether its quotes are hidden now, and whether it is anonymous."""
        return (None if request.opened else True), (request.asked.anonymous or None)

    def do_rfq_withdraw(self, c: RfqWithdraw) -> None:
        self.account(c.account)
        request = self.open_request(c.rfq_id)
        for offer in request.offers:
            if offer.given.account == c.account:
                if self.at < offer.firm_until:
                    raise Refused("FIRM")
                self.end_offers(request, [offer], "USER")
                return
        raise Refused("UNKNOWN_RFQ")

    def own_request(self, name: str, number: int) -> Asked:
        self.account(name)
        request = self.open_request(number)
        if request.asked.account != name:
            raise Refused("UNKNOWN_RFQ")
        return request

    def do_rfq_cancel(self, c: RfqCancel) -> None:
        self.end_request(self.own_request(c.account, c.rfq_id), "USER")

    def do_rfq_accept(self, c: RfqAccept) -> None:
        request = self.own_request(c.account, c.rfq_id)
        asked, instrument, account = request.asked, self.instruments[request.asked.symbol], self.accounts[c.account]
        self.check_deals_allowed(instrument)
        if not request.opened:
            raise Refused("TOO_EARLY")
        self.check_price(instrument, c.price)
        wanted = asked.quantity if c.quantity is None else c.quantity
        self.check_quantity(instrument, wanted)
        if wanted > asked.quantity:
            raise Refused("BAD_QUANTITY")
        self.check_way(asked, account if asked.side == terms.BUY else None)
        able = [o for o in request.offers if self.is_able(request, o)]
        within = [o for o in able if self.order_of(request, o.given.price) <= self.order_of(request, c.price)]
        for price in sorted({o.given.price for o in within}, key=lambda one: self.order_of(request, one)):
            parts = self.parts(request, within, price, wanted)
            if parts:
                break
        else:
            raise Refused("CANNOT_FILL")
        if asked.anonymous and self.is_beyond(sum(money_of(price, part) for _, part in parts)):
            raise Refused("REGIME")
        self.check_all_means(request, account, price, [part for _, part in parts])
        left = [o.given.price for o in able if o not in [offer for offer, _ in parts]]
        cover = min(left, key=lambda one: self.order_of(request, one)) if left else None
        self.settle_request(request, account, price, parts, cover)

    def order_of(self, request: Asked, price: int) -> int:
        """Return a number that is the smaller the better a price is for the requester."""
        return price if request.asked.side == terms.BUY else -price

    def is_able(self, request: Asked, offer: Offer) -> bool:
        try:
            self.check_price(self.instruments[request.asked.symbol], offer.given.price)
        except Refused:
            return False
        quoter = self.accounts[offer.given.account]
        if self.person_of(quoter.name) == self.person_of(request.asked.account):
            return False
        return request.asked.side == terms.BUY or self.may_buy(quoter)

    def parts(self, request: Asked, offers: list[Offer], price: int, wanted: int) -> list[tuple[Offer, int]]:
        """Return which quotes fill a quantity at one price, gram by gram; nothing if they cannot."""
        best = self.order_of(request, price)
        loose = [o for o in offers if self.order_of(request, o.given.price) <= best and not o.given.all_or_none]
        whole = [o for o in offers if o.given.price == price and o.given.all_or_none and o.given.quantity == wanted]
        enough = sum(o.given.quantity for o in loose) >= wanted
        if whole and (not enough or all(o.given.price == price for o in loose)):
            return [(min(whole, key=lambda o: o.number), wanted)]
        if not enough:
            return []
        parts: dict[Offer, int] = {}
        step = self.instruments[request.asked.symbol].terms.lot
        loose.sort(key=lambda o: (self.order_of(request, o.given.price), -o.given.quantity, o.number))
        while sum(parts.values()) < wanted:
            first = next(o for o in loose if parts.get(o, 0) < o.given.quantity)
            parts[first] = parts.get(first, 0) + step
        return list(parts.items())

    def check_all_means(self, request: Asked, account: Account, price: int, parts: list[int]) -> None:
        gives = [self.gives(self.as_deal(request, price, part), request.asked.side) for part in parts]
        asset, needed = gives[0][0], sum(amount for _, amount in gives)
        value = sum(money_of(price, part) for part in parts)
        check_limits(self, account, value=value, quantity=sum(parts), gives=(asset, needed))
        free = self.available(account, asset)
        if needed > free and asset == units.CASH:
            raise Refused("INSUFFICIENT_CASH")
        if needed > free:
            raise Refused("RESALE_LOCKED" if needed <= free + self.locked(account, asset) else "INSUFFICIENT_GOLD")

    def settle_request(
        self, request: Asked, account: Account, price: int, parts: list[tuple[Offer, int]], cover: int | None
    ) -> None:
        asked, instrument = request.asked, self.instruments[request.asked.symbol]
        self.requests.remove(request)
        numbers = tuple(range(self.last_trade_id + 1, self.last_trade_id + 1 + len(parts)))
        total = sum(part for _, part in parts)
        self.emit(RfqAccepted, *request.names(), price, total, numbers)
        # What is not settled yet is still reserved.
        self.requests.append(request)
        for offer, part in parts:
            request.offers.remove(offer)
            self.touch_offer(request, offer)
            names = self.names_of(request, offer)
            self.emit(RfqQuoteDone, *names, price, part, self.last_trade_id + 1, cover, asked.anonymous or None)
            parties = account, self.accounts[offer.given.account]
            if asked.anonymous:
                self.count_value(money_of(price, part))
            buyer, seller = parties if asked.side == terms.BUY else parties[::-1]
            self.settle_deal(instrument, buyer, seller, self.as_deal(request, price, part), RFQ)
        self.end_offers(request, list(request.offers), "TRADED_AWAY")
        self.requests.remove(request)

    # Ends

    def end_offers(self, request: Asked, offers: list[Offer], reason: str, detail: str | None = None) -> None:
        for offer in offers:
            request.offers.remove(offer)
            self.touch_offer(request, offer)
            self.emit(RfqQuoteEnded, *self.names_of(request, offer), reason, *self.seen(request), detail)

    def end_request(self, request: Asked, reason: str, detail: str | None = None) -> None:
        self.emit(RfqEnded, *request.names(), reason, detail)
        self.end_offers(request, list(request.offers), {"USER": "DECLINED"}.get(reason, reason), detail)
        self.requests.remove(request)

    def end_requests_of(self, member: str, reason: str) -> None:
        for request in list(self.requests):
            if self.accounts[request.asked.account].member == member:
                self.end_request(request, reason)
            else:
                self.end_offers(request, self.offers_of(request, member), reason)

    def offers_of(self, request: Asked, member: str) -> list[Offer]:
        return [o for o in request.offers if self.accounts[o.given.account].member == member]

    def end_anonymous(self) -> None:
        if not self.may_match():
            for request in [r for r in self.requests if r.asked.anonymous]:
                self.end_request(request, "REGIME")

    def do_session_close(self, c: commands.SessionClose) -> None:
        super().do_session_close(c)
        key = c.session.removesuffix("/*") if c.session.endswith("/*") else None

        def ends(session: str) -> bool:
            if key is not None:
                return "/" in session and session.strip("+").split("/")[0] == key
            return session == c.session != ""

        for request in list(self.requests):
            asked = request.asked
            session = "" if asked.persist and not asked.session.startswith("+") else asked.session
            if self.accounts[asked.account].member == c.member and ends(session):
                self.end_request(request, "DISCONNECT")
                continue
            for offer in self.offers_of(request, c.member):
                if not ends(offer.given.session):
                    continue
                if key is None and self.at < offer.firm_until:
                    offer.leaving = True
                else:
                    self.end_offers(request, [offer], "DISCONNECT")

    # Time

    def due_requests(self) -> list[tuple[int, int, int, str]]:
        found = []
        for request in self.requests:
            found += [(o.firm_until, 2, o.number, "") for o in request.offers if o.leaving]
            if not request.opened:
                found.append((request.at + request.asked.grace_ms, 3, request.number, ""))
            found.append((request.asked.expire_at, 4, request.number, ""))
        return found

    def request_is_due(self, what: int, number: int) -> None:
        if what == 2:
            request, offer = next((r, o) for r in self.requests for o in r.offers if o.number == number)
            self.end_offers(request, [offer], "DISCONNECT")
            return
        request = self.open_request(number)
        if what == 4:
            self.end_request(request, "EXPIRED")
            return
        request.opened = True
        shown = tuple(
            ShownQuote(
                o.number, o.given.account, o.given.price, o.given.quantity, o.firm_until, o.given.all_or_none or None
            )
            for o in request.offers
        )
        self.emit(RfqGraceEnded, *request.names(), shown, request.asked.anonymous or None)
