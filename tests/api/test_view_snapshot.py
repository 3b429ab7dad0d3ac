"""A gateway starts from the snapshot of its view, and folds only newer events."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.app import GatewayServer
from api.sessions.gateway_lease import GatewayLease
from api.view import snapshot
from api.view.snapshot_file import SnapshotFile
from api.view.view import View
from goldx.hosting.progress import Progress
from goldx.hosting.servers import Server
from goldx.streams.history import WholeEvents
from goldx.streams.keys import Keys
from tests.api.conftest import Desk, ShardServices, build, until

EVERY = 40


@contextlib.asynccontextmanager
async def traded(
    servers: tuple[Server, Server], template: str, folder: Path
) -> AsyncIterator[tuple[ShardServices, Path]]:
    """A shard whose gateway wrote snapshots while members traded, and has stopped; and its snapshot file."""
    async with contextlib.AsyncExitStack() as cleanup:
        services = await build(cleanup, servers[0].url, servers[1].url, template)
        server = await start(services, folder)
        desk = Desk(services, server, 1)
        await desk.open()
        file = folder / "views" / f"{services.shard}.gateway-1.view"
        async with services.member(server) as member, services.member(server, "FIRM-B") as other:
            for number in range(60):
                await member.place(desk.a, desk.symbol, "sell", "2", f"60{number % 5}.00")
                await other.place(desk.b, desk.symbol, "buy", "1", "602.00")
        await until(file.exists)
        await answered(server)
        await services.stop_gateway(server)
        yield services, file


async def start(services: ShardServices, folder: Path) -> GatewayServer:
    return await services.start_gateway(data_dir=folder, view_snapshot_every=EVERY)


async def answered(server: GatewayServer) -> None:
    """Wait until all commands are answered, including those that end the sessions' orders."""
    await until(lambda: len(server.gateway.sessions) == 0 and server.gateway.sequencer.waiting == 0)
    await asyncio.sleep(0.2)


def body(server: GatewayServer) -> tuple[int, bytes]:
    written = snapshot.parse(snapshot.write(server.gateway.view))
    return written.sequence, written.body


async def test_a_gateway_begins_with_its_snapshot_and_has_the_same_view(
    servers: tuple[Server, Server], template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traded(servers, template, tmp_path) as (services, file):
        asked: list[int] = []
        read_raw = WholeEvents.read_raw

        async def recorded(stream: WholeEvents, after: int, count: int = 1_000) -> Any:
            if stream._key == Keys(services.shard).events:  # and not that of the shared gateway
                asked.append(after)
            return await read_raw(stream, after, count)

        monkeypatch.setattr(WholeEvents, "read_raw", recorded)
        threads: list[threading.Thread] = []
        read = snapshot.read

        def beside(found: snapshot.ViewSnapshot, view: View) -> None:
            threads.append(threading.current_thread())
            read(found, view)

        monkeypatch.setattr(snapshot, "read", beside)
        end = snapshot.parse(file.read_bytes()).sequence
        restored = await start(services, tmp_path)
        assert min(asked) == end - 1, "only the last frame of the snapshot, and later ones, are read"
        folded = await services.start_gateway("gateway-2", data_dir=tmp_path / "other")
        await answered(restored)
        await until(lambda: folded.gateway.view.sequence == restored.gateway.view.sequence)
        assert body(restored) == body(folded)
        assert [thread is threading.main_thread() for thread in threads] == [False], "the loop keeps the name meanwhile"
        # However long the history, at most the events between two snapshots are folded again.
        assert end > 3 * EVERY
        assert restored.gateway.view.sequence - end <= EVERY


async def test_the_view_is_built_while_the_name_of_a_former_run_is_waited_for(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that was killed is ready again as soon as both are done, and writes no snapshot before."""
    claim, update = GatewayLease.claim, SnapshotFile.update
    events = desk.server.gateway.view.sequence
    reached: list[int] = []
    claimed: list[bool] = []

    async def late(lease: GatewayLease) -> None:
        while max(reached, default=0) < events:
            await asyncio.sleep(0.01)
        await claim(lease)
        claimed.append(True)

    def reports(_: Progress, sequence: int) -> None:
        reached.append(sequence)

    def updated(file: SnapshotFile, view: View) -> None:
        # The shared gateway writes a snapshot of its own whenever one is due.
        assert claimed or tmp_path not in file._path.parents, "the file may be another gateway's"
        update(file, view)

    with monkeypatch.context() as patched:
        patched.setattr(GatewayLease, "claim", late)
        patched.setattr(Progress, "report", reports)
        patched.setattr(SnapshotFile, "update", updated)
        second = await desk.services.start_gateway("late", data_dir=tmp_path, view_snapshot_every=1)
    assert second.gateway.view.sequence >= max(reached) >= events > 0
    await desk.services.stop_gateway(second)


async def test_a_snapshot_is_passed_over_that_is_torn_or_of_another_stream(
    servers: tuple[Server, Server], template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with traded(servers, template, tmp_path) as (services, file):
        whole = file.read_bytes()
        expected = await services.start_gateway("gateway-2", data_dir=tmp_path / "other")
        parsed = snapshot.parse(whole)
        wrong: dict[str, bytes] = {
            "torn": whole[:-10],
            "altered": whole[:-10] + bytes(10),
            "another position": snapshot._encode(replaced(parsed, position=(1, 1))),
            "another history": snapshot._encode(replaced(parsed, previous=b"x" * 32)),
            "the future": snapshot._encode(replaced(parsed, sequence=10**9)),
        }
        monkeypatch.setattr(snapshot, "read", fail)
        for name, data in wrong.items():
            file.write_bytes(data)
            server = await start(services, tmp_path)
            await until(lambda: server.gateway.view.sequence == expected.gateway.view.sequence)  # noqa: B023
            assert body(server) == body(expected), name
            await services.stop_gateway(server)
            assert snapshot.parse(file.read_bytes()), "a new one has taken its place"


def replaced(parsed: snapshot.ViewSnapshot, **changes: Any) -> snapshot.ViewSnapshot:
    return msgspec.structs.replace(parsed, **changes)


def fail(*_: object) -> None:
    raise AssertionError("it was read")
