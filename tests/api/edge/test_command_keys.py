"""An operator's command that is sent again under its key is placed once, and gets its first answer."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from api.edge import command_keys
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from tests.api.conftest import Desk
from tests.http_client import http_client


async def ask(desk: Desk, name: str, method: str, who: str = "op", **params: Any) -> httpx.Response:
    """Send a command of the operator under a key."""
    signer = desk.services.keys[who]
    headers = {"Authorization": f"Bearer {signer.bearer_token()}", "Idempotency-Key": f"{desk.symbol} {name}"}
    async with http_client(desk.server.url, timeout=20) as http:
        body = {"method": method, "params": {"reason": "a test", **params}}
        return await http.post("/v1/operator/commands", json=body, headers=headers)


async def test_a_repeated_command_is_placed_once(desk: Desk) -> None:
    first = await ask(desk, "k", "market.set_phase", symbol=desk.symbol, phase="halted")
    (event,) = first.json()["events"]
    assert (event["event"], "Idempotency-Replayed" in first.headers) == ("phase.changed", False)
    await desk.services.operate(desk.server, "market.set_phase", symbol=desk.symbol, phase="continuous")
    again = await ask(desk, "k", "market.set_phase", symbol=desk.symbol, phase="halted")
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert desk.server.gateway.view.markets[desk.symbol].instrument()["phase"] == "continuous"
    other = await ask(desk, "k", "market.set_phase", symbol=desk.symbol, phase="closed")
    assert (other.status_code, other.json()["reason"]) == (409, "KEY_REUSED")
    second = await ask(desk, "k-2", "market.set_phase", symbol=desk.symbol, phase="halted")
    assert second.json()["events"][0]["sequence"] > event["sequence"]


async def test_of_commands_at_the_same_time_one_is_placed(desk: Desk) -> None:
    """Also at another gateway."""
    other = Desk(desk.services, await desk.services.start_gateway("gateway-keys"), 0)
    other.symbol = desk.symbol
    asked = [ask(at, "k", "market.set_phase", symbol=desk.symbol, phase="halted") for at in (desk, other) * 4]
    answers = await asyncio.gather(*asked)
    assert {answer.content for answer in answers} == {answers[0].content}
    assert [answer.status_code for answer in answers] == [200] * 8
    assert ["Idempotency-Replayed" in answer.headers for answer in answers].count(False) == 1


async def test_what_the_exchange_refuses_is_refused_again(desk: Desk) -> None:
    """It is in the journal, and nothing was changed; what was not placed has used no key."""
    await desk.services.operate(desk.server, "market.set_phase", symbol=desk.symbol, phase="halted")
    for replayed in (False, True):
        answer = await ask(desk, "k", "account.open", account=desk.a, member="FIRM-B")
        assert answer.status_code == 409, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert ("Idempotency-Replayed" in answer.headers) is replayed
    for wrong in ({"phase": "open"}, {"phase": "halted", "by": "somebody"}):
        answer = await ask(desk, "free", "market.set_phase", symbol=desk.symbol, **wrong)
        assert answer.status_code == 422, answer.text
    unknown = await ask(desk, "free", "account.open", account=f"N{desk.symbol}", member="NOBODY")
    assert (unknown.status_code, unknown.json()["reason"]) == (409, "UNKNOWN_MEMBER")
    taken = await ask(desk, "free", "market.set_phase", symbol=desk.symbol, phase="closed")
    assert taken.status_code == 200


async def test_keys_are_each_persons_own(desk: Desk) -> None:
    if "op-keys" not in desk.services.keys:
        await desk.services.add_operator("op-keys")
    first = await ask(desk, "k", "market.set_phase", symbol=desk.symbol, phase="halted")
    second = await ask(desk, "k", "market.set_phase", "op-keys", symbol=desk.symbol, phase="closed")
    assert (first.status_code, second.status_code) == (200, 200)
    long = await ask(desk, "k" * 65, "market.set_phase", symbol=desk.symbol, phase="halted")
    assert (long.status_code, long.json()["field"]) == (422, "Idempotency-Key")


async def test_a_request_whose_answer_was_lost_is_not_carried_out_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its gateway was killed after it had taken the key: nothing is placed, and the caller learns it."""
    sent = await ask(desk, "k", "market.set_phase", symbol=desk.symbol, phase="halted")
    monkeypatch.setattr(command_keys, "WAIT_SECONDS", 0.1)
    name = Keys(desk.services.shard).command_key("op", f"{desk.symbol} k")
    redis = redis_client.connect(desk.services.valkey_url)
    kept = msgspec.json.decode(await redis.get(name) or b"")
    assert 0 < await redis.ttl(name) <= command_keys.KEPT_SECONDS
    await redis.set(name, msgspec.json.encode([kept[0], None]))
    await redis.aclose()
    answer = await ask(desk, "k", "market.set_phase", symbol=desk.symbol, phase="halted")
    assert (sent.status_code, answer.status_code, answer.json()["reason"]) == (200, 409, "KEY_UNANSWERED")


async def test_an_answer_that_comes_late_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = asyncio.Event()
    place = desk.server.gateway.sequencer.place

    async def slow(command: Any) -> Any:
        await placed.wait()
        return await place(command)

    with monkeypatch.context() as patched:
        patched.setattr(command_keys, "WAIT_SECONDS", 0.1)
        patched.setattr(desk.server.gateway.sequencer, "place", slow)
        late = await ask(desk, "k", "market.set_phase", symbol=desk.symbol, phase="halted")
        assert late.status_code == 504
        waiting = await ask(desk, "k", "market.set_phase", symbol=desk.symbol, phase="halted")
        assert waiting.json()["reason"] == "KEY_UNANSWERED"
    placed.set()
    answer = await ask(desk, "k", "market.set_phase", symbol=desk.symbol, phase="halted")
    assert (answer.status_code, answer.json()["events"][0]["phase"]) == (200, "halted")
