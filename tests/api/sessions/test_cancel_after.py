"""``session.cancel_after``: a session that does not say in time that it is in control loses its orders, and goes on."""

import asyncio
import json
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.sessions.cancel_after import LONGEST_MS, SHORTEST_MS
from api.sessions.cancel_timer import CANCEL_AFTER
from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.session import ExchangeClient, connect
from goldx.protocol.commands import SessionClose
from tests.api.conftest import Desk, until
from tests.api.gateway_process import OtherGateway
from tests.api.sessions.raw import ask, logged_on
from tests.api.sessions.test_ends import ask_on, cut, place, status

LONG = 600_000


def now() -> int:
    return time.time_ns() // 1_000_000


async def notified(client: ExchangeClient) -> dict[str, Any]:
    """Return the params of the next notification about the session."""
    async for method, params in client.session_messages():
        assert method == CANCEL_AFTER
        return params
    raise AssertionError


def later(desk: Desk) -> int:
    return desk.server.gateway.view.at + 120_000


async def test_orders_deals_and_requests_are_cancelled_and_the_session_goes_on(desk: Desk) -> None:
    async with desk.services.member(desk.server) as other, desk.services.member(desk.server) as member:
        telling = asyncio.create_task(notified(member))
        await member.call("session.cancel_on_disconnect", enabled=False)
        await place(other, desk, "of-another-session")
        await place(member, desk, "first")
        quote = {"bid_price": "1.00", "bid_quantity": "1", "ask_price": "900.00", "ask_quantity": "1"}
        await member.call("quote.set", account=desk.a, symbol=desk.symbol, quote_id="q", **quote)
        await member.place(desk.a, desk.symbol, "buy", "1", "1.00", "kept", persist=True)
        await member.propose_deal(desk.a, desk.b, desk.symbol, "buy", "1", "600.00", later(desk))
        await member.create_rfq(desk.a, desk.symbol, "buy", "1", later(desk))
        before = now()
        started = await member.cancel_after(SHORTEST_MS)
        assert started["ms"] == SHORTEST_MS
        assert before + SHORTEST_MS <= (started["due_at"] or 0)
        params = await telling
        assert params["due_at"] == started["due_at"]
        assert params["fired_at"] >= params["due_at"]
        assert params["orders"] == 3
        names = ("of-another-session", "first", "q/bid", "q/ask", "kept")
        assert [status(desk, name) for name in names] == ["open", "ended", "ended", "ended", "open"]
        cancelled = await member.call("order.get", account=desk.a, client_order_id="first")
        assert cancelled["order"]["reason"] == "DISCONNECT"
        assert await member.deals(desk.a) == []
        assert (await member.rfqs(desk.a))["requests"] == []

        await until(lambda: session_of(desk, member).cancel_timer.ms == 0)
        assert (await member.session_status())["cancel_due_at"] is None
        await place(member, desk, "after")
        await asyncio.sleep(3 * SHORTEST_MS / 1_000)
        assert status(desk, "after") == "open", "it has run out once"
        for client in (member, other):
            await client.cancel_all(desk.a)


def session_of(desk: Desk, client: ExchangeClient) -> Any:
    return desk.server.gateway.sessions.ends._held[f"FIRM-A.key/{client.identity['session']}"]


