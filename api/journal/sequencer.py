"""The sequencer: appends the sessions' commands to the journal, and passes the events back to those who wait for them.

Commands are collected into frames. While one append is under way the next frame fills, so that all commands that came
meanwhile share one fsync of the server. A command is answered when its events come back through the event stream.

No frame is sent twice. When an append ends without an answer, the frame is looked for in the journal by its number. If
it is found, its commands are answered as usual; if not, they are refused, and they were not placed. Before the search
the server is made to drop the old connection, so that a frame still inside it cannot arrive after the search.

Commands that come faster than they can be appended, or while the journal cannot be written, are refused
(``api.journal.pressure``).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Final, get_args

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from api.edge.outcome import Outcome, Refusal
from api.journal.pressure import CANCEL_PLACES, Pressure, Share
from goldx.protocol.commands import AnyCommand, OrderCancel, OrderPlace, OrderReplace, QuoteCancel, QuoteSet
from goldx.protocol.deal_commands import DealAccept, DealCancel, DealDecline, DealPropose
from goldx.protocol.quote_commands import LIMIT_COMMANDS, QuoteMass
from goldx.protocol.rfq_commands import RfqAccept, RfqCommand, RfqCreate, RfqQuote
from goldx.retry import is_any_of, retry
from goldx.streams.chains import FrameWriter
from goldx.streams.checked_append import Fence, Fenced
from goldx.streams.connection import RedisConnection
from goldx.streams.entries import BEGINNING, Position
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from goldx.streams.server_clock import ServerClock, WrongClock

log = structlog.get_logger()

MAX_FRAME: Final = 2_000
RECOVERY_PAUSE: Final = 0.2
APPEND_TIMEOUT: Final = 5.0
CLOCK_SECONDS: Final = 1.0
"""Seconds between two measurements of the server's clock."""

ALWAYS_WITH_EVENTS: Final = (
    OrderPlace,
    OrderCancel,
    OrderReplace,
    QuoteSet,
    QuoteCancel,
    DealPropose,
    DealAccept,
    DealDecline,
    DealCancel,
    *get_args(RfqCommand),
    *LIMIT_COMMANDS,
)
"""Commands that always have an event. Others may change nothing, such as ``order.cancel_all`` without open orders."""
FILLER: Final = OrderCancel("-")
"""A command that names no order, so that it is always refused and changes nothing.

A frame without events is not published, and nobody would learn that it has been applied. So a frame that might have no
events gets this command, which has one.
"""
REFUSED_ON_FULL_DISK: Final = frozenset(
    (
        OrderPlace,
        OrderReplace,
        QuoteSet,
        DealPropose,
        DealAccept,
        RfqCreate,
        RfqQuote,
        RfqAccept,
    )
)
"""Commands that are not taken while the journal's disk is nearly full, besides mass quotes that do more than cancel.

The reserve is kept for all others.
"""

Answer = Callable[[Outcome | Refusal], None]


class _Frame:
    """The unanswered commands of one frame: ``answers[i]`` is called with the outcome of the i-th command.

    ``shares`` are those of their senders. ``since`` is the number of checks of the back-pressure when the frame was
    made.
    """

    __slots__ = ("answers", "shares", "since")

    def __init__(self, answers: Sequence[Answer], shares: Sequence[Share | None], since: int) -> None:
        self.answers = answers
        self.shares = shares
        self.since = since


