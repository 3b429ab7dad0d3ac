"""Subscribing to channels, and resuming after the last message received.

A sequence that the channel has not reached, or that has another epoch there, is refused, because messages after it
would be lost silently. A gateway that is behind another one catches up before it refuses.

A private channel loses nothing: messages that are no longer kept are made again from the event stream, with the same
numbers. A public channel that cannot resume begins with a snapshot instead, or says how many messages are missing. A
subscribed session gets no message twice, unless it asks for messages from before its subscription.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from api.edge.outcome import Refusal
from api.edge.params import check_names
from api.edge.rpc import Request
from api.sessions.queries import Queries
from api.sessions.session import Method, Session
from api.sessions.subscribed import Start, Subscribed, read_start
from api.view.accounts import Account, private_messages
from api.view.channels import Channel, SnapshotInParts
from api.view.requests import CHANNEL_PREFIX
from api.view.view import View
from goldx.protocol.units import BadValue
from goldx.streams.event_stream import EventStream
from goldx.streams.history import EventsMissing
from goldx.streams.segments import BadArchive

log = structlog.get_logger()

MAX_CHANNELS: Final = 200
"""Channels of one session."""
FRAMES_AT_ONCE: Final = 4
"""Frames that are read and decoded in one turn of the event loop; a full frame has thousands of events."""
PRIVATE_PREFIX: Final = "account."
CATCH_UP_SECONDS: Final = 10.0
"""How long a subscription waits for this gateway to fold events that another gateway may have published already."""


class Subscriptions:
    """``methods`` maps the names of methods to their functions, for the sessions.

    ``spawn`` runs a coroutine beside the session, ``queued`` returns the unsent bytes of a session, and ``cut`` ends
    the connection of a session, with a reason.
    """

    def __init__(
        self,
        view: View,
        queries: Queries,
        stream: EventStream,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        queued: Callable[[Session], int],
        queue_limit: int,
        cut: Callable[[Session, str], None],
    ) -> None:
        self._view = view
        self._queries = queries
        self._stream = stream
        self._spawn = spawn
        self._queued = queued
        self._queue_pause = queue_limit // 2
        """Unsent bytes above which reading missed messages pauses."""
        self._cut = cut
        self.methods: dict[str, Method] = {
            "channel.subscribe": self._subscribe,
            "channel.unsubscribe": self._unsubscribe,
        }

    def _subscribe(self, session: Session, request: Request) -> None:
        check_names(request.params, "channels", "from_sequence", "epoch")
        names = _names(request.params)
        starts = [read_start(request.params, self._channel(session, name)) for name in names]
        if any(start.ahead for start in starts):
            self._spawn(self._begin_when_caught_up(session, request, starts))
        else:
            self._begin_all(session, request, starts)

    async def _begin_when_caught_up(self, session: Session, request: Request, starts: Sequence[Start]) -> None:
        """Begin or refuse once the view has all events that were in the stream at the time of the request."""
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS):
                end = await self._stream.last_sequence()
                while self._view.sequence < end:
                    await asyncio.sleep(0.01)
            if not session.ended:
                self._begin_all(session, request, starts)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("a subscription cannot begin", error=str(error))
            text = "this gateway does not follow the event stream at the moment"
            request.refuse(Refusal("UNAVAILABLE", text, retry_after_ms=1_000))
        except Refusal as refusal:
            request.refuse(refusal)
        except BadValue as error:
            request.reject(error)

    def _begin_all(self, session: Session, request: Request, starts: Sequence[Start]) -> None:
        """Answer the request and begin its subscriptions. Raises Refusal and BadValue; then none has begun.

        Subscriptions that begin with messages do so in the next turns.
        """
        for start in starts:
            start.check()
        channels = {start.channel.name: start.channel for start in starts}
        beginning = {start.channel.name for start in session.beginning}
        if len(session.channels.keys() | beginning | channels.keys()) > MAX_CHANNELS:
            raise BadValue("channels", list(channels), f"at most {MAX_CHANNELS} in one session")
        session.charge(sum(start.channel.rows_to_begin(start.sequence) for start in starts))
        sequences = {name: channel.sequence for name, channel in channels.items()}
        request.succeed({"channels": sequences, "epochs": {name: channels[name].epoch for name in channels}})
        costly: deque[Start] = deque()
        for start in starts:
            if start.channel.rows_to_begin(start.sequence):
                costly.append(start)
                session.beginning.add(start)
            else:
                self._begin(session, start.channel, start.sequence)

        if costly:
            session.work(_Beginning(session, costly, self._begin).step)

    def _unsubscribe(self, session: Session, request: Request) -> None:
        check_names(request.params, "channels")
        names = _names(request.params)
        session.beginning = {start for start in session.beginning if start.channel.name not in names}
        for name in names:
            subscribed = session.channels.pop(name, None)
            if subscribed is not None:
                subscribed.channel.unsubscribe(session)
        request.succeed({"channels": names})

    def _channel(self, session: Session, name: str) -> Channel:
        if name.startswith(PRIVATE_PREFIX):
            return self._queries.account(session, name.removeprefix(PRIVATE_PREFIX)).channel
        if name.startswith(CHANNEL_PREFIX):
            return self._queries.requests_channel(session, name.removeprefix(CHANNEL_PREFIX))
        channel = self._view.channels.get(name)
        if channel is None:
            kinds = (
                "book, orders_book, top, trades, status . SYMBOL, candles.SYMBOL.INTERVAL, account.ACCOUNT, rfq.MEMBER"
            )
            raise BadValue("channels", name, f"a channel of a defined instrument, account or member: {kinds}")
        return channel

    def _begin(
        self, session: Session, channel: Channel, start: int | None, parts: SnapshotInParts | None = None
    ) -> None:
        if (old := session.channels.get(channel.name)) is not None:
            if not channel.has_snapshots if start is None else start >= old.start:
                return  # all messages after it have been sent to the session, or are being sent
            old.channel.unsubscribe(session)
        reached = channel.sequence if parts is None else parts.sequence
        subscribed = Subscribed(channel, reached if start is None else start)
        session.channels[channel.name] = subscribed
        if start is not None and channel.name.startswith(PRIVATE_PREFIX) and start + 1 < channel.oldest:
            account = self._view.accounts[channel.name.removeprefix(PRIVATE_PREFIX)]
            self._spawn(self._catch_up(session, account, subscribed))
        elif parts is not None:
            parts.subscribe(session)
        else:
            channel.subscribe(session, start)

    async def _catch_up(self, session: Session, account: Account, subscribed: Subscribed) -> None:
        """Send messages reread from the event stream, from the subscription's start to those that the channel keeps."""
        channel, reached = account.channel, subscribed.start
        count, after = account.mark(reached)
        while reached + 1 < channel.oldest:
            try:
                frames = await self._stream.read(after, FRAMES_AT_ONCE)
            except (RedisError, OSError) as error:
                log.warning("the event stream is not reachable", error=str(error))
                frames = []
            except (EventsMissing, BadArchive) as error:
                log.error("what a subscriber missed cannot be read", channel=channel.name, error=str(error))
                self._cut(session, "what was missed cannot be read again at this gateway")
                return
            if not frames:
                await asyncio.sleep(1.0)
            if not session.has(subscribed):
                return
            for event in (event for frame in frames for outcome in frame.outcomes for event in outcome):
                if event.sequence <= after:
                    continue
                if event.sequence > self._view.sequence:
                    break
                after = event.sequence
                for name, message in private_messages(event, self._view.owners):
                    if name == account.name:
                        count += 1
                        if count > reached:
                            session.send(channel.render(count, self._view.named(message)))
                            reached = count
                while self._queued(session) > self._queue_pause:
                    await asyncio.sleep(0.01)
                    if not session.has(subscribed):
                        return
        if session.has(subscribed):
            channel.subscribe(session, reached)


class _Beginning:
    """Begins subscriptions one after the other, and large snapshots piece by piece."""

    def __init__(self, session: Session, starts: deque[Start], begin: Callable[..., None]) -> None:
        self._session = session
        self._starts = starts
        self._begin = begin
        self._parts: SnapshotInParts | None = None

    def step(self) -> bool:
        """Do the next piece, and return whether there is more to do."""
        start, session = self._starts[0], self._session
        if start in session.beginning and not session.ended:
            if self._parts is None:
                self._parts = start.channel.snapshot_in_parts(start.sequence)
                if self._parts is not None:
                    return True
            elif self._parts.step():
                return True
            elif not self._parts.is_current:
                self._parts = None  # too much has changed meanwhile: it has to begin again
                return True
            session.beginning.discard(start)
            self._begin(session, start.channel, start.sequence, self._parts)
        self._parts = None
        self._starts.popleft()
        return bool(self._starts) and not session.ended


def _names(params: Mapping[str, Any]) -> list[str]:
    names = params.get("channels")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise BadValue("channels", names, "a list of names of channels")
    return list(dict.fromkeys(names))
