"""Negotiated deals in the brute-force model: a plain list of open proposals, searched for everything."""

from goldx.protocol import commands, events, terms, units
from goldx.protocol.bases import LotsFound
from goldx.protocol.deal_commands import DealAccept, DealCancel, DealDecline, DealPropose
from goldx.protocol.deal_events import DealAccepted, DealEnded, DealProposed, TradePublished
from tests.amounts import value_of
from tests.matching.core.model_limits import check_limits
from tests.matching.core.model_orders import OrderCommands
from tests.matching.core.model_parts import Account, Instrument, Proposal, Refused
from tests.matching.core.model_rules import fee_after

QUARTER_OF_AN_HOUR = 15 * 60 * 1_000
DEAL = 2
"""The kind of a trade that is a negotiated deal."""


class Deals(OrderCommands):
    def __init__(self) -> None:
        super().__init__()
        self.last_deal_id = 0
        self.deal_ids: dict[tuple[str, str], tuple[int, int]] = {}
        """By account and client id: the deal, and the day on which the id was used."""
        self.to_publish: dict[int, tuple[int, events.Trade]] = {}
        """By trade: when it is to be published."""

    def reserved(self, account: Account, asset: str) -> int:
        found = super().reserved(account, asset)
        for deal in self.deals:
            if deal.asked.account == account.name and self.gives(deal.asked, deal.asked.side)[0] == asset:
                found += self.gives(deal.asked, deal.asked.side)[1]
        return found

    def gives(self, asked: DealPropose, side: int) -> tuple[str, int]:
        """Return asset and amount that the party on a side gives, the fee included."""
        if side == terms.SELL:
            return asked.symbol, asked.quantity
        amount = value_of(asked.price, asked.quantity)
        return units.CASH, amount + fee_after(0, amount, self.instruments[asked.symbol].terms.taker_fee_bp)[0]

    def check_limits_of(
        self, asked: DealPropose, account: Account, side: int, orders: int, old: DealPropose | None = None
    ) -> None:
        """Refuse what a claim or a limit of an account stops, if it gives what is asked for instead of what is old."""
        self.check_claims(account, side)
        asset, amount = self.gives(asked, side)
        value, quantity = value_of(asked.price, asked.quantity), asked.quantity
        if old is not None:
            amount -= self.gives(old, side)[1]
            value = value if value > value_of(old.price, old.quantity) else 0
            quantity = quantity if quantity > old.quantity else 0
        check_limits(self, account, value=value, quantity=quantity, orders=orders, gives=(asset, amount))

    def check_means(self, asked: DealPropose, account: Account, side: int) -> None:
        asset, amount = self.gives(asked, side)
        free = self.available(account, asset)
        if amount <= free:
            return
        if asset == units.CASH:
            raise Refused("INSUFFICIENT_CASH")
        raise Refused("RESALE_LOCKED" if amount <= free + self.locked(account, asset) else "INSUFFICIENT_GOLD")

    def check_deals_allowed(self, instrument: Instrument) -> None:
        if instrument.retired:
            raise Refused("RETIRED")
        if instrument.phase == terms.HALTED:
            raise Refused("HALTED")
        if self.waits():
            raise Refused("DAY_WAITS")

    def check_report(self, instrument: Instrument, agreed_at: int | None) -> None:
        window = instrument.terms.deal_report_ms
        window = QUARTER_OF_AN_HOUR if window is None else window
        if agreed_at is not None and self.at - agreed_at > window:
            raise Refused("TOO_LATE")

    def check_buyer(self, c: DealPropose) -> None:
        """Refuse who may not buy while the venue winds down, and who would be a holder too many."""
        buyer = self.accounts[c.account if c.side == terms.BUY else c.counter_account]
        if self.regime is not None and self.regime.regime == terms.WIND_DOWN and buyer.member not in self.regime.buyers:
            raise Refused("REGIME")
        self.check_holder(self.instruments[c.symbol], [buyer])

    # Commands

    def do_deal_propose(self, c: DealPropose) -> None:
        if c.symbol not in self.instruments:
            raise Refused("UNKNOWN_SYMBOL")
        instrument, account, other = (
            self.instruments[c.symbol],
            self.account(c.account),
            self.account(c.counter_account),
        )
        self.check_permission(account)
        self.check_permission(other)
        if (c.account, c.client_deal_id) in self.deal_ids:
            raise Refused("DUPLICATE_ID")
        if self.person(account.owner) == self.person(other.owner):
            raise Refused("SELF_TRADE")
        self.check_deals_allowed(instrument)
        if c.expire_at <= self.at:
            raise Refused("TOO_LATE")
        if c.agreed_at is not None and c.agreed_at > self.at:
            raise Refused("BAD_VALUE")
        self.check_price(instrument, c.price)
        if not c.lots:
            self.check_quantity(instrument, c.quantity)
        else:
            if c.quantity > (instrument.terms.max_quantity or units.MAX_WEIGHT_MG):
                raise Refused("BAD_QUANTITY")
            self.check_lots(c.lots, c.quantity, c.lots_found, kept=c.side == terms.SELL)
        self.check_report(instrument, c.agreed_at)
        self.check_buyer(c)
        self.check_limits_of(c, account, c.side, 1)
        self.check_means(c, account, c.side)
        self.last_deal_id += 1
        self.deal_ids[c.account, c.client_deal_id] = (self.last_deal_id, self.day)
        self.deals.append(Proposal(self.last_deal_id, c))
        self.touch(account, self.gives(c, c.side)[0])
        what = (c.account, c.client_deal_id, c.counter_account, c.symbol, c.side, c.quantity, c.price, c.expire_at)
        lots = (c.lots, c.lots_found.reservation or None) if c.lots and c.lots_found else ()
        self.emit(DealProposed, self.last_deal_id, *what, c.agreed_at, c.persist or None, *lots)

    def check_lots(self, lots: tuple[int, ...], quantity: int, found: LotsFound | None, *, kept: bool) -> None:
        """Refuse named lots of which the gateway has not found, or not kept, just these with this weight."""
        if found is None or found.lots != lots or len(set(lots)) != len(lots) or (found.reservation > 0) != kept:
            raise Refused("BAD_VALUE")
        if found.fine != quantity:
            raise Refused("BAD_QUANTITY")
        if found.until < self.at:
            raise Refused("TOO_LATE")

    def proposal(self, number: int, name: str, place: int) -> Proposal:
        """Return the open proposal of a number of which an account is the first (0) or the second party (1)."""
        self.account(name)
        for deal in self.deals:
            if deal.number == number and deal.parties()[place] == name:
                return deal
        raise Refused("UNKNOWN_DEAL")

    def do_deal_accept(self, c: DealAccept) -> None:
        deal = self.proposal(c.deal_id, c.account, 1)
        asked, instrument, other = deal.asked, self.instruments[deal.asked.symbol], self.accounts[c.account]
        self.check_deals_allowed(instrument)
        self.check_price(instrument, asked.price)
        self.check_report(instrument, asked.agreed_at)
        gives_lots = bool(asked.lots) and asked.side == terms.BUY
        if gives_lots:
            self.check_lots(asked.lots, asked.quantity, c.lots_found, kept=True)
        self.check_buyer(asked)
        self.check_limits_of(asked, other, 1 - asked.side, 0)
        self.check_means(asked, other, 1 - asked.side)
        self.forget(deal)
        kept = (c.lots_found.reservation,) if gives_lots and c.lots_found else ()
        self.emit(DealAccepted, *deal.names(), self.last_trade_id + 1, *kept)
        parties = (self.accounts[asked.account], other)
        self.settle_deal(instrument, *(parties if asked.side == terms.BUY else parties[::-1]), asked)

    def settle_deal(
        self, instrument: Instrument, buyer: Account, seller: Account, c: DealPropose, kind: int = DEAL
    ) -> None:
        amount = value_of(c.price, c.quantity)
        fee = self.gives(c, terms.BUY)[1] - amount
        self.fees_collected += fee + fee
        self.last_trade_id += 1
        names = (0, 0, buyer.name, seller.name, None, 0, 0)
        what = (c.symbol, c.price, c.quantity, amount, *names, fee, fee, kind)
        self.emit(events.Trade, self.last_trade_id, *what, c.lots or None)
        made = self.out[-1]
        assert isinstance(made, events.Trade)
        self.trades[self.last_trade_id] = made
        self.move(buyer, units.CASH, -amount - fee)
        self.move(buyer, c.symbol, c.quantity)
        self.move(seller, c.symbol, -c.quantity)
        self.move(seller, units.CASH, amount - fee)
        self.hold_back(buyer, seller, instrument, c.quantity, amount - fee)
        self.to_publish[self.last_trade_id] = (self.at + (instrument.terms.deal_delay_ms or 0), made)
        if not instrument.terms.deal_delay_ms:
            self.publish(self.last_trade_id)

    def do_deal_decline(self, c: DealDecline) -> None:
        self.end_deal(self.proposal(c.deal_id, c.account, 1), "DECLINED")

    def do_deal_cancel(self, c: DealCancel) -> None:
        self.end_deal(self.proposal(c.deal_id, c.account, 0), "USER")

    # Ends

    def forget(self, deal: Proposal) -> None:
        self.deals.remove(deal)
        self.touch(self.accounts[deal.asked.account], self.gives(deal.asked, deal.asked.side)[0])

    def end_deal(self, deal: Proposal, reason: str, detail: str | None = None) -> None:
        self.forget(deal)
        self.emit(DealEnded, *deal.names(), reason, detail)

    def end_deals(self, deals: list[Proposal], reason: str, detail: str | None = None) -> None:
        for deal in sorted(deals, key=lambda one: one.number):
            self.end_deal(deal, reason, detail)

    def deals_of(self, member: str) -> list[Proposal]:
        """Return the proposals of which a member is a party."""
        return [deal for deal in self.deals if member in [self.accounts[name].member for name in deal.parties()]]

    def do_session_close(self, c: commands.SessionClose) -> None:
        super().do_session_close(c)
        ended = []
        for deal in self.deals:
            session = "" if deal.asked.persist and not deal.asked.session.startswith("+") else deal.asked.session
            of_key = c.session.endswith("/*") and session.strip("+").split("/")[0] == c.session.removesuffix("/*")
            if self.accounts[deal.asked.account].member == c.member and (of_key or session == c.session != ""):
                ended.append(deal)
        self.end_deals(ended, "DISCONNECT")

    def publish(self, trade_id: int) -> None:
        _, made = self.to_publish.pop(trade_id)
        self.emit(
            TradePublished,
            trade_id,
            made.symbol,
            made.price,
            made.quantity,
            made.amount,
            made.at,
            made.kind,
        )
