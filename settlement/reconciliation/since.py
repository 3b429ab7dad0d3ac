"""The part of the books that the close of a day compares: what was written since a comparison that found nothing.

A comparison that found nothing proves the books as they were in its snapshot. Since then they can only have come to
differ by what was written since, and each such row is known: entries and trades by their sequence, all other rows by
the record of their changes (``settlement.tables.changes``), acts by their number in the audit log. So whatever was
written since is compared, with everything that it is about, and the rest is not read again.

A row that was changed past all triggers, by a faulty disk or by somebody with all rights, is in no such record. If it
is older than the proof, only the comparison of everything finds it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import func, select, text, union
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.database import among
from settlement.tables.assays import certificate
from settlement.tables.base import audit_log
from settlement.tables.changes import row_change
from settlement.tables.custody import receipt
from settlement.tables.lots import custody_event, lot, lot_lock

_REPLACED_WHOLE: Final = ("calendar_day", "calendar_source")
"""Tables from which acts delete rows."""
_OF_LOTS: Final = (custody_event, lot_lock, receipt, certificate)


class Marks(NamedTuple):
    """Where the records end in a snapshot.

    ``audit_number``: the newest act. ``change_no``: the newest change that the snapshot sees. ``transaction``: the
    oldest one that had not ended then; what it and later ones write may have a lower ``change_no``.
    """

    audit_number: int
    change_no: int
    transaction: int


class Since(NamedTuple):
    """The rows and acts that were written since a proof.

    ``sequence`` is that of the last event of the day that was proved, ``trade_fees_fen`` the fees of all trades that
    stood at it, ``changed`` the keys of the rows that were written since, by table, ``acts`` the subjects of the acts
    since.
    """

    sequence: int
    trade_fees_fen: int
    changed: Mapping[str, frozenset[str]]
    acts: frozenset[str]

    def numbers(self, table: str) -> set[int]:
        """Return the numbers of the rows of a table that were written; its key is one number."""
        return {int(key) for key in self.changed.get(table, ())}

    def subjects(self, kind: str) -> set[str]:
        """Return what acts were about, of one kind: what stands behind the colon."""
        return {subject.partition(":")[2] for subject in self.acts if subject.partition(":")[0] == kind}

    async def lots(self, connection: AsyncConnection) -> list[int]:
        """Return the lots of which anything was written."""
        found = self.numbers(lot.name)
        for table in _OF_LOTS:
            (key,) = table.primary_key.columns
            wanted = self.numbers(table.name)
            if wanted:
                found.update(await connection.scalars(select(table.c.lot_id).where(among(key, wanted))))
        return sorted(found)


async def marks(connection: AsyncConnection) -> Marks:
    """Return where the records end in the caller's snapshot."""
    newest = select(
        select(func.coalesce(func.max(audit_log.c.number), 0)).scalar_subquery(),
        select(func.coalesce(func.max(row_change.c.change_no), 0)).scalar_subquery(),
        text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint"),
    )
    return Marks(*(await connection.execute(newest)).one())


async def read(connection: AsyncConnection, sequence: int, trade_fees_fen: int, at: Marks) -> Since | None:
    """Return what was written since these marks; None if a row was deleted.

    What a deleted row was about is not known any more, and no act deletes any of the rows that are compared.
    """
    columns = row_change.c
    written = select(columns.of_table, columns.key, columns.digest.is_(None).label("gone"))
    # Each part is found by an index of its own.
    either = union(
        written.where(columns.change_no > at.change_no), written.where(columns.transaction >= at.transaction)
    )
    changed: dict[str, set[str]] = {}
    for table, key, gone in await connection.execute(either):
        if gone and table not in _REPLACED_WHOLE:
            return None
        changed.setdefault(table, set()).add(key)
    acts = await connection.scalars(select(audit_log.c.subject).where(audit_log.c.number > at.audit_number))
    kept = {table: frozenset(keys) for table, keys in changed.items()}
    return Since(sequence, trade_fees_fen, kept, frozenset(acts))
