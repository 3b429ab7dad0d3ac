"""A journal that is slow, cut off, or full: everybody gets a true answer, nothing is placed twice, nothing piles up."""

import asyncio
import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest
import pytest_asyncio

from api.app import GatewayServer
from api.journal import pressure
from goldx.client.errors import ExchangeError
from goldx.client.results import Order
from goldx.client.session import ExchangeClient
from goldx.hosting.servers import Server
from goldx.hosting.service import RestartedServer
from goldx.hosting.valkey import start_valkey
from goldx.protocol.commands import OrderPlace
from goldx.streams import redis_client
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import decode_commands
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from tests.api.conftest import Desk, House, build, until
from tests.faults.proxy import Proxy

SEED = SystemRandom().randrange(1 << 32)
_numbers = itertools.count(2)


class Place:
    """A journal's server of its own, a house on it, and a gateway that reaches it through a line."""

    def __init__(self, valkey: Server, house: House, line: Proxy, server: GatewayServer, desk: Desk) -> None:
        self.valkey = valkey
        self.house = house
        self.line = line
        self.server = server
        self.desk = desk

    def member(self) -> ExchangeClient:
        return self.house.member(self.server)

    async def placed(self) -> Counter[str]:
        """How often the journal has an order of the desk's account under each client id."""
        redis = redis_client.connect(self.valkey.url)
        journal, found, after = Journal(redis, Keys(self.house.shard)), Counter[str](), BEGINNING
        while entries := await journal.read(after):
            after = entries[-1][0]
            for _, data in entries:
                commands = decode_commands(data).commands
                own = (c for c in commands if isinstance(c, OrderPlace) and c.account == self.desk.a)
                found.update(command.client_order_id for command in own)
        await redis.aclose()
        return found


@contextlib.asynccontextmanager
async def place_on(valkey: Server, postgres: Server, **settings: Any) -> AsyncIterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        line = Proxy("gateway>valkey", folder / "line.sock", Path(valkey.url.removeprefix("unix://")))
        await line.open()
        stack.push_async_callback(line.close)
        house = await build(stack, valkey.url, postgres.url)
        server = await house.start_gateway(redis_url=f"unix://{folder / 'line.sock'}", **settings)
        desk = Desk(house, server, 1)
        await desk.open()
        yield Place(valkey, house, line, server, desk)


@pytest_asyncio.fixture(scope="module")
async def shared(servers: tuple[Server, Server]) -> AsyncIterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    valkey = await start_valkey(folder)
    async with place_on(valkey, servers[1]) as opened:
        yield opened
    await valkey.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture
async def place(shared: Place) -> Place:
    """The same for several tests, with a desk of its own each."""
    shared.desk = Desk(shared.house, shared.server, next(_numbers))
    await shared.desk.open()
    return shared


class Story:
    """What a member was told of each of its orders."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.accepted: dict[str, Order] = {}
        self.refused: dict[str, ExchangeError] = {}

    async def order(self, member: ExchangeClient, name: str) -> None:
        desk = self._place.desk
        try:
            placed = await member.place(desk.a, desk.symbol, "buy", "1", "500.00", name)
        except ExchangeError as error:
            self.refused[name] = error
        else:
            self.accepted[name] = placed["order"]

    async def check(self, member: ExchangeClient) -> None:
        """What was said is so: in the journal, in the gateway's view, and to whoever asks again under the same id."""
        for error in self.refused.values():
            assert error.reason == "UNAVAILABLE", error
            assert "nothing was placed" in str(error)
            assert 50 <= error.data["retry_after_ms"] <= 5_000
        found = await self._place.placed()
        assert set(found) == set(self.accepted)
        assert set(found.values()) <= {1}
        desk = self._place.desk
        for name, order in list(self.accepted.items())[:20]:
            with pytest.raises(ExchangeError, match="DUPLICATE_ID") as again:
                await member.place(desk.a, desk.symbol, "buy", "1", "500.00", name)
            assert again.value.data["order"] == order
        for name in list(self.refused)[:20]:
            await member.place(desk.a, desk.symbol, "buy", "1", "500.00", name)


