"""``goldx journal``: the commands that read, prove, archive and restore the streams."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import click
import uvloop
from redis.asyncio import Redis
from redis.exceptions import RedisError

from goldx.hosting.errors import NotRunning
from goldx.hosting.logging import configure
from goldx.hosting.running import resolve_redis_url
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import AlreadyRunning, Supervisor
from goldx.output import JSON, print_record, wants_json
from goldx.streams.archive import Archive, ArchiveInUse, Proof
from goldx.streams.history import EventsMissing, archive_in
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from goldx.streams.segments import EVENTS, JOURNAL, BadArchive
from matching.archive import export
from matching.archive.archiver import HOUR, Archiver, Pass, Retention
from matching.archive.restore import NotRestored, restore
from matching.archive.sources import Archived, ArchivedServer, Source
from matching.run.fold import CoreFailed

T = TypeVar("T")

REFUSALS = (BadArchive, ArchiveInUse, NotRestored, EventsMissing)
"""The errors that end a command on the streams with a message."""


_FOLDER = click.Path(file_okay=False, path_type=Path)
_archive_alone = click.option(
    "--archive", "folder", type=_FOLDER, metavar="DIR", help="Read the archive in DIR alone; no server is needed."
)


class _Duration(click.ParamType[int]):
    """The type of options such as ``36h``, converted to milliseconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d{1,9})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is not a duration: a whole number and one of s, m, h, d, such as 36h", param, ctx)
        return int(found[1]) * {"s": 1_000, "m": 60_000, "h": HOUR, "d": 24 * HOUR}[found[2]]


@click.group()
def journal() -> None:
    """Read the exchange's two streams: the command journal, and the events that follow from it.

    They are read from the running exchange, or from a stopped one in the data directory, whose embedded servers are
    started for it.
    """
    configure("journal")


@journal.command("export")
@click.option("--out", type=click.File("wb"), default="-", help="Where to; default: standard output.")
@click.option("--events", is_flag=True, help="The published events, as goldx replay writes them.")
@_archive_alone
def export_command(out: BinaryIO, events: bool, folder: Path | None) -> None:
    """Write the journal as `goldx replay` reads it, one command a line."""
    lines = export.event_lines if events else export.journal_lines
    _on_source(folder, lambda source: _write(lines(source), out))


@journal.command("events")
@click.option("--out", type=click.File("wb"), default="-", help="Where to; default: standard output.")
@_archive_alone
def events_command(out: BinaryIO, folder: Path | None) -> None:
    """Write the published events, one a line: what `goldx replay` makes of the exported journal, byte for byte."""
    _on_source(folder, lambda source: _write(export.event_lines(source), out))


@journal.command("verify")
@_archive_alone
@JSON
@click.option("--anchor", "anchors", multiple=True, metavar="HASH", help="A hash that was printed earlier.")
def verify_command(folder: Path | None, anchors: tuple[str, ...]) -> None:
    """Replay the journal and compare with what was published; exit 1 at the first difference.

    With an archive its chain is proved as well, up to each --anchor, and, unless it is alone (--archive), that it and
    the server together are whole.
    """
    archive = archive_in(folder or Settings().archive_dir)
    if anchors and archive is None:
        raise click.UsageError("--anchor needs an archive: set archive_dir, or give --archive")
    proof = None
    try:
        if archive is not None:
            proof = archive.prove(anchors)
            _print_proof(proof)
        verdict = _on_streams(export.verify) if folder is None else _on_source(folder, export.verify_source)
    except BadArchive as error:
        if wants_json():
            print_record({"difference": str(error)})
        else:
            click.echo(f"DIFFERENCE: {error}")
        sys.exit(1)
    if wants_json():
        print_record({**verdict._asdict(), "anchor": None if proof is None else proof.hash})
        sys.exit(0 if verdict.difference is None else 1)
    click.echo(
        f"{verdict.entries} journal entries, {verdict.commands} commands, {verdict.events} published events, "
        f"{verdict.digests} published digests; {verdict.unpublished} events wait for publication"
    )
    click.echo(f"digest {verdict.digest}")
    if verdict.difference is not None:
        click.echo(f"DIFFERENCE: {verdict.difference}")
        sys.exit(1)
    click.echo("the journal gives exactly what was published")


def _print_proof(proof: Proof) -> None:
    if wants_json():
        return
    entries = " and ".join(f"{count} entries of the {stream}" for stream, count in proof.entries.items())
    click.echo(f"the archive's chain of {proof.segments} segments is unbroken, with {entries}")
    click.echo(f"anchor {proof.hash}")


