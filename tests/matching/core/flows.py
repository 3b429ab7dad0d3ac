"""Generated command sequences with everything that the core accepts, weighted so that the rules come into play.

Few prices, few accounts, little money and gold, short times: so that orders meet, stops trigger each other, funds run
out and client ids repeat. The choices come from a ``Dice``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, TypeVar

import msgspec

from goldx.protocol import commands, events, terms, units
from goldx.protocol.bases import LotsFound
from goldx.protocol.commands import AnyCommand, TradeTerms
from goldx.protocol.dangerous_terms import DEFINITION_RULES
from matching.core.engine import Engine
from tests.matching.core.dice import Dice
from tests.matching.core.driving import apply
from tests.matching.core.flow_parts import LOT, MIDDLE, owner_of
from tests.matching.core.flows_of_deals import deal
from tests.matching.core.flows_of_makers import maker_steps
from tests.matching.core.flows_of_notices import notice
from tests.matching.core.flows_of_openings import decision, opening, waits
from tests.matching.core.flows_of_refusals import odd
from tests.matching.core.flows_of_regimes import regime_steps
from tests.matching.core.flows_of_rfq import rfq
from tests.matching.core.trade_terms import terms_of

T = TypeVar("T")

SYMBOLS = ("X", "Y")
ACCOUNTS = {"A": "m1", "A2": "m1", "B": "m2", "C": "m3"}
"""account -> member; A and A2 have one owner."""
DAYS = ("2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30", "2026-12-01")


@dataclass
class Flow:
    """One sequence of commands. ``spread`` is the largest distance of a price from the middle, in fen."""

    dice: Dice
    spread: int = 4
    at: int = 1_000
    used: list[tuple[str, str]] = field(default_factory=list)
    """(account, client_order_id) of the orders placed so far."""
    queued: list[AnyCommand] = field(default_factory=list)
    """Commands that come next, before any drawn ones."""
    orders: int = 0
    references: int = 0
    day: int = 0
    engine: Engine = field(default_factory=Engine)
    """Applies the same commands, to know the trades that a gateway would know."""
    trades: dict[int, TradeTerms] = field(default_factory=dict)
    """The terms of all trades by their ids, as a gateway sends them."""
    traded_lots: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """By the id of a trade of named lots: these lots."""
    named_lots_percent: ClassVar[int] = 25
    """How many of the deals are of named lots."""

    def chance(self, percent: int) -> bool:
        return self.dice.number(1, 100) <= percent

    def maybe(self, percent: int, make: Callable[[], T]) -> T | None:
        return make() if self.chance(percent) else None

    def opening(self) -> Iterator[AnyCommand]:
        """Define instruments, open accounts and fill them: with plenty in some sequences, with little in others."""
        for symbol in SYMBOLS:
            yield self.definition(symbol)
        for account, member in ACCOUNTS.items():
            yield commands.AccountOpen(account, member, terms.HOUSE, owner_of(account))
        cash = self.dice.choose((100_000, 10_000, 2_000, 300))
        gold = self.dice.choose((1_000, 20, 5)) * LOT
        for account in ACCOUNTS:
            yield commands.HoldingAdjust(account, units.CASH, cash + self.dice.number(0, 99), f"{account}-cash")
            for symbol in SYMBOLS:
                yield commands.HoldingAdjust(account, symbol, gold, f"{account}-{symbol}")
        for symbol in SYMBOLS:
            yield commands.MarketSetPhase(symbol, self.dice.choose((terms.CONTINUOUS,) * 4 + (terms.AUCTION,)))

    def definition(self, symbol: str) -> AnyCommand:
        number, choose = self.dice.number, self.dice.choose
        return commands.InstrumentDefine(
            symbol,
            tick=choose((1,) * 7 + (2,)),
            lot=choose((LOT,) * 7 + (2 * LOT,)),
            max_quantity=self.maybe(15, lambda: 8 * LOT),
            price_limit_percent=self.maybe(10, lambda: number(1, 10)),
            lower_price_limit=self.maybe(10, lambda: MIDDLE - number(1, 5)),
            upper_price_limit=self.maybe(10, lambda: MIDDLE + number(1, 5)),
            market_protection=self.maybe(30, lambda: number(1, 3)),
            reference_price=self.maybe(50, lambda: MIDDLE + number(-2, 2)),
            maker_fee_bp=choose((0, 0, 3, 50, 1_000)),
            taker_fee_bp=choose((0, 0, 5, 50, 1_000)),
            price_rule=choose((terms.MAKER_PRICE, terms.MAKER_PRICE, terms.MEDIAN_PRICE)),
            dynamic_band_percent=self.maybe(20, lambda: number(1, 4)),
            interruption_ms=choose((1_000, 3_000)),
            reopening_steps=self.maybe(50, lambda: number(1, 3)),
            bust_window_ms=choose((None, None, 0, 300, 2_000)),
            max_holders=self.maybe(15, lambda: number(1, 3)),
            deal_report_ms=choose((None, None, 0, 100)),
            deal_delay_ms=choose((None, None, 1, 300)),
            resale_lock_days=choose((0, 0, 0, 1, 2)),
            same_day_reuse_percent=choose((100, 100, 90, 33, 0)),
        )

    def step(self) -> AnyCommand:
        """Return the next command; time goes on by a little, or not at all."""
        self.at += self.dice.choose((0, 0, 1, 10, 100, 500))
        if self.queued:
            return self.queued.pop(0)
        if waits(self) and self.chance(30):
            return decision(self)
        make: Callable[[], AnyCommand] = self.dice.choose(self._weighted)
        return make()

    def steps(self, count: int) -> Iterator[tuple[int, AnyCommand]]:
        for command in self.opening():
            self.follow(command)
            yield self.at, command
        for _ in range(count):
            command = self.step()
            self.follow(command)
            yield self.at, command

    def follow(self, command: AnyCommand) -> None:
        """Keep the trades that a command makes."""
        for event in apply(self.engine, self.at, command):
            if isinstance(event, events.Trade):
                self.trades[event.trade_id] = terms_of(event, self.engine.state.trading_day)
                if event.lots:
                    self.traded_lots[event.trade_id] = event.lots

    @property
    def _weighted(self) -> Sequence[Callable[[], AnyCommand]]:
        return (
            *([self.place] * 28),
            *([self.replace] * 6),
            *([self.cancel] * 3),
            *([self.quote] * 4),
            *([self.set_phase, self.timetable] * 2),
            *([self.bust] * 3),
            *([partial(deal, self)] * 5 + [partial(rfq, self)] * 6),
            self.quote_cancel,
            self.cancel_all,
            self.session_close,
            self.adjust,
            self.settle,
            self.member_order,
            self.end_day,
            partial(odd, self),
            self.redefine,
            self.set_reference,
            self.close_and_end_day,
            self.venue_cancel,
            self.retire,
            *(partial(steps, self) for steps in (regime_steps, maker_steps, notice, opening)),
            commands.ClockTick,
        )

    def account(self) -> str:
        return self.dice.choose(tuple(ACCOUNTS))

    def symbol(self) -> str:
        return self.dice.choose(("X", "X", "X", "Y"))

    def price(self) -> int:
        return MIDDLE + self.dice.number(-self.spread, self.spread)

    def quantity(self) -> int:
        return self.dice.number(1, 6) * LOT

    def session(self) -> str:
        return self.dice.choose(("s1", "s2"))

    def named_session(self) -> str:
        """Return a session of one of two keys, whose ids begin alike, or of an order that outlives its session."""
        return self.dice.choose(("s1", "k/a", "k/b", "+k/a", "kk/a", "+kk/a"))

    def place(self) -> AnyCommand:
        self.orders += 1
        account, client_id = self.account(), f"o{self.orders}"
        if self.used and self.chance(3):
            account, client_id = self.dice.choose(self.used)
        self.used.append((account, client_id))
        kind = terms.MARKET if self.chance(15) else terms.LIMIT
        time_in_force = self.dice.choose((terms.GTC,) * 6 + (terms.DAY, terms.IOC, terms.FOK, terms.GTD))
        if kind == terms.MARKET and self.chance(70):
            time_in_force = terms.IOC
        quantity = self.quantity()
        return commands.OrderPlace(
            account,
            client_id,
            self.symbol(),
            self.dice.number(0, 1),
            kind,
            quantity,
            price=self.price() if kind == terms.LIMIT else None,
            time_in_force=time_in_force,
            expire_at=self.at + self.dice.number(0, 900) if time_in_force == terms.GTD else None,
            post_only=kind == terms.LIMIT and time_in_force in (terms.GTC, terms.DAY) and self.chance(8),
            display_quantity=self.maybe(20 if kind == terms.LIMIT else 0, lambda: self.dice.number(1, 2) * LOT),
            stop_price=self.maybe(15, self.price),
            stp=self.dice.number(0, 3),
            persist=self.chance(20),
            session=self.named_session(),
        )

    def target(self) -> dict[str, Any]:
        """Name an order by its client id or number: mostly one that was placed, often one that is over."""
        if self.used and self.chance(90):
            account, client_id = self.dice.choose(self.used[-12:])
            return {"account": account, "client_order_id": client_id}
        return {"account": self.account(), "order_id": self.dice.number(1, self.orders + 1)}

    def cancel(self) -> AnyCommand:
        return commands.OrderCancel(**self.target())

    def replace(self) -> AnyCommand:
        target = self.target()
        renamed = self.maybe(20, lambda: f"r{self.dice.number(1, 30)}")
        if renamed is not None:
            self.used.append((target["account"], renamed))
        return commands.OrderReplace(
            **target,
            new_client_order_id=renamed,
            price=self.maybe(50, self.price),
            quantity=self.maybe(60, self.quantity),
        )

    def cancel_all(self) -> AnyCommand:
        side = self.maybe(50, lambda: self.dice.number(0, 1))
        return commands.OrderCancelAll(self.account(), self.maybe(60, self.symbol), side)

    def quote(self) -> AnyCommand:
        self.orders += 1
        bid = self.price()
        ask = bid + self.dice.number(0, 3)
        quantities = self.quantity(), self.quantity()
        account = self.dice.choose(("B", "B", "C", "A"))
        quote_id = f"q{self.orders}" if self.chance(95) or not self.used else self.dice.choose(self.used)[1]
        self.used.append((account, quote_id))
        return commands.QuoteSet(
            account, quote_id, self.symbol(), bid, quantities[0], ask, quantities[1], self.session()
        )

    def quote_cancel(self) -> AnyCommand:
        return commands.QuoteCancel(self.dice.choose(("B", "C")), self.symbol())

    def session_close(self) -> AnyCommand:
        return commands.SessionClose(
            self.dice.choose(("m1", "m2", "m3", "nobody")), self.dice.choose(("s1", "s2", "k/a", "k/*"))
        )

    def adjust(self) -> AnyCommand:
        asset = self.dice.choose((units.CASH, *SYMBOLS))
        amount = self.dice.number(-3_000, 5_000) * (1 if asset == units.CASH else 3)
        return commands.HoldingAdjust(self.account(), asset, amount, self.reference())

    def settle(self) -> AnyCommand:
        legs = []
        for _ in range(self.dice.number(1, 3)):
            asset = self.dice.choose((units.CASH, *SYMBOLS))
            legs.append(commands.Leg(self.account(), asset, self.dice.number(-2_000, 2_000)))
        return commands.HoldingSettle(self.reference(), tuple(legs))

    def reference(self) -> str:
        self.references += 1
        return f"ref{self.references if self.chance(80) else self.dice.number(1, self.references)}"

    def set_phase(self) -> AnyCommand:
        phase = self.dice.choose((*range(5), *[terms.CONTINUOUS] * 8, terms.AUCTION))
        return commands.MarketSetPhase(self.symbol(), phase)

    def timetable(self) -> AnyCommand:
        """Return a step of a timetable, which may be a repeated, a stale or an early one, or a deviation from it."""
        planned_at = max(0, self.at + self.dice.choose((-600, -10, 0, 0, 0, 10)))
        phase = self.dice.choose((terms.CONTINUOUS, terms.CONTINUOUS, terms.CONTINUOUS, terms.AUCTION, terms.CLOSED, 4))
        symbol, by = self.symbol(), self.dice.choose((0, 5, 500))
        step = commands.TimetableStep(symbol, phase, planned_at, planned_at + self.dice.choose((0, 400, 5_000)))
        if self.chance(10):
            self.queued.append(step)
        if self.chance(15):
            self.queued += [step, commands.TimetableHold(symbol, False), step]
            return commands.TimetableHold(symbol, True)
        if self.chance(15):
            self.queued.append(step)
            return commands.TimetableDelay(symbol, planned_at, planned_at + self.dice.choose((0, 700, -1)), by)
        return step

    def bust(self) -> AnyCommand:
        """Ask for the annulment of a trade, or of none, or with wrong terms; perhaps twice, by one person or by two."""
        number = self.dice.choose([*self.trades][-6:] if self.trades and self.chance(95) else (0, 1, 99_999))
        given = self.trades.get(number)
        text = "a wrong price" if self.chance(97) else " "
        lots = self.traded_lots.get(number)
        about = None if lots is None or given is None else LotsFound(lots, given.quantity, number, self.at + 90)
        first = commands.TradeBust(number, text, self.dice.choose(("ann", "bob")), given, about)
        if given is not None and self.chance(10):
            odd = self.dice.choose(({"amount": given.amount + 1}, {"at": max(0, given.at - 1)}))
            first = msgspec.structs.replace(first, trade=msgspec.structs.replace(given, **odd))
        others = [msgspec.structs.replace(first, by=by, trade=given) for by in ("ann", "bob")]
        if self.chance(80):
            self.queued += others if self.chance(30) else others[:: -1 if self.chance(50) else 1][:1]
        return first

    def set_reference(self) -> AnyCommand:
        largest, by = self.maybe(50, lambda: self.dice.number(1, 3)), self.dice.choose(("ann", "bob"))
        about = (self.price() * self.dice.choose((1, 1, 1, 3)), by, largest, self.dice.number(0, 1))
        first = commands.MarketSetReference(self.symbol(), *about)
        self.queued += [msgspec.structs.replace(first, by=self.dice.choose(("ann", "bob")))] * self.chance(50)
        return first

    def member_order(self) -> AnyCommand:
        member = self.dice.choose(("m1", "m2", "m3"))
        restore = commands.MemberRestore(member)
        options: tuple[AnyCommand, ...] = (commands.MemberKill(member), commands.MemberHalt(member), *[restore] * 6)
        return self.dice.choose(options)

    def end_day(self) -> AnyCommand:
        self.day += 1
        day = DAYS[self.day % len(DAYS)] if self.chance(10) else f"2027-01-{1 + self.day % 28:02d}"
        return commands.MarketEndDay(day, rules=self.dice.choose((0, 1, 2, 3, 5)))

    def close_and_end_day(self) -> AnyCommand:
        """Close all and end the day by the newest rules, in the month of the flow's first time."""
        self.queued += [commands.MarketSetPhase(symbol, terms.CLOSED) for symbol in SYMBOLS[1:]]
        rules, day = self.dice.choose((2, 3, 4, 5)), f"1970-01-{self.dice.number(1, 31):02d}"
        self.queued += [commands.MarketEndDay(day, by, rules) for by in ("ada", self.dice.choose(("ada", "ben")))]
        self.queued += [self.redefine()] if self.chance(50) else []
        self.queued += [commands.MarketSetPhase(symbol, terms.CONTINUOUS) for symbol in SYMBOLS]
        return commands.MarketSetPhase(SYMBOLS[0], terms.CLOSED)

    def venue_cancel(self) -> AnyCommand:
        text = self.dice.choose(("a new tick", "a new tick", " "))
        return commands.MarketCancelOrders(self.symbol(), text, self.maybe(50, self.account))

    def retire(self) -> AnyCommand:
        """Retire an account or an instrument. Traded ones can seldom be retired, so some are never traded."""
        options: tuple[AnyCommand, ...] = (
            commands.AccountRetire(self.dice.choose(("new", "new", "A", "nobody"))),
            commands.InstrumentRetire(self.dice.choose(("V", "V", "X", "Z"))),
        )
        if self.chance(50):
            self.queued.append(commands.InstrumentDefine("V", given=("lot",), lot=LOT))
            self.queued.append(commands.AccountOpen("new", "m1", terms.CLIENT))
            self.queued.append(self.dice.choose(options))
            self.queued.append(commands.MarketSetPhase("V", terms.PRE_OPEN))
            self.queued.append(commands.OrderPlace("new", f"n{self.orders}", "V", terms.BUY, terms.LIMIT, LOT, MIDDLE))
        return self.dice.choose(options)

    def redefine(self) -> AnyCommand:
        made = self.definition(self.symbol())
        assert isinstance(made, commands.InstrumentDefine)
        if self.chance(60):
            made = msgspec.structs.replace(made, rules=DEFINITION_RULES, by=self.dice.choose(("ann", "bob")))
        if self.chance(50):  # the same command, perhaps by another person
            self.queued.append(msgspec.structs.replace(made, by=self.dice.choose(("ann", "bob"))))
        if self.chance(50):
            return made
        names = tuple(name for name in ("tick", "maker_fee_bp", "dynamic_band_percent", "name") if self.chance(50))
        return msgspec.structs.replace(made, given=names + (("reference_price",) if self.chance(20) else ()))
