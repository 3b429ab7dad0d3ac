"""Mass quotes through the real WebSocket: results by entry, cancel on disconnect, and zeros that are never delayed."""

import asyncio
import json
from typing import Any

import pytest

from api.view.orders import is_mass
from goldx.client.errors import ExchangeError
from goldx.client.session import ExchangeClient
from tests.api.conftest import Desk, until
from tests.api.sessions.in_process import ACCOUNT, SYMBOL, InProcessGateway
from tests.api.sessions.raw import ask, logged_on, request


def sides(bid: str, ask: str, quantity: str = "2") -> dict[str, str]:
    return {"bid_price": bid, "bid_quantity": quantity, "ask_price": ask, "ask_quantity": quantity}


NONE = {"bid_quantity": "0", "ask_quantity": "0"}


async def mass(member: ExchangeClient, desk: Desk, *entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    quotes = [{"symbol": desk.symbol} | entry for entry in entries]
    result: dict[str, Any] = await member.call("quote.mass", account=desk.a, quotes=quotes, **more)
    return result


async def test_each_entry_has_its_result(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member, desk.services.member(desk.server, "FIRM-B") as other:
        await other.place(desk.b, desk.symbol, "sell", "1", "600.00", "b1")
        first = sides("600.00", "602.00")
        result = await mass(
            member,
            desk,
            first,
            {"level": 2} | sides("598.00", "603.00", "99999"),
            {"level": 3} | sides("598.001", "603.00") | {"bid_price": "603.00"},
            {"level": 4, "ask_price": "604.00", "ask_quantity": "1"},
            {"level": 5} | NONE,
        )
        one, two, three, four, five = result["quotes"]
        assert (one["level"], one["bid"]["filled"], one["bid"]["remaining"]) == (1, "1", "1")
        assert (one["ask"]["side"], one["ask"]["status"], one["ask"]["quote_id"]) == ("sell", "open", "mass/1")
        assert [trade["price"] for trade in result["trades"]] == ["600.00"]
        assert two == {
            "symbol": desk.symbol,
            "level": 2,
            "refused": {"reason": "INSUFFICIENT_CASH", "message": "the cash available does not cover it"},
        }
        assert three["refused"]["reason"] == "BAD_PRICE"
        assert (three["refused"]["field"], three["refused"]["allowed"]) == ("bid_price", "below ask_price, 603.00")
        assert set(four) == {"symbol", "level", "ask"}
        assert set(five) == {"symbol", "level"}

        again = await mass(member, desk, {"level": 4, "ask_price": "604.00", "ask_quantity": "1"})
        assert again == {"quotes": [{"symbol": desk.symbol, "level": 4}], "trades": []}
        gone = await mass(member, desk, NONE, {"level": 4, "ask_quantity": "0"})
        assert [entry["ask"]["reason"] for entry in gone["quotes"]] == ["USER", "USER"]
        assert await member.orders(desk.a) == []


async def test_the_sides_are_cancelled_when_the_connection_ends(desk: Desk) -> None:
    async with desk.services.member(desk.server) as watcher:
        async with desk.services.member(desk.server) as member:
            await mass(member, desk, sides("598.00", "602.00"))
            assert len(await watcher.orders(desk.a)) == 2
        async with asyncio.timeout(20):
            while await watcher.orders(desk.a):
                await asyncio.sleep(0.05)


async def test_they_need_cancel_on_disconnect_and_keep_it_on(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member, desk.services.member(desk.server) as quoting:
        await member.call("session.cancel_on_disconnect", enabled=False)
        with pytest.raises(ExchangeError) as refused:
            await mass(member, desk, sides("598.00", "602.00"))
        assert refused.value.reason == "NO_CANCEL_ON_DISCONNECT"
        assert await mass(member, desk, NONE) == {"quotes": [{"symbol": desk.symbol, "level": 1}], "trades": []}
        await member.call("session.cancel_on_disconnect", enabled=True)
        await mass(quoting, desk, sides("598.00", "602.00"))
        with pytest.raises(ExchangeError) as kept:
            await quoting.call("session.cancel_on_disconnect", enabled=False)
        assert kept.value.reason == "NO_CANCEL_ON_DISCONNECT"
        longer = await quoting.call("session.cancel_on_disconnect", enabled=True, grace_ms=1)
        assert longer == {"enabled": True, "grace_ms": 1}
        assert (await member.call("session.cancel_on_disconnect", enabled=False))["enabled"] is False


async def test_a_resumed_session_keeps_it_on_while_sides_are_open(desk: Desk) -> None:
    """The second connection takes over the session with its quotes, although it has not sent any of them itself."""
    services, off = desk.services, {"enabled": False, "grace_ms": 0}
    async with logged_on(services, desk.server, session="maker") as first, services.member(desk.server) as watcher:
        await ask(first, "quote.mass", account=desk.a, quotes=[{"symbol": desk.symbol} | sides("598.00", "602.00")])
        async with logged_on(services, desk.server, session="maker") as second:
            await second.send(request("session.cancel_on_disconnect", enabled=False))
            assert json.loads(await second.recv())["error"]["data"]["reason"] == "NO_CANCEL_ON_DISCONNECT"
            assert len(await watcher.orders(desk.a)) == 2
            await ask(second, "quote.cancel", account=desk.a, symbol=desk.symbol)
            view = desk.server.gateway.view  # the sessions of other tests may still be ending
            accounts = [view.accounts[name] for name in view.members["FIRM-A"]]
            await until(lambda: not any(is_mass(order) for account in accounts for order in account.live.values()))
            assert await ask(second, "session.cancel_on_disconnect", enabled=False) == off
            async with services.member(desk.server) as other:
                await mass(other, desk, sides("598.00", "602.00"))
                assert await ask(second, "session.cancel_on_disconnect", enabled=False) == off, "it is off already"


async def test_quote_cancel_takes_the_levels_as_well(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        await mass(member, desk, sides("598.00", "602.00"), {"level": 2} | sides("597.00", "603.00"))
        assert len((await member.call("quote.cancel", account=desk.a, symbol=desk.symbol))["orders"]) == 4


async def test_what_is_malformed_is_refused_by_field(desk: Desk) -> None:
    requests: list[tuple[Any, str]] = [
        ([], "quotes"),
        ("AU", "quotes"),
        ([{"level": 1}], "symbol"),
        ([{"symbol": "AU", "level": 0}], "level"),
        ([{"symbol": "AU", "level": 11}], "level"),
        ([{"symbol": "AU", "bid_quantity": "1"}], "bid_price"),
        ([{"symbol": "AU", "ask_quantity": "-1"}], "ask_quantity"),
        ([{"symbol": "AU"}, {"symbol": "AU", "level": 1}], "quotes"),
        ([{"symbol": f"A{number}"} for number in range(51)], "quotes"),
        ([{"symbol": "AU", "side": "buy"}], "side"),
    ]
    async with desk.services.member(desk.server) as member:
        for quotes, field in requests:
            with pytest.raises(ExchangeError) as refused:
                await member.call("quote.mass", account=desk.a, quotes=quotes)
            assert refused.value.data["field"] == field, quotes


def in_process(*entries: dict[str, Any]) -> bytes:
    quotes = [{"symbol": SYMBOL} | entry for entry in entries]
    message = {"jsonrpc": "2.0", "id": 1, "method": "quote.mass", "params": {"account": ACCOUNT, "quotes": quotes}}
    return json.dumps(message).encode()


def test_zeros_are_never_refused_for_their_number_while_something_is_open() -> None:
    """The session has a single unit: new quotes have to wait, and zeros are taken until nothing is left."""
    gateway = InProcessGateway(fast=False, burst=1)
    first = in_process(sides("598.00", "602.00"), {"level": 2} | sides("597.00", "603.00"))
    gateway.send(first, in_process(sides("599.00", "601.00")), in_process(NONE), in_process({"level": 2} | NONE))
    assert ["RATE_LIMITED" in answer.decode() for answer in gateway.answers] == [False, True, False, False]
    assert gateway.view.accounts[ACCOUNT].live == {}
    gateway.send(in_process(NONE))
    assert b"RATE_LIMITED" in gateway.answers[-1], "there is nothing to cancel any more"


def test_zeros_that_name_nothing_open_cost_what_others_cost() -> None:
    """An open level pays for no zeros of other levels, or a session could fill the journal for nothing."""
    gateway = InProcessGateway(fast=False, burst=2)
    gateway.send(in_process({"bid_price": "598.00", "bid_quantity": "2"}))
    others: tuple[dict[str, Any], ...] = ({"level": 2} | NONE, {"ask_quantity": "0"}, {"level": 3})
    gateway.send(*map(in_process, others), in_process(NONE))
    assert ["RATE_LIMITED" in answer.decode() for answer in gateway.answers] == [False, False, True, True, False]
    assert gateway.view.accounts[ACCOUNT].live == {}


def test_a_message_costs_by_its_entries_and_a_malformed_one_costs_as_well() -> None:
    many = [{"level": 1 + n % 10, "symbol": f"A{n}"} | sides("598.00", "602.00") for n in range(40)]
    gateway = InProcessGateway(fast=False, burst=10)
    gateway.send(in_process(*many), in_process({"level": 0}))
    assert b"UNKNOWN_SYMBOL" in gateway.answers[0]
    assert gateway.session.bucket._tokens == 10 - 1 - 2 - 1


def test_zeros_are_taken_while_the_disk_is_nearly_full() -> None:
    gateway = InProcessGateway(fast=False)
    gateway.send(in_process(sides("598.00", "602.00")))
    gateway.sequencer._pressure.disk_full = "the disk is nearly full"
    gateway.send(in_process(sides("599.00", "601.00")), in_process(NONE))
    assert ["UNAVAILABLE" in answer.decode() for answer in gateway.answers] == [False, True, False]


def test_a_cancel_finds_the_levels_that_an_unanswered_command_may_place() -> None:
    gateway = InProcessGateway(fast=False)
    cancel = {"jsonrpc": "2.0", "id": 2, "method": "quote.cancel", "params": {"account": ACCOUNT, "symbol": SYMBOL}}
    gateway.session.receive([in_process(sides("598.00", "602.00"))])
    gateway.send(json.dumps(cancel).encode())
    assert len(json.loads(gateway.answers[-1])["result"]["orders"]) == 2
