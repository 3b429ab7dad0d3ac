"""Cancels and replaces that name no open order are refused before the journal; those that may name one reach it."""

import asyncio
import json
from typing import Any

import pytest

from api.journal.newest_events import NewestEvents
from api.view.view import View
from goldx.client.errors import ExchangeError
from goldx.protocol.commands import AnyCommand, OrderCancel, OrderPlace
from goldx.streams import redis_client
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import decode_commands
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from tests.api.conftest import Desk, until
from tests.api.sessions.in_process import ACCOUNT, OTHER_ACCOUNT, SYMBOL, InProcessGateway
from tests.api.sessions.test_quick_rules import cancelling, message, placing


def quoting(**params: Any) -> bytes:
    quote = {"account": ACCOUNT, "quote_id": "q", "symbol": SYMBOL, "bid_price": "599.00", "bid_quantity": "1"}
    return message("quote.set", quote | {"ask_price": "601.00", "ask_quantity": "1"} | params)


def replacing(**params: Any) -> bytes:
    return message("order.replace", {"account": ACCOUNT, "price": "590.00"} | params)


def reason(answer: bytes) -> str:
    found: str = json.loads(answer)["error"]["data"]["reason"]
    return found


PREPARED = [
    placing(client_order_id="open"),
    placing(client_order_id="done", time_in_force="IOC"),
    placing(client_order_id="other", account=OTHER_ACCOUNT),
    placing(client_order_id="other"),
]
"""Order 1 is open, order 2 has ended, and order 3 is of another member's account."""


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "request_bytes",
    [
        cancelling(order_id=1_000_000),
        cancelling(order_id=2),
        cancelling(client_order_id="never"),
        cancelling(client_order_id="done"),
        replacing(order_id=1_000_000),
        replacing(client_order_id="never"),
        replacing(client_order_id="done"),
        message("quote.cancel", {"account": ACCOUNT, "symbol": SYMBOL}),
    ],
)
def test_what_names_no_open_order_is_refused_before_the_journal(request_bytes: bytes, fast: bool) -> None:
    gateway = InProcessGateway(fast=fast)
    gateway.send(*PREPARED)
    placed = len(gateway.commands)
    gateway.send(request_bytes)
    assert reason(gateway.answers[-1]) == "UNKNOWN_ORDER"
    assert len(gateway.commands) == placed


def test_cancelling_all_of_nothing_is_answered_without_the_journal() -> None:
    gateway = InProcessGateway(fast=False)
    everything = message("order.cancel_all", {"account": ACCOUNT})
    gateway.send(everything)
    assert json.loads(gateway.answers[-1])["result"] == {"orders": []}
    gateway.send(message("order.cancel_all", {"account": ACCOUNT, "symbol": "NOTHING"}))
    assert reason(gateway.answers[-1]) == "UNKNOWN_SYMBOL"
    gateway.send(message("quote.cancel", {"account": ACCOUNT, "symbol": "NOTHING"}))
    assert reason(gateway.answers[-1]) == "UNKNOWN_SYMBOL"
    assert gateway.commands == []
    gateway.send(placing(), message("order.cancel_all", {"account": ACCOUNT, "side": "sell"}))
    assert json.loads(gateway.answers[-1])["result"] == {"orders": []}
    assert len(gateway.commands) == 1
    gateway.send(everything)
    assert len(json.loads(gateway.answers[-1])["result"]["orders"]) == 1


@pytest.mark.parametrize(
    ("making", "ending"),
    [
        (placing(client_order_id="x"), cancelling(client_order_id="x")),
        (placing(client_order_id="x"), message("order.cancel_all", {"account": ACCOUNT})),
        (quoting(), message("quote.cancel", {"account": ACCOUNT, "symbol": SYMBOL})),
        (replacing(client_order_id="open", new_client_order_id="x"), cancelling(client_order_id="x")),
    ],
)
def test_what_an_unanswered_command_makes_can_be_cancelled(making: bytes, ending: bytes) -> None:
    gateway = InProcessGateway(fast=False)
    gateway.send(placing(client_order_id="open", price="580.00"))
    gateway.send(json.dumps([json.loads(making), json.loads(ending)]).encode())
    made, ended = json.loads(gateway.answers[-1])
    assert "result" in made
    assert "result" in ended
    assert len(gateway.commands) == 3
    assert not gateway.session._methods["order.cancel"].__self__.targets._unanswered  # type: ignore[attr-defined]


def test_an_order_is_cancelled_by_any_client_id_that_it_has_had() -> None:
    gateway = InProcessGateway(fast=True)
    gateway.send(placing(client_order_id="old"), replacing(client_order_id="old", new_client_order_id="new"))
    gateway.send(replacing(client_order_id="old", new_client_order_id="newer"), cancelling(client_order_id="new"))
    assert json.loads(gateway.answers[-1])["result"]["order"]["client_order_id"] == "newer"
    assert isinstance(gateway.commands[-1], OrderCancel)
    assert gateway.commands[-1].order_id == 1


