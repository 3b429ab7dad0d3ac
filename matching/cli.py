"""``goldx engine``, ``goldx replay`` and ``goldx journal``."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import click
import structlog
import uvloop
from redis.asyncio import Redis
from redis.exceptions import RedisError

from goldx import collector
from goldx.durability import WeakDurability
from goldx.logging import configure
from goldx.settings import NotRunning, Settings, resolve_redis_url
from goldx.streams import Keys, connect
from goldx.supervisor import AlreadyRunning, Exchange
from matching import export
from matching.fold import CoreFailed
from matching.lease import Deposed
from matching.process import serve
from matching.publisher import StreamBroken
from matching.replay import BadLine, Replay
from matching.snapshot_store import StateDiffers

T = TypeVar("T")

ENDS = (WeakDurability, Deposed, StreamBroken, CoreFailed, StateDiffers, RedisError)
"""What ends an engine with a message for the operator: waiting would not mend it."""


@click.command()
def engine() -> None:
    """Match orders: lead a shard until SIGTERM."""
    configure("engine")
    settings = Settings()
    redis_url = resolve_redis_url(settings)
    collector.calm()
    try:
        uvloop.run(serve(settings, redis_url))
    except ENDS as error:
        structlog.get_logger().critical("the engine stops", kind=type(error).__name__, reason=str(error))
        sys.exit(1)


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--snapshot-at", type=click.IntRange(min=1), metavar="N", help="Go on from a snapshot after line N.")
@click.option("--snapshot-file", type=click.Path(dir_okay=False, path_type=Path), help="Where that snapshot is kept.")
@click.option("--digest", is_flag=True, help="Print the SHA-256 of the final state to standard error.")
def replay(file: BinaryIO, snapshot_at: int | None, snapshot_file: Path | None, digest: bool) -> None:
    """Apply the commands of FILE (- for standard input) to a fresh core and print the events.

    One JSON object a line, in and out. A line that is not a command ends it with exit code 2; the events of the lines
    before it are printed. With --snapshot-at the state is written down after line N and read again, and the output must
    not differ.
    """
    if snapshot_file is not None and snapshot_at is None:
        raise click.UsageError("--snapshot-file needs --snapshot-at")
    out = sys.stdout.buffer
    work = Replay()
    try:
        for events in work.run(file):
            out.write(events)
            if work.lines == snapshot_at:
                work.reread(snapshot_file)
    except BadLine as error:
        out.flush()
        click.echo(f"goldx replay: {error}", err=True)
        sys.exit(2)
    out.flush()
    if snapshot_at is not None and work.lines < snapshot_at:
        click.echo(f"goldx replay: --snapshot-at {snapshot_at}: there are only {work.lines} lines", err=True)
        sys.exit(2)
    if digest:
        click.echo(work.engine.digest(), err=True)


@click.group()
def journal() -> None:
    """Read the exchange's two streams: the command journal, and the events that follow from it.

    Of the exchange that runs, or of a stopped one in the data directory, whose embedded servers run meanwhile.
    """
    configure("journal")


@journal.command("export")
@click.option("--out", type=click.File("wb"), default="-", help="Where to; default: standard output.")
@click.option("--events", is_flag=True, help="The published events, as goldx replay writes them.")
def export_command(out: BinaryIO, events: bool) -> None:
    """Write the journal as `goldx replay` reads it, one command a line."""
    lines = export.event_lines if events else export.journal_lines
    _on_streams(lambda redis, keys: _write(lines(redis, keys), out))


@journal.command("events")
@click.option("--out", type=click.File("wb"), default="-", help="Where to; default: standard output.")
def events_command(out: BinaryIO) -> None:
    """Write the published events, one a line: what `goldx replay` makes of the exported journal, byte for byte."""
    _on_streams(lambda redis, keys: _write(export.event_lines(redis, keys), out))


@journal.command("verify")
def verify_command() -> None:
    """Replay the journal and compare with what was published; exit 1 at the first difference."""
    verdict = _on_streams(export.verify)
    click.echo(
        f"{verdict.entries} journal entries, {verdict.commands} commands, {verdict.events} published events, "
        f"{verdict.digests} published digests; {verdict.unpublished} events wait for publication"
    )
    click.echo(f"digest {verdict.digest}")
    if verdict.difference is not None:
        click.echo(f"DIFFERENCE: {verdict.difference}")
        sys.exit(1)
    click.echo("the journal gives exactly what was published")


async def _write(lines: AsyncIterator[bytes], out: BinaryIO) -> None:
    async for line in lines:
        out.write(line)
    out.flush()


def _on_streams(work: Callable[[Redis, Keys], Awaitable[T]]) -> T:
    """Runs one piece of work on the configured shard's streams."""

    async def run() -> T:
        settings = Settings()
        async with _redis_url(settings) as url:
            redis = connect(url, timeout=60.0)
            try:
                return await work(redis, Keys(settings.shard))
            finally:
                await redis.aclose()

    try:
        return uvloop.run(run())
    except (RedisError, OSError, CoreFailed, AlreadyRunning) as error:
        raise click.ClickException(str(error)) from error


@asynccontextmanager
async def _redis_url(settings: Settings) -> AsyncIterator[str]:
    """Where the streams are: at a running exchange, else on the embedded server of a stopped one, started for this."""
    try:
        yield resolve_redis_url(settings)
        return
    except NotRunning:
        if not (settings.data_dir / "valkey").is_dir():
            raise
    async with Exchange(settings, services=()) as stopped:
        yield stopped.redis_url
