"""From the sessions' commands to the journal, and from the events back to who waits for them.

Commands are gathered into frames. While one append is under way the next frame fills, so that the server's fsync is
shared by all that came meanwhile. A command is answered when its events come back through the event stream.

Nothing is sent twice. When an append ends without an answer, the frame is looked for in the journal by its number:
found, its commands are answered as usual; not found, they are refused, and they were not placed. Before the search the
server is told to drop the old connection, so that a frame still inside it cannot arrive after the search.

What comes faster than it can be passed on, or while the journal cannot be written, is refused
(``api.journal.pressure``).
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from api.edge.outcome import Outcome
from api.edge.rpc import Refusal
from api.journal.pressure import Pressure
from goldx.protocol.commands import AnyCommand, OrderCancel, OrderPlace, OrderReplace, QuoteCancel, QuoteSet
from goldx.retry import is_any_of, retry
from goldx.streams.chains import FrameWriter
from goldx.streams.connection import RedisConnection
from goldx.streams.entries import BEGINNING, Position
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect

log = structlog.get_logger()

MAX_FRAME: Final = 2_000
RECOVERY_PAUSE: Final = 0.2
APPEND_TIMEOUT: Final = 5.0

SPEAKING: Final = (OrderPlace, OrderCancel, OrderReplace, QuoteSet, QuoteCancel)
"""Commands that always have an event. Others may change nothing, such as ``order.cancel_all`` without open orders."""
ECHO: Final = OrderCancel("-")
"""Names no order, so it is always refused and never does anything. A frame without events is not published, and nobody
would learn that it was applied: this makes every frame say something."""

GROWING: Final = (OrderPlace, OrderReplace, QuoteSet)
"""Commands that are not taken while the journal's disk is nearly full: what the reserve is kept for is the others."""

Answer = Callable[[Outcome | Refusal], None]


class _Frame:
    """Commands of one frame that wait for their events; ``answers[i]`` belongs to the i-th command.

    ``since``: how often the pressure had been looked at when the frame was made.
    """

    __slots__ = ("answers", "since")

    def __init__(self, answers: list[Answer], since: int) -> None:
        self.answers = answers
        self.since = since


