"""What has to be true when all has recovered: everybody's story against everybody else's."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx
from sqlalchemy import func, select

from goldx.protocol.units import CASH, format_amount
from settlement.tables import ledger as schema
from settlement.tables.ledger import cash_transfer
from tests.faults.audit import Audit, Request, outcome
from tests.faults.load import Member, Said
from tests.faults.schedule import GATEWAYS
from tests.faults.stack import ExchangeStack
from tests.faults.watch import Watch

QUIET_SECONDS = 60.0
NOT_PLACED = ("UNAVAILABLE", "RATE_LIMITED")
"""Refusals by a gateway: the command is in no journal."""


async def quiet(house: ExchangeStack, audit: Audit, watches: Iterable[Watch]) -> None:
    """Waits until every follower has got to the end of a market in which nobody trades any more.

    Raises AssertionError naming who does not get there.
    """
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        deadline = asyncio.get_running_loop().time() + QUIET_SECONDS
        while behind := await _behind(house, audit, watches, http):
            assert not house.complaints, "\n".join(house.complaints)
            late = asyncio.get_running_loop().time() > deadline
            assert not late, f"after {QUIET_SECONDS:g} s of quiet: " + "; ".join(behind)
            await asyncio.sleep(0.05)


async def _behind(house: ExchangeStack, audit: Audit, watches: Iterable[Watch], http: httpx.AsyncClient) -> list[str]:
    await audit.advance()
    behind = [] if audit.all_published else [f"not everything up to {audit.sequence} is published"]
    if orders := audit.of_sessions:
        behind.append(f"orders of ended sessions are still open: {orders}")
    for gateway in GATEWAYS:
        reached = (await http.get(f"{house.direct_url(gateway)}/v1/status")).json().get("sequence")
        if reached != audit.sequence:
            behind.append(f"{gateway} is at {reached} of {audit.sequence}")
    async with house.sql.connect() as connection:
        posted = await connection.scalar(select(schema.progress.c.sequence))
        waiting = select(func.count()).where(cash_transfer.c.status == "SENDING")
        moving = await connection.scalar(waiting)
    if posted != audit.sequence:
        behind.append(f"settlement is at {posted} of {audit.sequence}")
    if moving:
        behind.append(f"{moving} deposits are on their way")
    for watch in watches:
        assert not watch.problems, "; ".join(watch.problems)
        if not watch.connected:
            behind.append(f"the client of {watch.account} is not connected")
        told = watch.reached[watch.channel]
        if told < audit.told[watch.account]:
            behind.append(f"the client of {watch.account} was told {told} of {audit.told[watch.account]} messages")
        wrong = [symbol for symbol, book in watch.books.items() if book.levels != audit.books[symbol]]
        if wrong:
            behind.append(f"the client of {watch.account} sees another book of {', '.join(wrong)}")
    return behind


def check_answers(audit: Audit, members: Iterable[Member]) -> None:
    """Every acknowledged command is in the journal once and had the events that its member was told of."""
    said: dict[Request, list[Said]] = {}
    for member in members:
        for one in member.said:
            said.setdefault((one.method, one.account, one.key), []).append(one)
    for request in audit.commands.keys() | said.keys():
        _check_request(request, said.get(request, []), audit)


def _check_request(request: Request, said: list[Said], audit: Audit) -> None:
    applied = audit.commands.get(request, [])
    answered = [one for one in said if one.answer is not None or one.reason not in (None, *NOT_PLACED)]
    unknown = sum(one.answer is None and one.reason is None for one in said)
    assert len(answered) <= len(applied) <= len(answered) + unknown, (
        f"{request} stands in the journal {len(applied)} times; its member was answered {len(answered)} times and "
        f"does not know the outcome of {unknown}: {said}"
    )
    outcomes = [outcome(request, one) for one in applied]
    told = Counter(_told(one) for one in answered)
    assert told <= Counter(outcomes), f"{request}: its member was told {dict(told)}, the journal gives {outcomes}"
    accepted = [one for one in outcomes if one[0] == "ok"]
    if request[0] in ("order.place", "order.replace", "quote.set"):
        assert len(accepted) <= 1, f"{request} was done {len(accepted)} times"
    trades = {trade.trade_id: trade for trade in audit.trades}
    for one in answered:
        if one.reason == "DUPLICATE_ID" and request[0] == "order.place":
            first = (one.data or {}).get("order", {}).get("order_id")
            assert accepted == [("ok", first)], f"{request}: the first outcome is {accepted}, it was told {one.data}"
        for fill in (one.answer or {}).get("trades", ()):
            trade = trades.get(fill["trade_id"])
            same = trade is not None and format_amount(trade.amount, CASH) == fill["amount"]
            assert same, f"{request}: it was told of the trade {fill}, there is {trade}"


def _told(said: Said) -> tuple[Any, ...]:
    """What a member was told, in the form of ``audit.outcome``."""
    if said.answer is None:
        return "no", said.reason
    answer = said.answer
    if said.method == "quote.set":
        return "ok", answer["bid"]["order_id"], answer["ask"]["order_id"]
    if "orders" in answer:
        return "ok", *sorted(order["order_id"] for order in answer["orders"])
    return "ok", answer["order"]["order_id"]


def check_channels(audit: Audit, watches: Iterable[Watch]) -> None:
    """Every client was told every event of its account once, in order, and as it was."""
    for watch in watches:
        told = [message["data"] for message in watch.told]
        expected = audit.messages[watch.account]
        order = [(event["sequence"], event["event"]) for event in expected]
        assert [(data["sequence"], data["event"]) for data in told] == order, f"channel of {watch.account}"
        for data, event in zip(told, expected, strict=True):
            # Of a trade each side is told its own part alone.
            names = ("trade_id", "price", "quantity", "amount") if event["event"] == "trade" else tuple(event)
            assert {name: data[name] for name in names} == {name: event[name] for name in names}, watch.channel
        watch.told.clear()


async def check_views(audit: Audit, watches: Iterable[Watch]) -> None:
    """What the gateways answer about orders and holdings is what the engine has."""
    for watch in watches:
        exchange = watch.exchange
        assert exchange is not None
        orders = {order["order_id"]: order["remaining"] for order in await exchange.orders(watch.account)}
        assert orders == audit.open_orders(watch.account), f"open orders of {watch.account}"
        shown = {asset: holding["total"] for asset, holding in (await exchange.holdings(watch.account)).items()}
        held = {asset: amount for (account, asset), amount in audit.holdings.items() if account == watch.account}
        assert shown == {asset: format_amount(amount, asset) for asset, amount in held.items()}, watch.account


async def check_ledger(house: ExchangeStack, audit: Audit) -> None:
    """Ledger = engine = sum of deposits and trades, every trade of the round is posted once, and nothing else moved."""
    engine = {
        (account.name, asset): balance.total
        for account in audit.fold.engine.state.accounts.values()
        for asset, balance in account.balances.items()
        if (account.name, asset) in audit.holdings
    }
    assert engine == dict(audit.holdings), "the engine's holdings are the deposits and trades"
    assert {key: event.total for key, event in audit.changed.items()} == engine, "holding.changed"
    ledger, trade, told = schema.ledger_account.c, schema.trade.c, schema.engine_holding.c
    async with house.sql.connect() as connection:
        rows = (await connection.execute(select(ledger.kind, ledger.name, ledger.asset, ledger.balance))).all()
        first = audit.trades[0].trade_id if audit.trades else 0
        new = (
            select(trade.trade_id, trade.sequence, trade.amount).where(trade.trade_id >= first).order_by(trade.trade_id)
        )
        posted = [tuple(row) for row in await connection.execute(new)] if first else []
        count = await connection.scalar(select(func.count()).select_from(schema.trade))
        held = await connection.execute(select(told.account, told.asset, told.total))
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
    assert holdings == engine, "what settlement was told that the engine holds"
    arrived = {reference for reference in audit.references if reference.startswith("cash:")}
    assert arrived == done, "deposits that are done are those that the engine has"
