"""The short way of plain requests and the long way of all: the same orders get the same answers."""

import json
from collections.abc import Iterator
from random import Random, SystemRandom
from typing import Any

import pytest

from goldx.client.session import ExchangeClient
from tests.api.conftest import Desk

SEED = SystemRandom().randrange(1 << 32)
OWN = {"order_id", "at", "trade_id", "account", "symbol", "session"}
"""What differs between two instruments and two accounts."""


def requests(random: Random, account: str, symbol: str) -> Iterator[dict[str, Any]]:
    """Plain ones and odd ones, good ones and bad ones."""
    placed: list[str] = []
    for number in range(220):
        if placed and random.random() < 0.25:
            target = random.choice((random.choice(placed), f"o{number}", "", "ä"))
            yield {"method": "order.cancel", "params": {"account": account, "client_order_id": target}}
            continue
        name = random.choice((f"o{number}",) * 9 + ("o1",))
        placed.append(name)
        params: dict[str, Any] = {"account": account, "client_order_id": name, "symbol": symbol}
        params |= {"side": random.choice(("buy", "sell")), "type": random.choice(("limit", "limit", "market"))}
        params |= {"quantity": random.choice(("1", "2", "0.5", "10", "0", "01", "1e1", "999999999", 5))}
        if params["type"] == "limit" or random.random() < 0.1:
            params["price"] = random.choice(("599.99", "600.00", "600.01", "600", "600.001", "0", None, 600))
        extra = {"post_only": True, "time_in_force": "IOC", "stp": "decrement", "persist": True, "expire_at": 5, "x": 1}
        if random.random() < 0.4:
            wanted = random.choice(list(extra))
            params[wanted] = extra[wanted]
        if random.random() < 0.05:
            del params[random.choice(list(params))]
        if random.random() < 0.05:
            params["time_in_force"] = random.choice(("gtc", None, "FOK", "DAY", 1))
        yield {"method": "order.place", "params": params}


async def answers(member: ExchangeClient, wishes: list[dict[str, Any]], *, quick: bool) -> list[Any]:
    """The answers, without what differs; a request whose id is a string takes the long way."""
    socket = member._socket
    assert socket is not None
    found: dict[int, Any] = {}
    taken = member._take

    def take(message: Any) -> None:
        if isinstance(message.get("id"), int | str) and int(message["id"]) >= 1_000:
            found[int(message["id"])] = message
        else:
            taken(message)

    member._take = take  # type: ignore[method-assign]
    for number, wish in enumerate(wishes, 1_000):
        await socket.send(json.dumps({"jsonrpc": "2.0", "id": number if quick else str(number), **wish}))
    while len(found) < len(wishes):
        await member.call("session.heartbeat")
    assert all(isinstance(message["id"], int) == quick for message in found.values())
    return [plain(found[number].get("result", found[number].get("error"))) for number in sorted(found)]


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items() if name not in OWN}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value


@pytest.fixture
async def second(desk: Desk) -> Desk:
    another = Desk(desk.house, desk.server, 10_000)
    await another.open()
    return another


async def test_both_ways_lead_to_the_same_answers(desk: Desk, second: Desk) -> None:
    print(f"SEED={SEED}")
    async with desk.house.member(desk.server) as member:
        short = list(requests(Random(SEED), desk.a, desk.symbol))
        long = list(requests(Random(SEED), second.a, second.symbol))
        assert [(w["method"], set(w["params"])) for w in short] == [(w["method"], set(w["params"])) for w in long]
        first = await answers(member, short, quick=True)
        other = await answers(member, long, quick=False)
        for wish, one, two in zip(short, first, other, strict=True):
            assert one == two, wish
        kinds = {one.get("code", "done") for one in first}
        assert kinds == {"done", -32602, -32000}
