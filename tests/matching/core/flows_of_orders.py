"""Generated command sequences for one subject each: deep books, plain orders, makers, requests, limits, and more."""

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from goldx.protocol import commands, terms, units
from goldx.protocol.commands import AnyCommand
from tests.matching.core.flow_parts import LOT, MIDDLE, changed, owner_of
from tests.matching.core.flows import ACCOUNTS, SYMBOLS, Flow
from tests.matching.core.flows_of_claims import claim
from tests.matching.core.flows_of_deals import deal, of_named_lots, proposal, propose_and_answer
from tests.matching.core.flows_of_limits import lasting
from tests.matching.core.flows_of_makers import grouped_quote, limits, maker_steps, mass, reset, sweep
from tests.matching.core.flows_of_openings import decision, opening
from tests.matching.core.flows_of_regimes import regime_steps
from tests.matching.core.flows_of_rfq import rfq


class DeepFlow(Flow):
    """Books of more than a hundred orders: plenty of money, many small orders near the middle, some sweeps."""

    def opening(self) -> Iterator[AnyCommand]:
        self.spread = 25
        for symbol in SYMBOLS:
            yield commands.InstrumentDefine(symbol, maker_fee_bp=2, taker_fee_bp=5)
        for account, member in ACCOUNTS.items():
            yield commands.AccountOpen(account, member, terms.HOUSE, owner_of(account))
            for asset in (units.CASH, *SYMBOLS):
                yield commands.HoldingAdjust(account, asset, 10**9, f"{account}-{asset}")
        for symbol in SYMBOLS:
            yield commands.MarketSetPhase(symbol, terms.CONTINUOUS)

    @property
    def _weighted(self) -> Sequence[Callable[[], AnyCommand]]:
        return (*([self.add] * 30), *([self.replace] * 2), *([self.sweep] * 4), self.cancel, self.place, self.phase)

    def add(self) -> AnyCommand:
        """Place an order that rests: a buy below the middle or a sell above it, some of them icebergs."""
        self.orders += 1
        account, client_id, side = self.account(), f"o{self.orders}", self.dice.number(0, 1)
        self.used.append((account, client_id))
        away = self.dice.number(1, self.spread)
        price = MIDDLE - away if side == terms.BUY else MIDDLE + away
        order = commands.OrderPlace(account, client_id, "X", side, terms.LIMIT, self.quantity(), price)
        return changed(order, display_quantity=LOT) if self.chance(15) else order

    def sweep(self) -> AnyCommand:
        self.orders += 1
        quantity = self.dice.number(5, 40) * LOT
        kind = self.dice.choose((terms.LIMIT, terms.MARKET))
        side = self.dice.number(0, 1)
        worst = MIDDLE + (10 if side == terms.BUY else -10)
        price = worst if kind == terms.LIMIT else None
        mode = self.dice.number(0, 3)
        time_in_force = self.dice.choose((terms.IOC, terms.FOK, terms.GTC))
        order = commands.OrderPlace(
            self.account(), f"o{self.orders}", "X", side, kind, quantity, price, time_in_force, stp=mode
        )
        self.used.append((order.account, order.client_order_id))
        return order

    def phase(self) -> AnyCommand:
        return commands.MarketSetPhase("X", self.dice.choose((terms.AUCTION, *[terms.CONTINUOUS] * 4)))


