"""A client that asks for heartbeats gets one whenever nothing else was sent to it for the time that it has chosen."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from api.sessions.heartbeat import HEARTBEAT, ClientHeartbeat
from goldx.client.errors import ExchangeError
from goldx.client.session import ExchangeClient, connect
from tests.api.conftest import Desk, until
from tests.api.sessions.test_ends import cut


class Wire:
    """A connection, and an event loop whose time is given."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sent_at = 100.0
        self.sent: list[float] = []
        self.asked: list[tuple[float, Callable[[], None]]] = []
        self.heartbeat = ClientHeartbeat(
            self.send, lambda: self.sent_at, lambda: {"n": 1}, lambda: self.now, self.later
        )

    def send(self, data: bytes) -> None:
        assert json.loads(data) == {"jsonrpc": "2.0", "method": HEARTBEAT, "params": {"n": 1}}
        self.sent.append(round(self.now, 1))
        self.sent_at = self.now

    def later(self, seconds: float, call: Callable[[], None]) -> Any:
        entry = (self.now + seconds, call)
        self.asked.append(entry)
        wire = self

        class Handle:
            def cancel(self) -> None:
                if entry in wire.asked:
                    wire.asked.remove(entry)

        return Handle()

    def run(self, until: float, writes: tuple[float, ...] = ()) -> None:
        """Let time pass, with writes of other messages at these times."""
        for at in (*writes, until):
            while self.asked and min(self.asked)[0] <= at:
                due = min(self.asked)
                self.asked.remove(due)
                self.now = max(self.now, due[0])
                due[1]()
            self.now = max(self.now, at)
            if at in writes:
                self.sent_at = at


def test_one_is_sent_when_nothing_else_was_for_the_time() -> None:
    wire = Wire()
    wire.run(150.0)
    assert wire.sent == []
    wire.sent_at = 150.0
    wire.heartbeat.set(5)
    wire.run(161.0)
    assert wire.sent == [155.0, 160.0]
    wire.run(180.0, writes=(164.0, 168.0, 172.0))
    assert wire.sent[2:] == [177.0], "each other message puts it off"
    wire.heartbeat.set(1)
    wire.run(179.5 + 1.6)
    assert wire.sent[3:] == [181.0]
    assert len(wire.asked) == 1
    wire.heartbeat.set(0)
    wire.run(500.0)
    assert (wire.sent[4:], wire.asked) == ([], [])
    wire.heartbeat.set(9)
    wire.heartbeat.halt()
    assert wire.asked == []


async def heard(client: ExchangeClient, most: int) -> list[dict[str, Any]]:
    found = []
    async for method, params in client.session_messages():
        assert method == HEARTBEAT
        found.append(params)
        if len(found) == most:
            return found
    raise AssertionError


async def test_heartbeats_say_the_time_and_the_newest_event_also_without_a_log_on(desk: Desk) -> None:
    async with connect(desk.server.url, reconnect=True) as visitor, desk.services.member(desk.server) as member:
        await visitor.heartbeats(1)
        (first,) = await heard(visitor, 1)
        await member.place(desk.a, desk.symbol, "buy", "1", "590.00")
        (second,) = await heard(visitor, 1)
        assert set(first) == {"time", "event_at", "sequence", "trouble"}
        assert second["time"] - first["time"] >= 990
        assert second["sequence"] > first["sequence"]
        assert second["sequence"] <= desk.server.gateway.view.sequence
        calls: set[Any] = {
            session.heartbeat.seconds for session in desk.server.gateway.sessions._links if session.heartbeat
        }
        assert calls == {0, 1}
        before = visitor._connection._socket
        cut(visitor)
        await until(lambda: visitor._connection._socket is not before)
        await heard(visitor, 1)  # the new connection has asked again
        await visitor.heartbeats(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.3):
                await heard(visitor, 1)


async def test_a_time_that_is_not_allowed_changes_nothing(desk: Desk) -> None:
    async with desk.services.member(desk.server) as member:
        await member.heartbeats(60)
        for wrong in (-1, 61, "5", 1.5, True):
            with pytest.raises(ExchangeError, match="seconds"):
                await member.call(HEARTBEAT, seconds=wrong)
        assert await member.call(HEARTBEAT) == {}
        assert (await member.session_status())["heartbeat_seconds"] == 60
