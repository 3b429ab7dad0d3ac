"""Resuming channels: a sequence from which this is impossible is an error, and no message is sent twice."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from goldx.client.errors import ExchangeError
from goldx.client.session import ExchangeClient
from tests.api.conftest import Desk, ShardServices
from tests.api.sessions.conftest import ORDERS
from tests.api.sessions.raw import ask, logged_on, request


async def refusal(member: ExchangeClient, channel: str, **start: Any) -> dict[str, Any]:
    with pytest.raises(ExchangeError) as refused:
        await asyncio.wait_for(anext(member.subscribe(channel, **start)), 20)
    assert refused.value.reason == "CANNOT_RESUME"
    return refused.value.data


def kinds(desk: Desk) -> list[str]:
    kinds = ("book", "orders_book", "top", "trades", "status")
    return [f"account.{desk.a}", f"candles.{desk.symbol}.1d", *(f"{kind}.{desk.symbol}" for kind in kinds)]


async def test_a_sequence_beyond_the_end_is_refused(desk: Desk, member: ExchangeClient) -> None:
    for name in kinds(desk):
        channel = desk.server.gateway.view.channels[name]
        present = {"channel": name, "sequence": channel.sequence, "epoch": channel.epoch}
        for beyond in (channel.sequence + 1, 1_000_000):
            found = await refusal(member, name, from_sequence=beyond)
            assert found == {"reason": "CANNOT_RESUME", **present}


async def test_a_sequence_of_another_epoch_is_refused(desk: Desk, member: ExchangeClient) -> None:
    for name in kinds(desk):
        channel = desk.server.gateway.view.channels[name]
        found = await refusal(member, name, from_sequence=channel.sequence, epoch="1-0.1")
        assert found["epoch"] == channel.epoch
        answer = await member.call(
            "channel.subscribe", channels=[name], from_sequence=channel.sequence, epoch=channel.epoch
        )
        assert answer == {"channels": {name: channel.sequence}, "epochs": {name: channel.epoch}}


async def test_a_refused_subscription_begins_no_channel(desk: Desk, member: ExchangeClient) -> None:
    account, book = f"account.{desk.a}", f"book.{desk.symbol}"
    with pytest.raises(ExchangeError):
        await member.call("channel.subscribe", channels=[book, account], from_sequence={account: 10**6})
    (session,) = [
        session for session in desk.server.gateway.sessions._links if session.name.endswith(member.identity["session"])
    ]
    assert session.channels == {}


async def test_a_gateway_that_is_behind_another_catches_up_before_it_answers(
    services: ShardServices, desk: Desk, member: ExchangeClient
) -> None:
    behind = await services.start_gateway("behind")
    tail = next(task for task in behind.gateway._tasks if "_tail" in repr(task.get_coro()))
    tail.cancel()
    await asyncio.gather(tail, return_exceptions=True)
    await member.place(desk.a, desk.symbol, "buy", "1", "589.00")
    channel = desk.server.gateway.view.accounts[desk.a].channel
    assert behind.gateway.view.accounts[desk.a].channel.sequence < channel.sequence
    async with services.member(behind) as other:
        params = {"channels": [channel.name], "from_sequence": channel.sequence, "epoch": channel.epoch}
        asking = asyncio.create_task(other.call("channel.subscribe", **params))
        await other.call("session.heartbeat")
        assert not asking.done()
        behind.gateway._tasks.append(asyncio.create_task(behind.gateway._tail()))
        assert (await asking)["channels"] == {channel.name: channel.sequence}
    await services.stop_gateway(behind)


async def test_a_client_that_connects_again_in_another_history_gets_an_error(desk: Desk) -> None:
    async with desk.services.member(desk.server, reconnect=True) as member:
        account, book = f"account.{desk.a}", f"book.{desk.symbol}"
        of_account, of_book = member.subscribe(account, from_sequence=0), member.subscribe(book)
        assert (await anext(of_account))["sequence"] == 1
        assert (await anext(of_book))["type"] == "snapshot"
        connection: Any = member._connection
        connection._subscriptions[0].epochs[account] = "1-0.1"
        connection._socket.transport.abort()

        async def read_on() -> None:
            async for _ in of_account:
                pass

        with pytest.raises(ExchangeError) as refused:
            await read_on()
        assert refused.value.reason == "CANNOT_RESUME"
        await member.place(desk.a, desk.symbol, "buy", "1", "590.00")
        assert (await anext(of_book))["data"]["bids"] == [["590.00", "1"]]
        await of_book.aclose()


async def sequences(connection: ClientConnection, newest: int, channel: str) -> list[int]:
    """Return the sequences of a channel's messages up to the newest one, and of any that follow."""
    found: list[int] = []
    while not found or found[-1] != newest:
        message = json.loads(await connection.recv())
        if "params" in message and message["params"]["channel"] == channel:
            found.append(message["params"]["sequence"])
    await asyncio.sleep(0.2)
    await connection.send(request("session.heartbeat"))
    while (message := json.loads(await connection.recv())).get("result") != {}:
        if "params" in message:
            found.append(message["params"]["sequence"])
    return found


@pytest.mark.usefixtures("member")
async def test_the_past_is_sent_once(desk: Desk) -> None:
    channel = desk.server.gateway.view.accounts[desk.a].channel
    newest, params = channel.sequence, {"channels": [channel.name]}
    assert newest > ORDERS
    async with logged_on(desk.services, desk.server) as connection:
        for start in ({"from_sequence": 0}, {"from_sequence": 0}, {"from_sequence": 3}, {}):
            await connection.send(request("channel.subscribe", **params, **start))
        assert await sequences(connection, newest, channel.name) == list(range(1, newest + 1))
        # It is sent again to a session that has unsubscribed, and to one that asks for earlier messages.
        assert await ask(connection, "channel.unsubscribe", **params)
        await connection.send(request("channel.subscribe", **params, from_sequence=3))
        assert await sequences(connection, newest, channel.name) == list(range(4, newest + 1))
        await connection.send(request("channel.subscribe", **params, from_sequence=1))
        assert await sequences(connection, newest, channel.name) == list(range(2, newest + 1))


async def test_the_past_that_is_read_again_is_sent_once(desk: Desk) -> None:
    """No message is sent twice either if the subscription is ended and begun again while the past is being read."""
    channel = desk.server.gateway.view.accounts[desk.a].channel
    async with desk.services.member(desk.server) as member:
        while channel.oldest == 1:
            for _ in range(200):
                await member.place(desk.a, desk.symbol, "buy", "1", "590.00")
            await member.cancel_all(desk.a)
    newest, params = channel.sequence, {"channels": [channel.name]}
    async with logged_on(desk.services, desk.server) as connection:
        begin = request("channel.subscribe", **params, from_sequence=0)
        batch = (begin, begin, request("channel.unsubscribe", **params), begin, begin)
        await connection.send(f"[{','.join(batch)}]")
        assert await sequences(connection, newest, channel.name) == list(range(1, newest + 1))


async def test_two_subscriptions_of_one_client_each_have_their_past(desk: Desk, member: ExchangeClient) -> None:
    channel = desk.server.gateway.view.accounts[desk.a].channel
    newest = channel.sequence
    for first, second in ((0, 0), (3, 0), (0, 3)):
        found = []
        both = [member.subscribe(channel.name, from_sequence=start) for start in (first, second)]
        for messages, start in zip(both, (first, second), strict=True):
            found.append([(await anext(messages))["sequence"] for _ in range(newest - start)])
        assert found == [list(range(start + 1, newest + 1)) for start in (first, second)]
        for messages in both:
            await messages.aclose()