class Sequencer:
    """``writer`` names this gateway and its run. ``position`` gives a place in the journal that has surely been passed.

    ``available`` is whether the journal takes commands now.
    """

    def __init__(
        self,
        redis_url: str,
        keys: Keys,
        writer: str,
        position: Callable[[], Position],
        reserve_mb: int,
        replicas: int = 0,
    ) -> None:
        self._redis_url = redis_url
        self._redis: Redis = connect(redis_url, timeout=APPEND_TIMEOUT)
        self._line = RedisConnection(self._redis)
        self._journal = Journal(self._redis, keys, replicas, self._line)
        self._frames_made = FrameWriter(writer)
        self._seen = position
        self._last = BEGINNING
        self._client_id = 0
        """The server's number for the line's connection."""
        self._pending: list[tuple[AnyCommand, Answer]] = []
        self._wake = asyncio.Event()
        self._frames: dict[Position, _Frame] = {}
        self._appending: _Frame | None = None
        self._early: dict[Position, list[Outcome]] = {}
        self._pressure = Pressure(self._oldest, reserve_mb)
        self._trouble: str | None = None
        """Why the journal takes no commands; None when it does."""
        self.available = False

    async def open(self) -> None:
        """Connects. Raises RedisError."""
        await self._connect()
        self._last = await self._journal.end()
        await self._pressure.find_disk(self._redis, self._redis_url)
        self.available = True

    async def close(self) -> None:
        self._line.close()
        await self._redis.aclose()

    def submit(self, command: AnyCommand, answer: Answer) -> None:
        """Takes one command. Raises Refusal (UNAVAILABLE) when it cannot be taken; then it is not placed."""
        pressure = self._pressure
        if not self.available:
            raise pressure.refusal(self._trouble or pressure.unreachable())
        if (crowded := pressure.crowded) is not None:
            raise pressure.refusal(crowded)
        if pressure.hindrance is not None:
            raise pressure.refusal(pressure.hindrance)
        if pressure.full is not None and isinstance(command, GROWING):
            raise pressure.refusal(pressure.full)
        pressure.waiting += 1
        self._pending.append((command, answer))
        self._wake.set()

    @property
    def refusing(self) -> str | None:
        """Why new orders are not taken now, None when they are."""
        if not self.available:
            return self._trouble or self._pressure.unreachable()
        return self._pressure.refusing

    @property
    def waiting(self) -> int:
        """Commands that are not answered yet."""
        return self._pressure.waiting

    def _oldest(self) -> int | None:
        oldest = next(iter(self._frames.values()), self._appending)
        return None if oldest is None else oldest.since

    async def drain(self) -> None:
        """Waits until everything taken so far is in the journal."""
        while self._pending or self._appending:
            await asyncio.sleep(0.005)

    async def run(self) -> None:
        """Appends until cancelled."""
        watching = asyncio.create_task(self._pressure.watch())
        try:
            while True:
                await self._wake.wait()
                taken, self._pending = self._pending[:MAX_FRAME], self._pending[MAX_FRAME:]
                if not self._pending:
                    self._wake.clear()
                if taken:
                    await self._append(taken)
        finally:
            watching.cancel()

    def expected(self, position: Position, count: int) -> Sequence[Callable[[Outcome], object]]:
        """Who waits for the events of a frame of ``count`` commands: the first is called with those of the first.

        They count as answered, and are to be called before anything else happens.
        """
        frame = self._frames.pop(position, None)
        if frame is not None:
            self._pressure.answered(len(frame.answers))
            return frame.answers
        if self._appending is None:
            return ()
        # Perhaps it is the frame whose place in the journal is not known yet: its events may come first.
        return [self._early.setdefault(position, []).append] * count

    async def _append(self, taken: list[tuple[AnyCommand, Answer]]) -> None:
        commands = tuple(command for command, _ in taken)
        if not any(isinstance(command, SPEAKING) for command in commands):
            commands += (ECHO,)
        data = self._frames_made.make(commands)
        after = max(self._last, self._seen())
        frame = self._appending = _Frame([answer for _, answer in taken], self._pressure.looks)
        try:
            if not self._line.connected:
                await self._connect()
            position: Position | None = await self._journal.append_raw(data)
        except (RedisError, OSError) as error:
            log.warning("an append ended without an answer", frame=self._frames_made.number, error=str(error))
            refused = isinstance(error, ResponseError)
            trouble = f"the journal's server does not write ({error})" if refused else self._pressure.unreachable()
            position = await self._find(after, trouble)
            if position is None:
                self._refuse(frame.answers, trouble)
        self._appending = None
        if position is not None:
            self._last = position
            self._frames_made.arrived()
            self._frames[position] = frame
            if (early := self._early.get(position)) is not None:
                answers = self.expected(position, len(early))
                for answer, outcome in zip(answers, early, strict=False):
                    answer(outcome)
        self._early.clear()

    async def _connect(self) -> None:
        """The next append goes over the connection of which this gateway knows the number."""
        self._client_id = int(await self._line.call("CLIENT", "ID"))

    async def _find(self, after: Position, trouble: str) -> Position | None:
        """Where the frame of unknown outcome stands. Takes as long as it takes for the journal to be there again."""
        self.available, self._trouble = False, trouble
        waiting = [answer for _, answer in self._pending]
        self._pending.clear()
        self._refuse(waiting, trouble)
        old = self._client_id

        async def find() -> Position | None:
            if not self._line.connected:
                await self._connect()
            if self._client_id != old:
                await self._redis.client_kill_filter(_id=str(old))
            return await self._journal.find(self._frames_made.writer, self._frames_made.number, after)

        def report(error: Exception, _pause: float) -> None:
            self._trouble = self._pressure.unreachable()
            log.warning("the journal is not reachable", error=str(error), trouble=self._trouble)

        await asyncio.sleep(RECOVERY_PAUSE)
        position = await retry(find, is_any_of(RedisError, OSError), repeat(RECOVERY_PAUSE), report)
        self.available, self._trouble = True, None
        log.info("the journal is reachable again", frame=self._frames_made.number, found=str(position))
        return position

    def _refuse(self, answers: list[Answer], why: str) -> None:
        self._pressure.answered(len(answers))
        for answer in answers:
            answer(self._pressure.refusal(why))
