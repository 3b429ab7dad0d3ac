"""The demonstration, from the start of the exchange to the last comparison."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import msgspec
from websockets.exceptions import WebSocketException

from goldx.client.keys import Key
from goldx.client.local_book import follow
from goldx.client.results import OfRequest
from goldx.client.session import connect
from goldx.demo import bank, end_of_day, rare_acts, scenario, staff
from goldx.demo.checks import EventSummary, find_disagreements, summarize
from goldx.demo.record import SessionRecord
from goldx.demo.shell import Shell
from goldx.demo.staff import Operator, Rest
from goldx.demo.state import DisplayState, percentiles
from goldx.demo.traders_process import TradersProcess
from goldx.demo.trading import Plan, Seat, SeatCounts
from goldx.hosting.supervisor import Supervisor
from goldx.protocol import units
from goldx.retry import is_any_of, retry

AWAY: Final = (OSError, WebSocketException)
"""Errors of a gateway that is away for a while."""
AGAIN_SECONDS: Final = 0.5
STEPS: Final = (
    "Starting the exchange",
    "Staff, members and their keys",
    "Accounts and instruments",
    "Money in",
    "Gold in",
    "Opening the market",
    "Trading",
    "Settling the last trades",
    "Members withdraw gold and money",
    "Rare acts of members and operators",
    "The day ends, is closed and signed",
    "Reconciling and replaying",
)
"""The steps as the display shows them, in this order."""


class DemoResult(msgspec.Struct, kw_only=True):
    """The result, as ``--json`` prints it. Latency is from order to answer; weights are fine milligrams, money CNY."""

    acked_orders: int
    trades: int
    traded_fine_mg: int
    latency_ms: dict[str, float]
    ledger_trades: int
    withdrawals: int
    breaks: int
    disagreements: list[str]
    seconds: float
    orders_per_s: float
    trades_per_s: float
    refused_orders: int
    changed_orders: int
    lots: int
    money_in: str
    withdrawal: dict[str, Any]
    reconciliation: dict[str, Any]
    bank: dict[str, Any]
    """The bank's statements beside the escrow account in the ledger: balances, their difference, breaks."""
    day: dict[str, Any]
    """The closed day: ``closed``, ``signed``, the hash of each of its ``steps``, and of its ``record``."""
    regime: dict[str, Any]
    """The legal regime under which it ran: the event ``regime.changed``."""
    rfq: OfRequest
    """A request for quotes as its requester was answered at the acceptance: ``request`` and ``trades``."""
    replay: str
    digest: str
    durability: str
    data_dir: str


