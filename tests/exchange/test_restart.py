"""kill -9 of processes while members trade, of each in turn and of all at once: nothing acknowledged is lost.

Members write down every answer they get. At the end each of them is held against the journal, the events, the ledger,
and the replay of the exported journal.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select
from websockets.exceptions import WebSocketException

from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.keys import Key
from goldx.client.session import connect
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from goldx.protocol.commands import HoldingAdjust
from goldx.protocol.units import CASH, format_amount, format_weight
from goldx.streams import redis_client
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from settlement.base import database, registry
from settlement.reconciliation.three_way import reconcile
from settlement.tables import ledger as schema
from tests.http_client import http_client

SEED = int(os.environ.get("SEED", "0")) or int.from_bytes(os.urandom(4))
SYMBOL = "AU-1"
FIRMS = ("FIRM-A", "FIRM-B", "FIRM-C")
FIRST_HOLDINGS = {CASH: 500_000_000_00, SYMBOL: 500_000_000}
"""The holdings that each account starts with: fen and fine milligrams."""


@dataclass
class Member:
    """A member's program: places orders all the time, over and over again after each loss of the connection."""

    firm: str
    key: Key
    answers: list[dict[str, Any]] = field(default_factory=list)
    """Answers to acknowledged orders."""
    unknown: int = 0
    """Orders whose answer never came."""
    refused: list[str] = field(default_factory=list)
    """Client ids of the orders that the exchange refused."""
    number: int = 0
    """The number of the order placed last."""

    async def trade(self, url: str, random: Random) -> None:
        while True:
            with contextlib.suppress(OSError, WebSocketException, ExchangeError, ConnectionLost):
                async with connect(url, self.key) as client:
                    while True:
                        self.number += 1
                        await self._place(client.place, self.number, random)
                        await asyncio.sleep(random.random() * 0.01)
            await asyncio.sleep(0.05)

    async def _place(self, place: Any, number: int, random: Random) -> None:
        order = {"account": f"{self.firm}.H", "client_order_id": f"{self.firm}-{number}", "symbol": SYMBOL}
        price = f"{600 + random.randint(-3, 3)}.00"
        side, quantity = random.choice(("buy", "sell")), str(random.randint(1, 9))
        try:
            self.answers.append(await place(**order, side=side, price=price, quantity=quantity, persist=True))
        except (ConnectionLost, asyncio.CancelledError):
            self.unknown += 1
            raise
        except ExchangeError:
            self.refused.append(order["client_order_id"])
            raise


async def prepare(supervisor: Supervisor) -> list[Member]:
    """Register members and an operator, open an instrument and accounts with money and gold; return the members."""
    sql = database.connect(supervisor.database_url)
    members = [Member(firm, Key.generate(f"{firm}.key")) for firm in FIRMS]
    operator = Key.generate("operator.key")
    async with sql.begin() as connection:
        for member in members:
            await registry.add_member(connection, "test", member.firm, member.firm)
            public = member.key.public_bytes
            await registry.add_key(connection, "test", member.key.key_id, public, member_code=member.firm)
        await registry.add_staff(connection, "test", "op", "Operations", ("operate",))
        public = operator.public_bytes
        await registry.add_key(connection, "test", operator.key_id, public, staff_code="op", permissions=("operate",))
    await sql.dispose()
    headers = {"Authorization": f"Bearer {operator.bearer_token()}"}
    orders: list[tuple[str, dict[str, Any]]] = [
        ("instrument.define", {"symbol": SYMBOL, "reference_price": "600.00", "maker_fee_bp": 1, "taker_fee_bp": 3}),
        *(("account.open", {"account": f"{firm}.H", "member": firm}) for firm in FIRMS),
        ("market.set_phase", {"symbol": SYMBOL, "phase": "continuous"}),
    ]
    async with http_client(supervisor.gateway_url, headers=headers, timeout=20) as http:
        for method, params in orders:
            answer = await http.post(
                "/v1/operator/commands", json={"method": method, "params": {"reason": "a test", **params}}
            )
            assert answer.status_code == 200, answer.text
    redis = redis_client.connect(supervisor.redis_url)
    deposits = (
        HoldingAdjust(f"{firm}.H", asset, amount, f"{firm}-{asset}")
        for firm in FIRMS
        for asset, amount in FIRST_HOLDINGS.items()
    )
    await Journal(redis, Keys()).append(CommandFrame("test.1", 1, tuple(deposits)))
    await redis.aclose()
    return members


async def goldx(supervisor: Supervisor, *arguments: str) -> bytes:
    """Run a ``goldx`` command as an auditor would, and return what it prints."""
    command = (sys.executable, "-m", "goldx.cli", *arguments)
    process = await asyncio.create_subprocess_exec(*command, env=supervisor.environment, stdout=-1, stderr=-1)
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode() + out.decode()[-2_000:]
    return out


async def until_posted(supervisor: Supervisor) -> None:
    """Wait until settlement has posted every event of a market in which nobody trades any more."""
    redis = redis_client.connect(supervisor.redis_url)
    sql = database.connect(supervisor.database_url)
    async with sql.connect() as connection:
        while True:
            posted = await connection.scalar(select(schema.progress.c.sequence))
            await connection.rollback()
            if posted == await EventStream(redis, Keys()).last_sequence():
                break
            await asyncio.sleep(0.05)
    await sql.dispose()
    await redis.aclose()


