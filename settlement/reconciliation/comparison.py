"""The comparison of a run: the figures that were compared are counted, and the breaks collected."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.reconciliation import pairs
from settlement.reconciliation.breaks import Break
from settlement.reconciliation.since import Since


class Comparison:
    """Counts the figures that are compared and collects the breaks; ``sequence`` is that of the last event posted.

    With ``since`` only what was written since that proof is compared.
    """

    def __init__(self, sequence: int, since: Since | None = None) -> None:
        self.sequence = sequence
        self.since = since
        self.checked = 0
        self.breaks: list[Break] = []

    @property
    def proved(self) -> int:
        """The sequence up to which entries and trades are proved, 0 without a proof."""
        return 0 if self.since is None else self.since.sequence

    def compare(
        self,
        kind: str,
        subject: str,
        asset: str,
        expected: int,
        found: int,
        lot_id: int | None = None,
    ) -> None:
        self.checked += 1
        if expected != found:
            self.breaks.append(Break(kind, subject, asset, expected, found, lot_id=lot_id))

    async def compare_pairs(
        self, connection: AsyncConnection, query: Select[Any], found: Callable[[Row[Any]], Break], *order: str
    ) -> None:
        """Compare the pairs of a query in SQL (``settlement.reconciliation.pairs``) and collect the breaks."""
        checked, differing = await pairs.differing(connection, query, *order)
        self.checked += checked
        self.breaks += map(found, differing)
