"""The campaign: one exchange that stays up from round to round, and in each round something goes wrong under load."""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

import httpx

from goldx.client.keys import Key
from goldx.protocol.commands import HoldingAdjust
from goldx.protocol.units import CASH
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from settlement.base import registry
from settlement.ledger import cash
from settlement.service import movements
from settlement.service.process import is_outage
from tests.faults import checks, schedule
from tests.faults.audit import Audit
from tests.faults.load import SYMBOLS, Member
from tests.faults.stack import ExchangeStack
from tests.faults.watch import Watch, end_all

FIRMS = ("FIRM-A", "FIRM-B", "FIRM-C", "FIRM-D")
CLERKS = ("one", "two")
PURSE = {CASH: 500_000_000_00, **dict.fromkeys(SYMBOLS, 500_000_000)}
"""What each account starts with: fen and fine milligrams."""
FULL_REPLAY_EVERY = 50
"""Rounds between two replays of the whole journal by the commands that an auditor uses."""
DAY_EVERY = 10
"""Rounds of a trading day."""


class Campaign:
    """Rounds on one house. ``totals`` counts what happened."""

    def __init__(
        self, house: ExchangeStack, tell: Callable[[str], None], plan: Callable[[int], schedule.Plan] = schedule.plan
    ) -> None:
        self._house = house
        self._plan = plan
        self._tell = tell
        self._audit = Audit(house.redis)
        self._members = [Member(firm, Key.generate(f"{firm}.key")) for firm in FIRMS]
        self._operator = Key.generate("operator.key")
        self._watches = [Watch(member.account, member.key) for member in self._members]
        self.totals: Counter[str] = Counter()

    async def run(self, seed: int, rounds: int) -> None:
        """Rounds with the seeds from ``seed`` on. Raises AssertionError for the first thing that is wrong."""
        await self._prepare()
        try:
            for number in range(1, rounds + 1):
                await self._round(seed + number - 1, number, rounds)
                if number % FULL_REPLAY_EVERY == 0 or number == rounds:
                    await self._replay_everything()
        finally:
            await end_all(self._watches)

    async def _prepare(self) -> None:
        """Members with their keys, an operator, open instruments, accounts with money and gold."""
        async with self._house.sql.begin() as connection:
            for member in self._members:
                key = member.key
                await registry.add_member(connection, "test", member.firm, member.firm)
                await registry.add_key(connection, "test", key.key_id, key.public_bytes, member_code=member.firm)
            for clerk in CLERKS:
                await registry.add_staff(connection, "test", clerk, f"Clerk {clerk}", ("settle",))
            await registry.add_staff(connection, "test", "op", "Operations", ("operate",))
            key = self._operator
            await registry.add_key(
                connection, "test", key.key_id, key.public_bytes, staff_code="op", permissions=("operate",)
            )
        instrument = {"reference_price": "600.00", "maker_fee_bp": 1, "taker_fee_bp": 3}
        for symbol in SYMBOLS:
            await self._operate("instrument.define", symbol=symbol, **instrument)
            await self._operate("market.set_phase", symbol=symbol, phase="continuous")
        for member in self._members:
            await self._operate("account.open", account=member.account, member=member.firm)
        purses = (
            HoldingAdjust(member.account, asset, amount, f"purse:{member.firm}-{asset}")
            for member in self._members
            for asset, amount in PURSE.items()
        )
        await Journal(self._house.redis, Keys()).append(CommandFrame("test.1", 1, tuple(purses)))
        for number, watch in enumerate(self._watches):
            await watch.move(self._house.url(schedule.GATEWAYS[number % 2]))
        await checks.quiet(self._house, self._audit, self._watches)
        checks.check_channels(self._audit, self._watches)
        self._audit.next_round()

    async def _operate(self, method: str, **params: Any) -> None:
        headers = {"Authorization": f"Bearer {self._operator.bearer_token()}"}
        url = self._house.direct_url(schedule.GATEWAYS[0])
        async with httpx.AsyncClient(base_url=url, trust_env=False, headers=headers, timeout=20) as http:
            while True:
                answer = await http.post("/v1/operator/commands", json={"method": method, "params": params})
                if answer.status_code == 200:
                    return
                # A gateway may have been on its way back: nothing was placed, it says.
                assert answer.json().get("reason") == "UNAVAILABLE", answer.text
                await asyncio.sleep(0.1)

    async def _round(self, seed: int, number: int, rounds: int) -> None:
        began = time.monotonic()
        plan = self._plan(seed)
        faults = ", ".join(map(str, plan.faults))
        try:
            await self._trade(seed, plan)
            if number % DAY_EVERY == 0:
                await self._end_day(number)
            await self._check(seed)
        except BaseException:
            self._tell(f"round {number}/{rounds} seed {seed}: {faults}: FAILED after {time.monotonic() - began:.1f} s")
            raise
        said = Counter(
            "answered" if one.answer is not None else "refused" if one.reason is not None else "unknown"
            for member in self._members
            for one in member.said
        )
        self.totals += said
        self.totals["rounds"] += 1
        self.totals.update(fault.kind for fault in plan.faults)
        self._tell(
            f"round {number}/{rounds} seed {seed}: {faults} | {said['answered']} answered, {said['refused']} refused, "
            f"{said['unknown']} unknown | epoch {self._house.epoch}, event {self._audit.sequence}, "
            f"trade {self._audit.trade_count} | {time.monotonic() - began:.1f} s"
        )
        for member in self._members:
            member.said.clear()
        self._audit.next_round()

    async def _trade(self, seed: int, plan: schedule.Plan) -> None:
        """The load and the faults, until both are over and everything runs again."""
        stop = asyncio.Event()
        work = [asyncio.create_task(member.trade(self._house, seed, stop)) for member in self._members]
        work.append(asyncio.create_task(self._deposit(seed, plan.load)))
        for fault in plan.faults:
            self._house.do(fault)
        await asyncio.sleep(plan.load)
        stop.set()
        await self._house.recovered()
        await asyncio.gather(*work)

    async def _deposit(self, seed: int, within: float) -> None:
        """A clerk books money in and a second one approves it; with a database that is away they try again later."""
        random = Random(f"deposit {seed}")
        await asyncio.sleep(random.uniform(0, within))
        account = random.choice(self._members).account
        try:
            async with self._house.sql.begin() as connection:
                proposal = await cash.propose(connection, CLERKS[0], account, random.randint(1, 10**6), f"bank-{seed}")
            async with self._house.sql.begin() as connection:
                await movements.approve(connection, CLERKS[1], proposal)
        except Exception as error:
            if not is_outage(error):
                raise

    async def _end_day(self, number: int) -> None:
        """The venue rolls the day; orders that are done and their client ids are forgotten."""
        day = date(2027, 1, 1) + timedelta(number // DAY_EVERY)
        await self._operate("market.end_day", next_trading_day=day.isoformat())

    async def _check(self, seed: int) -> None:
        for number, watch in enumerate(self._watches):
            if not watch.connected or Random(f"move {seed} {number}").random() < 0.25:
                await watch.move(self._house.url(schedule.GATEWAYS[(seed + number) % 2]))
        await checks.quiet(self._house, self._audit, self._watches)
        checks.check_answers(self._audit, self._members)
        checks.check_channels(self._audit, self._watches)
        await checks.check_views(self._audit, self._watches)
        await checks.check_ledger(self._house, self._audit)
        assert not self._house.complaints, "\n".join(self._house.complaints)

    async def _replay_everything(self) -> None:
        """The whole journal once more, by the commands of an auditor."""
        verdict = (await self._goldx("journal", "verify")).decode().strip()
        journal = self._house.folder / "journal.jsonl"
        await self._goldx("journal", "export", "--out", str(journal))
        events = await self._goldx("journal", "events")
        assert await self._goldx("replay", str(journal)) == events, "goldx replay gives what was published"
        self._tell(f"replayed from the beginning: {verdict}; digests met by the rounds: {self._audit.digests_compared}")

    async def _goldx(self, *arguments: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "goldx.cli", *arguments),
            env=os.environ | self._house.environment,
            stdout=-1,
            stderr=-1,
        )
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode() + out.decode()[-2_000:]
        return out
