"""From the sessions' commands to the journal, and from the events back to who waits for them.

Commands are gathered into frames. While one append is under way the next frame fills, so that the server's fsync is
shared by all that came meanwhile. A command is answered when its events come back through the event stream.

Nothing is sent twice. When an append ends without an answer, the frame is looked for in the journal by its number:
found, its commands are answered as usual; not found, they are refused, and they were not placed. Before the search the
server is told to drop the old connection, so that a frame still inside it cannot arrive after the search.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from api.rpc import Refusal
from api.view import Outcome
from goldx.chains import FrameWriter
from goldx.commands import AnyCommand, OrderCancel, OrderPlace, OrderReplace, QuoteCancel, QuoteSet
from goldx.streams import BEGINNING, Journal, Keys, Position, connect

log = structlog.get_logger()

MAX_WAITING: Final = 50_000
"""Commands of this gateway that are not answered yet."""
MAX_FRAME: Final = 2_000
STALE_SECONDS: Final = 5.0
"""When the oldest command has waited so long, the engine does not answer, and no more are taken."""
RETRY_AFTER_MS: Final = 1_000
RECOVERY_PAUSE: Final = 0.2
APPEND_TIMEOUT: Final = 5.0

SPEAKING: Final = (OrderPlace, OrderCancel, OrderReplace, QuoteSet, QuoteCancel)
"""Commands that always have an event. Others may change nothing, such as ``order.cancel_all`` without open orders."""
ECHO: Final = OrderCancel("-")
"""Names no order, so it is always refused and never does anything. A frame without events is not published, and nobody
would learn that it was applied: this makes every frame say something."""

Answer = Callable[[Outcome | Refusal], None]


class _Frame:
    """Commands of one frame that wait for their events; ``answers[i]`` belongs to the i-th command."""

    __slots__ = ("answers", "since")

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.since = time.monotonic()


class Sequencer:
    """``writer`` names this gateway and its run. ``position`` gives a place in the journal that has surely been passed.

    ``available`` is whether the journal takes commands now.
    """

    def __init__(self, redis_url: str, keys: Keys, writer: str, position: Callable[[], Position]) -> None:
        self._redis: Redis = connect(redis_url, timeout=APPEND_TIMEOUT, single_connection=True)
        self._journal = Journal(self._redis, keys)
        self._frames_made = FrameWriter(writer)
        self._seen = position
        self._last = BEGINNING
        self._client_id = 0
        self._pending: list[tuple[AnyCommand, Answer]] = []
        self._wake = asyncio.Event()
        self._frames: dict[Position, _Frame] = {}
        self._waiting = 0
        self._appending = False
        self._early: dict[Position, list[Outcome]] = {}
        self.available = False

    async def open(self) -> None:
        """Connects. Raises RedisError."""
        self._client_id = int(await self._redis.client_id())
        self._last = await self._journal.end()
        self.available = True

    async def close(self) -> None:
        await self._redis.aclose()

    def submit(self, command: AnyCommand, answer: Answer) -> None:
        """Takes one command. Raises Refusal (UNAVAILABLE) when it cannot be taken; then it is not placed."""
        if not self.available:
            raise _unavailable("the journal is not reachable; nothing was placed")
        if self._waiting >= MAX_WAITING or self._stale():
            raise _unavailable("the exchange does not keep up; nothing was placed")
        self._waiting += 1
        self._pending.append((command, answer))
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Commands that are not answered yet."""
        return self._waiting

    def _stale(self) -> bool:
        oldest = next(iter(self._frames.values()), None)
        return oldest is not None and time.monotonic() - oldest.since > STALE_SECONDS

    async def drain(self) -> None:
        """Waits until everything taken so far is in the journal."""
        while self._pending or self._appending:
            await asyncio.sleep(0.005)

    async def run(self) -> None:
        """Appends until cancelled."""
        while True:
            await self._wake.wait()
            taken, self._pending = self._pending[:MAX_FRAME], self._pending[MAX_FRAME:]
            if not self._pending:
                self._wake.clear()
            if taken:
                await self._append(taken)

    def answer(self, position: Position, index: int, outcome: Outcome) -> None:
        """The events of one command have come: whoever waits for them is answered."""
        frame = self._frames.get(position)
        if frame is None:
            if self._appending:
                self._early.setdefault(position, []).append(outcome)
            return
        if index < len(frame.answers):
            self._waiting -= 1
            frame.answers[index](outcome)
        if index + 1 >= len(frame.answers):
            del self._frames[position]

    async def _append(self, taken: list[tuple[AnyCommand, Answer]]) -> None:
        commands = tuple(command for command, _ in taken)
        if not any(isinstance(command, SPEAKING) for command in commands):
            commands += (ECHO,)
        frame = self._frames_made.make(commands)
        answers = [answer for _, answer in taken]
        after = max(self._last, self._seen())
        self._appending = True
        try:
            position: Position | None = await self._journal.append_raw(frame)
        except (RedisError, OSError) as error:
            log.warning("an append ended without an answer", frame=self._frames_made.number, error=str(error))
            position = await self._find(after)
        self._appending = False
        if position is None:
            self._refuse(answers)
        else:
            self._last = position
            self._frames_made.arrived()
            self._frames[position] = _Frame(answers)
            for index, outcome in enumerate(self._early.get(position, ())):
                self.answer(position, index, outcome)
        self._early.clear()

    async def _find(self, after: Position) -> Position | None:
        """Where the frame of unknown outcome stands. Takes as long as it takes for the journal to be there again."""
        self.available = False
        waiting = [answer for _, answer in self._pending]
        self._pending.clear()
        self._refuse(waiting)
        while True:
            await asyncio.sleep(RECOVERY_PAUSE)
            try:
                client_id = int(await self._redis.client_id())
                await self._redis.client_kill_filter(_id=str(self._client_id))
                position = await self._journal.find(self._frames_made.writer, self._frames_made.number, after)
            except (RedisError, OSError) as error:
                log.warning("the journal is not reachable", error=str(error))
                continue
            self._client_id = client_id
            self.available = True
            log.info("the journal is reachable again", frame=self._frames_made.number, found=str(position))
            return position

    def _refuse(self, answers: list[Answer]) -> None:
        self._waiting -= len(answers)
        for answer in answers:
            answer(_unavailable("the journal was not reachable; nothing was placed"))


def _unavailable(text: str) -> Refusal:
    return Refusal("UNAVAILABLE", text, retry_after_ms=RETRY_AFTER_MS)