class PlainFlow(Flow):
    """Mostly plain limit orders that rest or take, cancels and replaces, as members send them; some others."""

    def opening(self) -> Iterator[AnyCommand]:
        self.spread = self.dice.choose((2, 5))
        yield commands.InstrumentDefine("X", maker_fee_bp=50, taker_fee_bp=self.dice.choose((5, 130)))
        yield commands.InstrumentDefine("Y")
        plenty = self.dice.choose((10**9, 10_000))
        for account, member in ACCOUNTS.items():
            yield commands.AccountOpen(account, member, terms.HOUSE, owner_of(account))
            yield commands.HoldingAdjust(account, units.CASH, plenty, f"{account}-cash")
            if account != "C":  # which has to buy first
                for symbol in SYMBOLS:
                    yield commands.HoldingAdjust(account, symbol, plenty, f"{account}-{symbol}")
        for symbol in SYMBOLS:
            yield commands.MarketSetPhase(symbol, terms.CONTINUOUS)

    @property
    def _weighted(self) -> Sequence[Callable[[], AnyCommand]]:
        often = (*([self.add] * 90), *([self.cancel] * 30), *([self.replace] * 8))
        seldom = (self.place, self.place, self.cancel_all, self.session_close, self.set_phase, self.end_day)
        return (*often, *seldom, *([self.reopen] * 6))

    def reopen(self) -> AnyCommand:
        return commands.MarketSetPhase(self.symbol(), terms.CONTINUOUS)

    def add(self) -> AnyCommand:
        self.orders += 1
        account, client_id = self.account(), f"o{self.orders}"
        self.used.append((account, client_id))
        quantity, price = self.dice.choose((1, 2, 3, 9)) * LOT, self.price()
        lasts = self.dice.choose((terms.GTC, terms.GTC, terms.DAY))
        side = self.dice.number(0, 1)
        return commands.OrderPlace(
            account, client_id, self.symbol(), side, terms.LIMIT, quantity, price, lasts, session=self.session()
        )


class MakerFlow(Flow):
    """Quotes of several accounts in groups with limits, orders that sweep through them, and auctions of both."""

    def opening(self) -> Iterator[AnyCommand]:
        for symbol in SYMBOLS:
            yield commands.InstrumentDefine(symbol, maker_fee_bp=2, taker_fee_bp=5)
        for account, member in ACCOUNTS.items():
            yield commands.AccountOpen(account, member, terms.HOUSE, owner_of(account) if self.chance(50) else None)
            for asset in (units.CASH, *SYMBOLS):
                yield commands.HoldingAdjust(account, asset, 10**9, f"{account}-{asset}")
        for symbol in SYMBOLS:
            yield commands.MarketSetPhase(symbol, terms.CONTINUOUS)

    @property
    def _weighted(self) -> Sequence[Callable[[], AnyCommand]]:
        of_makers = [lambda: grouped_quote(self)] * 12 + [lambda: sweep(self)] * 8 + [lambda: maker_steps(self)] * 6
        of_makers += [lambda: mass(self)] * 12
        limiting = [lambda: limits(self), lambda: limits(self)] + [lambda: reset(self)] * 9
        return (
            *of_makers,
            *limiting,
            *([self.place] * 6),
            self.cancel,
            self.quote_cancel,
            self.phase,
            self.end_day,
            self.session_close,
        )

    def phase(self) -> AnyCommand:
        return commands.MarketSetPhase(self.symbol(), self.dice.choose((terms.AUCTION, *[terms.CONTINUOUS] * 3)))


class LotFlow(Flow):
    """Deals, most of them of named lots, and what they meet: annulments, orders, ends of days and sessions."""

    @property
    def _weighted(self) -> Sequence[Callable[[], AnyCommand]]:
        of_lots = [lambda: propose_and_answer(self, of_named_lots(self, proposal(self)))] * 10
        return (
            *of_lots,
            *([lambda: deal(self)] * 4),
            *([self.place, self.bust] * 2),
            self.cancel,
            self.session_close,
            self.end_day,
            self.adjust,
        )


class RfqFlow(Flow):
    """Requests for quotes and what they meet: quotes of many accounts, deals, orders, ends of days and sessions."""

    named_lots_percent: ClassVar[int] = 0

    def opening(self) -> Iterator[AnyCommand]:
        for symbol in SYMBOLS:
            yield commands.InstrumentDefine(symbol, maker_fee_bp=2, taker_fee_bp=self.dice.choose((5, 130)))
        more = {"D": "m2", "E": "m4", "F": "m5"}
        for account, member in (ACCOUNTS | more).items():
            yield commands.AccountOpen(account, member, terms.HOUSE, owner_of(account))
            for asset in (units.CASH, *SYMBOLS):
                yield commands.HoldingAdjust(account, asset, self.dice.choose((10**9, 10_000)), f"{account}-{asset}")
        for symbol in SYMBOLS:
            yield commands.MarketSetPhase(symbol, terms.CONTINUOUS)

    @property
    def _weighted(self) -> Sequence[Callable[[], AnyCommand]]:
        return (
            *([lambda: rfq(self)] * 40),
            *([lambda: deal(self)] * 3),
            *([self.place] * 4),
            self.cancel,
            self.end_day,
            self.session_close,
            self.set_reference,
            self.bust,
            *([self.member_order] * (2 if self.chance(20) else 0)),
            *([lambda: regime_steps(self)] * (1 if self.chance(20) else 0)),
        )