class Demonstration:
    """One demonstration on a running exchange.

    ``state`` is kept up to date for a display; members trade for ``seconds``.
    """

    def __init__(self, supervisor: Supervisor, state: DisplayState, seed: int, seconds: float) -> None:
        self._supervisor = supervisor
        self._state = state
        self._seed = seed
        self._seconds = seconds
        self._keys = supervisor.data_dir / "keys"
        self._began = time.time()

    async def run(self) -> DemoResult:
        """Run all steps and return the outcome, which says whether all agree. Raises the errors of the exchange."""
        url = self._supervisor.gateway_url
        async with AsyncExitStack() as stack:
            log = self._supervisor.data_dir / "log" / "commands.jsonl"
            shell = await stack.enter_async_context(Shell(self._supervisor.environment, log))
            self._step(1, f"{len(self._supervisor.services)} processes; data in {self._supervisor.data_dir}")
            people = await staff.register(shell, self._keys)
            operator = await stack.enter_async_context(Operator(url, self._key(scenario.OPERATOR.code)))
            second = await stack.enter_async_context(Operator(url, self._key(scenario.RISK.code)))
            member = await stack.enter_async_context(Rest(url, self._key(scenario.PAID_OUT[0])))
            self._step(2, people)
            regime = await staff.declare_sandbox(operator, second)
            defined = await staff.define(operator)
            await staff.wait_until(lambda: self._all_posted(operator), "settlement to post the accounts")
            self._step(3, f"{defined}; the legal regime is {regime['regime']}")
            money = await staff.pay_in(shell) + await bank.prove_deposits(shell, self._supervisor.data_dir)
            self._step(4, f"{units.format_money(money)} CNY, two clerks for each transfer; the bank's statement agrees")
            lots = await staff.take_in_bars(shell, self._note)
            await staff.wait_until(lambda: self._all_posted(operator), "the receipts to reach the engine")
            self._step(5, f"{lots} lots weighed, screened, melted, assayed, certified, receipted")
            following = asyncio.create_task(self._follow_market())
            stack.callback(following.cancel)
            records = await self._open(operator)
            records += await self._trade(operator, following)
            self._step(7, "")
            await staff.wait_until(lambda: self._all_posted(operator), "settlement to catch up")
            self._step(8, f"{self._state.posted:,} trades in the ledger")
            withdrawal = await staff.withdraw(shell)
            state = await staff.pay_out(shell, member)
            await staff.bill_fees(shell)
            paid = f"{scenario.PAID_OUT[2]} CNY of {scenario.PAID_OUT[1]} are {state}"
            self._step(9, f"lots {withdrawal['lots']}, {withdrawal['allocated_g']} g, released; {paid}")
            more, rfq = await rare_acts.perform(url, self._supervisor.data_dir, shell, operator, second)
            records += more
            acts = "a stop, an interruption, an annulled trade, deals, one of a named lot, quotes, a protected maker"
            acts += ", a claim"
            self._step(10, acts)
            await end_of_day.end(operator)
            await staff.wait_until(lambda: self._all_posted(operator), "settlement to post the end of the day")
            day = await end_of_day.close_and_sign(shell)
            self._step(11, f"{day['day']}: {len(day['steps'])} steps, three signatures, record {day['record']}")
            return await self._compare(shell, operator, records, withdrawal, lots, money, day, regime, rfq)

    async def reopen(self) -> None:
        """Open the market again, for the members who trade on, once settlement permits the day after the signed one."""
        async with Operator(self._supervisor.gateway_url, self._key(scenario.OPERATOR.code)) as operator:
            await staff.wait_until(lambda: staff.has_opened(operator), "settlement to permit the next trading day")

    def _key(self, code: str) -> Key:
        """Return the key of one of the staff or of a member."""
        return Key.load(self._keys / f"{code}.pem")

    def plan(self, *, opening: bool = False, slowness: float = 1.0) -> Plan:
        """Return the plan of a process of traders, with a seat for every trading account."""
        prices = {i["symbol"]: units.parse_price(i["reference_price"]) for i in scenario.INSTRUMENTS}
        seats = tuple(
            Seat(account, str(self._keys / f"{firm.code}.pem"), firm.strategy)
            for firm in scenario.TRADERS
            for account in firm.cash
        )
        return Plan(self._supervisor.gateway_url, self._seed, self._began, prices, seats, opening, slowness)

    async def until_quoted(self, traders: TradersProcess) -> None:
        """Wait until every instrument has two levels of bids and of asks. Raises StaffFailed, TradersFailed."""

        async def quoted() -> bool:
            async with connect(self._supervisor.gateway_url) as client:
                books = [await client.call("market.book", symbol=i["symbol"], depth=2) for i in scenario.INSTRUMENTS]
                return all(len(book[side]) == 2 for book in books for side in ("bids", "asks"))

        async def patient() -> bool:
            return await retry(quoted, is_any_of(*AWAY), repeat(AGAIN_SECONDS), seconds=staff.WAIT_SECONDS)

        await _first(staff.wait_until(patient, "the makers to quote"), traders.failed())

    def show_progress(self, progress: SeatCounts) -> None:
        """Put a report of the traders into the state."""
        state = self._state
        state.acked, state.refused, state.changes = progress.acked, progress.refused, progress.changes
        state.latencies.extend(progress.latencies)
        state.holdings = progress.holdings

    def _step(self, number: int, result: str) -> None:
        """Begin a step; ``result`` is a sentence about the one before."""
        self._state.results[number - 1] = result
        self._state.step, self._state.note = number, ""

    def _note(self, note: str) -> None:
        self._state.note = note

    async def _follow_market(self) -> None:
        async def follow_once() -> None:
            await follow(lambda: connect(self._supervisor.gateway_url), self._state.books)

        await retry(follow_once, is_any_of(*AWAY), repeat(AGAIN_SECONDS))

    async def _open(self, operator: Operator) -> list[SessionRecord]:
        """Go through pre-open and an auction, into which members enter orders, to continuous trading from its price."""
        await staff.set_phase(operator, "pre_open")
        await staff.set_phase(operator, "auction")
        self._note("an opening auction")
        async with TradersProcess(self.plan(opening=True), self.show_progress) as traders:
            records = await traders.done()
        await staff.set_phase(operator, "continuous")
        return records

    async def _trade(self, operator: Operator, following: asyncio.Task[None]) -> list[SessionRecord]:
        self._step(6, "an auction, and from its price continuous trading")
        async with TradersProcess(self.plan(), self.show_progress) as traders:
            self._state.trading_since, self._state.trading_seconds = time.monotonic(), self._seconds
            time_is_up = asyncio.sleep(self._seconds)
            posting = self._follow_settlement(operator)
            await _first(time_is_up, traders.failed(), posting, asyncio.shield(following))
            self._note("the programs stop and cancel their orders")
            records = await traders.finish()
        self._state.trading_since = None
        return records

    async def _follow_settlement(self, operator: Operator) -> None:
        while True:
            await self._all_posted(operator)
            await asyncio.sleep(1.0)

    async def _all_posted(self, operator: Operator) -> bool:
        """Return whether settlement has posted every event, and nothing waits for the engine."""
        status = await operator.get("/v1/settlement/status")
        self._state.posted = status["trades"]
        return bool(status["sequence"] == status["last_sequence"] and not status["outbox"])

    async def _compare(
        self,
        shell: Shell,
        operator: Operator,
        records: list[SessionRecord],
        withdrawal: dict[str, Any],
        lots: int,
        money: int,
        day: dict[str, Any],
        regime: dict[str, Any],
        rfq: OfRequest,
    ) -> DemoResult:
        """Reconcile, export and replay the journal, and compare all records."""
        await staff.wait_until(lambda: self._all_posted(operator), "settlement to catch up")
        report, proof = await staff.reconcile(shell), await bank.proof(shell)
        replay = await staff.export_and_verify(shell, self._supervisor.data_dir)
        published = await asyncio.to_thread(_read_events, self._supervisor.data_dir / staff.EVENTS)
        status = await operator.get("/v1/settlement/status")
        found = find_disagreements(published, records, status["trades"])
        found += [f"break: {item}" for item in report["breaks"]]
        found += [f"break of the bank: {item}" for item in proof["breaks"]]
        if not (day["closed"] and day["signed"]):
            found.append(f"the day {day['day']} is not closed and signed")
        if not replay.same:
            found.append(f"the replay of the journal differs: {replay.verdict}")
        sheet = await operator.get(f"/v1/settlement/load-outs/{withdrawal['load_out']}")
        if sheet["status"] != "RELEASED":
            found.append(f"load-out {withdrawal['load_out']} is {sheet['status']}, not RELEASED")
        acked = sum(len(record.acked) for record in records)
        latency = percentiles([us for record in records for us in record.latencies]) or (0.0, 0.0)
        return DemoResult(
            acked_orders=acked,
            trades=len(published.trades),
            traded_fine_mg=published.traded_mg,
            latency_ms={"p50": latency[0], "p99": latency[1]},
            ledger_trades=status["trades"],
            withdrawals=published.withdrawals,
            breaks=len(report["breaks"]),
            disagreements=found,
            seconds=self._seconds,
            orders_per_s=round(acked / self._seconds, 1),
            trades_per_s=round(len(published.trades) / self._seconds, 1),
            refused_orders=sum(sum(record.refused.values()) for record in records),
            changed_orders=sum(record.changes for record in records),
            lots=lots,
            money_in=units.format_money(money),
            withdrawal=withdrawal,
            reconciliation=report,
            bank=proof,
            day=day,
            regime=regime,
            rfq=rfq,
            replay=replay.verdict,
            digest=replay.digest,
            durability=(await operator.get("/v1/status"))["durability"],
            data_dir=str(self._supervisor.data_dir),
        )


def _read_events(file: Path) -> EventSummary:
    with file.open("rb") as lines:
        return summarize(map(msgspec.json.decode, lines))


async def _first(*awaitables: Awaitable[Any]) -> None:
    """Wait until the first of several ends, and cancel the others. Raises if that one failed."""
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
