"""The condition of the exchange, as one gateway sees it: whether it works, and the progress of each part.

``/health``, ``/v1/status``, ``/metrics`` and the channels ``status.SYMBOL`` all report what is found here. The server
of the journal is asked twice a second, and its last answer is kept. While the server is away, people get that answer
with its age.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.view.view import View
from goldx.streams.durability import Durability, read_durability
from goldx.streams.engines import LONGEST_LAG_MS, Engines, read_engines
from goldx.streams.entries import BEGINNING, Position, parse_entry_id
from goldx.streams.event_stream import EventStream
from goldx.streams.frames import decode_events
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.timetable.status import TimetableStatus, read_status

log = structlog.get_logger()

CHECK_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 1.0
"""The time without an answer after which a server counts as away."""
PASSING_SECONDS: Final = 1.0
"""The time after which trouble with the engines is reported; a hand-over takes less."""
NO_ENGINES: Final = Engines("", 0, [], {}, None)


class Known(NamedTuple):
    """The last answer of the server.

    ``lag_ms`` is the age of the oldest event that is not in the view or of the oldest entry of the journal that the
    leader has not applied, whichever is older; 0 if there is neither. ``view_lag_ms`` is that of the event alone.
    """

    journal_end: Position = BEGINNING
    durability: Durability = Durability(None, None)
    engines: Engines = NO_ENGINES
    lag_ms: int = 0
    view_lag_ms: int = 0
    timetable: TimetableStatus | None = None
    """The status of the service that follows the timetable; None if there is none."""


class Condition:
    """The condition, kept by ``watch``.

    ``silence`` returns for how many seconds the event stream's server has not answered, infinity if the stream is not
    followed, and ``longest_silence`` is how long that may be. ``refusing`` returns why the sequencer takes no orders.
    """

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        view: View,
        silence: Callable[[], float],
        longest_silence: float,
        refusing: Callable[[], str | None],
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._view = view
        self._silence = silence
        self._longest_silence = longest_silence
        self._refusing = refusing
        self._journal = Journal(redis, keys)
        self._events = EventStream(redis, keys)
        self._led_to: str | None = None
        """The journal position up to which an engine is known to have led."""
        self._troubled_since: float | None = 0.0
        """The time since which something is wrong with the engines; at a gateway's start no hand-over is assumed."""
        self._known_at = 0.0
        self.known = Known()
        self.reachable = False
        """Whether the server answered the last question."""

    @property
    def known_age_ms(self) -> int:
        """The age of ``known``."""
        return round((time.monotonic() - self._known_at) * 1_000)

    @property
    def not_following(self) -> str | None:
        """Why this gateway does not show the present market, or None.

        A stopped server is noticed by its silence: a read normally ends within a second, with events or without.
        """
        if self._silence() >= self._longest_silence:
            return "this gateway gets no events: their server is not reachable or does not answer"
        if (lag_ms := self.known.view_lag_ms) > LONGEST_LAG_MS:
            return f"this gateway is {lag_ms / 1_000:.1f} s behind the events"
        return None

    @property
    def trouble(self) -> str | None:
        """Why orders are not taken or not matched now, as far as this gateway can see, or None."""
        return self.not_following or self._refusing() or self._trouble_of_engines()

    def _trouble_of_engines(self) -> str | None:
        since = self._troubled_since
        if since is None or time.monotonic() - since < PASSING_SECONDS:
            return None
        return self.known.engines.trouble

    async def watch(self) -> None:
        """Ask the server regularly, and notify the subscribers when trouble begins and ends, until cancelled."""
        while True:
            await self._try_to_read()
            self._announce()
            await asyncio.sleep(CHECK_SECONDS)

    async def refresh(self) -> None:
        """Ask the server now, unless it is away."""
        if self.reachable:
            await self._try_to_read()

    async def _try_to_read(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self.read()
        except (RedisError, OSError, msgspec.MsgspecError) as error:
            if self.reachable:
                log.warning("the server does not report the progress of the exchange", error=str(error) or repr(error))
            self.reachable = False

    async def read(self) -> None:
        """Ask the server for the progress of each part. Raises redis' errors."""
        end = await self._journal.end()
        durability = await read_durability(self._redis)
        engines = await read_engines(self._redis, self._keys)
        view_lag_ms = await self._view_lag(engines.now_ms)
        lag_ms = max(view_lag_ms, await self._engine_lag(engines))
        timetable = await read_status(self._redis, self._keys)
        self.known = Known(end, durability, engines, lag_ms, view_lag_ms, timetable)
        self._known_at = time.monotonic()
        self.reachable = True
        if engines.trouble is None:
            self._troubled_since = None
        elif self._troubled_since is None:
            self._troubled_since = time.monotonic()

    async def _view_lag(self, now_ms: int) -> int:
        """Return the age of the command behind the oldest event that is not in the view."""
        found = await self._events.read_raw(self._view.sequence, 1)
        if not found or found[0][0].ms <= self._view.sequence:
            return 0
        return max(0, now_ms - Position(*decode_events(found[0][1]).position).ms)

    async def _engine_lag(self, engines: Engines) -> int:
        """Return the lag of the leader or, without one, the age of the oldest entry that the last leader left."""
        leader = engines.leader
        if leader is not None:
            self._led_to = leader.position
            return engines.behind_ms[leader.engine]
        if self._led_to is None:
            return 0
        found: Any = await self._redis.xrange(self._keys.journal, min=f"({self._led_to}", count=1)
        return max(0, engines.now_ms - parse_entry_id(found[0][0]).ms) if found else 0

    def _announce(self) -> None:
        """Notify the subscribers of the status channels, and log, when trouble begins and ends."""
        trouble = self.trouble
        if (trouble is None) == (self._view.trouble is None):
            self._view.trouble = trouble
            return
        if trouble is not None:
            log.warning("the exchange stands still", reason=trouble)
        else:
            log.info("the exchange goes on")
        self._view.announce(trouble, round(time.time() * 1_000))