def _archive(folder: Path | None) -> Archive:
    archive = archive_in(folder or Settings().archive_dir)
    if archive is None:
        raise click.UsageError("--archive DIR, or the setting archive_dir, must name the folder of the archive")
    return archive


@journal.command("archive")
@click.option("--archive", "folder", type=_FOLDER, metavar="DIR", help="Default: the setting archive_dir.")
@click.option("--retain", type=_Duration(), metavar="TIME", help="What stays on the server: 90s, 30m, 36h, 7d.")
@click.option("--retain-entries", type=click.IntRange(min=0), default=0, metavar="N", help="And at least N entries.")
@JSON
@click.option("--new", "new_archive", is_flag=True, help="Begin a new archive although there is an older one.")
def archive_command(folder: Path | None, retain: int | None, retain_entries: int, new_archive: bool) -> None:
    """Write what is new into the archive, then trim from the server what is older than the retention.

    Nothing is trimmed that is not archived, that no snapshot covers, or that settlement has not posted.
    """
    settings = Settings()
    archive = _archive(folder)
    retention = Retention(settings.archive_after_hours * HOUR if retain is None else retain, retain_entries)
    replicas = settings.require_replicas

    def make_pass(redis: Redis, keys: Keys, _: Archive | None) -> Awaitable[Pass]:
        return Archiver(redis, keys, archive, retention, replicas, new_archive=new_archive).run()

    done = _on_streams(make_pass)
    if wants_json():
        print_record(
            {"archived": done.archived, "trimmed": done.trimmed, "segments": done.segments, "anchor": done.hash}
        )
        return
    for verb, counts in (("archived", done.archived), ("trimmed", done.trimmed)):
        click.echo(f"{verb} {counts[JOURNAL]} journal entries and {counts[EVENTS]} event frames")
    click.echo(f"{done.segments} segments; anchor {done.hash}")


@journal.command("restore")
@click.option("--archive", "folder", type=_FOLDER, metavar="DIR", help="Default: the setting archive_dir.")
@click.option("--retain", type=_Duration(), metavar="TIME", help="Put back only the newest; default: everything.")
def restore_command(folder: Path | None, retain: int | None) -> None:
    """Rebuild the server's streams from the archive in DIR, proved first. Stop the services before.

    A server that has data gets what it lacks at its end, if all that it has is in the archive; otherwise it is refused.
    With --retain the readers of what is older need the archive: set archive_dir.
    """
    archive = _archive(folder)
    retention = None if retain is None else Retention(retain)
    done = _on_streams(lambda redis, keys, _: restore(redis, keys, archive, retention), new_server=True)
    click.echo(f"put back {done.added[JOURNAL]} journal entries and {done.added[EVENTS]} event frames")
    click.echo(f"up to event {done.verdict.events}; digest {done.verdict.digest}")


async def _write(lines: AsyncIterator[bytes], out: BinaryIO) -> None:
    async for line in lines:
        out.write(line)
    out.flush()


def _on_source(folder: Path | None, work: Callable[[Source], Awaitable[T]]) -> T:
    """Run ``work`` on the archive in a folder, or on the configured shard with its archive."""
    if folder is None:
        return _on_streams(lambda redis, keys, archive: work(ArchivedServer(redis, keys, archive)))
    try:
        return asyncio.run(_awaited(work(Archived(Archive(folder)))))
    except (OSError, CoreFailed) as error:
        raise click.ClickException(str(error)) from error


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _on_streams(work: Callable[[Redis, Keys, Archive | None], Awaitable[T]], *, new_server: bool = False) -> T:
    """Run ``work`` on the streams of the configured shard and on its archive, if there is one."""

    async def run() -> T:
        settings = Settings()
        async with _redis_url(settings, new_server) as url:
            redis = connect(url, timeout=60.0)
            try:
                return await work(redis, Keys(settings.shard), archive_in(settings.archive_dir))
            finally:
                await redis.aclose()

    try:
        return uvloop.run(run())
    except (RedisError, OSError, CoreFailed, AlreadyRunning, *REFUSALS) as error:
        raise click.ClickException(str(error)) from error


@asynccontextmanager
async def _redis_url(settings: Settings, new_server: bool) -> AsyncIterator[str]:
    """Yield the URL of the running exchange's server, or of a stopped one's embedded server, started for this.

    With ``new_server`` an embedded server is made if there is none.
    """
    try:
        yield resolve_redis_url(settings)
        return
    except NotRunning:
        if not new_server and not (settings.data_dir / "valkey").is_dir():
            raise
    async with Supervisor(settings, services=()) as stopped:
        yield stopped.redis_url
