"""The base of what happens in the simulated year: the exchange, the dice, the clock that all its processes see."""

import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

from settlement.base import working_days
from settlement.base.working_days import SHANGHAI
from tests.moved_clock import move, open_seconds
from tests.settlement.small_exchange import SmallExchange, do

MEMBERS: Final = ("A", "B", "C", "D")


class Clock:
    """The clock of this process, of PostgreSQL and of Valkey, which were all started with it (``MovedClock``)."""

    def __init__(self) -> None:
        self._seconds = open_seconds(Path(os.environ["MOVED_CLOCK"]))
        self._ahead = 0

    def reach(self, day: date, at: time_of_day) -> None:
        """Let it be that time in Shanghai on a day, unless it is later already: no clock goes back."""
        wanted = datetime.combine(day, at, SHANGHAI).timestamp()
        late = wanted - time.time()
        if late > 0:
            self._ahead += int(late) + 1
            move(self._seconds, self._ahead)


class DailyService(Protocol):
    """The acts of the settlement service for a day."""

    async def begin_day(self, day: date) -> None:
        """Do what is due as a calendar day begins."""

    async def permit(self) -> None:
        """Tell the engine whether the present trading day may open."""


class Life:
    """The exchange, and the acts that all happenings need. ``done`` counts what has happened."""

    def __init__(self, exchange: SmallExchange, dice: Random, clock: Clock, service: DailyService) -> None:
        self.exchange = exchange
        self.dice = dice
        self.clock = clock
        self.done: Counter[str] = Counter()
        self._service = service
        self._begun = working_days.today()

    async def reach(self, day: date, at: time_of_day) -> None:
        """Let that time come; at the beginning of each calendar day until then the service does what is due."""
        while self._begun < day:
            self._begun += timedelta(days=1)
            self.clock.reach(self._begun, time_of_day(0, 5))
            await self._service.begin_day(self._begun)
            await self.catch_up()
        self.clock.reach(day, at)

    async def permit(self) -> None:
        """Let settlement tell the engine whether the present trading day may open."""
        await self._service.permit()
        await self.catch_up()

    async def do(self, act: Callable[..., Awaitable[Any]], *values: Any, **more: Any) -> Any:
        """Do an act in a transaction of its own."""
        return await do(self.exchange, act, *values, **more)

    async def approve(self, numbers: Sequence[int | None]) -> None:
        """Let the second person approve proposals, and all parts of the exchange carry them out."""
        for number in numbers:
            if number is not None:
                await self.exchange.approve(number)
        await self.catch_up()

    async def catch_up(self) -> None:
        """Send what waits, let the engine answer, and post all that it has published."""
        await self.exchange.sender.flush()
        while await self.exchange.engine_runner.advance():
            pass
        await self.post()

    async def post(self) -> None:
        """Post all published events."""
        reached = await self.exchange.ledger.open()
        while frames := await self.exchange.engine_runner.events.read(reached):
            await self.exchange.ledger.post(frames)
            reached = await self.exchange.ledger.open()
