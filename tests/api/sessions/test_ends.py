"""A session's orders when its connection or gateway ends, or other programs use its key."""

import asyncio
import signal
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.app import GatewayServer
from goldx.client.errors import ConnectionLost, ExchangeError
from goldx.client.session import ExchangeClient, connect
from goldx.streams import gateway_entries, redis_client
from goldx.streams.keys import Keys
from goldx.streams.registrations import read
from tests.api.conftest import Desk, until
from tests.api.gateway_process import OtherGateway


async def place(client: ExchangeClient, desk: Desk, name: str) -> None:
    await client.place(desk.a, desk.symbol, "buy", price="1.00", quantity="1", client_order_id=name)


def status(desk: Desk, name: str, server: GatewayServer | None = None) -> str:
    """Return the state of an order according to a gateway."""
    view = (server or desk.server).gateway.view
    order = view.accounts[desk.a].orders.get(name)
    return "unknown" if order is None else "open" if order.live else "ended"


def cut(client: ExchangeClient) -> None:
    socket = client._connection._socket
    assert socket is not None
    socket.transport.abort()


async def back(client: ExchangeClient, before: dict[str, Any]) -> None:
    """Wait until a client has logged on again."""
    await until(lambda: client.identity is not before)
    await client.call("session.heartbeat")


@pytest.mark.parametrize("settings", [{"enabled": False}, {"enabled": True, "grace_ms": 60_000}])
async def test_a_client_keeps_its_settings_however_often_it_reconnects(desk: Desk, settings: dict[str, Any]) -> None:
    async with desk.services.member(desk.server, reconnect=True) as program:
        await program.call("session.cancel_on_disconnect", **settings)
        for name in ("first", "second", "third"):
            await place(program, desk, name)
            before = program.identity
            cut(program)
            await back(program, before)
        assert [status(desk, name) for name in ("first", "second", "third")] == ["open"] * 3
        await program.cancel_all(desk.a)


async def test_a_program_with_the_same_key_does_not_adopt_anothers_orders(desk: Desk) -> None:
    algo = desk.services.member(desk.server)
    async with algo:
        await algo.call("session.cancel_on_disconnect", enabled=True, grace_ms=60_000)
        await place(algo, desk, "of-the-algo")
    async with desk.services.member(desk.server) as script:
        assert script.identity["session"] != algo.identity["session"]
        assert script.identity["grace_ms"] == 0
        await place(script, desk, "of-the-script")
    await until(lambda: status(desk, "of-the-script") == "ended")
    assert status(desk, "of-the-algo") == "open"
    async with desk.services.member(desk.server) as script:
        await script.cancel_all(desk.a)


async def test_grace_outlives_the_gateway_and_the_session_goes_on_at_another(desk: Desk) -> None:
    services = desk.services
    first = await services.start_gateway("gateway-first")
    program = services.member(first)
    await program.__aenter__()
    await program.call("session.cancel_on_disconnect", enabled=True, grace_ms=60_000)
    await place(program, desk, "kept")
    await services.stop_gateway(first)
    name = program._connection._session
    await program.__aexit__(None, None, None)
    again = services.member(desk.server)
    again._connection._session = name
    async with again:
        assert (again.identity["session"], again.identity["grace_ms"]) == (name, 60_000)
        assert status(desk, "kept") == "open"
        await again.call("session.cancel_on_disconnect", enabled=True, grace_ms=0)
    await until(lambda: status(desk, "kept") == "ended")


async def test_a_session_that_logs_on_elsewhere_ends_the_first_connection_and_keeps_its_orders(desk: Desk) -> None:
    services = desk.services
    for server in (desk.server, await services.start_gateway("gateway-elsewhere")):
        first = services.member(desk.server, reconnect=True)
        await first.__aenter__()
        await place(first, desk, f"moved-{server.gateway.settings.gateway_id}")
        second = services.member(server)
        second._connection._session = first._connection._session
        async with second:
            with pytest.raises(ConnectionLost):
                async with asyncio.timeout(30):
                    await ask_on(first)
            assert status(desk, f"moved-{server.gateway.settings.gateway_id}") == "open"
        await until(lambda: not desk.server.gateway.view.accounts[desk.a].live)
        await first.__aexit__(None, None, None)


async def ask_on(client: ExchangeClient) -> None:
    """Send requests until the connection has ended and is not replaced."""
    while True:
        await client.call("session.heartbeat")
        await asyncio.sleep(0.01)


async def test_of_log_ons_at_once_under_one_name_the_registered_one_has_the_session(desk: Desk) -> None:
    ends, keys = desk.server.gateway.sessions.ends, Keys(desk.services.shard)
    redis = redis_client.connect(desk.services.valkey_url)
    for number in range(10):
        clients = [desk.services.member(desk.server) for _ in range(3)]
        for client in clients:
            client._connection._session = f"twin-{number}"
        found = await asyncio.gather(*(client.__aenter__() for client in clients), return_exceptions=True)
        refused = [error for error in found if isinstance(error, BaseException)]
        assert all(isinstance(error, ExchangeError | ConnectionLost) for error in refused), refused
        name = f"FIRM-A.key/twin-{number}"
        registered = read(await redis.hget(keys.sessions("gateway-1"), name))  # type: ignore[arg-type]
        assert ends._held[name].holder == registered.holder
        for client in clients:
            await client.__aexit__(None, None, None)
        await until(lambda name=name: name not in ends._held)  # type: ignore[misc]
    await redis.aclose()


