"""A migration while services of the old program and people still work on the database."""

import asyncio

import asyncpg
from sqlalchemy import make_url, select, text
from structlog.testing import capture_logs

from settlement.base import audit, changes, database
from settlement.migrations.forward import upgrade
from settlement.migrations.locks import lock_tables
from settlement.tables.reconciliation import recon_break
from tests.settlement.tables.test_migrations import RUN

BREAK = text(
    "INSERT INTO recon_break (kind, subject, asset, expected, found, owner, status, opened_at, first_run, last_run, "
    "scope, note) VALUES ('HOLDING', :subject, 'AU', 1, 2, 'x', 'OPEN', 1, 1, 1, 'books', '')"
)
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
)
_PATIENCE_SECONDS = 60


async def wait_until_a_transaction_waits(database_url: str) -> None:
    """Wait until a transaction in this database waits for another one."""
    url = make_url(database_url)
    admin = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database="postgres")
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not await admin.fetchval(WAITING, url.database):
            await asyncio.sleep(0.02)
    await admin.close()


async def test_a_migration_waits_for_open_transactions_and_ends_none_of_them(database_url: str) -> None:
    """Rows that acts have written meanwhile agree with their history after it, and a change by hand stays one.

    ``reconciliation`` has its turn in the audit log and stores a break; ``money`` wrote a row first and takes its turn
    last, after it has touched a table that the migration alters; ``hand`` changes a break in SQL, without an act.
    """
    engine = database.connect(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0058")
        await connection.execute(
            text("INSERT INTO trading_account (account, member, kind, owner) VALUES ('A.H', 'A', 0, 'A')")
        )
        await connection.execute(RUN)
        for subject in ("by hand", "by the money's act"):
            await connection.execute(BREAK, {"subject": subject})
        await audit.record(connection, audit.Act("clerk-1", "reconcile", "recon_run:1"))
    async with engine.connect() as turn, engine.connect() as money, engine.connect() as hand:
        await audit.lock(turn)
        migration = asyncio.create_task(database.migrate(database_url))
        await wait_until_a_transaction_waits(database_url)
        await turn.execute(BREAK, {"subject": "by the reconciliation"})
        await audit.record(turn, audit.Act("clerk-1", "reconcile", "recon_run:1"))
        await money.execute(
            text("INSERT INTO cash_transfer (account, amount, bank_reference, status) VALUES ('A.H', 1, 'one', 'DONE')")
        )
        await hand.execute(text("UPDATE recon_break SET owner = 'y' WHERE subject = 'by hand'"))
        await turn.commit()
        await wait_until_a_transaction_waits(database_url)
        assert not migration.done()
        await money.execute(text("UPDATE recon_break SET owner = 'z' WHERE subject LIKE '%money%'"))
        await audit.record(money, audit.Act("clerk-1", "cash.book", "cash:1"))
        await money.commit()
        await wait_until_a_transaction_waits(database_url)
        assert not migration.done()
        await hand.commit()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await migration
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT subject, owner, account FROM recon_break ORDER BY break_id"))
        assert [tuple(row) for row in found] == [
            ("by hand", "y", "by hand"),
            ("by the money's act", "z", "by the money's act"),
            ("by the reconciliation", "x", "by the reconciliation"),
        ]
        assert [one.key for one in await changes.differences(connection, recon_break)] == ["1"]
        await connection.run_sync(lock_tables)
        assert await connection.scalar(text("SHOW statement_timeout")) == "0", (
            "the migration itself takes as long as it takes"
        )
    await engine.dispose()


async def test_a_migration_says_for_whom_it_waits_again_whenever_that_changes(migrated_url: str) -> None:
    """First for who has a turn in the audit log and no table; then for who uses a table, and changes nothing."""
    engine = database.connect(migrated_url)
    async with engine.connect() as turn, engine.connect() as reader, engine.connect() as connection:
        await audit.lock(turn)
        with capture_logs() as logged:
            locking = asyncio.create_task(connection.run_sync(lock_tables))

            async def wait_until_logged(table: str, pid: object) -> None:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    while not any(one.get("table") == table and pid in one["pids"] for one in logged):
                        await asyncio.sleep(0.02)

            await wait_until_logged("audit_log", await turn.scalar(text("SELECT pg_backend_pid()")))
            await reader.execute(select(recon_break))
            await turn.commit()
            await wait_until_logged("recon_break", await reader.scalar(text("SELECT pg_backend_pid()")))
            assert not locking.done()
            await reader.commit()
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await locking
    await engine.dispose()
