"""Subscribing to channels, and resuming where a subscriber was.

A private channel loses nothing: messages that are no longer kept are made again from the event stream, with the same
numbers. A public channel that cannot resume begins with a snapshot instead.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import structlog
from redis.exceptions import RedisError

from api.edge.params import check_names
from api.edge.rpc import Request
from api.sessions.queries import Queries
from api.sessions.session import Method, Session
from api.view.accounts import Account, private_messages
from api.view.channels import Channel
from api.view.view import View
from goldx.protocol.units import BadValue
from goldx.streams.event_stream import EventStream
from goldx.streams.history import EventsMissing
from goldx.streams.segments import BadArchive

log = structlog.get_logger()

MAX_CHANNELS: Final = 200
"""Channels of one session."""
FRAMES_AT_ONCE: Final = 500
PRIVATE_PREFIX: Final = "account."


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
        check_names(request.params, "channels", "from_sequence")
        names = _names(request.params)
        channels = [self._channel(session, name) for name in names]
        starts = [_from_sequence(request.params.get("from_sequence"), name) for name in names]
        if len(session.channels.keys() | session.beginning | set(names)) > MAX_CHANNELS:
            raise BadValue("channels", names, f"at most {MAX_CHANNELS} in one session")
        session.charge(sum(channel.rows_to_begin(start) for channel, start in zip(channels, starts, strict=True)))
        request.succeed({"channels": {channel.name: channel.sequence for channel in channels}})
        self._begin_all(session, list(zip(channels, starts, strict=True)))

    def _begin_all(self, session: Session, subscriptions: list[tuple[Channel, int | None]]) -> None:
        """Begin subscriptions: at once what begins with nothing, and in the next turns what begins with a snapshot."""
        costly: deque[tuple[Channel, int | None]] = deque()
        for channel, start in subscriptions:
            if channel.rows_to_begin(start):
                costly.append((channel, start))
                session.beginning.add(channel.name)
            else:
                self._begin(session, channel, start)

        def step() -> bool:
            channel, start = costly.popleft()
            if channel.name in session.beginning:
                session.beginning.discard(channel.name)
                self._begin(session, channel, start)
            return bool(costly) and not session.ended

        if costly:
            session.work(step)

    def _unsubscribe(self, session: Session, request: Request) -> None:
        check_names(request.params, "channels")
        names = _names(request.params)
        for name in names:
            session.beginning.discard(name)
            channel = session.channels.pop(name, None)
            if channel is not None:
                channel.unsubscribe(session)
        request.succeed({"channels": names})

    def _channel(self, session: Session, name: str) -> Channel:
        if name.startswith(PRIVATE_PREFIX):
            return self._queries.account(session, name.removeprefix(PRIVATE_PREFIX)).channel
        channel = self._view.channels.get(name)
        if channel is None:
            kinds = "book, orders_book, top, trades, status . SYMBOL, candles.SYMBOL.INTERVAL, account.ACCOUNT"
            raise BadValue("channels", name, f"a channel of a defined instrument or account: {kinds}")
        return channel

    def _begin(self, session: Session, channel: Channel, start: int | None) -> None:
        if channel.name in session.channels:
            old = session.channels[channel.name]
            if old is None:
                return  # its missed messages are being read: it is subscribed already
            old.unsubscribe(session)
        session.channels[channel.name] = channel
        if start is not None and channel.name.startswith(PRIVATE_PREFIX) and start + 1 < channel.oldest:
            session.channels[channel.name] = None
            self._spawn(self._catch_up(session, self._view.accounts[channel.name.removeprefix(PRIVATE_PREFIX)], start))
        else:
            channel.subscribe(session, start)

    async def _catch_up(self, session: Session, account: Account, reached: int) -> None:
        """Send the messages after ``reached``, read again from the event stream, up to those that the channel keeps."""
        channel = account.channel
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
                            session.send(channel.render(count, message))
                            reached = count
            while self._queued(session) > self._queue_pause and not session.ended:
                await asyncio.sleep(0.01)
            if session.ended or channel.name not in session.channels or session.channels[channel.name] is not None:
                return
        session.channels[channel.name] = channel
        channel.subscribe(session, reached)


def _names(params: Mapping[str, Any]) -> list[str]:
    names = params.get("channels")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise BadValue("channels", names, "a list of names of channels")
    return list(dict.fromkeys(names))


def _from_sequence(value: Any, name: str) -> int | None:
    """Return the sequence after which a channel is to begin, None for its present.

    ``value`` is one number for all channels of the request, or an object with a number for some of them.
    """
    if isinstance(value, dict):
        value = value.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadValue("from_sequence", value, "the last sequence received, or an object of channel and sequence")
    return value
