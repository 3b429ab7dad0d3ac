"""The part of the books that the close of a day compares: what was written since a comparison that found nothing.

A comparison that found nothing proves the books as they were in its snapshot. Since then they can only have come to
differ by what was written since, and each such row is known: entries and trades by their sequence, all other rows by
the record of their changes (``settlement.tables.changes``), acts by their number in the audit log. So whatever was
written since is compared, with everything that it is about, and the rest is not read again.

Nothing of what a proof covers is written later without such a record. The numbers of acts have no gaps, and entries,
trades and annulments up to the end of a day whose close has begun are refused by a trigger. Where it cannot be known
what a row was about before it was changed (it was deleted, or given to something else), everything is compared; so it
is by another schema, whose programs may compare more, and in another database cluster, whose transactions have numbers
of their own.

A row that was changed past all triggers, by a faulty disk or by somebody with all rights, is in no record. If it is
older than the proof, only the comparison of everything finds it.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlalchemy import func, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.database import among
from settlement.tables.assays import certificate
from settlement.tables.base import audit_log
from settlement.tables.changes import row_change
from settlement.tables.charges import fee_accrual
from settlement.tables.custody import receipt
from settlement.tables.ledger import outbox
from settlement.tables.lots import custody_event, lot, lot_lock

_REPLACED_WHOLE: Final = ("calendar_day", "calendar_source")
"""Tables from which acts delete rows."""
_OF_LOTS: Final = (custody_event, lot_lock, receipt, certificate)
_ABOUT: Final[Mapping[str, frozenset[str]]] = {
    fee_accrual.name: frozenset({"day"}),
    lot_lock.name: frozenset({"lot_id", "kind"}),
    outbox.name: frozenset({"kind", "subject"}),
}
"""Columns that say what a row is about, by table. No act changes them: the row would be missed where it was.

A fee that goes from one bill to another, which acts do, is looked at in ``settlement.reconciliation.fees``.
"""


class RecordEnds(NamedTuple):
    """Where the records end in a snapshot.

    ``audit_number``: the newest act. ``change_no``: the newest change that the snapshot sees. ``transaction``: the
    oldest one that had not ended then; what it and later ones write may have a lower ``change_no``. ``cluster`` is the
    database cluster in which transactions have these numbers, ``revision`` that of the schema.
    """

    audit_number: int
    change_no: int
    transaction: int
    cluster: str
    revision: str


class Since(NamedTuple):
    """The rows and acts that were written since a proof.

    ``sequence`` is that of the last event of the day that was proved, ``trade_fees_fen`` the fees of all trades that
    stood at it, ``changed`` the keys of the rows that were written since, by table, ``acts`` the subjects of the acts
    since, ``actions`` what these acts did.
    """

    sequence: int
    trade_fees_fen: int
    changed: Mapping[str, frozenset[str]]
    acts: frozenset[str]
    actions: frozenset[str]

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


async def marks(connection: AsyncConnection) -> RecordEnds:
    """Return where the records end in the caller's snapshot."""
    newest = select(
        select(func.coalesce(func.max(audit_log.c.number), 0)).scalar_subquery(),
        select(func.coalesce(func.max(row_change.c.change_no), 0)).scalar_subquery(),
        text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint"),
        text("(SELECT system_identifier::text FROM pg_control_system())"),
        text("(SELECT version_num FROM alembic_version)"),
    )
    return RecordEnds(*(await connection.execute(newest)).one())


async def read(connection: AsyncConnection, sequence: int, trade_fees_fen: int, at: RecordEnds) -> Since | None:
    """Return what was written since these marks; None if that cannot be known.

    A row was deleted, or given to something else, and what it was about before is not known any more; or the marks are
    of another database cluster or another schema.
    """
    now = await marks(connection)
    if (now.cluster, now.revision) != (at.cluster, at.revision):
        return None
    columns = row_change.c
    written = select(columns.of_table, columns.key, columns.digest.is_(None).label("gone"), columns.columns)
    # Each part is found by an index of its own. Higher numbers of transactions were restored from another cluster.
    newest = text("pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    either = union_all(
        written.where(columns.change_no > at.change_no),
        written.where(columns.transaction >= at.transaction, columns.transaction < newest),
    )
    changed: dict[str, set[str]] = {}
    for table, key, gone, altered in await connection.execute(either):
        if (gone and table not in _REPLACED_WHOLE) or not _ABOUT.get(table, frozenset()).isdisjoint(altered or ()):
            return None
        changed.setdefault(table, set()).add(key)
    acts = select(audit_log.c.subject, audit_log.c.action).where(audit_log.c.number > at.audit_number)
    done = (await connection.execute(acts)).all()
    kept = {table: frozenset(keys) for table, keys in changed.items()}
    subjects, actions = (frozenset(row[position] for row in done) for position in (0, 1))
    return Since(sequence, trade_fees_fen, kept, subjects, actions)
