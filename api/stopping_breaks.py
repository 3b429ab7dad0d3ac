"""The number of breaks that stop the next day, for the status and the metrics of a gateway."""

import asyncio
import time
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.reconciliation import past_limits
from settlement.tables.reconciliation import BREAK_AREAS

ASK_SECONDS: Final = 15.0
"""The least time between two questions to the database."""
ANSWER_SECONDS: Final = 1.0


class StoppingBreaks:
    """Counts them by area, and asks the database seldom; while it is away the numbers are unknown."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._asked = float("-inf")
        self._found: dict[str, int] | None = None

    async def count(self) -> dict[str, int] | None:
        """Return the number of each area, or None while the database does not answer."""
        if time.monotonic() - self._asked >= ASK_SECONDS:
            self._asked = time.monotonic()
            try:
                async with asyncio.timeout(ANSWER_SECONDS), self._engine.connect() as connection:
                    found = await past_limits.count(connection)
                self._found = {area: found.get(area, 0) for area in BREAK_AREAS}
            except (SQLAlchemyError, OSError):
                self._found = None
        return self._found
