"""The checks after a recovery: journal, events, answers, channels, views and ledger must agree."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx
from redis.exceptions import RedisError
from sqlalchemy import func, select

from goldx.protocol.units import CASH, format_amount
from settlement.tables import ledger as schema
from settlement.tables.ledger import cash_transfer
from tests.faults.audit import Audit, Request, expected_outcome
from tests.faults.load import Member, SentRequest
from tests.faults.schedule import GATEWAYS
from tests.faults.stack import ExchangeStack
from tests.faults.watch import Watcher
from tests.http_client import http_client

QUIET_SECONDS = 60.0
NOT_PLACED = ("UNAVAILABLE", "RATE_LIMITED")
"""Refusals by a gateway: the command is in no journal."""


async def wait_until_quiet(stack: ExchangeStack, audit: Audit, watchers: Iterable[Watcher]) -> None:
    """Wait until every process and client has reached the end of a market in which nobody trades any more.

    Raises AssertionError naming those that do not.
    """
    async with http_client(timeout=20) as http:
        deadline = asyncio.get_running_loop().time() + QUIET_SECONDS
        while behind := await _behind(stack, audit, watchers, http):
            assert not stack.unexpected_ends, "\n".join(stack.unexpected_ends)
            late = asyncio.get_running_loop().time() > deadline
            assert not late, f"after {QUIET_SECONDS:g} s of quiet: " + "; ".join(behind)
            await asyncio.sleep(0.05)


async def _behind(
    stack: ExchangeStack, audit: Audit, watchers: Iterable[Watcher], http: httpx.AsyncClient
) -> list[str]:
    """Return a sentence for each that has not reached the end."""
    try:
        await audit.advance()
    except (OSError, RedisError) as error:
        # Sentinel closes all client connections to a server when it changes the server's role. The audit can simply be
        # repeated: it continues where it stopped.
        return [f"Redis does not answer: {error}"]
    behind = [] if audit.all_published else [f"not everything up to {audit.sequence} is published"]
    if orders := audit.session_orders:
        behind.append(f"orders of ended sessions are still open: {orders}")
    for gateway in GATEWAYS:
        try:
            reached = (await http.get(f"{stack.direct_url(gateway)}/v1/status")).json().get("sequence")
        except httpx.TransportError as error:
            behind.append(f"{gateway} does not answer: {error}")  # it was killed late, and starts again
            continue
        if reached != audit.sequence:
            behind.append(f"{gateway} is at {reached} of {audit.sequence}")
    async with stack.sql.connect() as connection:
        posted = await connection.scalar(select(schema.progress.c.sequence))
        waiting = select(func.count()).where(cash_transfer.c.status == "SENDING")
        moving = await connection.scalar(waiting)
    if posted != audit.sequence:
        behind.append(f"settlement is at {posted} of {audit.sequence}")
    if moving:
        behind.append(f"{moving} deposits are on their way")
    for watcher in watchers:
        assert not watcher.problems, "; ".join(watcher.problems)
        if not watcher.connected:
            behind.append(f"the client of {watcher.account} is not connected")
        received, expected = watcher.reached[watcher.channel], audit.message_counts[watcher.account]
        if received < expected:
            behind.append(f"the client of {watcher.account} has {received} of {expected} messages")
        wrong = [symbol for symbol, book in watcher.books.items() if book.levels != audit.books[symbol]]
        if wrong:
            behind.append(f"the client of {watcher.account} has another book of {', '.join(wrong)}")
    return behind


def check_answers(audit: Audit, members: Iterable[Member]) -> None:
    """Check that every answered command is in the journal once, and that its answer follows from its events."""
    sent: dict[Request, list[SentRequest]] = {}
    for member in members:
        for one in member.requests:
            sent.setdefault((one.method, one.account, one.key), []).append(one)
    for request in audit.commands.keys() | sent.keys():
        _check_request(request, sent.get(request, []), audit)


def _check_request(request: Request, sent: list[SentRequest], audit: Audit) -> None:
    applied = audit.commands.get(request, [])
    # A gateway refuses commands that name no open order, and cancels of all orders if there is none; neither reaches
    # the journal.
    nothing = [one for one in sent if one.answer == {"orders": []}]
    answered = [
        one
        for one in sent
        if one not in nothing and (one.answer is not None or one.reason not in (None, "UNKNOWN_ORDER", *NOT_PLACED))
    ]
    unknown = len(nothing) + sum(one.answer is None and one.reason in (None, "UNKNOWN_ORDER") for one in sent)
    assert len(answered) <= len(applied) <= len(answered) + unknown, (
        f"{request} stands in the journal {len(applied)} times; its member was answered {len(answered)} times and "
        f"does not know the outcome of {unknown}: {sent}"
    )
    outcomes = [expected_outcome(request, one) for one in applied]
    given = Counter(_given_outcome(one) for one in answered)
    assert given <= Counter(outcomes), f"{request}: its member was answered {dict(given)}, the journal gives {outcomes}"
    accepted = [one for one in outcomes if one[0] == "ok"]
    if request[0] in ("order.place", "order.replace", "quote.set"):
        assert len(accepted) <= 1, f"{request} was done {len(accepted)} times"
    trades = {trade.trade_id: trade for trade in audit.trades}
    for one in answered:
        if one.reason == "DUPLICATE_ID" and request[0] == "order.place":
            first = (one.data or {}).get("order", {}).get("order_id")
            assert accepted == [("ok", first)], (
                f"{request}: the first outcome is {accepted}, the refusal has {one.data}"
            )
        for fill in (one.answer or {}).get("trades", ()):
            trade = trades.get(fill["trade_id"])
            same = trade is not None and format_amount(trade.amount, CASH) == fill["amount"]
            assert same, f"{request}: the answer has the trade {fill}, there is {trade}"


def _given_outcome(sent: SentRequest) -> tuple[Any, ...]:
    """Return the outcome in an answer, in the form of ``expected_outcome``."""
    if sent.answer is None:
        return "no", sent.reason
    answer = sent.answer
    if sent.method == "quote.set":
        return "ok", answer["bid"]["order_id"], answer["ask"]["order_id"]
    if "orders" in answer:
        return "ok", *sorted(order["order_id"] for order in answer["orders"])
    return "ok", answer["order"]["order_id"]


def check_channels(audit: Audit, watchers: Iterable[Watcher]) -> None:
    """Check that every client got every event of its account once, in order, and unchanged."""
    for watcher in watchers:
        received = [message["data"] for message in watcher.messages]
        expected = audit.messages[watcher.account]
        order = [(event["sequence"], event["event"]) for event in expected]
        assert [(data["sequence"], data["event"]) for data in received] == order, f"channel of {watcher.account}"
        for data, event in zip(received, expected, strict=True):
            # A trade has only the side of the account.
            names = ("trade_id", "price", "quantity", "amount") if event["event"] == "trade" else tuple(event)
            assert {name: data[name] for name in names} == {name: event[name] for name in names}, watcher.channel
        watcher.messages.clear()


async def check_views(audit: Audit, watchers: Iterable[Watcher]) -> None:
    """Check that the gateways' answers about orders and holdings are the engine's."""
    for watcher in watchers:
        client = watcher.client
        assert client is not None
        orders = {order["order_id"]: order["remaining"] for order in await client.orders(watcher.account)}
        assert orders == audit.open_orders(watcher.account), f"open orders of {watcher.account}"
        answered = {asset: holding["total"] for asset, holding in (await client.holdings(watcher.account)).items()}
        held = {asset: amount for (account, asset), amount in audit.holdings.items() if account == watcher.account}
        assert answered == {asset: format_amount(amount, asset) for asset, amount in held.items()}, watcher.account


async def check_ledger(stack: ExchangeStack, audit: Audit) -> None:
    """Check the ledger: the engine's balances, every trade of the round posted once, and nothing else."""
    engine = {
        (account.name, asset): balance.total
        for account in audit.fold.engine.state.accounts.values()
        for asset, balance in account.balances.items()
        if (account.name, asset) in audit.holdings
    }
    assert engine == dict(audit.holdings), "the engine's holdings are the deposits and trades"
    assert {key: event.total for key, event in audit.changed.items()} == engine, "holding.changed"
    ledger, trade, holding = schema.ledger_account.c, schema.trade.c, schema.engine_holding.c
    async with stack.sql.connect() as connection:
        rows = (await connection.execute(select(ledger.kind, ledger.name, ledger.asset, ledger.balance))).all()
        first = audit.trades[0].trade_id if audit.trades else 0
        new = (
            select(trade.trade_id, trade.sequence, trade.amount).where(trade.trade_id >= first).order_by(trade.trade_id)
        )
        posted = [tuple(row) for row in await connection.execute(new)] if first else []
        count = await connection.scalar(select(func.count()).select_from(schema.trade))
        held = await connection.execute(select(holding.account, holding.asset, holding.total))
        holdings = {(row.account, row.asset): row.total for row in held}
        transfer = cash_transfer.c
        done = {
            f"cash:{row[0]}"
            for row in await connection.execute(select(transfer.cash_id).where(transfer.status == "DONE"))
        }
    assert {(row.name, row.asset): row.balance for row in rows if row.kind == "member"} == engine, (
        "the ledger's balances"
    )
    assert sum(row.balance for row in rows if row.kind == "fee_income") == audit.fees, "fees"
    sums = Counter[str]()
    for row in rows:
        sums[row.asset] += row.balance
    assert not any(sums.values()), f"the ledger does not balance: {sums}"
    assert posted == [(t.trade_id, t.sequence, t.amount) for t in audit.trades], "the round's trades in the ledger"
    assert count == audit.trade_count, "trades in the ledger"
    assert holdings == engine, "the engine's holdings as settlement has them"
    arrived = {reference for reference in audit.references if reference.startswith("cash:")}
    assert arrived == done, "deposits that are done are those that the engine has"