PROCESSES = ("engine", "gateway", "postgres", "settlement", "valkey")


@pytest.mark.campaign
async def test_nothing_acknowledged_is_lost_whatever_is_killed(folder: Path) -> None:
    """Each process is killed alone, in a random order, and then all of them together."""
    kills = [*((name,) for name in PROCESSES), PROCESSES]
    print(f"SEED={SEED}")
    random = Random(SEED)
    settings = Settings(data_dir=folder / "data", gateway_port=0, snapshot_every=300, lease_ms=500)
    async with Supervisor(settings, services=("engine", "settlement", "gateway")) as supervisor:
        members = await prepare(supervisor)
        trading = [
            asyncio.create_task(member.trade(supervisor.gateway_url, Random(f"{SEED} {member.firm}")))
            for member in members
        ]
        assert sorted(supervisor.services) == list(PROCESSES)
        for together in sorted(kills, key=lambda names: (len(names), random.random())):
            await asyncio.sleep(random.uniform(0.2, 1.5))
            await asyncio.gather(*(supervisor.kill(name) for name in together))
            await supervisor.ready()
        before = [len(member.answers) for member in members]
        async with asyncio.timeout(60):
            while any(len(member.answers) < count + 60 for member, count in zip(members, before, strict=True)):
                await asyncio.sleep(0.05)
        for task in trading:
            task.cancel()
        await asyncio.gather(*trading, return_exceptions=True)
        # Requests that were under way when they stopped are in the journal after this, or never will be.
        for name in ("gateway", "engine"):
            await supervisor.kill(name, signal.SIGTERM)
            await supervisor.ready(name)
        await until_posted(supervisor)
        await check(supervisor, folder, members)


async def check(supervisor: Supervisor, folder: Path, members: list[Member]) -> None:
    """Compare the members' answers, the journal, the events, the replay and the ledger with each other."""
    journal = folder / "journal.jsonl"
    await goldx(supervisor, "journal", "export", "--out", str(journal))
    published = await goldx(supervisor, "journal", "events")
    assert await goldx(supervisor, "replay", str(journal)) == published, "the journal gives what was published"
    verdict = (await goldx(supervisor, "journal", "verify")).decode()
    assert " 0 published digests" not in verdict, "the engine's own digests were compared with the replay's"

    events = [json.loads(line) for line in published.splitlines()]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1)), "no gap, and nothing twice"
    trades = {event["trade_id"]: event for event in events if event["event"] == "trade"}
    assert sorted(trades) == list(range(1, len(trades) + 1))

    commands = [json.loads(line) for line in journal.read_bytes().splitlines()]
    placed = [c["params"]["client_order_id"] for c in commands if c["method"] == "order.place"]
    assert len(placed) == len(set(placed)), "no order was sent twice"
    accepted = {e["client_order_id"]: e["order_id"] for e in events if e["event"] == "order.accepted"}
    answers = [answer for member in members for answer in member.answers]
    for answer in answers:
        order = answer["order"]
        assert order["client_order_id"] in set(placed)
        assert accepted[order["client_order_id"]] == order["order_id"]
        for fill in answer["trades"]:
            assert trades[fill["trade_id"]]["quantity"] == fill["quantity"]
    refused = {client_order_id for member in members for client_order_id in member.refused}
    assert not refused & set(accepted), "what was refused did not happen"
    # An order without an answer may have arrived; none but those of unknown outcome may stand without one.
    unanswered = set(placed) - {answer["order"]["client_order_id"] for answer in answers} - refused
    assert len(unanswered) <= sum(member.unknown for member in members) + len(members)
    assert len(trades) > 50
    await check_ledger(supervisor, trades, events)


async def check_ledger(supervisor: Supervisor, trades: dict[int, dict[str, Any]], events: list[dict[str, Any]]) -> None:
    """The ledger has every trade once, and every balance is the engine's."""
    sql = database.connect(supervisor.database_url)
    async with sql.connect() as connection:
        posted = (await connection.execute(select(schema.trade))).all()
        account = schema.ledger_account
        balances = (await connection.execute(select(account).where(account.c.kind == "member"))).all()
    report = await reconcile(sql, "test")
    await sql.dispose()
    assert sorted((row.trade_id, row.sequence, format_weight(row.quantity)) for row in posted) == [
        (number, trade["sequence"], trade["quantity"]) for number, trade in sorted(trades.items())
    ]
    held = {
        (event["account"], event["asset"]): event["total"] for event in events if event["event"] == "holding.changed"
    }
    assert {(row.name, row.asset): format_amount(row.balance, row.asset) for row in balances} == held
    assert len(held) == len(FIRMS) * len(FIRST_HOLDINGS)
    # The first holdings came without a document of the bank or the warehouse; nothing else may be found.
    kinds = {found.kind for found in report.breaks}
    assert kinds <= {"POOL_LEDGER", "POOL_ENGINE", "CASH_DOCUMENTS", "UNIDENTIFIED"}
