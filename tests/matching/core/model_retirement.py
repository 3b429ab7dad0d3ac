"""The model's commands that cancel orders for the venue, and that take instruments and accounts out of use."""

from goldx.protocol import commands, events, terms
from tests.matching.core.model_parts import Instrument, Refused
from tests.matching.core.model_rfq import Requests


class Retirement(Requests):
    def instrument(self, symbol: str) -> Instrument:
        if symbol not in self.instruments:
            raise Refused("UNKNOWN_SYMBOL")
        return self.instruments[symbol]

    def do_market_cancel_orders(self, c: commands.MarketCancelOrders) -> None:
        self.instrument(c.symbol)
        if c.account is not None:
            self.account(c.account)
        if not c.reason.strip():
            raise Refused("BAD_VALUE")
        found = [o for o in self.orders if o.symbol == c.symbol and c.account in (None, o.account.name)]
        parties = [d for d in self.deals if d.asked.symbol == c.symbol and c.account in (None, *d.parties())]
        asked = [r for r in self.requests if r.asked.symbol == c.symbol]
        named = [r for r in asked if c.account in (None, r.asked.account, *(o.given.account for o in r.offers))]
        if not found and not parties and not named:
            raise Refused("UNKNOWN_ORDER")
        self.cancel_each(found, "VENUE", c.reason)
        self.end_deals(parties, "VENUE", c.reason)
        for request in named:
            if c.account in (None, request.asked.account):
                self.end_request(request, "VENUE", c.reason)
            else:
                self.end_offers(request, [o for o in request.offers if o.given.account == c.account], "VENUE", c.reason)

    def do_instrument_retire(self, c: commands.InstrumentRetire) -> None:
        instrument = self.instrument(c.symbol)
        if instrument.retired:
            raise Refused("RETIRED")
        if instrument.phase != terms.CLOSED or any(o.symbol == c.symbol for o in self.orders):
            raise Refused("PHASE")
        holders = [account.name for account in self.accounts.values() if account.total.get(c.symbol)]
        if holders:
            raise Refused("BAD_VALUE", account=holders[0])
        instrument.retired = True
        self.emit(events.InstrumentRetired, c.symbol)
        self.end_deals([d for d in self.deals if d.asked.symbol == c.symbol], "VENUE", f"{c.symbol} was retired")
        for request in [r for r in self.requests if r.asked.symbol == c.symbol]:
            self.end_request(request, "VENUE", f"{c.symbol} was retired")

    def do_account_retire(self, c: commands.AccountRetire) -> None:
        account = self.account(c.account)
        if account.retired:
            raise Refused("RETIRED")
        if any(account.total.values()) or account.claims or any(o.account is account for o in self.orders):
            raise Refused("BAD_VALUE")
        account.retired = True
        self.emit(events.AccountRetired, c.account)
        self.end_deals([d for d in self.deals if c.account in d.parties()], "VENUE", f"{c.account} was retired")
        for request in [r for r in self.requests if r.asked.account == c.account]:
            self.end_request(request, "VENUE", f"{c.account} was retired")
