"""Many clerks at once, with random acts on random documents: none waits for ever, and nothing is gained or lost."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, Final

from redis.asyncio import Redis

from goldx.client.keys import Key
from goldx.protocol.units import BadValue
from settlement.assays import two_parties
from settlement.base import registry, working_days
from settlement.base.refusal import Refused
from settlement.charges import tariff
from settlement.intake import intake, melting
from settlement.intake.bar_rows import BarKey
from settlement.intake.melting import MeltWeight
from settlement.load_outs import claims, handing_over
from settlement.lots import acceptance, sampling
from settlement.lots.sampling import SealedSample
from settlement.lots.scales import parse_weight
from settlement.reconciliation import break_work, breaks, warehouse_keys, warehouse_statement
from settlement.recycling import aml, counters, offers, sellers, tickets, two_way
from settlement.recycling.sellers import Identity
from settlement.recycling.two_way import PostedPrice
from settlement.workbooks.cells import BadFile
from tests.settlement.intake.lot_steps import SCRAP, screened
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, public_pem
from tests.settlement.test_conservation import Clerks, build_exchange, check_pool

CLERKS: Final = 6
ACTS: Final = 60
ACCOUNTS: Final = ("A.H", "B.H", "VENUE")
KEYS: Final = tuple(Key.generate(f"WAREHOUSE-{number}") for number in range(3))
SELLERS: Final = (Identity("PASSPORT", "E12345678", "One"), Identity("PASSPORT", "E87654321", "Two"))


class Storm(Clerks):
    """Clerks whose acts meet on few documents."""

    def __init__(self, exchange: SmallExchange, seed: int) -> None:
        super().__init__(exchange)
        self._exchange = exchange
        self._dice = random.Random(seed)
        self._names = itertools.count(1_000)
        self.done = 0

    def acts(self) -> list[Callable[[], Awaitable[Any]]]:
        dice = self._dice
        small, lot, account = dice.randint(1, 5), dice.randint(1, 9), dice.choice(ACCOUNTS)
        return [
            lambda: self._pay(account, dice.randint(1, 1_000_000)),
            lambda: self._bars(account, [dice.randint(1_000, 20_000)]),
            self._issue,
            *[lambda: self._approve(dice.randint(0, 9))] * 6,
            lambda: self._decline(dice.randint(0, 9)),
            *[lambda: self._load_out(account, dice.choice((99_900, 199_800)))] * 3,
            lambda: self._release(small),
            lambda: self._cancel_load_out(small),
            lambda: self._expire(dice.randint(0, 20)),
            lambda: self._freeze(lot),
            lambda: self._unfreeze(lot),
            lambda: self._pledge(account, dice.randint(1, 50_000)),
            lambda: self._pledge_lot(account, lot),
            lambda: self._release_pledge(small),
            lambda: self._hold(account, dice.randint(0, 50_000), lot),
            lambda: self._lift(small),
            lambda: self._cancel_receipt(lot),
            lambda: self._transfer(lot, dice.choice(("XM1", "XM2"))),
            lambda: self._ship(small),
            lambda: self._receive(small, dice.random() < 0.8),
            lambda: self._accrue(small),
            self._bill,
            lambda: self._claim(small, lot),
            self._scrap,
            lambda: self._quarantine(lot),
            lambda: self._sell(dice.choice(SELLERS)),
            lambda: self._decide_report(small),
            lambda: self._post_break(dice.sample(("lot:1", "lot:2", "lot:3"), 2)),
            lambda: self._act(break_work.explain, ONE, small, ONE, "is looked into"),
            self._state,
            lambda: self._act(warehouse_keys.propose, ONE, "XM1", public_pem(dice.choice(KEYS)), "compared"),
            lambda: self._sign(dice.choice(KEYS)),
            lambda: self._act(warehouse_keys.end, ONE, small, "lost"),
            lambda: self._act(handing_over.propose_code, ONE, small, "271828", "271828"),
            lambda: self._act(tariff.propose, ONE, "OVERDUE", small, date(2099, 1, small)),
            lambda: self._act(acceptance.propose, ONE, "AU", acceptance.Rule(("NONAPPROVED_BAR",))),
        ]

    async def run(self) -> None:
        for _ in range(ACTS):
            act = self._dice.choice(self.acts())
            try:
                await act()
                self.done += 1
            except (Refused, BadValue, BadFile):
                continue

    async def _claim(self, number: int, lot: int) -> None:
        claim = await self._act(claims.open_claim, ONE, number, [lot], "assayed lower", seal_whole=True)
        await self._act(claims.send, ONE, claim, "LAB-U")

    async def _quarantine(self, lot: int) -> None:
        await self._act(intake.quarantine, ONE, lot, "police", "order 7")
        await self._act(intake.propose_lift, ONE, lot, "withdrawn")

    async def _scrap(self) -> None:
        """Two bags are melted into one lot, which two laboratories assay."""
        name = next(self._names)
        bags = [await screened(self._exchange, "100.00", serial=f"{id(self)}-{name}-{n}", **SCRAP) for n in (1, 2)]
        weight = MeltWeight("SCALE-1", parse_weight("grams", "199.00"))
        child = await self._act(melting.combine, ONE, bags, BarKey("STORM", f"{id(self)}-{name}", 0), weight)
        samples = [SealedSample(party, f"{party}-{child}", 100) for party in ("A", "B", "UMPIRE")]
        await self._act(sampling.draw, ONE, {child: samples})
        number = await self._act(two_parties.begin, ONE, child, "LAB-A", "LAB-B")
        await self._act(two_parties.void, ONE, number, "no answer")

    async def _sell(self, who: Identity) -> None:
        ticket = await self._act(tickets.open_ticket, ONE, "C1", who, "COPY", "CLEAR", "UN")
        item = tickets.Item("bar", "", "NONAPPROVED_BAR", 10_000, "own")
        await self._act(tickets.add_item, ONE, ticket, item)
        await self._act(tickets.screen, ONE, ticket, {1: 99_900})
        await self._act(offers.make, ONE, ticket)
        await self._act(offers.accept, ONE, ticket)
        seller = (await self._act(tickets.find, ticket)).seller_id
        await self._act(sellers.record_due_diligence, ONE, seller, "CDD", "known")
        await self._act(offers.pay, OTHER, ticket, "CASH", f"V-{ticket}")
        await self._act(offers.deliver, ONE, [ticket], {"NONAPPROVED_BAR": "AU"})

    async def _decide_report(self, number: int) -> None:
        await self._act(aml.decide, ONE, number, "confirm", "as noticed")

    async def _state(self) -> None:
        """Two people take in a statement that lacks a bar."""
        lines = await self._act(warehouse_statement.expected, "XM1")
        about = ("XM1", working_days.today(), "s.csv", str(lines).encode(), lines[1:])
        for by in (ONE, OTHER):
            await self._act(warehouse_statement.take_in, by, *about)

    async def _sign(self, key: Key) -> None:
        day = working_days.today()
        lines = [line._replace(day=day) for line in await self._act(warehouse_statement.expected, "XM1")]
        data = str(lines).encode()
        await self._act(warehouse_statement.take_in, ONE, "XM1", day, "s.csv", data, lines, key.sign(data))

    async def _post_break(self, subjects: list[str]) -> None:
        found = [breaks.Break("STORM", subject, "AU", 1, 2) for subject in subjects]
        await self._act(breaks.record_run, ONE, "storm", len(found), found)


async def test_many_clerks_at_once(new_database: Callable[[], Awaitable[str]], redis: Redis) -> None:
    """No act ends with an error of the database, such as a deadlock; ledger, engine and lots agree afterwards."""
    exchange = await build_exchange(await new_database(), redis, "storm")
    await exchange.engine_runner.define("SCRAP", "SCRAP_JEWEL")
    await exchange.post()
    async with exchange.engine.begin() as connection:
        await registry.add_member(connection, "test", "A", "Member A")
        await counters.add(connection, ONE, "C1", "A", "A.H", "XM1", "Counter")
        await two_way.post(connection, ONE, PostedPrice(two_way.VENUE, "NONAPPROVED_BAR", 60_000, 61_000, 0, 99_000))
        for year in range(working_days.today().year - 1, working_days.today().year + 2):
            await working_days.set_day(connection, ONE, date(year, 1, 1), False, "New Year")
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    clerks = [Storm(exchange, seed + number) for number in range(CLERKS)]
    over = asyncio.Event()

    async def settle() -> None:
        while not over.is_set():
            await exchange.round_trip()
            await asyncio.sleep(0.01)

    settling = asyncio.create_task(settle())
    try:
        await asyncio.gather(*(clerk.run() for clerk in clerks))
        over.set()
        await settling
        for _ in range(3):
            await exchange.round_trip()
        await check_pool(exchange)
        assert sum(clerk.done for clerk in clerks) > ACTS, "most acts are refused"
    finally:
        settling.cancel()
        await exchange.engine.dispose()
