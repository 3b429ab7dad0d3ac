"""The steps of a close, in their order.

A step is a function of the connection and the day that writes its rows and returns the canonical bytes of its output.
The same day gives the same bytes whenever it is run: a step reads what the day's events determine, and the facts that
were kept for it when it was first run.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.closing import books, bulletin, prices, statements
from settlement.closing.day import Day
from settlement.closing.obstacles import Obstacle

Work = Callable[[AsyncConnection, Day], Awaitable[bytes]]


class Step(NamedTuple):
    """One step of a close. ``obstacles`` returns what stands in its way now."""

    name: str
    work: Work
    obstacles: Callable[[AsyncConnection, Day], Awaitable[list[Obstacle]]] | None = None


STEPS: Final = (
    Step(books.NAME, books.work, books.obstacles),
    Step(prices.NAME, prices.work),
    Step(statements.NAME, statements.work),
    Step(bulletin.NAME, bulletin.work),
)