class LimitFlow(Flow):
    """Limits of members that stay, and everything that they stop: orders, quotes, deals, requests; with annulments."""

    def opening(self) -> Iterator[AnyCommand]:
        for symbol in SYMBOLS:
            yield commands.InstrumentDefine(
                symbol,
                maker_fee_bp=2,
                taker_fee_bp=self.dice.choose((5, 130)),
                upper_price_limit=2 * MIDDLE,
                price_rule=self.dice.choose((terms.MAKER_PRICE, terms.MEDIAN_PRICE)),
                reference_price=self.dice.choose((None, MIDDLE * 6 // 5)),
            )
        for account, member in (ACCOUNTS | {"D": "m2", "E": "m4"}).items():
            yield commands.AccountOpen(account, member, terms.HOUSE, owner_of(account) if self.chance(50) else None)
            for asset in (units.CASH, *SYMBOLS):
                yield commands.HoldingAdjust(account, asset, 10**9, f"{account}-{asset}")
        for symbol in SYMBOLS:
            yield commands.MarketSetPhase(symbol, terms.CONTINUOUS)

    @property
    def _weighted(self) -> Sequence[Callable[[], AnyCommand]]:
        makers = [lambda: mass(self)] * 5 + [lambda: grouped_quote(self)] * 3 + [lambda: sweep(self)] * 3
        return (
            *makers,
            *([lambda: lasting(self)] * 3),
            *([lambda: rfq(self)] * 14 + [lambda: deal(self)] * 5),
            *([self.place] * 18),
            *([self.replace] * 8),
            *([self.cancel] * 3),
            *([self.bust] * 4),
            self.cancel_all,
            self.set_phase,
            self.end_day,
            self.end_day,
        )


class OpeningFlow(PlainFlow):
    """Days that end and wait, deals and requests in them, permissions that come, go and are about another day."""

    @property
    def _weighted(self) -> Sequence[Callable[[], AnyCommand]]:
        direct = [lambda: deal(self)] * 12 + [lambda: rfq(self)] * 12
        deciding = [lambda: opening(self)] * 6 + [lambda: decision(self)] * 4
        return (*([self.add] * 12), *direct, *deciding, *([self.reopen] * 4))


class ClaimFlow(Flow):
    """Claims on accounts, and everything by which an account buys: orders, quotes, deals and requests."""

    def opening(self) -> Iterator[AnyCommand]:
        for symbol in SYMBOLS:
            yield commands.InstrumentDefine(symbol, maker_fee_bp=2, taker_fee_bp=self.dice.choose((5, 130)))
        for account, member in (ACCOUNTS | {"D": "m2", "E": "m4"}).items():
            yield commands.AccountOpen(account, member, terms.HOUSE, owner_of(account) if self.chance(50) else None)
            for asset in (units.CASH, *SYMBOLS):
                yield commands.HoldingAdjust(account, asset, 10**6, f"{account}-{asset}")
        for symbol in SYMBOLS:
            yield commands.MarketSetPhase(symbol, terms.CONTINUOUS)

    @property
    def _weighted(self) -> Sequence[Callable[[], AnyCommand]]:
        makers = [lambda: mass(self)] * 6 + [lambda: grouped_quote(self)] * 4
        return (
            *makers,
            *([lambda: claim(self)] * 12),
            *([lambda: rfq(self)] * 16 + [lambda: deal(self)] * 8),
            *([self.place] * 14),
            *([self.replace] * 4),
            *([self.cancel] * 3),
            self.set_phase,
            self.end_day,
            self.retire,
            self.bust,
        )
