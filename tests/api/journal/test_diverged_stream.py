"""A gateway ends when the event stream is not the one that it has folded, and when it cannot fold it."""

import contextlib
from typing import Any

import pytest

from goldx.hosting.servers import Server
from goldx.protocol.commands import AccountOpen
from goldx.streams import redis_client
from goldx.streams.keys import Keys
from tests.api.conftest import Desk, build, until


@pytest.mark.parametrize("stream", ["shorter", "different"])
async def test_a_server_with_another_event_stream_ends_the_gateway(
    servers: tuple[Server, Server], template: str, stream: str
) -> None:
    """After a failover to a replica that lagged, the server does not have the events that the gateway has folded."""
    async with contextlib.AsyncExitStack() as cleanup:
        services = await build(cleanup, servers[0].url, servers[1].url, template)
        server = await services.start_gateway()
        await Desk(services, server, 1).open()
        await services.stop_engine()
        await until(lambda: server.gateway.sequencer.waiting == 0)
        redis: Any = redis_client.connect(servers[0].url)
        cleanup.push_async_callback(redis.aclose)
        keys = Keys(services.shard)
        *_, (before, fields), (newest, _) = await redis.xrange(keys.events)
        assert before != newest
        if stream == "shorter":
            await redis.xdel(keys.events, newest)
        else:
            await redis.delete(keys.events)
            # The same sequence, at another position of the journal.
            await redis.xadd(keys.events, fields, id=newest)
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await until(lambda: server.exit_code == 1)


async def test_an_error_while_events_are_folded_ends_the_gateway(servers: tuple[Server, Server], template: str) -> None:
    """It is no outage of the server, although it may have the same class: the view would go on half folded."""

    def fail(*_: object) -> None:
        raise TimeoutError("raised while an answer was made")

    async with contextlib.AsyncExitStack() as cleanup:
        services = await build(cleanup, servers[0].url, servers[1].url, template)
        server = await services.start_gateway()
        desk = Desk(services, server, 1)
        await desk.open()
        server.gateway.sequencer.submit(AccountOpen("LATE", "FIRM-A"), fail)
        await until(lambda: server.exit_code == 1)
