"""Trading days of a small exchange, one after the other, each with all that happens in a year: the simulated year.

Everything is chosen by a seed. A day has a night session if the calendar gives it one, auctions at the openings, trades
between four members, annulled trades, deposits with twins, withdrawals in payment files, payments that come back, lots
that come and go, corrections, bills. At its end the bank's and the warehouse's statements agree, and it is closed and
signed.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any, Final, NamedTuple

from sqlalchemy import func, select

from goldx.protocol import terms
from goldx.protocol.commands import AnyCommand, MarketSetPhase, OrderPlace, TradeBust
from goldx.protocol.events import Trade
from goldx.timetable import calendar
from goldx.timetable.calendar import Calendar
from settlement.banking import accounts, bank_reconciliation, camt, deposits, imports, payouts, virtual_accounts
from settlement.banking.payouts import Payee
from settlement.base import registry, working_days
from settlement.charges import bills
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing import records, signing
from settlement.intake.bar_rows import Reading
from settlement.ledger import corrections
from settlement.load_outs import application, handing_over
from settlement.reconciliation import breaks, statement_file, warehouse_statement
from settlement.reports import bar_export
from settlement.tables.ledger import trade, trade_bust
from settlement.tables.load_outs import load_out
from settlement.workbooks import formats
from tests.matching.core.trade_terms import terms_of
from tests.settlement.banking.mock_bank import ACCOUNT, Booking, MockBank, Payment
from tests.settlement.small_exchange import (
    CODE,
    COLLECTOR_ID,
    ONE,
    OTHER,
    SmallExchange,
    begin_day,
    do,
    load_out_application,
)

MEMBERS: Final = ("A", "B", "C", "D")
RISK: Final = "risk-1"
LOT_MG: Final = 99_900
BATCH: Final = 200
"""Orders in one frame of the journal."""
FIRST_MONEY: Final = 500_000_000
HOLIDAYS: Final = (5, 6, 7, 8, 9, 75, 76, 150, 151, 152, 210)
"""Days after the first one that are holidays where they are weekdays."""


class Closed(NamedTuple):
    """One day that was closed: its trades, and the seconds that its happenings and its close took."""

    day: date
    night: bool
    trades: int
    lived_s: float
    close_s: float


def calendar_from(first: date, count: int) -> Calendar:
    """Return a calendar of enough days for so many trading days."""
    holidays = [day for day in (first + timedelta(days=number) for number in HOLIDAYS) if day.weekday() < 5]
    return Calendar(calendar.draft(first, first + timedelta(days=count * 2 + 40), "TEST-NOTICE", holidays))


class Year:
    """The exchange, its bank, and what is under way; ``run`` lets days pass."""

    def __init__(self, exchange: SmallExchange, seed: int, trades: int) -> None:
        self.exchange = exchange
        self.dice = Random(seed)
        self.trades = trades
        self.bank = MockBank()
        self.done: Counter[str] = Counter()
        self._orders = 0
        self._lots = 0
        self._last_trade = 0
        self._to_return: list[tuple[int, Payment]] = []

    async def open(self) -> None:
        """Register members, the bank and the people who sign, and let everybody have money and metal."""
        exchange = self.exchange
        await exchange.engine_runner.open("C.H", "D.H")
        await exchange.post()
        async with exchange.engine.begin() as connection:
            for code in MEMBERS:
                await registry.add_member(connection, "test", code, f"Member {code}")
            await registry.add_staff(connection, "test", RISK, "Risk", ["operate", "settle"])
            await accounts.add(connection, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
            for number, code in enumerate(MEMBERS):
                await virtual_accounts.add(connection, ONE, f"80010{number}", f"{code}.H")
        self.bank.next_day = working_days.today()
        await self._bank_day([Payment(FIRST_MONEY, f"{code}.H", f"Member {code}") for code in MEMBERS])
        await self._intake(12)
        await self._intake(12, "1000.00")

    async def run(self, count: int) -> AsyncIterator[Closed]:
        """Let so many trading days pass, from the one after today on, and yield each when it is signed."""
        first = working_days.today() + timedelta(days=1)
        known = calendar_from(first, count)
        day = first if known.day(first).traded else known.next_trading_day(first)
        await self._end(day)
        for number in range(count):
            following = known.next_trading_day(day)
            began = time.perf_counter()
            night = known.evening_before(day) is not None
            made = await self._live(number, day, night)
            lived = time.perf_counter() - began
            began = time.perf_counter()
            await self._end(following)
            closed_s = time.perf_counter() - began
            yield Closed(day, night, made, lived, closed_s)
            day = following

    async def _live(self, number: int, day: date, night: bool) -> int:
        """Let one day happen, and return how many trades it had."""
        before = self._last_trade
        await self._withdraw(number)
        # Before the day's orders reserve what it takes.
        if number % 5 == 2:
            await self._load_out()
        if number % 7 == 3:
            await self._correct(day)
        if night:
            await self._session(self.trades // 4)
        await self._session(self.trades - (self.trades // 4 if night else 0))
        if number % 3 == 0:
            await self._bust(before)
        if number % 3 == 1:
            await self._intake(1)
        if number % 5 == 4:
            await self._approve([await do(self.exchange, bills.propose, ONE)])
            self.done["bills"] += 1
        self.bank.next_day = day
        await self._bank_day(await self._payments(number))
        return self._last_trade - before

    async def _approve(self, numbers: Sequence[int | None]) -> None:
        for number in numbers:
            if number is not None:
                await self.exchange.approve(number)
        await self._catch_up()

    async def _catch_up(self) -> None:
        """Send what waits, let the engine answer, and post all that it has published."""
        await self.exchange.sender.flush()
        while await self.exchange.engine_runner.advance():
            pass
        await self._post()

    async def _post(self) -> None:
        reached = await self.exchange.ledger.open()
        while frames := await self.exchange.engine_runner.events.read(reached):
            await self.exchange.ledger.post(frames)
            reached = await self.exchange.ledger.open()

    async def _session(self, count: int) -> None:
        """Open with an auction, let members trade about so often, and close."""
        self._orders += 1
        await self._run([MarketSetPhase("AU", terms.AUCTION)])
        await self._run(self._pairs(min(count, 10)))
        await self._run([MarketSetPhase("AU", terms.CONTINUOUS)])
        orders = self._pairs(max(count - 10, 0))
        for start in range(0, len(orders), BATCH):
            await self._run(orders[start : start + BATCH])
        await self._run([MarketSetPhase("AU", terms.CLOSED)])
        await self._post()
        query = select(func.coalesce(func.max(trade.c.trade_id), 0))
        async with self.exchange.engine.connect() as connection:
            self._last_trade = int(await connection.scalar(query) or 0)

    async def _run(self, commands: Sequence[AnyCommand]) -> None:
        if commands:
            await self.exchange.engine_runner.run(*commands)

    def _pairs(self, count: int) -> list[AnyCommand]:
        """Return so many sells, each with a buy of the same price and weight by another member."""
        found: list[AnyCommand] = []
        for _ in range(count):
            seller, buyer = self.dice.sample(MEMBERS, 2)
            price, mg = 60_000 + self.dice.randint(-50, 50), self.dice.randint(1, 5) * 1_000
            for account, side in ((seller, terms.SELL), (buyer, terms.BUY)):
                self._orders += 1
                order = (f"{account}.H", f"y{self._orders}", "AU", side, terms.LIMIT, mg, price)
                found.append(OrderPlace(*order, time_in_force=terms.DAY))
        return found

    async def _bust(self, before: int) -> None:
        """Annul one of the day's trades, if its parties still have what they got."""
        if self._last_trade == before:
            return
        wanted = self.dice.randint(before + 1, self._last_trade)
        exchange = self.exchange
        async with exchange.engine.connect() as connection:
            sequence = int(await connection.scalar(select(trade.c.sequence).where(trade.c.trade_id == wanted)) or 0)
        frames = await exchange.engine_runner.events.read(sequence - 1, 1)
        (made,) = (e for f in frames for o in f.outcomes for e in o if isinstance(e, Trade) and e.trade_id == wanted)
        given = terms_of(made, exchange.engine_runner.engine.state.trading_day)
        await self._run([TradeBust(wanted, "a price that was mistyped", by, given) for by in ("ada", "ben")])
        await self._post()
        async with exchange.engine.connect() as connection:
            annulled = await connection.scalar(select(trade_bust.c.sequence).where(trade_bust.c.trade_id == wanted))
        self.done["annulled trades" if annulled else "annulments refused"] += 1

    async def _intake(self, count: int, grams: str = "100.00") -> None:
        rows = []
        for _ in range(count):
            self._lots += 1
            member = MEMBERS[self._lots % len(MEMBERS)]
            mark = {"serial": f"Y{self._lots}", "seal": f"S-{self._lots}"}
            rows.append({**mark, "account": f"{member}.H", "gross_g": grams, "weighed_g": grams})
        await self.exchange.issue(rows)
        self.done["lots in"] += count

    async def _load_out(self) -> None:
        """Hand out one lot's weight to a member who has it."""
        exchange = self.exchange
        held = {code: exchange.held(f"{code}.H", "AU") for code in MEMBERS}
        account = f"{max(held, key=lambda code: held[code])}.H"
        proposal = await do(exchange, application.apply, ONE, load_out_application(account, LOT_MG))
        await self._approve([proposal])
        async with exchange.engine.connect() as connection:
            number = int(await connection.scalar(select(func.max(load_out.c.load_out_no))) or 0)
        assert await do(exchange, handing_over.sign, ONE, number, CODE, COLLECTOR_ID) is None
        await do(exchange, handing_over.release, OTHER, number)
        self.done["load-outs"] += 1

    async def _correct(self, day: date) -> None:
        """Move money that was booked to the wrong account."""
        one, other = self.dice.sample(MEMBERS, 2)
        fen = self.dice.randint(1, 9_999)
        paper = f"MEMO-{day.isoformat()}"
        change = (corrections.propose, ONE, f"{one}.H", f"{other}.H", fen, "booked to the wrong account", paper)
        await self._approve([await do(self.exchange, *change)])
        self.done["corrections"] += 1

    async def _withdraw(self, number: int) -> None:
        """Order payments out and put them into a file; the bank makes them today."""
        self._sent: list[Payment] = []
        orders = []
        for member in self.dice.sample(MEMBERS, number % 3):
            fen = self.dice.randint(1, 50_000)
            payee = Payee(f"Member {member}", f"6222000{member}", "102393000015")
            orders.append(await do(self.exchange, payouts.order, ONE, f"{member}.H", fen, payee))
        await self._approve(orders)
        if not orders:
            return
        await do(self.exchange, payouts.send, ONE, ACCOUNT)
        for row in (await do(self.exchange, payouts.listing))[-len(orders) :]:
            paid = Payment(row.amount, row.end_to_end, row.payee_name, row.payee_account)
            self._sent.append(paid)
            if self.dice.random() < 0.2:
                back = paid._replace(amount_fen=-row.amount, reason="AC04", account=row.payee_account)
                self._to_return.append((number + self.dice.randint(1, 4), back))
        self.done["payments out"] += len(orders)

    async def _payments(self, number: int) -> list[Booking | Payment]:
        """Return what the bank books today: deposits, twins among them, payments out, and what comes back."""
        found: list[Booking | Payment] = list(self._sent)
        for _ in range(self.dice.randint(0, 3)):
            place = self.dice.randrange(len(MEMBERS))
            payer = f"Member {MEMBERS[place]}"
            fen = self.dice.randint(1, 5_000_000)
            named = self.dice.random() < 0.5
            account, virtual = (f"{MEMBERS[place]}.H", "") if named else ("", f"80010{place}")
            one = Payment(fen, account, payer, virtual_account=virtual)
            twins = 2 if self.dice.random() < 0.2 else 1
            found += [one] * twins
            self.done["deposits"] += twins
        due = [back for when, back in self._to_return if when <= number]
        self._to_return = [one for one in self._to_return if one[0] > number]
        self.done["payments that came back"] += len(due)
        return found + due

    async def _bank_day(self, bookings: Sequence[Booking | Payment]) -> None:
        """Take in the bank's statement of the day, match it, and approve what follows."""
        data = self.bank.camt(self.bank.book(*bookings))
        await do(self.exchange, imports.take_in, ONE, "day.xml", data, camt.read(data))
        found = await do(self.exchange, deposits.match, ONE)
        left = [one for one in found if one.how is None]
        assert left == [], "every payment is some money"
        await self._approve([one.proposal for one in found])

    async def _end(self, following: date) -> None:
        """End the day: the statements agree, it is closed without an open break, and signed by three people."""
        exchange = self.exchange
        await begin_day(exchange, following.isoformat())
        await self._post()
        await self._warehouse_agrees()
        assert await closing.close(exchange.engine, ONE, lambda _: None) != []
        ended = (await do(exchange, days.over))[-1]
        async with exchange.engine.connect() as connection:
            proof = await bank_reconciliation.prove(connection, ended)
            assert list(await breaks.open_breaks(connection)) == []
        assert (proof.breaks, proof.bank_fen) == ((), proof.ledger_fen)
        for by, capacity in ((ONE, "settlement"), (OTHER, "warehouse"), (RISK, "risk")):
            signed = await do(exchange, signing.sign, by, ended.day, capacity)
        assert signed.record is not None

    async def _warehouse_agrees(self) -> None:
        async with self.exchange.engine.connect() as connection:
            data = await bar_export.count_list(connection, "XM1", "csv")
            lines = statement_file.read(formats.parse(data), Reading())
            assert (await warehouse_statement.compare(connection, "XM1", lines)).breaks == ()

    async def recomputed(self, day: date) -> bool:
        """Return whether each step of a closed day gives the same bytes again."""
        return all(again.same for again in await do(self.exchange, records.recompute, day))


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
