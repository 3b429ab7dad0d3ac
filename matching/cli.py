"""``goldx engine``, ``goldx archiver`` and ``goldx replay``."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import structlog
import uvloop
from redis.exceptions import RedisError

from goldx.hosting import collector
from goldx.hosting.errors import NotRunning
from goldx.hosting.logging import configure
from goldx.hosting.running import resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.streams.archive import Archive
from goldx.streams.durability import WeakDurability
from goldx.streams.keys import Keys
from goldx.streams.replicas import NoReplicas
from goldx.streams.segments import BadArchive
from matching.archive.archiver import keep_archiving
from matching.archive.replay import BadLine, Replay
from matching.run.fold import CoreFailed
from matching.run.hand_over import NotHandedOver, request
from matching.run.lease import Deposed
from matching.run.process import serve
from matching.run.publisher import StreamBroken
from matching.run.snapshot_store import StateDiffers

ENDS = (WeakDurability, NoReplicas, Deposed, StreamBroken, CoreFailed, StateDiffers, BadArchive, RedisError)
"""The errors that end an engine with a message for the operator, because waiting would not mend them."""


@click.command()
@click.option("--standby", is_flag=True, help="Give way to an engine that starts at the same time, and follow it.")
@click.option("--hand-over", is_flag=True, help="Ask the leading engine to hand over to a standby, and end.")
def engine(standby: bool, hand_over: bool) -> None:
    """Match orders until SIGTERM: follow the journal, and lead while no other engine does."""
    if hand_over:
        _hand_over()
        return
    configure("engine")
    settings = Settings()
    redis_url = resolve_redis_url(settings)
    collector.tune_for_engine()
    try:
        uvloop.run(serve(settings, redis_url, standby=standby))
    except ENDS as error:
        structlog.get_logger().critical("the engine stops", kind=type(error).__name__, reason=str(error))
        sys.exit(1)


def _hand_over() -> None:
    configure("hand-over")
    settings = Settings()
    try:
        found = uvloop.run(request(resolve_redis_url(settings), Keys(settings.shard)))
    except (NotHandedOver, NotRunning, RedisError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{found.former} has handed over to {found.leader}: epoch {found.former_epoch} -> {found.epoch}, "
        f"no engine led for about {found.gap_ms} ms"
    )


@click.command()
def archiver() -> None:
    """Archive a shard's streams at intervals, and trim what is old, until SIGTERM."""
    configure("archiver")
    settings = Settings()
    if settings.archive_dir is None:
        raise click.ClickException("archive_dir is not set: it must be a path")
    try:
        uvloop.run(keep_archiving(settings, resolve_redis_url(settings)))
    except (BadArchive, StreamBroken, RedisError, OSError) as error:
        structlog.get_logger().critical("the archiver stops", kind=type(error).__name__, reason=str(error))
        sys.exit(1)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option("--snapshot-at", type=click.IntRange(min=1), metavar="N", help="Go on from a snapshot after line N.")
@click.option("--snapshot-file", type=click.Path(dir_okay=False, path_type=Path), help="Where that snapshot is kept.")
@click.option("--digest", is_flag=True, help="Print the SHA-256 of the final state to standard error.")
def replay(files: tuple[Path, ...], snapshot_at: int | None, snapshot_file: Path | None, digest: bool) -> None:
    """Apply the commands of FILES to a fresh core and print the events, one JSON object a line.

    FILES is one file of commands, one JSON object a line (- for standard input), the folder of an archive, or segments
    of one (.gxa), from the first on. A line that is no command, or an archive that is not intact, ends it with exit
    code 2, after the events of everything before. With --snapshot-at the state is written down after line N (the N-th
    command of an archive) and read again, and the output must not differ.
    """
    if snapshot_file is not None and snapshot_at is None:
        raise click.UsageError("--snapshot-file needs --snapshot-at")
    configure("replay")
    out = sys.stdout.buffer
    work = Replay()
    try:
        for events in _replayed(work, files):
            out.write(events)
            if work.lines == snapshot_at:
                work.reread(snapshot_file)
    except (BadLine, BadArchive, OSError) as error:
        out.flush()
        click.echo(f"goldx replay: {error}", err=True)
        sys.exit(2)
    out.flush()
    if snapshot_at is not None and work.lines < snapshot_at:
        click.echo(f"goldx replay: --snapshot-at {snapshot_at}: there are only {work.lines} lines", err=True)
        sys.exit(2)
    if digest:
        click.echo(work.engine.digest(), err=True)


def _replayed(work: Replay, files: tuple[Path, ...]) -> Iterator[bytes]:
    """Yield the events of FILES, joined by command."""
    if files[0].is_dir():
        segments = [segment.path for segment in Archive(files[0]).segments()]
        if not segments:
            raise BadArchive(f"{files[0]} holds no segment of an archive")
    else:
        segments = [file for file in files if file.suffix == ".gxa"]
    if len(files) != max(1, len(segments) if files[0].is_file() else 1):
        raise click.UsageError("FILES must be one file, one folder, or segments (.gxa)")
    if segments:
        yield from work.run_archived(segments)
        return
    with click.open_file(str(files[0]), "rb") as lines:
        yield from work.run(lines)
