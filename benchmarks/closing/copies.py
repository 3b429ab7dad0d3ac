"""Batches of bars copied from one that was taken in by the product: a day of 100,000 bars is made in minutes.

While the product takes the first batch in, from the advice of the bars to the register, triggers keep each version of
each row that it writes. A copy has the same versions with numbers, serials and seals of its own, and the time of now:
the last version of each row goes into its table, all of them into the record of changes, in PostgreSQL. The entries of
the audit log are chained, and the files kept, by the product's own functions. What follows the register (receipts, the
engine's holdings, the ledger) is not copied; the exchange does it for each batch.
"""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import Table, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.assays import certificates
from settlement.base import audit
from settlement.base.audit import Act
from settlement.base.database import now_ms
from settlement.intake import files, imports
from settlement.tables.assays import assay, certificate, finding
from settlement.tables.base import audit_log
from settlement.tables.changes import watched
from settlement.tables.lots import custody_event, lot, provenance, sample

COPIED: Final = (lot, provenance, custody_event, sample, assay, finding, certificate)
"""The tables into which an intake writes, in the order in which the rows refer to each other."""
_NUMBERS: Final[Mapping[str, Table]] = {
    "lot": lot,
    "lot_id": lot,
    "provenance_no": provenance,
    "event_id": custody_event,
    "sample_no": sample,
    "assay": assay,
    "assay_id": assay,
    "assays": assay,
    "finding_no": finding,
    "certificate": certificate,
    "certificate_no": certificate,
}
"""The names under which rows, certificates and entries of the audit log have numbers, and what has that number."""
_TIMES: Final = ("at", "issued_at", "received_at")
_NAMES: Final = ("serial", "seal", "sample_seal", "samples")
_NUMBERED: Final = re.compile(r"\b(A|S-|P-)([0-9]+)\b")
"""A serial or seal of the bench's bar list."""
_SEEN: Final = "copied_versions"
_WATCH: Final = (
    f"CREATE TABLE {_SEEN} (no bigint GENERATED ALWAYS AS IDENTITY, of_table text, content text)",
    f"""
CREATE FUNCTION {_SEEN}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO {_SEEN} (of_table, content) SELECT %L, to_jsonb(r)::text FROM made r ORDER BY %s',
                   TG_TABLE_NAME, TG_ARGV[0]);
    RETURN NULL;
END $$
""",
)
_ROWS: Final = """
INSERT INTO {table} OVERRIDING SYSTEM VALUE
SELECT r.* FROM (SELECT DISTINCT ON (key) content FROM copied WHERE of_table = '{table}' ORDER BY key, no DESC) newest,
       jsonb_populate_record(NULL::{table}, newest.content::jsonb) r ORDER BY r.{key}
"""
_CHANGES: Final = """
INSERT INTO row_change (of_table, key, before, digest, columns, transaction, begun, changed_by)
SELECT of_table, key, before, digest,
       CASE WHEN old IS NOT NULL THEN ARRAY(
           SELECT e.key FROM jsonb_each(content) e WHERE e.value IS DISTINCT FROM old -> e.key ORDER BY 1) END,
       t.number, t.begun, session_user
FROM (SELECT no, of_table, key::text, content, digest, lag(content) OVER versions AS old,
             lag(digest) OVER versions AS before
      FROM (SELECT no, of_table, key, content::jsonb, row_digest(content::jsonb) AS digest FROM copied) v
      WINDOW versions AS (PARTITION BY of_table, key ORDER BY no)) w, row_transaction() t
ORDER BY no
"""


class Version(NamedTuple):
    """A row as it was after a statement; ``content`` has the values of its columns as JSON has them."""

    table: Table
    content: Mapping[str, Any]


class Batch(NamedTuple):
    """Everything that an intake wrote: versions of rows, acts by the kind of file, and first numbers by table."""

    versions: Sequence[Version]
    acts: Mapping[str, Sequence[Act]]
    first: Mapping[str, int]


async def watch(connection: AsyncConnection) -> int:
    """Keep versions of rows from now on, and return the number of the newest entry of the audit log."""
    for statement in _WATCH:
        await connection.execute(text(statement))
    for table in watched():
        for event in ("INSERT", "UPDATE"):
            (*_, key) = (column.name for column in table.primary_key.columns)
            await connection.execute(
                text(
                    f"CREATE TRIGGER zz_{_SEEN}_{event} AFTER {event} ON {table.name} REFERENCING NEW TABLE AS made "
                    f"FOR EACH STATEMENT EXECUTE FUNCTION {_SEEN}('{key}')"
                )
            )
    return (await audit.head(connection)).number


