"""The readable form of the two streams, and the proof that the events follow from the journal."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import msgspec
import structlog
from redis.asyncio import Redis

from goldx.protocol import wire
from goldx.protocol.units import BadValue
from goldx.streams.archive import Archive
from goldx.streams.chains import NO_FRAME, EventChain, extract_body
from goldx.streams.entries import Position
from goldx.streams.frames import decode_commands, decode_events
from goldx.streams.keys import Keys
from goldx.streams.segments import JOURNAL
from matching.archive.replay import read_line, write_line
from matching.archive.sources import ArchivedServer, Source, compare, extent, missing_on_server
from matching.core.engine import Engine
from matching.run.fold import EntryEvents, Fold

log = structlog.get_logger()


async def journal_lines(source: Source) -> AsyncIterator[bytes]:
    """Yield the journal as ``goldx replay`` reads it, the lines of one entry joined.

    An entry that is not a command frame is left out with a logged error, as the engine passes it over.
    """
    async for position, data in source.journal():
        try:
            frame = decode_commands(data)
        except msgspec.MsgspecError:
            log.error("a journal entry is not a command frame and is left out", position=str(position))
            continue
        yield b"".join([write_line(position.ms, command) for command in frame.commands])


async def event_lines(source: Source) -> AsyncIterator[bytes]:
    """Yield the published events as ``goldx replay`` writes them, the lines of one frame joined."""
    async for _, data in source.events(await source.published()):
        outcomes = decode_events(data).outcomes
        yield b"".join([wire.write_event_line(event) for outcome in outcomes for event in outcome])


class Verdict(NamedTuple):
    """The result of ``verify``. ``difference`` describes the first difference, or is None if the streams agree."""

    entries: int
    commands: int
    events: int
    """The sequence of the last event that both streams give."""
    unpublished: int
    """The number of events that the journal gives and the engine has not published yet."""
    digests: int
    """The number of published digests of the state that were compared and agree."""
    digest: str
    """The digest of the state at the journal's end."""
    difference: str | None


async def verify(redis: Redis, keys: Keys, archive: Archive | None = None) -> Verdict:
    """Prove the streams of a server, continued into the past by the archive.

    Proves that none of the journal entries that there have ever been is missing, that the archive has what the server
    has, and what ``verify_source`` proves.

    Raises CoreFailed and what ``goldx.streams.history`` raises.
    """
    had = await extent(redis, keys.journal)
    gone, archived = had.added - had.length, 0
    difference = None
    if archive is not None:
        archived = await asyncio.to_thread(archive.count_before, JOURNAL, had.first)
        difference = await compare(archive, redis, keys) or await missing_on_server(archive, redis, keys)
    if gone != archived:
        has = f"the archive has {archived}" if archive is not None else "no archive is given"
        difference = f"{gone} of the {had.added} journal entries come before {had.first} on the server, and {has}"
    if difference is not None:
        return Verdict(0, 0, 0, 0, 0, "", difference)
    return await verify_source(ArchivedServer(redis, keys, archive))


async def verify_source(source: Source, at_published: Callable[[Fold], None] = lambda _: None) -> Verdict:
    """Replay the journal on a fresh core and compare with the published events and digests, byte by byte.

    Also proves that every frame names the one before it (``goldx.streams.chains``), and that the exported form of every
    command reads back to the same command. ``at_published`` is called with the state at the place where the last
    published event is made. Raises CoreFailed.
    """
    # The events first: the commands behind them are in the journal by then.
    published_end = await source.published()
    digests = await source.digests()
    fold = Fold(Engine())
    published = source.events(published_end)
    chain = EventChain(NO_FRAME)
    reached = unpublished = compared = 0
    difference: str | None = None
    async for position, data in source.journal():
        events = fold.apply(position, data)
        difference = _unreadable(position, data)
        if fold.chain_error is not None:
            difference = difference or f"at the journal entry {position}: {fold.chain_error}"
        if events is not None and reached < published_end:
            difference = difference or _compare(events, await anext(published, None), chain)
            reached = events.last
            if reached == published_end and not difference:
                at_published(fold)
        elif events is not None:
            unpublished += events.last - events.first + 1
        if claimed := digests.get(str(position).encode()):
            compared += 1
            state = f"{fold.engine.sequence} {fold.engine.digest()}".encode()
            if claimed != state:
                difference = difference or f"at {position} the state was published as {claimed!r}, and is {state!r}"
        if difference:
            break
    if difference is None and reached != published_end:
        difference = f"events are published up to {published_end}, but the journal gives only those up to {reached}"
    return Verdict(fold.entries, fold.commands, reached, unpublished, compared, fold.engine.digest(), difference)


def _compare(events: EntryEvents, published: tuple[Position, bytes] | None, chain: EventChain) -> str | None:
    """Return the difference between the events of a journal entry and the next published frame, or None."""
    if published is None:
        return f"the journal entry {events.position} gives the events up to {events.last}, which are not published"
    entry_id, frame = published
    if entry_id == (events.last, 0) and extract_body(frame) == events.body:
        error = chain.check(frame, decode_events(frame))
        return None if error is None else f"the event frame {entry_id} is out of its chain: {error}"
    return (
        f"the journal entry {events.position} gives the events {events.first} to {events.last}; published is "
        f"{'other content' if entry_id.ms == events.last else 'a frame'} under the id {entry_id}"
    )


def _unreadable(position: Position, data: bytes) -> str | None:
    """Describe the first command of an entry that does not read back from its exported line; return None if all do."""
    try:
        commands = decode_commands(data).commands
    except msgspec.MsgspecError:
        return None
    for command in commands:
        try:
            same = read_line(write_line(position.ms, command), 0).command == command
        except (BadValue, IndexError) as error:
            return f"the journal entry {position} has a command that has no readable form: {error}"
        if not same:
            return f"the journal entry {position} has a {command.method} that does not read back from its readable form"
    return None
