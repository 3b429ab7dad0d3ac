"""The demonstration from the opened doors to the last comparison."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import msgspec

from goldx.client.keys import Key
from goldx.client.local_book import follow
from goldx.client.session import connect
from goldx.demo import staff, venue
from goldx.demo.checks import Story, disagreements, read_story
from goldx.demo.display import Board, percentiles
from goldx.demo.record import Record
from goldx.demo.shell import Shell
from goldx.demo.staff import Operator
from goldx.demo.traders_process import TradersProcess
from goldx.demo.trading import Plan, Progress, Seat
from goldx.hosting.supervisor import Supervisor
from goldx.protocol import units

STEPS: Final = (
    "Starting the exchange",
    "Staff, members and their keys",
    "Accounts and instruments",
    "Money in",
    "Gold in",
    "Opening the market",
    "Trading",
    "Settling the last trades",
    "A member withdraws gold",
    "Reconciling and replaying",
)
"""What the board shows, in this order."""


class Outcome(msgspec.Struct, kw_only=True):
    """What ``--json`` prints. Latency is from order to answer; weights are fine milligrams, money CNY."""

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
    replay: str
    digest: str
    durability: str
    data_dir: str


class Play:
    """One demonstration on a running exchange; ``board`` shows how far it is, ``seconds`` is how long members trade."""

    def __init__(self, exchange: Supervisor, board: Board, seed: int, seconds: float) -> None:
        self._exchange = exchange
        self._board = board
        self._seed = seed
        self._seconds = seconds
        self._keys = exchange.data_dir / "keys"
        self._began = time.time()

    async def run(self) -> Outcome:
        """Everything from set-up to replay. Raises what goes wrong; whether all agree is in the outcome."""
        url = self._exchange.gateway_url
        async with AsyncExitStack() as stack:
            log = self._exchange.data_dir / "log" / "commands.jsonl"
            shell = await stack.enter_async_context(Shell(self._exchange.environment, log))
            self._step(1, f"{len(self._exchange.services)} processes; data in {self._exchange.data_dir}")
            people = await staff.register(shell, self._keys)
            operator_key = Key.load(self._keys / f"{venue.OPERATOR.code}.pem")
            operator = await stack.enter_async_context(Operator(url, operator_key))
            self._step(2, people)
            defined = await staff.define(operator)
            await staff.until(lambda: self._settled(operator), "settlement to hear of the accounts")
            self._step(3, defined)
            money = await staff.pay_in(shell)
            self._step(4, f"{units.format_money(money)} CNY, each transfer proposed by one clerk, approved by another")
            lots = await staff.take_in_bars(shell, self._note)
            await staff.until(lambda: self._settled(operator), "the receipts to reach the engine")
            self._step(5, f"{lots} lots weighed, screened, melted, assayed, certified, receipted")
            watching = asyncio.create_task(self._watch())
            stack.callback(watching.cancel)
            records = await self._open(operator)
            records += await self._trade(operator, watching)
            self._step(7, "")
            await staff.until(lambda: self._settled(operator), "settlement to catch up")
            self._step(8, f"{self._board.settled:,} trades in the ledger")
            withdrawal = await staff.withdraw(shell)
            self._step(9, f"lots {withdrawal['lots']}, {withdrawal['allocated_g']} g, released")
            return await self._compare(shell, operator, records, withdrawal, lots, money)

    def plan(self, *, opening: bool = False, calm: float = 1.0) -> Plan:
        """The seats of all members that trade."""
        prices = {i["symbol"]: units.parse_price(i["reference_price"]) for i in venue.INSTRUMENTS}
        seats = tuple(
            Seat(account, str(self._keys / f"{firm.code}.pem"), firm.strategy)
            for firm in venue.FIRMS
            for account in firm.cash
        )
        return Plan(self._exchange.gateway_url, self._seed, self._began, prices, seats, opening, calm)

    async def until_quoted(self, traders: TradersProcess) -> None:
        """Waits until every instrument has two levels of bids and asks again. Raises StaffFailed, TradersFailed."""
        async with connect(self._exchange.gateway_url) as exchange:

            async def quoted() -> bool:
                books = [await exchange.call("market.book", symbol=i["symbol"], depth=2) for i in venue.INSTRUMENTS]
                return all(len(book[side]) == 2 for book in books for side in ("bids", "asks"))

            await _first(staff.until(quoted, "the makers to quote"), traders.failed())

    def heard(self, progress: Progress) -> None:
        """A report of the traders, onto the board."""
        board = self._board
        board.acked, board.refused, board.changes = progress.acked, progress.refused, progress.changes
        board.latencies.extend(progress.latencies)
        board.holdings = progress.holdings

    def _step(self, number: int, result: str) -> None:
        """The step before has come to a result, the next one begins."""
        self._board.results[number - 1] = result
        self._board.step, self._board.note = number, ""

    def _note(self, note: str) -> None:
        self._board.note = note

    async def _watch(self) -> None:
        async with connect(self._exchange.gateway_url) as exchange:
            await follow(exchange, self._board.markets)

    async def _open(self, operator: Operator) -> list[Record]:
        """Pre-open, an auction into which members enter orders, and continuous trading from its price."""
        await staff.set_phase(operator, "pre_open")
        await staff.set_phase(operator, "auction")
        self._note("an opening auction")
        async with TradersProcess(self.plan(opening=True), self.heard) as traders:
            records = await traders.done()
        await staff.set_phase(operator, "continuous")
        return records

    async def _trade(self, operator: Operator, watching: asyncio.Task[None]) -> list[Record]:
        self._step(6, "an auction, and from its price continuous trading")
        async with TradersProcess(self.plan(), self.heard) as traders:
            self._board.trading_since, self._board.trading_seconds = time.monotonic(), self._seconds
            following = self._follow_settlement(operator)
            await _first(asyncio.sleep(self._seconds), traders.failed(), following, asyncio.shield(watching))
            self._note("the programs stop and take their orders out")
            records = await traders.finish()
        self._board.trading_since = None
        return records

    async def _follow_settlement(self, operator: Operator) -> None:
        while True:
            await self._settled(operator)
            await asyncio.sleep(1.0)

    async def _settled(self, operator: Operator) -> bool:
        """Whether settlement has posted everything the engine has said, and nothing waits for the engine."""
        status = await operator.get("/v1/settlement/status")
        self._board.settled = status["trades"]
        return bool(status["sequence"] == status["last_sequence"] and not status["outbox"])

    async def _compare(
        self,
        shell: Shell,
        operator: Operator,
        records: list[Record],
        withdrawal: dict[str, Any],
        lots: int,
        money: int,
    ) -> Outcome:
        """Reconciles, exports and replays the journal, and compares everybody's story."""
        await staff.until(lambda: self._settled(operator), "settlement to catch up")
        report = await staff.reconcile(shell)
        replay = await staff.export_and_verify(shell, self._exchange.data_dir)
        story = await asyncio.to_thread(_story, self._exchange.data_dir / staff.EVENTS)
        status = await operator.get("/v1/settlement/status")
        found = disagreements(story, records, status["trades"])
        found += [f"break: {item}" for item in report["breaks"]]
        if not replay.same:
            found.append(f"the replay of the journal differs: {replay.verdict}")
        sheet = await operator.get(f"/v1/settlement/load-outs/{withdrawal['load_out']}")
        if sheet["status"] != "RELEASED":
            found.append(f"load-out {withdrawal['load_out']} is {sheet['status']}, not RELEASED")
        acked = sum(len(record.acked) for record in records)
        latency = percentiles([us for record in records for us in record.latencies]) or (0.0, 0.0)
        return Outcome(
            acked_orders=acked,
            trades=len(story.trades),
            traded_fine_mg=story.traded_mg,
            latency_ms={"p50": latency[0], "p99": latency[1]},
            ledger_trades=status["trades"],
            withdrawals=story.withdrawals,
            breaks=len(report["breaks"]),
            disagreements=found,
            seconds=self._seconds,
            orders_per_s=round(acked / self._seconds, 1),
            trades_per_s=round(len(story.trades) / self._seconds, 1),
            refused_orders=sum(sum(record.refused.values()) for record in records),
            changed_orders=sum(record.changes for record in records),
            lots=lots,
            money_in=units.format_money(money),
            withdrawal=withdrawal,
            reconciliation=report,
            replay=replay.verdict,
            digest=replay.digest,
            durability=(await operator.get("/v1/status"))["durability"],
            data_dir=str(self._exchange.data_dir),
        )


def _story(file: Path) -> Story:
    with file.open("rb") as lines:
        return read_story(map(msgspec.json.decode, lines))


async def _first(*ways: Awaitable[Any]) -> None:
    """Waits until the first of several ends; raises if that one failed."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