class Sequencer:
    """The sequencer of one run of a gateway.

    ``writer`` names the gateway and its run. ``position`` returns the journal position of the newest events that the
    gateway has applied. ``available`` is whether the journal accepts commands now.
    """

    def __init__(
        self,
        redis_url: str,
        keys: Keys,
        writer: str,
        position: Callable[[], Position],
        reserve_mb: int,
        replicas: int = 0,
        clock: ServerClock | None = None,
        fence: Fence | None = None,
    ) -> None:
        self._redis_url = redis_url
        self._redis: Redis = connect(redis_url, timeout=APPEND_TIMEOUT)
        self._connection = RedisConnection(self._redis)
        self.clock = clock
        """The server's clock, measured once a second; None if it is not checked."""
        self._journal = Journal(self._redis, keys, replicas, self._connection, clock, fence)
        self._frame_writer = FrameWriter(writer)
        self._position = position
        self._last = BEGINNING
        """The journal position of the newest frame that is known to have been appended."""
        self._client_id = 0
        """The server's number of the connection."""
        self._pending: list[tuple[AnyCommand, Answer, Share | None]] = []
        self._wake = asyncio.Event()
        self._frames: dict[Position, _Frame] = {}
        self._appending: _Frame | None = None
        self._early: dict[Position, list[Outcome]] = {}
        """Outcomes of frames that came while an append was under way whose position was not known yet."""
        self._half_answered: tuple[Position | None, Sequence[Callable[[Outcome], object]]] = None, ()
        """The last frame with events that came before its position was known, and its callbacks."""
        self._pressure = Pressure(self._oldest, reserve_mb)
        self._trouble: str | None = None
        """Why the journal takes no commands, or None."""
        self.available = False

    async def open(self) -> None:
        """Connect to the journal. Raises RedisError."""
        await self._connect()
        self._last = await self._journal.end()
        await self._pressure.find_disk(self._redis, self._redis_url)
        self.available = True

    async def close(self) -> None:
        self._connection.close()
        await self._redis.aclose()

    def submit(self, command: AnyCommand, answer: Answer, share: Share | None = None) -> None:
        """Accept one command; ``answer`` is called with its outcome. ``share`` is that of a member's session.

        Raises Refusal (UNAVAILABLE) if it cannot be accepted; then it is not placed.
        """
        pressure = self._pressure
        if not self.available:
            raise pressure.refusal(self._trouble or pressure.unreachable())
        places = type(command) in REFUSED_ON_FULL_DISK or (
            isinstance(command, QuoteMass) and not command.only_cancels()
        )
        spare = 0 if places else CANCEL_PLACES
        full = pressure.why_full(share, spare if share is not None else 2 * CANCEL_PLACES)
        if full is not None:
            raise pressure.refusal(full, loaded=True)
        if pressure.stalled is not None:
            raise pressure.refusal(pressure.stalled)
        if self.clock is not None and self.clock.trouble is not None:
            raise pressure.refusal(self.clock.trouble)
        if pressure.disk_full is not None and places:
            raise pressure.refusal(pressure.disk_full)
        pressure.waiting += 1
        if share is not None:
            share.add(1)
        self._pending.append((command, answer, share))
        self._wake.set()

    async def place(self, command: AnyCommand) -> Outcome:
        """Take one command and return its events. Raises Refusal: then it is not placed."""
        answered: asyncio.Future[Outcome | Refusal] = asyncio.get_running_loop().create_future()

        def answer(outcome: Outcome | Refusal) -> None:
            if not answered.done():
                answered.set_result(outcome)

        self.submit(command, answer)
        outcome = await answered
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    @property
    def refusing(self) -> str | None:
        """Why new orders are not taken now, or None."""
        if not self.available:
            return self._trouble or self._pressure.unreachable()
        return (self.clock and self.clock.trouble) or self._pressure.refusing

    @property
    def waiting(self) -> int:
        """The number of commands that are not answered yet."""
        return self._pressure.waiting

    def _oldest(self) -> int | None:
        oldest = next(iter(self._frames.values()), self._appending)
        return None if oldest is None else oldest.since

    async def drain(self) -> None:
        """Wait until all commands taken so far are in the journal."""
        while self._pending or self._appending:
            await asyncio.sleep(0.005)

    async def run(self) -> None:
        """Append what is submitted, until cancelled. Raises Fenced once the gateway is fenced off."""
        watching = [asyncio.create_task(self._pressure.watch())]
        if self.clock is not None:
            watching.append(asyncio.create_task(self._watch_clock(self.clock)))
        try:
            while True:
                await self._wake.wait()
                taken, self._pending = self._pending[:MAX_FRAME], self._pending[MAX_FRAME:]
                if not self._pending:
                    self._wake.clear()
                if taken:
                    await self._append(taken)
        finally:
            for task in watching:
                task.cancel()

    def take_waiting(self, position: Position, count: int) -> Sequence[Callable[[Outcome], object]]:
        """Return the callbacks that wait for the outcomes of a frame of ``count`` commands, in their order.

        The commands count as answered. The callbacks are called in their order, before those of the next frame.
        """
        frame = self._frames.pop(position, None)
        if frame is not None:
            self._count_answered(frame.shares)
            return frame.answers
        if self._appending is None:
            return ()
        # It may be the frame that is being appended: its events can come before its position is known.
        self._early.setdefault(position, [])
        return [partial(self._take_early, position, number) for number in range(count)]

    def _take_early(self, position: Position, number: int, outcome: Outcome) -> None:
        """Keep an outcome until the position of the frame that is being appended is known; then give the answer."""
        if position == self._half_answered[0]:
            self._half_answered[1][number](outcome)
        else:
            self._early.setdefault(position, []).append(outcome)

    async def _append(self, taken: list[tuple[AnyCommand, Answer, Share | None]]) -> None:
        commands: tuple[AnyCommand, ...]
        commands, answers, shares = zip(*taken, strict=True)
        if not any(isinstance(command, ALWAYS_WITH_EVENTS) for command in commands):
            commands += (FILLER,)
        data = self._frame_writer.make(commands)
        after = max(self._last, self._position())
        frame = self._appending = _Frame(answers, shares, self._pressure.checks)
        try:
            if not self._connection.connected:
                await self._connect()
            position: Position | None = await self._journal.append_raw(data)
        except WrongClock as error:
            position = None
            if self.clock is not None:
                self.clock.trouble = error.text
            log.error("nothing is appended: it would get a wrong date", reason=error.text)
            self._refuse(frame.answers, frame.shares, error.text)
        except Fenced:
            fenced_off = "this gateway was away for too long, and its sessions have been closed"
            self._refuse(frame.answers, frame.shares, fenced_off)
            self._take_none(fenced_off)
            raise
        except (RedisError, OSError) as error:
            log.warning("an append ended without an answer", frame=self._frame_writer.number, error=str(error))
            refused = isinstance(error, ResponseError)
            trouble = f"the journal's server does not write ({error})" if refused else self._pressure.unreachable()
            position = await self._find(after, trouble)
            if position is None:
                self._refuse(frame.answers, frame.shares, trouble)
        self._appending = None
        if position is not None:
            self._last = position
            self._frame_writer.arrived()
            self._frames[position] = frame
            if (early := self._early.get(position)) is not None:
                waiting = self.take_waiting(position, len(early))
                self._half_answered = position, waiting
                for answer, outcome in zip(waiting, early, strict=False):
                    answer(outcome)
        self._early.clear()

    async def _watch_clock(self, clock: ServerClock) -> None:
        """Measure the server's clock once a second, and log when it leaves the limit and when it returns."""
        while True:
            before = clock.trouble
            try:
                await clock.measure(self._redis, max(self._last, self._position()))
            except (RedisError, OSError):
                pass  # the appends report it
            else:
                if clock.trouble is not None and before is None:
                    log.error("commands are refused: they would get a wrong date", reason=clock.trouble)
                elif clock.trouble is None and before is not None:
                    log.info("the server's clock is right again", offset_ms=clock.offset_ms)
            await asyncio.sleep(CLOCK_SECONDS)

    async def _connect(self) -> None:
        """Connect, and read the server's number of the connection over which the next append will go."""
        self._client_id = int(await self._connection.call("CLIENT", "ID"))

    async def _find(self, after: Position, trouble: str) -> Position | None:
        """Return the position of the frame of unknown outcome, None if it is not in the journal.

        Waits until the journal is reachable again. Commands that are not in a frame yet are refused.
        """
        self._take_none(trouble)
        old = self._client_id

        async def find() -> Position | None:
            if not self._connection.connected:
                await self._connect()
            if self._client_id != old:
                await self._redis.client_kill_filter(_id=str(old))
            return await self._journal.find(self._frame_writer.writer, self._frame_writer.number, after)

        def report(error: Exception, _pause: float) -> None:
            self._trouble = self._pressure.unreachable()
            log.warning("the journal is not reachable", error=str(error), trouble=self._trouble)

        await asyncio.sleep(RECOVERY_PAUSE)
        position = await retry(find, is_any_of(RedisError, OSError), repeat(RECOVERY_PAUSE), report)
        self.available, self._trouble = True, None
        log.info("the journal is reachable again", frame=self._frame_writer.number, found=str(position))
        return position

    def _take_none(self, trouble: str) -> None:
        """Refuse the commands that are in no frame yet, and all that come, until ``available`` is set again."""
        self.available, self._trouble = False, trouble
        waiting, self._pending = self._pending, []
        self._refuse([answer for _, answer, _ in waiting], [share for _, _, share in waiting], trouble)

    def _count_answered(self, shares: Sequence[Share | None]) -> None:
        self._pressure.answered(len(shares))
        for share, count in Counter(shares).items():
            if share is not None:
                share.add(-count)

    def _refuse(self, answers: Sequence[Answer], shares: Sequence[Share | None], why: str) -> None:
        self._count_answered(shares)
        for answer in answers:
            answer(self._pressure.refusal(why))
