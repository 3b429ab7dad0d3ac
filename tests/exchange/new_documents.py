"""The documents that a command has made, and whether it has printed their numbers."""

import re

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.service.documents import TABLES
from settlement.tables.base import proposal
from settlement.tables.lots import lot


class NewDocuments:
    """The newest number of each kind of document with states, of lots and of proposals."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._newest: dict[Table, int] = {}
        self.kinds: set[str] = set()
        """The tables in which commands have made documents."""

    async def unprinted(self, printed: str) -> list[str]:
        """Return the documents that were made since the last call, and are not in what was printed meanwhile."""
        missing = []
        async with self._engine.connect() as connection:
            for table in (*dict.fromkeys(TABLES.values()), proposal, lot):
                (key,) = table.primary_key.columns
                newest: int = await connection.scalar(select(func.max(key))) or 0
                made = range(self._newest.get(table, 0) + 1, newest + 1)
                self._newest[table] = newest
                if made:
                    self.kinds.add(table.name)
                # A range of numbers is printed by its ends.
                missing += [f"{table.name} {end}" for end in {*made[:1], *made[-1:]} if not _is_in(end, printed)]
        return missing


def _is_in(number: int, text: str) -> bool:
    return re.search(rf"(?<![\w.]){number}(?![\w]|\.\d)", text) is not None