@pytest.mark.parametrize("fast", [True, False])
def test_both_ids_must_name_the_same_order(fast: bool) -> None:
    gateway = InProcessGateway(fast=fast)
    gateway.send(
        placing(client_order_id="a"), placing(client_order_id="b"), cancelling(order_id=1, client_order_id="b")
    )
    refused = json.loads(gateway.answers[-1])["error"]
    assert (refused["code"], refused["data"]["field"]) == (-32602, "client_order_id")
    gateway.send(cancelling())
    assert json.loads(gateway.answers[-1])["error"]["data"]["field"] == "order_id"
    assert len(gateway.commands) == 2
    gateway.send(cancelling(order_id=2, client_order_id="b"))
    assert json.loads(gateway.answers[-1])["result"]["order"]["order_id"] == 2


async def test_an_order_is_read_by_the_ids_by_which_it_is_cancelled(desk: Desk) -> None:
    """By each client id that it has had; not by ids of two orders, and not without any."""
    async with desk.services.member(desk.server) as member:
        first, second = [
            (await member.place(desk.a, desk.symbol, "buy", "1", "590.00", f"get-{n}"))["order"]["order_id"]
            for n in (1, 2)
        ]
        renamed = {"account": desk.a, "client_order_id": "get-1", "new_client_order_id": "get-3", "price": "591.00"}
        await member.call("order.replace", **renamed)

        async def read(**ids: Any) -> dict[str, Any]:
            found: dict[str, Any] = (await member.call("order.get", account=desk.a, **ids))["order"]
            return found

        by_ids: list[dict[str, Any]] = [{"client_order_id": "get-1"}, {"client_order_id": "get-3"}, {"order_id": first}]
        by_ids.append({"order_id": first, "client_order_id": "get-1"})
        for ids in by_ids:
            found = await read(**ids)
            assert (found["order_id"], found["client_order_id"], found["price"]) == (first, "get-3", "591.00"), ids
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"order_id": second, "client_order_id": "get-1"}, "client_order_id"),
            ({"order_id": first, "client_order_id": "get-none"}, "client_order_id"),
            ({}, "order_id"),
            ({"client_order_id": "get-none"}, "client_order_id"),
        ]
        for ids, field in wrong:
            with pytest.raises(ExchangeError) as refused:
                await read(**ids)
            assert refused.value.data["field"] == field, ids


async def test_the_newest_events_are_awaited_once_for_all() -> None:
    view, reads = View(), 0
    seen: list[bool] = []

    async def newest() -> int:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        return 3

    events = NewestEvents(view, newest, asyncio.ensure_future)
    for _ in range(100):
        events.wait(seen.append)
    await asyncio.sleep(0.02)
    assert (seen, reads) == ([], 1)
    view.sequence = 3
    await until(lambda: seen == [True] * 100)
    events.wait(seen.append)
    await until(lambda: len(seen) == 101)
    assert reads == 2


async def test_where_the_stream_is_away_nobody_says_that_there_is_no_order(folder: Any) -> None:
    redis = redis_client.connect(f"unix://{folder / 'nobody.sock'}")
    seen: list[bool] = []
    NewestEvents(View(), Journal(redis, Keys("x")).end, asyncio.ensure_future).wait(seen.append)  # type: ignore[arg-type]
    await until(lambda: seen == [False])
    await redis.aclose()


async def test_an_order_of_one_gateway_is_cancelled_at_another_at_once(desk: Desk) -> None:
    services = desk.services
    second = await services.start_gateway("second")
    try:
        async with services.member(desk.server) as placing_there, services.member(second) as cancelling_here:
            for number in range(50):
                placed = await placing_there.place(desk.a, desk.symbol, "buy", "1", "500.00", f"o{number}")
                by_name = {"client_order_id": f"o{number}"} if number % 2 else {}
                order_id = None if number % 2 else placed["order"]["order_id"]
                cancelled = await cancelling_here.cancel(desk.a, order_id, **by_name)
                assert cancelled["order"]["status"] == "cancelled"
    finally:
        await services.stop_gateway(second)


async def test_a_flood_of_unknown_cancels_does_not_reach_the_journal(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        calls = [member.cancel(desk.a, client_order_id=f"none-{number}") for number in range(500)]
        calls += [member.cancel(desk.a, 10**12 + number) for number in range(500)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert {error.reason for error in answers if isinstance(error, ExchangeError)} == {"UNKNOWN_ORDER"}
        assert len(answers) == 1_000
        placed = await member.place(desk.a, desk.symbol, "buy", "1", "500.00")
    redis = redis_client.connect(desk.services.valkey_url)
    journal = Journal(redis, Keys(desk.services.shard))
    newest, commands = BEGINNING, list[AnyCommand]()
    while entries := await journal.read(newest):
        newest = entries[-1][0]
        commands += [command for _, data in entries for command in decode_commands(data).commands]
    await redis.aclose()
    about = [command for command in commands if getattr(command, "account", None) == desk.a]
    assert [type(command) for command in about if isinstance(command, OrderPlace | OrderCancel)] == [OrderPlace]
    assert placed["order"]["status"] == "open"
