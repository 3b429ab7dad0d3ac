"""The legal regime and the limit of holders in the brute-force model."""

from datetime import date

from goldx.protocol import commands, terms
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.protocol.regime_events import RegimeChanged, RegimeProposed
from tests.amounts import money_of
from tests.matching.core.model_opening import Opening
from tests.matching.core.model_parts import Account, Instrument, Order, Refused

TERMS = [name for name in VenueSetRegime.__struct_fields__ if name != "by"]
TRADING = (terms.PRE_OPEN, terms.AUCTION, terms.CONTINUOUS)


class Regimes(Opening):
    def do_venue_set_regime(self, c: VenueSetRegime) -> None:
        given = [getattr(c, name) for name in TERMS]
        if self.is_wrong(c) or (self.regime is not None and given == [getattr(self.regime, name) for name in TERMS]):
            raise Refused("BAD_VALUE")
        by: str | None = None
        if self.sequence or c.regime != terms.NEGOTIATED:
            known, by = self.asked_regime
            if known != given or by == c.by:
                self.asked_regime = (given, c.by)
                self.emit(RegimeProposed, *given, c.by)
                return
            self.asked_regime = (None, "")
        self.regime = c
        self.emit(RegimeChanged, *given, c.by, by)
        self.end_centralised()

    def is_wrong(self, c: VenueSetRegime) -> bool:
        document = c.document_name, c.document_number, c.document_date, c.document_sha256
        if any(document) or c.regime != terms.NEGOTIATED:
            try:
                date.fromisoformat(c.document_date)
                int(c.document_sha256, 16)
            except ValueError:
                return True
            if not all(document) or len(c.document_sha256) != 64:
                return True
        caps = c.max_clients, c.max_day_value, c.max_total_value, c.last_trading_day
        if any(cap is None if c.regime == terms.SANDBOX else cap is not None for cap in caps):
            return True
        if c.regime == terms.SANDBOX:
            assert c.max_clients is not None
            assert c.last_trading_day is not None
            if self.trading_day > c.last_trading_day or len(self.clients()) > c.max_clients:
                return True
        return bool(c.buyers) and (c.regime != terms.WIND_DOWN or not set(c.buyers) <= set(self.members))

    def clients(self) -> set[str]:
        return {self.person(account.owner) for account in self.accounts.values() if not account.retired}

    def person(self, owner: str) -> str:
        """Return the person behind an owner, who may be named by one of the accounts."""
        return self.accounts[owner].owner if owner in self.accounts else owner

    def end_centralised(self) -> None:
        """Cancel all orders and close all instruments where the order book is not allowed any more."""
        if self.may_match():
            return
        self.cancel_each(list(self.orders), "REGIME")
        for instrument in self.instruments.values():
            if instrument.phase in TRADING:
                instrument.interrupted_until = None
                self.change_phase(instrument, terms.CLOSED)
        self.end_anonymous()

    def end_anonymous(self) -> None:
        """End what only a regime with the order book allows besides; ``Requests`` knows it."""

    def may_match(self) -> bool:
        """Return whether the regime allows the order book and all that goes with it."""
        regime = self.regime
        if regime is None or regime.regime == terms.APPROVED:
            return True
        return regime.regime == terms.SANDBOX and self.trading_day <= (regime.last_trading_day or "")

    def check_phase_of_regime(self, phase: int) -> None:
        if phase in TRADING and not self.may_match():
            raise Refused("REGIME")

    def check_regime(self) -> None:
        if not self.may_match():
            raise Refused("REGIME")

    def check_new_business(self) -> None:
        if self.regime is not None and self.regime.regime == terms.WIND_DOWN:
            raise Refused("REGIME")

    def check_client(self, owner: str) -> None:
        clients = self.clients()
        most = None if self.regime is None else self.regime.max_clients
        if most is not None and len(clients | {self.person(owner)}) > max(most, len(clients)):
            raise Refused("REGIME")
        if self.person(owner) not in clients:
            self.check_new_business()

    def check_guards(self, order: Order, instrument: Instrument) -> None:
        """Refuse an order beyond the caps of a sandbox, or one that would make a holder too many."""
        if self.is_beyond(1 if order.price is None else money_of(order.price, order.remaining)):
            raise Refused("REGIME")
        if order.side == terms.BUY:
            self.check_holder(instrument, [order.account])

    def check_holder(self, instrument: Instrument, joining: list[Account]) -> None:
        most = instrument.terms.max_holders
        if most is None:
            return
        symbol = instrument.terms.symbol
        now = {self.person(account.owner) for account in self.accounts.values() if account.total.get(symbol)}
        now |= {self.person(o.account.owner) for o in self.orders if (o.symbol, o.side) == (symbol, terms.BUY)}
        proposed = [deal.asked for deal in self.deals]
        now |= {
            self.person(self.accounts[c.account].owner) for c in proposed if (c.symbol, c.side) == (symbol, terms.BUY)
        }
        sold = [r for r in self.requests if (r.asked.symbol, r.asked.side) == (symbol, terms.SELL)]
        now |= {self.person(self.accounts[o.given.account].owner) for r in sold for o in r.offers}
        after = now | {self.person(account.owner) for account in joining}
        if len(after) > max(most, len(now)):
            raise Refused("MAX_HOLDERS")

    def check_deposits(self, legs: tuple[commands.Leg, ...]) -> None:
        new = [leg for leg in legs if leg.amount > 0]
        if new:
            self.check_new_business()
        for symbol, instrument in self.instruments.items():
            self.check_holder(instrument, [self.accounts[leg.account] for leg in new if leg.asset == symbol])
