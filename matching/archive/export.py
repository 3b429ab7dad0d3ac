"""The two streams in their readable form, and the proof that one follows from the other."""

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
from matching.archive.sources import Server, Source, compare, extent
from matching.core.engine import Engine
from matching.run.fold import Fold, Produced

log = structlog.get_logger()


async def journal_lines(source: Source) -> AsyncIterator[bytes]:
    """The journal as ``goldx replay`` reads it, the lines of one entry joined.

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
    """The published events as ``goldx replay`` writes them, the lines of one frame joined."""
    async for _, data in source.events(await source.published()):
        outcomes = decode_events(data).outcomes
        yield b"".join([wire.write_event_line(event) for outcome in outcomes for event in outcome])


class Verdict(NamedTuple):
    """What ``verify`` found. ``difference`` is the first one, or None: the streams agree."""

    entries: int
    commands: int
    events: int
    """Sequence of the last event that both streams give."""
    unpublished: int
    """Events that the journal gives and the engine has not published yet."""
    digests: int
    """Published digests of the state that were met and agree."""
    digest: str
    """Of the state at the journal's end."""
    difference: str | None


async def verify(redis: Redis, keys: Keys, archive: Archive | None = None) -> Verdict:
    """Proves a server's streams, with the archive before them: that no journal entry is missing of those that there
    ever were, that the archive has what the server has, and what ``verify_source`` proves.

    Raises CoreFailed and what ``goldx.streams.history`` raises.
    """
    had = await extent(redis, keys.journal)
    gone, archived = had.added - had.length, 0
    difference = None
    if archive is not None:
        archived = await asyncio.to_thread(archive.count_before, JOURNAL, had.first)
        difference = await compare(archive, redis, keys)
    if gone != archived:
        has = f"the archive has {archived}" if archive is not None else "no archive is given"
        difference = f"{gone} of the {had.added} journal entries come before {had.first} on the server, and {has}"
    if difference is not None:
        return Verdict(0, 0, 0, 0, 0, "", difference)
    return await verify_source(Server(redis, keys, archive))


async def verify_source(source: Source, at_published: Callable[[Fold], None] = lambda _: None) -> Verdict:
    """Replays the journal on a fresh core and holds it against the published events and digests, byte by byte.

    Also proves that every frame names the one before it as ``goldx.streams.chains`` has it, and that the exported
    form of every
    command reads back to the same command. ``at_published`` is called with the state at the place where the last
    published event has been made. Raises CoreFailed.
    """
    # The events first: what they say must be in the journal by then.
    published_end = await source.published()
    digests = await source.digests()
    fold = Fold(Engine())
    published = source.events(published_end)
    chain = EventChain(NO_FRAME)
    reached = unpublished = met = 0
    difference: str | None = None
    async for position, data in source.journal():
        produced = fold.apply(position, data)
        difference = _unreadable(position, data)
        if fold.broken is not None:
            difference = difference or f"at the journal entry {position}: {fold.broken}"
        if produced is not None and reached < published_end:
            difference = difference or _compare(produced, await anext(published, None), position, chain)
            reached = produced.last
            if reached == published_end and not difference:
                at_published(fold)
        elif produced is not None:
            unpublished += produced.last - produced.first + 1
        if claimed := digests.get(str(position).encode()):
            met += 1
            state = f"{fold.engine.sequence} {fold.engine.digest()}".encode()
            if claimed != state:
                difference = difference or f"at {position} the state was published as {claimed!r}, and is {state!r}"
        if difference:
            break
    if difference is None and reached != published_end:
        difference = f"events are published up to {published_end}, but the journal gives only those up to {reached}"
    return Verdict(fold.entries, fold.commands, reached, unpublished, met, fold.engine.digest(), difference)


def _compare(
    produced: Produced, published: tuple[Position, bytes] | None, position: Position, chain: EventChain
) -> str | None:
    if published is None:
        return f"the journal entry {position} gives the events up to {produced.last}, which are not published"
    entry_id, frame = published
    if entry_id == (produced.last, 0) and extract_body(frame) == produced.body:
        wrong = chain.check(frame, decode_events(frame))
        return None if wrong is None else f"the event frame {entry_id} is out of its chain: {wrong}"
    return (
        f"the journal entry {position} gives the events {produced.first} to {produced.last}; published is "
        f"{'other content' if entry_id.ms == produced.last else 'a frame'} under the id {entry_id}"
    )


def _unreadable(position: Position, data: bytes) -> str | None:
    """The first command of an entry that its exported line would not give back."""
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
            return f"the journal entry {position} has a {command.method} that its readable form does not give back"
    return None