async def test_a_slow_journal_pushes_back_and_nothing_piles_up(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 300
    monkeypatch.setattr(pressure, "MAX_WAITING", most)
    story, highest = Story(place), 0
    async with place.member() as member:
        orders: list[asyncio.Task[None]] = []
        for pause in range(3):
            os.kill(place.valkey.pid, signal.SIGSTOP)
            try:
                orders += [asyncio.create_task(story.order(member, f"p{pause}-{n}")) for n in range(500)]
                refused = len(story.refused) + 500 - most
                await until(lambda least=refused: len(story.refused) >= least)  # type: ignore[misc]
                highest = max(highest, place.server.gateway.sequencer.waiting)
            finally:
                os.kill(place.valkey.pid, signal.SIGCONT)
            await asyncio.gather(*orders)
            assert place.server.gateway.sequencer.waiting == 0
        assert highest == most
        assert len(story.accepted) == 3 * most
        assert "300 commands of this gateway wait" in str(next(iter(story.refused.values())))
        await story.check(member)


async def test_an_engine_that_does_not_answer_ends_the_taking(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.journal.pressure.STALE_CHECKS", 2)
    story, engine = Story(place), place.house._engine
    assert engine is not None
    async with place.member() as member:
        engine.send_signal(signal.SIGSTOP)
        try:
            orders = [asyncio.create_task(story.order(member, "first"))]
            while not story.refused:
                orders.append(asyncio.create_task(story.order(member, f"n{len(orders)}")))
                await asyncio.sleep(0.1)
        finally:
            engine.send_signal(signal.SIGCONT)
        assert "does not keep up" in str(next(iter(story.refused.values())))
        await asyncio.gather(*orders)
        assert place.server.gateway.sequencer.waiting == 0
        assert "first" in story.accepted
        monkeypatch.undo()
        await until(lambda: place.server.gateway.sequencer._pressure.stalled is None)
        await story.check(member)


async def test_connections_cut_amid_appends_give_true_answers(place: Place) -> None:
    print(f"SEED={SEED}")
    random, story = Random(SEED), Story(place)
    async with place.member() as member:
        for cut in range(12):
            place.line.light(random.randrange(6), place.line.cut)
            await asyncio.gather(*(story.order(member, f"c{cut}-{n}") for n in range(random.randrange(1, 30))))
            while place.line.burning or not place.server.gateway.healthy:
                await story.order(member, f"c{cut}-{len(story.accepted)}-{len(story.refused)}")
                await asyncio.sleep(0.02)
        assert story.accepted
        await until(lambda: place.server.gateway.healthy)
        await story.check(member)


async def test_a_frame_that_arrived_though_its_answer_did_not_is_not_sent_again(place: Place) -> None:
    """Cut after the server has the frame, before the gateway has the answer: the order is placed, and says so."""
    story = Story(place)
    async with place.member() as member:
        # Held: the frame goes nowhere. Handed to the server by hand: then the connection is cut with the answer in it.
        for number in range(5):
            os.kill(place.valkey.pid, signal.SIGSTOP)
            order = asyncio.create_task(story.order(member, f"a{number}"))
            await asyncio.sleep(0.2)
            os.kill(place.valkey.pid, signal.SIGCONT)
            place.line.hold()
            while not (await place.placed())[f"a{number}"]:
                await asyncio.sleep(0.01)
            place.line.cut()
            place.line.release()
            await order
            await until(lambda: place.server.gateway.healthy)
        assert len(story.accepted) == 5
        assert not story.refused
        await story.check(member)


async def test_a_journal_that_is_away_is_said_to_be_and_comes_back(place: Place) -> None:
    story = Story(place)
    async with place.member() as member:
        await story.order(member, "before")
        place.line.hold()
        place.line.cut()
        late = [asyncio.create_task(story.order(member, f"d{n}")) for n in range(3)]
        while not story.refused:
            late.append(asyncio.create_task(story.order(member, f"w{len(late)}")))
            await asyncio.sleep(0.05)
        assert "the journal is not reachable" in str(next(iter(story.refused.values())))
        place.line.release()
        await asyncio.gather(*late)
        await until(lambda: place.server.gateway.healthy)
        await story.order(member, "after")
        assert {"before", "after"} <= set(story.accepted)
        await story.check(member)


@pytest.fixture
def small_disk() -> Any:
    """A file system of 32 MB of its own."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def fill(folder: Path, leave: int) -> Path:
    """Takes the free space but for so many bytes."""
    ballast = folder / "ballast"
    free = shutil.disk_usage(folder).free
    ballast.write_bytes(bytes(max(0, free - leave)))
    return ballast


async def test_a_disk_that_is_nearly_full_takes_no_orders_but_cancels(
    small_disk: Path, servers: tuple[Server, Server]
) -> None:
    valkey = await start_valkey(small_disk / "valkey")
    async with place_on(valkey, servers[1], disk_reserve_mb=8) as place, place.member() as member:
        story, desk = Story(place), place.desk
        await story.order(member, "before")
        ballast = fill(small_disk, 4 << 20)
        await until(lambda: place.server.gateway.sequencer._pressure.disk_full is not None)
        await story.order(member, "full")
        assert re.search(r"disk is nearly full \([34] MB left, 8 MB are kept free\)", str(story.refused["full"]))
        assert story.refused["full"].data["retry_after_ms"] == 1_000, "waiting does not make room"
        assert (await member.cancel(desk.a, client_order_id="before"))["order"]["status"] == "cancelled"
        ballast.unlink()
        await until(lambda: place.server.gateway.sequencer._pressure.disk_full is None)
        await story.order(member, "after")
        assert set(story.accepted) == {"before", "after"}
    await valkey.stop()


@pytest.mark.faults
async def test_a_disk_that_is_full_loses_nothing_and_goes_on_with_space(
    small_disk: Path, servers: tuple[Server, Server]
) -> None:
    """The server with fsync always ends itself at the first write that does not fit; it is started again."""
    keeper = RestartedServer("valkey", partial(start_valkey, small_disk / "valkey"), print)
    await keeper.start()
    first = keeper.server.process
    async with place_on(keeper.server, servers[1], disk_reserve_mb=0) as place, place.member() as member:
        story = Story(place)
        await story.order(member, "before")
        ballast = fill(small_disk, 16 << 10)
        orders: list[asyncio.Task[None]] = []
        while not story.refused:
            orders.append(asyncio.create_task(story.order(member, f"n{len(orders)}")))
            await asyncio.sleep(0.05)
        assert "the journal is not reachable" in str(next(iter(story.refused.values())))
        assert first.returncode == 1
        ballast.unlink()
        await asyncio.gather(*orders)
        while "after" not in story.accepted:
            await asyncio.sleep(0.1)
            await story.order(member, "after")
        story.refused.pop("after", None)
        await story.check(member)
    await keeper.stop()


@pytest.mark.faults
async def test_a_server_that_refuses_to_write_is_quoted(small_disk: Path, servers: tuple[Server, Server]) -> None:
    """With fsync every second, a full disk is told to whoever writes (MISCONF)."""
    valkey = await start_valkey(small_disk / "valkey")
    redis = redis_client.connect(valkey.url)
    await redis.config_set("appendfsync", "everysec")
    async with place_on(valkey, servers[1], disk_reserve_mb=0) as place, place.member() as member:
        story = Story(place)
        await story.order(member, "before")
        ballast = fill(small_disk, 0)
        # One that the server still took waits for the engine, which cannot write either.
        orders: list[asyncio.Task[None]] = []
        while not story.refused:
            orders.append(asyncio.create_task(story.order(member, f"n{len(orders)}")))
            await asyncio.sleep(0.05)
        assert "the journal's server does not write" in str(next(iter(story.refused.values())))
        ballast.unlink()
        await asyncio.gather(*orders)
        while "after" not in story.accepted:
            await asyncio.sleep(0.1)
            await story.order(member, "after")
        story.refused.pop("after", None)
        await story.check(member)
    await redis.aclose()
    await valkey.stop()


@pytest.mark.parametrize("left", ["shorter", "another"])
async def test_a_server_with_another_past_ends_the_gateway(servers: tuple[Server, Server], left: str) -> None:
    """As after a failover to a replica that lagged: what the gateway has folded is not what the others go on from."""
    async with contextlib.AsyncExitStack() as stack:
        house = await build(stack, servers[0].url, servers[1].url)
        server = await house.start_gateway()
        await Desk(house, server, 1).open()
        await house.stop_engine()
        await until(lambda: server.gateway.sequencer.waiting == 0)
        redis: Any = redis_client.connect(servers[0].url)
        stack.push_async_callback(redis.aclose)
        keys = Keys(house.shard)
        *_, (before, fields), (newest, _) = await redis.xrange(keys.events)
        assert before != newest
        if left == "shorter":
            await redis.xdel(keys.events, newest)
        else:
            await redis.delete(keys.events)
            # The same number, of another place in the journal.
            await redis.xadd(keys.events, fields, id=newest)
        await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await until(lambda: server.exit_code == 1)