async def test_who_calls_again_in_time_keeps_the_orders_and_can_stop_the_timer(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        await place(member, desk, "held")
        assert (await member.session_status())["cancel_after_ms"] == 0
        due = 0
        for _ in range(30):
            started = await member.cancel_after(1_000)
            assert (started["due_at"] or 0) >= due
            due = started["due_at"] or 0
            await asyncio.sleep(0.05)
        shown = await member.session_status()
        assert (shown["cancel_after_ms"], shown["cancel_due_at"]) == (1_000, due)
        assert (shown["key_id"], shown["session"]) == ("FIRM-A.key", member.identity["session"])
        assert await member.cancel_after(0) == {"ms": 0, "due_at": None}
        await asyncio.sleep(1.2)
        assert status(desk, "held") == "open"
        assert (await desk.server.gateway.sessions.ends._registrations.of("gateway-1"))[
            f"FIRM-A.key/{member.identity['session']}"
        ].registration.cancel_after_ms == 0


async def test_a_request_that_came_in_time_counts_though_the_gateway_was_held(desk: Desk) -> None:
    async with logged_on(desk.services, desk.server) as connection:
        await ask(connection, "order.place", **order(desk, "in-time"))
        await ask(connection, CANCEL_AFTER, ms=500)
        await connection.send(json.dumps({"jsonrpc": "2.0", "id": 9, "method": CANCEL_AFTER, "params": {"ms": LONG}}))
        hold(0.8)  # with the request in the socket of the gateway
        assert json.loads(await connection.recv())["result"]["ms"] == LONG
        await asyncio.sleep(0.1)
        assert status(desk, "in-time") == "open"


def hold(seconds: float) -> None:
    """Hold the loop of the gateway."""
    time.sleep(seconds)


def order(desk: Desk, name: str) -> dict[str, str]:
    placed = {"account": desk.a, "client_order_id": name, "symbol": desk.symbol, "side": "buy", "type": "limit"}
    return placed | {"price": "1.00", "quantity": "1"}


async def test_values_that_are_not_allowed_change_nothing(desk: Desk) -> None:
    async with connect(desk.server.url) as visitor, desk.services.member(desk.server) as member:
        for method in (CANCEL_AFTER, "session.status"):
            with pytest.raises(ExchangeError, match="NOT_PERMITTED"):
                await visitor.call(method, **({"ms": LONG} if method == CANCEL_AFTER else {}))
        started = await member.cancel_after(LONG)
        for wrong in (None, SHORTEST_MS - 1, LONGEST_MS + 1, -1, "500", 500.0, True, False):
            with pytest.raises(ExchangeError) as refused:
                await member._connection.call(CANCEL_AFTER, {"ms": wrong})
            assert (refused.value.reason, refused.value.data["field"]) == ("-32602", "ms")
            assert refused.value.data["allowed"] == f"0, or a whole number from {SHORTEST_MS} to {LONGEST_MS}"
        assert (await member.session_status())["cancel_due_at"] == started["due_at"]


async def test_the_timer_runs_on_while_the_connection_is_down_and_starts_anew_with_the_session(desk: Desk) -> None:
    silent = desk.services.member(desk.server)
    async with silent:
        await silent.call("session.cancel_on_disconnect", enabled=False)
        await place(silent, desk, "left")
        await silent.cancel_after(1_000)
        cut(silent)
    async with desk.services.member(desk.server, reconnect=True) as program:
        await program.call("session.cancel_on_disconnect", enabled=True, grace_ms=60_000)
        await program.cancel_after(LONG)
        await place(program, desk, "goes-on")
        before = program.identity
        cut(program)
        await until(lambda: program.identity is not before)
        shown = await program.session_status()
        assert shown["cancel_after_ms"] == program.identity["cancel_after_ms"] == LONG
        assert (shown["cancel_due_at"] or 0) > now()
        await until(lambda: status(desk, "left") == "ended")
        assert status(desk, "goes-on") == "open"


async def test_a_session_that_was_taken_over_does_not_cancel_what_is_anothers_now(desk: Desk) -> None:
    second = await desk.services.start_gateway("gateway-second")
    first = desk.services.member(desk.server)
    await first.__aenter__()
    await place(first, desk, "moved")
    await first.cancel_after(LONG)
    old = session_of(desk, first)
    again = desk.services.member(second)
    again._connection._session = first._connection._session
    async with again:
        assert again.identity["cancel_after_ms"] == LONG
        outcome = await desk.server.gateway.sessions.ends.cancel_orders(old)
        assert outcome is None, "its timer may run out before this gateway has noticed"
        assert status(desk, "moved") == "open"
        await again.call("session.cancel_on_disconnect", enabled=True, grace_ms=0)
    with pytest.raises(ConnectionLost):
        await ask_on(first)
    await first.__aexit__(None, None, None)
    await until(lambda: status(desk, "moved") == "ended")


@pytest.mark.parametrize("stop", ["terminate", pytest.param("kill", marks=pytest.mark.campaign)])
async def test_a_gateway_that_is_gone_leaves_the_timer_to_its_next_run(desk: Desk, stop: str) -> None:
    other = OtherGateway(desk.services, f"gateway-{stop}")
    url = await other.start()
    names = [f"{stop}-{name}" for name in ("without", "brief", "long")]
    clients = [connect(url, desk.services.keys["FIRM-A"]) for _ in names]
    for client, name, ms in zip(clients, names, (0, 1_500, LONG), strict=True):
        await client.__aenter__()
        await client.call("session.cancel_on_disconnect", enabled=False)
        await place(client, desk, name)
        await client.cancel_after(ms)
    getattr(other.process, stop)()
    await other.process.wait()
    again = OtherGateway(desk.services, f"gateway-{stop}")
    await again.start()
    await until(lambda: status(desk, names[1]) == "ended")
    assert [status(desk, name) for name in (names[0], names[2])] == ["open", "open"]
    for client in clients:
        await client.__aexit__(None, None, None)
    await again.kill()
    async with desk.services.member(desk.server) as member:
        await member.cancel_all(desk.a)


async def test_orders_are_cancelled_once_the_journal_takes_the_command(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequencer = desk.server.gateway.sequencer
    async with desk.services.member(desk.server) as member:
        telling = asyncio.create_task(notified(member))
        await place(member, desk, "waits")
        await member.cancel_after(SHORTEST_MS)
        monkeypatch.setattr(sequencer, "available", False)
        with capture_logs() as logged:
            await asyncio.sleep(3 * SHORTEST_MS / 1_000)
        assert [line["event"] for line in logged].count(
            "the timer of a session has run out, its orders are cancelled"
        ) == 1
        assert status(desk, "waits") == "open"
        assert (await member.session_status())["cancel_after_ms"] == SHORTEST_MS, "it is not done yet"
        placed: list[Any] = []
        submit = sequencer.submit

        def counted(command: Any, *more: Any) -> None:
            placed.append(command)
            submit(command, *more)

        monkeypatch.setattr(sequencer, "submit", counted)
        monkeypatch.setattr(sequencer, "available", True)
        await telling
        assert status(desk, "waits") == "ended"
        assert [type(command) for command in placed] == [SessionClose]
