"""A flood of log-ons does not fill memory, nor prevent honest log-ons."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect as open_socket

from api.app import GatewayServer
from api.edge.outcome import Refusal
from api.sessions import log_ons
from api.sessions.log_ons import LogOns
from goldx.client.errors import ExchangeError
from goldx.client.keys import Key
from goldx.client.session import connect
from tests.api.conftest import Desk, ShardServices
from tests.api.sessions.in_process import InProcessGateway

ATTEMPTS = 3_000
OF_ADDRESS = 256


def pair(number: int) -> list[str]:
    """Return the two requests of a log-on with a wrong signature."""
    challenge = {"jsonrpc": "2.0", "id": 2 * number, "method": "session.challenge", "params": {"key_id": "FIRM-A.key"}}
    wrong = {"key_id": "FIRM-A.key", "signature": "00" * 64}
    log_on = {"jsonrpc": "2.0", "id": 2 * number + 1, "method": "session.logon", "params": wrong}
    return [json.dumps(challenge), json.dumps(log_on)]


async def test_a_flood_of_log_ons_is_one_at_a_time_and_others_log_on(
    services: ShardServices, gateway: GatewayServer, desk: Desk
) -> None:
    sessions = gateway.gateway.sessions
    url = gateway.url.replace("http", "ws") + "/ws"
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len(sessions._log_ons))
            await asyncio.sleep(0)

    async with open_socket(url, proxy=None, local_addr=("127.0.0.2", 0), max_queue=None) as attacker:
        before = len(sessions._tasks)
        watching = asyncio.create_task(watch())

        async def flood() -> None:
            for number in range(ATTEMPTS):
                for request in pair(number):
                    await attacker.send(request)

        flooding = asyncio.create_task(flood())
        answers = [json.loads(await attacker.recv()) for _ in range(100)]
        async with services.member(gateway) as honest:
            placed = await honest.place(desk.a, desk.symbol, "buy", price="500.00", quantity="1")
            assert placed["order"]["status"] == "open"
        assert len(sessions._tasks) <= before + 10
        flooding.cancel()
        watching.cancel()
    assert 1 <= most <= 2, "one of the attacker, one of the honest member"
    refused = [answer["error"]["data"]["reason"] for answer in answers if "error" in answer]
    assert "RATE_LIMITED" in refused


async def test_an_address_that_fails_too_often_has_to_pause(services: ShardServices) -> None:
    server = await services.start_gateway("gateway-pause")
    unknown = Key.generate("nobody.key")
    reasons = set()
    async with asyncio.timeout(60):
        while "RATE_LIMITED" not in reasons:
            client = connect(server.url, unknown)
            with pytest.raises(ExchangeError) as refused:
                await client.__aenter__()
            reasons.add(refused.value.reason)
    assert reasons == {"NOT_PERMITTED", "RATE_LIMITED"}
    await asyncio.sleep(refused.value.data["retry_after_ms"] / 1_000)
    async with services.member(server) as member:
        assert member.identity["member"] == "FIRM-A"
    await services.stop_gateway(server)


def test_log_ons_are_bounded_for_a_session_for_an_address_and_in_all() -> None:
    gateway = InProcessGateway(fast=True)
    pending = LogOns(lambda: 0.0, OF_ADDRESS)
    first = gateway.session
    pending.begin(first)
    with pytest.raises(Refusal, match="of this session is under way"):
        pending.begin(first)
    others = [InProcessGateway(fast=True).session for _ in range(OF_ADDRESS)]
    for session in others[1:]:
        pending.begin(session)
    with pytest.raises(Refusal, match="from this address"):
        pending.begin(others[0])
    more = [InProcessGateway(fast=True).session for _ in range(log_ons.MOST - OF_ADDRESS + 1)]
    for number, session in enumerate(more[1:]):
        session.address = f"10.0.0.{number % 2}"
        pending.begin(session)
    more[0].address = "10.0.0.9"
    with pytest.raises(Refusal, match="at this gateway"):
        pending.begin(more[0])
    pending.end(first)
    pending.begin(more[0])
