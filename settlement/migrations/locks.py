"""The locks of a migration: from before its first statement to its end it has every table to itself.

A migration that fills a column, or records rows in a new form, reads rows and writes what follows from them. Whatever
another transaction changed in between would be overwritten, or would look changed by hand for good. And a transaction
that has written one table may come to need another that the migration has altered, while the migration needs the first
one: PostgreSQL then ends either. So all tables are locked at once, before anything is read.

A transaction that has written rows, and waits for its turn in the audit log, ends before the tables are free. So one
attempt takes the turn and all tables, and gives all of them back if one table is not free soon. That is sooner than
PostgreSQL looks for deadlocks (``deadlock_timeout``, one second unless set otherwise), so it ends no other transaction.
"""

from typing import Final

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from settlement.tables.base import CHAIN_LOCK

ATTEMPT_MS: Final = 200
ALONE_MS: Final = 2_000
"""Longer than ``deadlock_timeout``, after which PostgreSQL ends an autovacuum that somebody waits for."""
PAUSE_SECONDS: Final = 1
"""The others work on between two attempts."""
_STOPPED: Final = ("57014", "40P01")
"""SQLSTATE of a statement that took longer than its time, and of one that ended for a deadlock."""
_TABLES: Final = """
SELECT format('%I', relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
AND relname <> 'alembic_version' AND pg_has_role(relowner, 'USAGE') ORDER BY relname
"""
"""Alembic's own table alone is read by services that start meanwhile, before they wait for the migration to end."""
_HELD: Final = """
SELECT h.name, array_agg(DISTINCT h.pid) AS pids FROM (
    SELECT CASE l.locktype WHEN 'advisory' THEN 'audit_log' ELSE format('%I', c.relname) END AS name, l.pid
    FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
    WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND l.granted AND l.pid <> pg_backend_pid()
    AND (l.locktype <> 'advisory' OR (l.classid, l.objid) = (0, CAST(:turn AS oid)))
) AS h WHERE h.name = ANY (:tables) GROUP BY 1 ORDER BY 1 LIMIT 1
"""
"""A table that others use, and by whom. Who has the turn in the audit log uses that."""


def lock_tables(connection: Connection) -> None:
    """Wait for the end of all transactions that use a table, and keep others from all tables to the end of this one.

    Rows that the caller's next statement reads are committed, and stay as they are until the caller writes them.
    """
    tables = list(connection.scalars(text(_TABLES)))
    if not tables:
        return  # The user owns none: the first migration that alters one is refused with its name.
    reported = None
    while not _are_free(connection, tables):
        held = connection.execute(text(_HELD), {"tables": tables, "turn": CHAIN_LOCK}).first()
        if held is not None:
            if held != reported:
                why = "the migration waits for transactions that use the tables"
                structlog.get_logger().warning(why, table=held.name, pids=held.pids)
                reported = held
            # Nothing else is locked meanwhile, so that no transaction can wait for this one and hold it up.
            attempt = connection.begin_nested()
            _lock(connection, [held.name], ALONE_MS)
            attempt.rollback()
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": PAUSE_SECONDS})


def _are_free(connection: Connection, tables: list[str]) -> bool:
    """Take the turn in the audit log and all tables; return whether all were free, and keep none if not."""
    attempt = connection.begin_nested()
    turn = f"SELECT pg_advisory_xact_lock({CHAIN_LOCK})"
    if not _is_done(connection, turn, ALONE_MS) or not _lock(connection, tables, ATTEMPT_MS):
        attempt.rollback()
        return False
    attempt.commit()
    connection.exec_driver_sql("SET LOCAL statement_timeout TO DEFAULT")
    return True


def _lock(connection: Connection, tables: list[str], longest_ms: int) -> bool:
    """Lock tables against all others; return whether it was done in time. If not, the savepoint is to be taken back."""
    return _is_done(connection, f"LOCK TABLE {', '.join(tables)}", longest_ms)


def _is_done(connection: Connection, statement: str, longest_ms: int) -> bool:
    try:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {longest_ms}")
        connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _STOPPED:
            raise
        return False
    return True
