"""Trading days of a small exchange, one after the other, each with all that happens in a year: the simulated year.

Everything is chosen by a seed. A day has a night session on the evening before if the calendar gives it one, auctions
at the openings, trades between four members, annulled trades, and what ``tests.settlement.year.money`` and
``tests.settlement.year.custody`` bring. At its end the bank's and the warehouse's statements agree, it is closed,
sometimes by a close that was ended and started again, and signed. The clock of all processes goes along, so that fees
accrue for every calendar day, statements are accepted when their time is over, and load-outs become overdue.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from datetime import time as time_of_day
from typing import Any, Final, NamedTuple

from sqlalchemy import distinct, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol import terms
from goldx.protocol.commands import AnyCommand, MarketSetPhase, OrderPlace, TradeBust
from goldx.protocol.events import Trade
from goldx.timetable import calendar
from goldx.timetable.calendar import Calendar
from settlement.base import registry, working_days
from settlement.charges import bills
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing import records, signing, statements
from settlement.closing.steps import STEPS
from settlement.reconciliation import breaks
from settlement.tables.charges import fee_accrual
from settlement.tables.ledger import trade, trade_bust
from settlement.tables.papers import account_statement
from tests.matching.core.trade_terms import terms_of
from tests.settlement.small_exchange import ONE, OTHER, begin_day
from tests.settlement.year.custody import Custody
from tests.settlement.year.happenings import MEMBERS, Life
from tests.settlement.year.money import Money

RISK: Final = "risk-1"
BATCH: Final = 200
"""Orders in one frame of the journal."""
HOLIDAYS: Final = (5, 6, 7, 8, 9, 75, 76, 150, 151, 152, 210)
"""Days after the first one that are holidays where they are weekdays."""
MORNING, AFTERNOON, EVENING = time_of_day(9), time_of_day(15, 30), time_of_day(20)


class Closed(NamedTuple):
    """One day that was closed: its trades, and the seconds that its happenings and its close took."""

    day: date
    night: bool
    trades: int
    lived_s: float
    close_s: float


class _Ended(Exception):
    """A close that is ended in the middle, as if its process were killed between two steps."""


def calendar_from(first: date, count: int) -> Calendar:
    """Return a calendar of enough days for so many trading days."""
    holidays = [day for day in (first + timedelta(days=number) for number in HOLIDAYS) if day.weekday() < 5]
    return Calendar(calendar.draft(first, first + timedelta(days=count * 2 + 40), "TEST-NOTICE", holidays))


class Year:
    """The exchange, its bank and its vault; ``run`` lets days pass."""

    def __init__(self, life: Life, trades: int) -> None:
        self.life = life
        self.exchange = life.exchange
        self.trades = trades
        self._money = Money(life)
        self._custody = Custody(life)
        self._orders = 0
        self._last_trade = 0

    async def open(self) -> None:
        """Register members, the bank and the people who sign, and let everybody have money and metal."""
        exchange = self.exchange
        await exchange.engine_runner.open("C.H", "D.H")
        await exchange.post()
        async with exchange.engine.begin() as connection:
            for code in MEMBERS:
                await registry.add_member(connection, "test", code, f"Member {code}")
            await registry.add_staff(connection, "test", RISK, "Risk", ["operate", "settle"])
        await self._money.open()
        await self._custody.take_in(12)
        await self._custody.take_in(12, "1000.00")
        await self.life.permit()

    async def run(self, count: int) -> AsyncIterator[Closed]:
        """Let so many trading days pass, from the one after today on, and yield each when it is signed."""
        first = working_days.today() + timedelta(days=1)
        known = calendar_from(first, count)
        day = first if known.day(first).traded else known.next_trading_day(first)
        await self._end(day, is_first=True)
        for number in range(count):
            following = known.next_trading_day(day)
            evening = known.evening_before(day)
            began = time.perf_counter()
            made = await self._live(number, day, evening)
            lived = time.perf_counter() - began
            began = time.perf_counter()
            await self._end(following)
            yield Closed(day, evening is not None, made, lived, time.perf_counter() - began)
            day = following

    async def _live(self, number: int, day: date, evening: date | None) -> int:
        """Let one day happen, and return how many trades it had."""
        life, before = self.life, self._last_trade
        at_night = 0
        if evening is not None:
            at_night = self.trades // 4
            await life.reach(evening, EVENING)
            await self._session(at_night)
        await life.reach(day, MORNING)
        await self._money.withdraw(number)
        # Before the day's orders reserve what it takes.
        if number % 5 == 2:
            await self._custody.order_out(day)
        await self._custody.hand_out(day)
        if number % 7 == 3:
            await self._money.correct(day)
        morning = self._last_trade
        await self._session(self.trades - at_night)
        if number % 3 == 0:
            # Before the window is over in which trades of the morning may be annulled.
            await self._bust(morning)
        await life.reach(day, AFTERNOON)
        if number % 3 == 1:
            await self._custody.take_in(1)
        if number % 5 == 4:
            await life.approve([await life.do(bills.propose, ONE)])
            life.done["bills"] += 1
        await self._differ(number, day)
        await self._confirm()
        await self._money.bank_day(number, day)
        return self._last_trade - before

    async def _differ(self, number: int, day: date) -> None:
        """Let the day have a difference that is found and cleared up, or a count of the vault."""
        if number % 11 == 1:
            await self._custody.stray(day)
        if number % 13 == 2:
            await self._custody.misread(day)
        if number % 40 == 3:
            await self._custody.count()

    async def _session(self, count: int) -> None:
        """Open with an auction, let members trade about so often, and close."""
        await self._run([MarketSetPhase("AU", terms.AUCTION)])
        assert self.exchange.engine_runner.engine.state.instruments["AU"].phase == terms.AUCTION, "the day may open"
        await self._run(self._pairs(min(count, 10)))
        await self._run([MarketSetPhase("AU", terms.CONTINUOUS)])
        orders = self._pairs(max(count - 10, 0))
        for start in range(0, len(orders), BATCH):
            await self._run(orders[start : start + BATCH])
        await self._run([MarketSetPhase("AU", terms.CLOSED)])
        await self.life.post()
        query = select(func.coalesce(func.max(trade.c.trade_id), 0))
        async with self.exchange.engine.connect() as connection:
            self._last_trade = int(await connection.scalar(query) or 0)

    async def _run(self, commands: Sequence[AnyCommand]) -> None:
        if commands:
            await self.exchange.engine_runner.run(*commands)

    def _pairs(self, count: int) -> list[AnyCommand]:
        """Return so many sells, each with a buy of the same price and weight by another member."""
        found: list[AnyCommand] = []
        dice = self.life.dice
        for _ in range(count):
            seller, buyer = dice.sample(MEMBERS, 2)
            price, mg = 60_000 + dice.randint(-50, 50), dice.randint(1, 5) * 1_000
            for account, side in ((seller, terms.SELL), (buyer, terms.BUY)):
                self._orders += 1
                order = (f"{account}.H", f"y{self._orders}", "AU", side, terms.LIMIT, mg, price)
                found.append(OrderPlace(*order, time_in_force=terms.DAY))
        return found

    async def _bust(self, before: int) -> None:
        """Annul one of the trades after ``before``, if its parties still have what they got."""
        if self._last_trade == before:
            return
        wanted = self.life.dice.randint(before + 1, self._last_trade)
        exchange = self.exchange
        async with exchange.engine.connect() as connection:
            sequence = int(await connection.scalar(select(trade.c.sequence).where(trade.c.trade_id == wanted)) or 0)
        frames = await exchange.engine_runner.events.read(sequence - 1, 1)
        (made,) = (e for f in frames for o in f.outcomes for e in o if isinstance(e, Trade) and e.trade_id == wanted)
        given = terms_of(made, exchange.engine_runner.engine.state.trading_day)
        await self._run([TradeBust(wanted, "a price that was mistyped", by, given) for by in ("ada", "ben")])
        await self.life.post()
        async with exchange.engine.connect() as connection:
            annulled = await connection.scalar(select(trade_bust.c.sequence).where(trade_bust.c.trade_id == wanted))
        self.life.done["annulled trades" if annulled else "annulments refused"] += 1

    async def _confirm(self) -> None:
        """Let one member confirm its newest statement; those of the others are accepted when their time is over."""
        mine = (account_statement.c.member == MEMBERS[0], account_statement.c.status == "ISSUED")
        query = select(func.max(account_statement.c.statement_no)).where(*mine)
        async with self.exchange.engine.connect() as connection:
            newest = await connection.scalar(query)
        if newest is not None:
            await self.life.do(statements.confirm, MEMBERS[0], f"{MEMBERS[0]}-1", newest)
            self.life.done["statements confirmed"] += 1

    async def _end(self, following: date, *, is_first: bool = False) -> None:
        """End the day: the statements agree, it is closed without an open break, and signed by three people.

        What is before the first day has none before it, so that the first day waits for nothing.
        """
        exchange = self.exchange
        await begin_day(exchange, following.isoformat())
        if not is_first:
            await self._stays_closed()
        await self.life.post()
        await self._custody.agrees(working_days.today())
        if self.life.dice.random() < 0.2:
            await self._close_twice()
        else:
            assert await closing.close(exchange.engine, ONE, lambda _: None) != []
        ended = (await self.life.do(days.over))[-1]
        async with exchange.engine.connect() as connection:
            assert list(await breaks.open_breaks(connection)) == []
        await self._money.proves(ended)
        for by, capacity in ((ONE, "settlement"), (OTHER, "warehouse"), (RISK, "risk")):
            signed = await self.life.do(signing.sign, by, ended.day, capacity)
        assert signed.record is not None
        await self.life.permit()

    async def _stays_closed(self) -> None:
        """Assert that an operator cannot open the next day while this one is neither closed nor signed."""
        await self._run([MarketSetPhase("AU", terms.CONTINUOUS)])
        assert self.exchange.engine_runner.engine.state.instruments["AU"].phase == terms.CLOSED

    async def _close_twice(self) -> None:
        """Begin a close that ends before or after one of its steps, whichever it is, and then close."""
        left = self.life.dice.randint(1, 2 * len(STEPS))

        def end_in_the_middle(_: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise _Ended

        try:
            await closing.close(self.exchange.engine, ONE, end_in_the_middle)
        except _Ended:
            self.life.done["closes that were started again"] += 1
            assert await closing.close(self.exchange.engine, ONE, lambda _: None) != []

    async def recomputed(self, day: date) -> bool:
        """Return whether each step of a closed day gives the same bytes again."""
        return all(again.same for again in await self.life.do(records.recompute, day))


async def outcome(connection: AsyncConnection) -> Counter[str]:
    """Return what a year has left in the database: statements by status, and the days for which fees accrued."""
    found: Counter[str] = Counter()
    states = select(account_statement.c.status, func.count()).group_by(account_statement.c.status)
    for status, count in await connection.execute(states):
        found[f"statements {status}"] = count
    kinds = select(fee_accrual.c.kind, func.count(distinct(fee_accrual.c.day))).group_by(fee_accrual.c.kind)
    for kind, count in await connection.execute(kinds):
        found[f"days with {kind}"] = count
    return found


def summary(closed: Sequence[Closed], done: Counter[str]) -> dict[str, Any]:
    """Return what happened, and the mean cost of the first and of the last closes."""
    part = max(1, len(closed) // 10)
    return {
        "days": len(closed),
        "nights": sum(one.night for one in closed),
        "trades": sum(one.trades for one in closed),
        **dict(sorted(done.items())),
        "first_closes_s": round(sum(one.close_s for one in closed[:part]) / part, 2),
        "last_closes_s": round(sum(one.close_s for one in closed[-part:]) / part, 2),
    }