async def seen(connection: AsyncConnection, after: int) -> Batch:
    """Return what was written since ``watch``, whose return value is ``after``, and keep no more versions.

    Raises RuntimeError if a table was written of which no rows are copied.
    """
    rows = (await connection.execute(text(f"SELECT of_table, content FROM {_SEEN} ORDER BY no"))).all()
    await connection.execute(text(f"DROP FUNCTION {_SEEN} CASCADE"))
    await connection.execute(text(f"DROP TABLE {_SEEN}"))
    copied = {table.name: table for table in COPIED}
    if others := {row.of_table for row in rows} - copied.keys():
        raise RuntimeError(f"the intake of bars writes tables of which no rows are copied: {', '.join(sorted(others))}")
    versions = []
    first: dict[str, int] = {}
    for row in rows:
        table, content = copied[row.of_table], json.loads(row.content)
        number = content[_key(table)]
        first[table.name] = min(first.get(table.name, number), number)
        if table is certificate:
            content["content"] = json.loads(content["content"])
        versions.append(Version(table, content))
    acts: list[list[Act]] = [[]]
    entries = select(audit_log).where(audit_log.c.number > after).order_by(audit_log.c.number)
    for entry in await connection.execute(entries):
        if entry.action == "file.take_in":
            acts.append([])
        else:
            acts[-1].append(Act(entry.actor, entry.action, entry.subject, json.loads(entry.detail)))
    return Batch(versions, dict(zip(imports.KINDS, acts, strict=False)), first)


class Copier:
    """Copies of a batch. Its bar list had ``count`` bars, with serials from ``first`` on."""

    def __init__(self, batch: Batch, first: int, count: int) -> None:
        self._batch = batch
        self._first = first
        self._count = count

    async def copy(self, connection: AsyncConnection, by: str, first: int, name: str, data: bytes) -> list[int]:
        """Write the copy of a bar list whose serials begin with ``first``; return the numbers of its lots."""
        shift = await self._shift(connection)
        again = _Again(shift, first - self._first, now_ms())
        await _write(connection, [again.version(version) for version in self._batch.versions])
        begin = self._batch.first[lot.name] + shift[lot.name]
        lots = range(begin, begin + self._count)
        for kind, acts in self._batch.acts.items():
            await audit.record_all(connection, [again.act(act) for act in acts])
            await files.keep(connection, by, kind, name, data, self._count, {"lots": [lots[0], lots[-1]]})
        return list(lots)

    async def _shift(self, connection: AsyncConnection) -> dict[str, int]:
        """Return by how much the numbers of each table are greater in the next copy."""
        shift = {}
        for table in COPIED:
            last = await connection.scalar(select(func.max(table.c[_key(table)])))
            shift[table.name] = int(last or 0) + 1 - self._batch.first[table.name]
        return shift


class _Again:
    """Gives values of the batch the numbers, names and time of a copy."""

    def __init__(self, shift: Mapping[str, int], serials: int, at: int) -> None:
        self._numbers = {name: shift[table.name] for name, table in _NUMBERS.items()}
        self._serials = serials
        self._at = at

    def version(self, version: Version) -> tuple[str, int, str]:
        """Return the table, the key and the content, in JSON, of a version of a row of the copy."""
        content = self._value("", version.content)
        if version.table is certificate:
            content["content"] = certificates.written(content["content"])
            content["hash"] = "\\x" + sha256(content["content"].encode()).hexdigest()
        return version.table.name, content[_key(version.table)], json.dumps(content, ensure_ascii=False)

    def act(self, act: Act) -> Act:
        """Return an act of the copy."""
        kind, _, number = act.subject.partition(":")
        return act._replace(subject=f"{kind}:{int(number) + self._numbers[kind]}", detail=self._value("", act.detail))

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {inner: self._value(inner, each) for inner, each in value.items()}
        if isinstance(value, list):
            return [self._value(name, each) for each in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return self._at if name in _TIMES else value + self._numbers.get(name, 0)
        if isinstance(value, str) and name in _NAMES:
            return _NUMBERED.sub(lambda found: f"{found[1]}{int(found[2]) + self._serials}", value)
        return value


def _key(table: Table) -> str:
    (key,) = table.primary_key.columns
    return key.name


async def _write(connection: AsyncConnection, rows: Sequence[tuple[str, int, str]]) -> None:
    """Write the rows and the record of their changes. Triggers and foreign keys are not asked; other rules are."""
    await connection.execute(
        text("CREATE TEMP TABLE copied (no bigint, of_table text, key bigint, content text) ON COMMIT DROP")
    )
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.copy_records_to_table("copied", records=[(no, *row) for no, row in enumerate(rows)])
    await connection.execute(text("ANALYZE copied"))
    await connection.execute(text("SET LOCAL session_replication_role = replica"))
    for table in COPIED:
        key = _key(table)
        await connection.execute(text(_ROWS.format(table=table.name, key=key)))
        if table.c[key].identity is not None:
            sequence = f"pg_get_serial_sequence('{table.name}', '{key}')"
            await connection.execute(text(f"SELECT setval({sequence}, (SELECT max({key}) FROM {table.name}))"))
    await connection.execute(text(_CHANGES))
    await connection.execute(text("SET LOCAL session_replication_role = origin"))
