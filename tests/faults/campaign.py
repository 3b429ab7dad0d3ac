"""The campaign: one exchange that runs from round to round, and in each round faults are injected under load."""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from goldx.client.keys import Key
from goldx.protocol.commands import HoldingAdjust
from goldx.protocol.units import CASH, BadValue
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from settlement.base import registry
from settlement.base.refusal import Refused
from settlement.closing import opening
from settlement.ledger import cash
from settlement.service import movements
from settlement.service.process import is_outage
from tests.faults import checks, schedule
from tests.faults.audit import Audit
from tests.faults.load import SYMBOLS, Member
from tests.faults.stack import ExchangeStack
from tests.faults.watch import Watcher, end_all
from tests.http_client import http_client

FIRMS = ("FIRM-A", "FIRM-B", "FIRM-C", "FIRM-D")
CLERKS = ("one", "two")
FIRST_HOLDINGS = {CASH: 500_000_000_00, **dict.fromkeys(SYMBOLS, 500_000_000)}
"""The holdings that each account starts with: fen and fine milligrams."""
FULL_REPLAY_EVERY = 50
"""Rounds between two replays of the whole journal with the commands of an auditor."""
DAY_EVERY = 10
"""Rounds between two ends of the trading day."""


class Campaign:
    """Rounds on one exchange. ``report`` is called with a line a round, ``totals`` counts requests and faults."""

    def __init__(
        self, stack: ExchangeStack, report: Callable[[str], None], plan: Callable[[int], schedule.Plan] = schedule.plan
    ) -> None:
        self._stack = stack
        self._plan = plan
        self._report = report
        self._audit = Audit(stack.redis)
        self._members = [Member(firm, Key.generate(f"{firm}.key")) for firm in FIRMS]
        self._operator, self._second = Key.generate("operator.key"), Key.generate("second.key")
        self._watchers = [Watcher(member.account, member.key) for member in self._members]
        self.totals: Counter[str] = Counter()

    async def run(self, seed: int, rounds: int) -> None:
        """Run rounds with the seeds from ``seed`` on. Raises AssertionError for the first thing that is wrong."""
        await self._prepare()
        try:
            for number in range(1, rounds + 1):
                await self._round(seed + number - 1, number, rounds)
                if number % FULL_REPLAY_EVERY == 0 or number == rounds:
                    await self._replay_everything()
        finally:
            await end_all(self._watchers)

    async def _prepare(self) -> None:
        """Register members, clerks and an operator; open instruments, and accounts with money and gold."""
        async with self._stack.sql.begin() as connection:
            for member in self._members:
                key = member.key
                await registry.add_member(connection, "test", member.firm, member.firm)
                await registry.add_key(connection, "test", key.key_id, key.public_bytes, member_code=member.firm)
            for clerk in CLERKS:
                await registry.add_staff(connection, "test", clerk, f"Clerk {clerk}", ("settle",))
            for name, key in (("op", self._operator), ("op-2", self._second)):
                await registry.add_staff(connection, "test", name, "Operations", ("operate",))
                await registry.add_key(
                    connection, "test", key.key_id, key.public_bytes, staff_code=name, permissions=("operate",)
                )
        instrument: dict[str, Any] = {"reference_price": "600.00", "maker_fee_bp": 1, "taker_fee_bp": 3}
        for symbol in SYMBOLS:
            await self._operate("instrument.define", symbol=symbol, **instrument)
            await self._operate("market.set_phase", symbol=symbol, phase="continuous")
        for member in self._members:
            await self._operate("account.open", account=member.account, member=member.firm)
        deposits = (
            HoldingAdjust(member.account, asset, amount, f"first:{member.firm}-{asset}")
            for member in self._members
            for asset, amount in FIRST_HOLDINGS.items()
        )
        await Journal(self._stack.redis, Keys()).append(CommandFrame("test.1", 1, tuple(deposits)))
        for number, watcher in enumerate(self._watchers):
            await watcher.move(self._stack.url(schedule.GATEWAYS[number % 2]))
        await checks.wait_until_quiet(self._stack, self._audit, self._watchers)
        checks.check_channels(self._audit, self._watchers)
        self._audit.next_round()

    async def _operate(self, method: str, *, second: bool = False, **params: Any) -> list[str]:
        """Give a command of the operator, or of the second one; return the names of its events."""
        key = self._second if second else self._operator
        headers = {"Authorization": f"Bearer {key.bearer_token()}"}
        url = self._stack.direct_url(schedule.GATEWAYS[0])
        async with http_client(url, headers=headers, timeout=20) as http:
            while True:
                answer = await http.post(
                    "/v1/operator/commands", json={"method": method, "params": {"reason": "a test", **params}}
                )
                if answer.status_code == 200:
                    return [event["event"] for event in answer.json()["events"]]
                # The gateway may be recovering; then the command is not in the journal and can be repeated. So it can
                # where settlement's permission to open the day has not come yet.
                assert answer.json().get("reason") in ("UNAVAILABLE", "DAY_WAITS"), answer.text
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
            self._report(
                f"round {number}/{rounds} seed {seed}: {faults}: FAILED after {time.monotonic() - began:.1f} s"
            )
            raise
        outcomes = Counter(
            "answered" if one.answer is not None else "refused" if one.reason is not None else "unknown"
            for member in self._members
            for one in member.requests
        )
        self.totals += outcomes
        self.totals["rounds"] += 1
        self.totals.update(fault.kind for fault in plan.faults)
        self._report(
            f"round {number}/{rounds} seed {seed}: {faults} | {outcomes['answered']} answered, "
            f"{outcomes['refused']} refused, {outcomes['unknown']} unknown | epoch {self._stack.epoch}, "
            f"event {self._audit.sequence}, trade {self._audit.trade_count} | {time.monotonic() - began:.1f} s"
        )
        for member in self._members:
            member.requests.clear()
        self._audit.next_round()

    async def _trade(self, seed: int, plan: schedule.Plan) -> None:
        """Run the load and the faults, until both are over and everything runs again."""
        stop = asyncio.Event()
        work = [asyncio.create_task(member.trade(self._stack, seed, stop)) for member in self._members]
        work.append(asyncio.create_task(self._deposit(seed, plan.load)))
        for fault in plan.faults:
            self._stack.inject(fault)
        await asyncio.sleep(plan.load)
        stop.set()
        await self._stack.wait_until_recovered()
        await asyncio.gather(*work)

    async def _deposit(self, seed: int, within: float) -> None:
        """Let a clerk propose a deposit and a second one approve it, unless the database is away."""
        random = Random(f"deposit {seed}")
        await asyncio.sleep(random.uniform(0, within))
        account = random.choice(self._members).account
        try:
            async with self._stack.sql.begin() as connection:
                proposal = await cash.propose(connection, CLERKS[0], account, random.randint(1, 10**6), f"bank-{seed}")
            async with self._stack.sql.begin() as connection:
                await movements.approve(connection, CLERKS[1], proposal)
        except Exception as error:
            if not is_outage(error):
                raise

    async def _end_day(self, number: int) -> None:
        """End the trading day, as long as a next one is allowed: orders of the day before are forgotten.

        The days run ahead of the calendar, so it takes two operators.
        """
        today = (datetime.now(UTC) + timedelta(hours=8)).date()
        ahead = [day for day in (today + timedelta(days) for days in range(1, 29)) if day.weekday() < 5]
        if number // DAY_EVERY > len(ahead):
            return
        for symbol in SYMBOLS:
            await self._operate("market.set_phase", symbol=symbol, phase="closed")
        day = ahead[number // DAY_EVERY - 1]
        following = day.isoformat()
        if await self._operate("market.end_day", next_trading_day=following) == ["day.end_proposed"]:
            assert "day.ended" in await self._operate("market.end_day", second=True, next_trading_day=following)
        await self._let_open(day)
        for symbol in SYMBOLS:
            await self._operate("market.set_phase", symbol=symbol, phase="continuous")

    async def _let_open(self, day: date) -> None:
        """Let two people open a day over those before it, which nobody closes here, once its beginning is posted."""
        for by in ("op", "op-2"):
            while True:
                try:
                    async with self._stack.sql.begin() as connection:
                        await opening.open_anyway(connection, by, day, "a test")
                    break
                except BadValue:  # the present trading day is still the one before
                    await asyncio.sleep(0.1)
                except Refused as error:
                    if error.reason == "ILLEGAL_STEP":  # the first day may open anyway
                        return
                    raise

    async def _check(self, seed: int) -> None:
        for number, watcher in enumerate(self._watchers):
            if not watcher.connected or Random(f"move {seed} {number}").random() < 0.25:
                await watcher.move(self._stack.url(schedule.GATEWAYS[(seed + number) % 2]))
        await checks.wait_until_quiet(self._stack, self._audit, self._watchers)
        checks.check_answers(self._audit, self._members)
        checks.check_channels(self._audit, self._watchers)
        await checks.check_views(self._audit, self._watchers)
        await checks.check_ledger(self._stack, self._audit)
        assert not self._stack.unexpected_ends, "\n".join(self._stack.unexpected_ends)

    async def _replay_everything(self) -> None:
        """Replay the whole journal with the commands of an auditor."""
        verdict = (await self._goldx("journal", "verify")).decode().strip()
        journal = self._stack.folder / "journal.jsonl"
        await self._goldx("journal", "export", "--out", str(journal))
        events = await self._goldx("journal", "events")
        assert await self._goldx("replay", str(journal)) == events, "goldx replay gives what was published"
        self._report(
            f"replayed from the beginning: {verdict}; digests met by the rounds: {self._audit.digests_compared}"
        )

    async def _goldx(self, *arguments: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "goldx.cli",
            *arguments,
            env=os.environ | self._stack.environment,
            stdout=-1,
            stderr=-1,
        )
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode() + out.decode()[-2_000:]
        return out