async def test_a_gateway_that_dies_for_good_is_noticed_by_another(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    other = OtherGateway(desk.services, "gateway-mortal")
    url = await other.start()
    program = connect(url, desk.services.keys["FIRM-A"])
    await program.__aenter__()
    await place(program, desk, "orphan")
    lasting = connect(url, desk.services.keys["FIRM-A"])
    await lasting.__aenter__()
    await lasting.call("session.cancel_on_disconnect", enabled=False)
    await place(lasting, desk, "lasting")
    await until(lambda: status(desk, "lasting") == status(desk, "orphan") == "open")
    monkeypatch.setattr(gateway_entries, "LOST_READS", 6)
    await other.kill()
    await until(lambda: status(desk, "orphan") == "ended")
    for client in (program, lasting):
        await client.__aexit__(None, None, None)
    redis = redis_client.connect(desk.services.valkey_url)
    await until_gone(redis, Keys(desk.services.shard).sessions("gateway-mortal"))
    await redis.aclose()
    async with desk.services.member(desk.server) as member:
        await member.call("session.heartbeat")
        assert status(desk, "lasting") == "open"
        await member.cancel_all(desk.a)


async def until_gone(redis: Any, key: str) -> None:
    """Wait until a key does not exist."""
    while await redis.exists(key):
        await asyncio.sleep(0.02)


async def test_a_gateway_that_slept_too_long_ends_and_its_orders_do(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = OtherGateway(desk.services, "gateway-asleep")
    url = await other.start()
    program = connect(url, desk.services.keys["FIRM-A"])
    await program.__aenter__()
    await place(program, desk, "of-the-sleeper")
    monkeypatch.setattr(gateway_entries, "LOST_READS", 6)
    other.process.send_signal(signal.SIGSTOP)
    await until(lambda: status(desk, "of-the-sleeper") == "ended")
    other.process.send_signal(signal.SIGCONT)
    assert await other.process.wait() == 1
    await program.__aexit__(None, None, None)


async def test_sessions_of_a_lost_gateway_are_closed_though_who_noticed_it_is_lost_too(desk: Desk) -> None:
    lost, second = OtherGateway(desk.services, "gateway-lost"), OtherGateway(desk.services, "gateway-second")
    url = await lost.start()
    program, patient = (connect(url, desk.services.keys["FIRM-A"]) for _ in range(2))
    for client, grace, name in ((program, 0, "left"), (patient, 60_000, "in-grace")):
        await client.__aenter__()
        await client.call("session.cancel_on_disconnect", enabled=True, grace_ms=grace)
        await place(client, desk, name)
    redis, keys = redis_client.connect(desk.services.valkey_url), Keys(desk.services.shard)
    await lost.kill()
    await redis.hdel(keys.gateways, "gateway-lost")  # as a gateway does that notices it
    await second.start()
    await until(lambda: status(desk, "left") == "ended")
    second.process.terminate()
    await second.process.wait()
    waiting, session = desk.server.gateway.sessions.ends._waiting, f"FIRM-A.key/{patient.identity['session']}"
    await until(lambda: session in waiting)
    assert status(desk, "in-grace") == "open"
    waiting[session][1].set()
    await until(lambda: status(desk, "in-grace") == "ended")
    await until_gone(redis, keys.sessions("gateway-lost"))
    await redis.aclose()
    for client in (program, patient):
        await client.__aexit__(None, None, None)


async def test_the_next_run_of_a_killed_gateway_closes_its_sessions_after_their_grace(desk: Desk) -> None:
    other = OtherGateway(desk.services, "gateway-again")
    url = await other.start()
    program, brief = (connect(url, desk.services.keys["FIRM-A"]) for _ in range(2))
    for client, grace, name in ((program, 60_000, "long"), (brief, 0, "brief")):
        await client.__aenter__()
        await client.call("session.cancel_on_disconnect", enabled=True, grace_ms=grace)
        await place(client, desk, name)
    await other.kill()
    url = await other.start()
    await until(lambda: status(desk, "brief") == "ended")
    assert status(desk, "long") == "open"
    again = connect(url, desk.services.keys["FIRM-A"])
    again._connection._session = program._connection._session
    async with again:
        assert again.identity["grace_ms"] == 60_000
        await again.cancel_all(desk.a)
    for client in (program, brief):
        await client.__aexit__(None, None, None)
    await other.kill()


async def test_a_second_gateway_of_the_same_name_is_refused_and_harms_nobody(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        await place(member, desk, "untouched")
        second = GatewayServer(desk.services.settings(), desk.services.valkey_url, desk.services.database_url)
        with capture_logs() as logged:
            await second.serve()
        assert second.exit_code == 1
        (refused,) = (line for line in logged if line["event"] == "the gateway stops")
        assert "gateway_id: 'gateway-1' is used" in refused["reason"]
        assert status(desk, "untouched") == "open"
