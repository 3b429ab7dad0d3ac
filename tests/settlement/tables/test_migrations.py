"""Migrations of databases that have rows already."""

import json

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import audit, changes, database
from settlement.migrations.forward import upgrade
from settlement.reconciliation import histories
from settlement.tables.assays import assay_exchange, assay_exchange_party
from settlement.tables.banking import bank_statement
from settlement.tables.custody import receipt
from settlement.tables.papers import account_statement
from settlement.tables.reconciliation import recon_break

BREAK = text(
    "INSERT INTO recon_break (kind, subject, asset, expected, found, owner, status, opened_at, first_run, last_run, "
    "scope, note) VALUES ('K', :subject, 'AU', 1, 2, 'x', 'OPEN', 1, 1, 1, :scope, :note)"
)
RUN = text("INSERT INTO recon_run (at, sequence, \"by\", checked, breaks) VALUES (1, 1, 'x', 1, 1)")
LOT = text(
    "INSERT INTO lot "
    "(refiner, serial, symbol, form, account, warehouse, declared_gross_cg, declared_fineness_e5, state) "
    "SELECT 'HX', number, 'AU', 'GRAIN', 'A.H', 'XM1', 1, 1, 'ARRIVED' FROM unnest(ARRAY['1', '2', '3']) AS number"
)


async def subjects(connection: AsyncConnection) -> dict[str, int | None]:
    rows = await connection.execute(text("SELECT subject, lot_id FROM recon_break"))
    return {row.subject: row.lot_id for row in rows}


async def test_breaks_get_the_lots_that_their_texts_named(database_url: str) -> None:
    engine = database.connect(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0010")
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(LOT)
        for subject, scope, note in (
            ("lot:1", "books", ""),
            ("pledge:7 lot:3", "books", ""),
            ("A.H", "books", ""),
            ("lot:99", "books", ""),
            ("XM1 HX 1 2024", "statement:XM1", "lot 2: RECEIPTED in the register, FROZEN there"),
            ("XM1 HX 9 2024", "statement:XM1", "line 3"),
        ):
            await connection.execute(BREAK, {"subject": subject, "scope": scope, "note": note})
    await database.migrate(database_url)
    async with engine.connect() as connection:
        assert await subjects(connection) == {
            "lot:1": 1,
            "pledge:7 lot:3": 3,
            "A.H": None,
            "lot:99": None,
            "XM1 HX 1 2024": 2,
            "XM1 HX 9 2024": None,
        }
    await engine.dispose()


@pytest.mark.parametrize(
    ("revision", "first", "second"),
    [("0014", "A 417", "a417"), ("0021", "BẢO 417", "bảo417")],
    ids=["ASCII", "Vietnamese"],
)
async def test_a_bar_that_stands_twice_under_two_spellings_is_named_before_it_is_migrated(
    database_url: str, revision: str, first: str, second: str
) -> None:
    engine = database.connect(database_url)
    twice = LOT.text.replace("'1', '2', '3'", f"'{first}', '{second}'")
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, revision)
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(twice))
    with pytest.raises(
        ValueError, match=rf"uq_lot_refiner_serial_year has two spellings.*{second}|HX {first}.*HX {second}"
    ):
        await database.migrate(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(f"UPDATE lot SET state = 'CANCELLED' WHERE serial = '{second}'"))
    await database.migrate(database_url)
    await engine.dispose()


async def test_breaks_keep_their_number_under_the_new_text_of_a_mark_with_blanks(database_url: str) -> None:
    engine = database.connect(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0020")
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(LOT.text.replace("'1', '2', '3'", "'A 1', 'A2', 'B\"3'")))
        await connection.execute(RUN)
        for number, subject in enumerate(("XM1 HX A 1", "XM1 HX A2", 'XM1 HX B"3', "XM1 HX Z 9"), 1):
            row = {"subject": subject, "scope": "statement:XM1", "note": ""}
            await connection.execute(BREAK, row)
            if number < 4:
                await connection.execute(text(f"UPDATE recon_break SET lot_id = {number} WHERE break_id = {number}"))
        await connection.execute(
            text("INSERT INTO ledger_account (name, kind, asset, balance) VALUES ('', 'vault', 'AU', 0)")
        )
        await connection.execute(BREAK, {"subject": "vault", "scope": "books", "note": ""})
        await connection.execute(text("UPDATE recon_break SET kind = 'POSTINGS' WHERE subject = 'vault'"))
    await database.migrate(database_url)
    async with engine.connect() as connection:
        assert await subjects(connection) == {
            'XM1 HX "A 1"': 1,
            "XM1 HX A2": 2,
            'XM1 HX "B\\"3"': 3,
            "XM1 HX Z 9": None,
            "ledger:vault": None,
        }
    await engine.dispose()


async def test_revoked_keys_are_ended_by_whom_the_audit_log_names(database_url: str) -> None:
    engine = database.connect(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0026")
        await connection.execute(text("INSERT INTO member (member, name, created_at) VALUES ('M1', 'One', 1)"))
        await connection.execute(
            text(
                "INSERT INTO api_key (key_id, public_key, member, permissions, created_at, revoked_at) "
                "SELECT name, sha256(name::bytea), 'M1', '{trade}', 1, revoked_at "
                "FROM (VALUES ('live', NULL::bigint), ('known', 17), ('old', 18)) AS given (name, revoked_at)"
            )
        )
        await audit.record(connection, audit.Act("op-1", "key.revoke", "known"))
    await database.migrate(database_url)
    async with engine.connect() as connection:
        keys = await connection.execute(text("SELECT key_id, status FROM api_key ORDER BY key_id"))
        assert [tuple(row) for row in keys] == [("known", "ENDED"), ("live", "ACTIVE"), ("old", "ENDED")]
        changes = await connection.execute(
            text("SELECT code, changed_by, changed_at FROM standing_change ORDER BY code")
        )
        assert [tuple(row) for row in changes] == [("known", "op-1", 17), ("old", "unknown", 18)]
    await engine.dispose()


async def test_rows_keep_their_histories_under_new_names_of_tables_and_columns(database_url: str) -> None:
    engine = database.connect(database_url)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0050")
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(LOT)
        await connection.execute(
            text(
                "INSERT INTO laboratory (laboratory, name, accreditations, accreditation_no, valid_from, valid_until) "
                "VALUES ('LAB', 'Lab', '{CMA}', '1', '2026-01-01', '2027-01-01')"
            )
        )
        await connection.execute(
            text("INSERT INTO sample (lot_id, party, seal, weight_cg, at, \"by\") VALUES (1, 'A', 'S', 500, 1, 'x')")
        )
    async with engine.begin() as connection:
        opened = "INSERT INTO exchange (lot_id, status, split_limit_e5, fineness_rule, umpire_rule, opened_at) "
        await connection.execute(text(opened + "SELECT n, 'OPEN', 50, 'x', 'x', 1 FROM generate_series(1, 3) n"))
        party = "INSERT INTO exchange_party (exchange_no, party, laboratory, sample_no, status) "
        await connection.execute(text(party + "VALUES (1, 'A', 'LAB', 1, 'INVITED')"))
        for number in (1, 2, 3):
            await audit.record(connection, audit.Act("clerk-1", "exchange.open", f"exchange:{number}"))
        await connection.execute(text("UPDATE exchange SET status = 'VOID' WHERE exchange_no = 3"))
        await audit.record(connection, audit.Act("clerk-1", "exchange.void", "exchange:3"))
        await connection.execute(
            text(
                "INSERT INTO account_statement (day, member, content, hash, status, due_day, issued_at, settled_by, "
                "settled_at) SELECT '2026-11-30', member, '', sha256(''), 'CONFIRMED', '2026-12-01', 1, member, 2 "
                "FROM unnest(ARRAY['M1', 'M2']) AS member"
            )
        )
        await connection.execute(
            text(
                "WITH run AS (INSERT INTO recon_run (at, sequence, \"by\", checked, breaks) VALUES (1, 1, 'x', 1, 3) "
                "RETURNING run_id) INSERT INTO recon_break (kind, subject, asset, expected, found, owner, status, "
                "opened_at, first_run, last_run) SELECT 'HISTORY', subject, '', 0, 1, 'x', 'OPEN', 1, run_id, run_id "
                "FROM run, unnest(ARRAY['exchange:2 row', 'exchange_party:1:A row', 'lot:1 row']) AS subject"
            )
        )
        await audit.record(connection, audit.Act("settlement", "day.close", "day:2026-11-30"))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE exchange SET split_limit_e5 = 90 WHERE exchange_no = 2"))
        await connection.execute(text("UPDATE account_statement SET due_day = '2027-01-01' WHERE member = 'M2'"))
    await database.migrate(database_url)
    async with engine.begin() as connection:
        assert [found.key for found in await changes.differences(connection, account_statement)] == ["2"], "by hand"
        accepted = await connection.execute(select(account_statement.c.accepted_by, account_statement.c.accepted_at))
        assert sorted(tuple(row) for row in accepted) == [("M1", 2), ("M2", 2)]
        assert [found.key for found in await changes.differences(connection, assay_exchange)] == ["2"], "by hand"
        assert await changes.differences(connection, assay_exchange_party) == []
        facts = histories.Facts()
        await histories.compare(connection, facts)
        assert [one.subject for one in facts.breaks if "exchange" in one.subject] == ["assay_exchange:2 row"]
        known = await connection.execute(select(recon_break.c.subject).order_by(recon_break.c.break_id))
        assert list(known.scalars()) == ["assay_exchange:2 row", "assay_exchange_party:1:A row", "lot:1 row"]
        await connection.execute(text("UPDATE assay_exchange SET status = 'VOID' WHERE assay_exchange_no = 1"))
        await audit.record(connection, audit.Act("clerk-1", "assay_exchange.void", "assay_exchange:1"))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE assay_exchange_party SET sample_no = 1, status = 'COMMITTED'"))
        await connection.execute(text("UPDATE assay_exchange SET status = 'OPEN' WHERE assay_exchange_no = 3"))
        facts = histories.Facts()
        await histories.compare(connection, facts)
        assert [one.subject for one in facts.breaks if "exchange" in one.subject] == [
            "assay_exchange:3 state",
            "assay_exchange:2 row",
            "assay_exchange:3 row",
            "assay_exchange_party:1:A row",
        ]
    await engine.dispose()


async def test_red_invoices_get_the_two_people_of_the_correction(database_url: str) -> None:
    """And an invoice that such a one has cancelled out cannot be corrected once more, not even by the database."""
    engine = database.connect(database_url)
    rows = (
        "(1, 'A', 100, 'CORRECTED', NULL, 'x', 'one', 'two'), (2, 'A', -100, 'RED', 1, NULL, NULL, NULL), "
        "(3, 'B', 100, 'ISSUED', NULL, NULL, NULL, NULL)"
    )
    content = """concat('{"lines":[{"net_fen":', total, ',"tax_fen":0,"amount_fen":', total, '}]}')"""
    insert = (
        "INSERT INTO invoice (invoice_no, day, member, kind, first_sequence, last_sequence, net_fen, tax_fen, "
        "total_fen, content, hash, status, corrects, reason, correction_by, corrected_by, made_at) "
        f"SELECT n, '2026-11-30', m, 'ORDINARY', 1, 2, total, 0, total, {content}, sha256('x'), "
        "status, corrects, reason, one, two, 1 FROM "
    )
    names = " AS v (n, m, total, status, corrects, reason, one, two)"
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0051")
        await connection.exec_driver_sql(f"{insert} (VALUES {rows}) {names}")
    await database.migrate(database_url)
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT reason, correction_by, corrected_by FROM invoice ORDER BY 1, 2"))
        assert [tuple(row) for row in found] == [("x", "one", "two")] * 2 + [(None, None, None)]
    again = f"{insert} (VALUES (4, 'A', -1, 'RED', 1, 'x', 'one', 'two')) {names}"
    with pytest.raises(IntegrityError, match="line without a number"):
        async with engine.begin() as connection:
            await connection.exec_driver_sql(again)
    await engine.dispose()


async def test_receipts_name_the_load_outs_that_their_reasons_named(database_url: str) -> None:
    """The migration's own change of a row is an act; a row that was changed by hand is found after it as before."""
    engine = database.connect(database_url)
    back = "load-out 1 was not collected"
    reasons = (back, "load-out 9 was not collected", "DECLINED", None, "see load-out 1", back)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0053")
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(
            text(
                "INSERT INTO load_out (account, symbol, warehouse, ask_mg, allocated_mg, price, price_source, "
                "over_short_fen, lots_by, type, own_mg, declared_use, from_day, until_day, collector, collector_id, "
                "code_salt, code_hash, id_hash, status, applied_at) SELECT 'A.H', 'AU', 'XM1', 1, 1, 1, 'x', 0, "
                "'AGE', 'SELF', 0, 'INVESTMENT', '2026-11-30', '2026-11-30', 'x', 'x', '', '', '', "
                "'CANCELLED', 1"
            )
        )
        for number, reason in enumerate(reasons, 1):
            added = "INSERT INTO receipt (lot_id, account, symbol, fine_mg, status, reason) "
            row = {"number": number, "reason": reason}
            await connection.execute(text(added + "VALUES (:number, 'A.H', 'AU', 1, 'VOID', :reason)"), row)
        await connection.execute(text("SELECT record_rows('receipt')"))
        await connection.execute(text("SET LOCAL session_replication_role = origin"))
        await audit.record(connection, audit.Act("clerk-1", "receipt.issue", "receipt:1"))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE receipt SET fine_mg = 2 WHERE receipt_no = 6"))
        assert [one.key for one in await changes.differences(connection, receipt)] == ["6"]
    await database.migrate(database_url)
    async with engine.begin() as connection:
        found = await connection.execute(select(receipt.c.load_out_no).order_by(receipt.c.receipt_no))
        assert list(found.scalars()) == [1, None, None, None, None, 1]
        assert [one.key for one in await changes.differences(connection, receipt)] == ["6"], "by hand"
        await connection.execute(text("UPDATE receipt SET reason = 'x' WHERE receipt_no = 1"))
        assert [one.key for one in await changes.differences(connection, receipt)] == ["1", "6"], "still watched"
    await engine.dispose()


async def test_reversals_that_wait_for_a_clerk_are_known_by_a_column_and_not_by_a_note(database_url: str) -> None:
    """One that was changed by hand is found after this migration, and after 0046, which adds an empty column."""
    engine = database.connect(database_url)
    note = "the reversals cancel out, so the balances do not show which direction they have"
    notes: tuple[list[str], ...] = (
        [note],
        [],
        ["line 7: it moves nothing", note],
        [f"line 7: it moves nothing: {note}"],
    )
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0045")
        await connection.execute(
            text(
                "INSERT INTO bank_account (account_number, bank, holder, currency, added_at, added_by) "
                "VALUES ('1', 'Bank', 'Venue', 'CNY', 1, 'x')"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO file (kind, name, sha256, content, rows, result, taken_at, taken_by, about) "
                "VALUES ('bank', 'x', sha256(''), '', 1, '{}', 1, 'x', '')"
            )
        )
        statement = text(
            "INSERT INTO bank_statement (account_id, file_no, format, kind, stated_id, first_day, last_day, "
            "opening_fen, closing_fen, entries, notes, taken_at, taken_by) VALUES "
            "(1, 1, 'camt.053', 'BOOKED', '', '2026-11-30', '2026-11-30', 0, 0, 0, CAST(:notes AS jsonb), 1, 'x')"
        )
        for each in notes:
            await connection.execute(statement, {"notes": json.dumps(each)})
        await audit.record(connection, audit.Act("clerk-1", "bank_statement.take_in", "bank_statement:1"))
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE bank_statement SET closing_fen = 1 WHERE statement_no = 3"))
    await database.migrate(database_url)
    async with engine.connect() as connection:
        found = await connection.scalars(select(bank_statement.c.unclear_reversals).order_by("statement_no"))
        assert list(found) == [True, False, True, False]
        assert [one.key for one in await changes.differences(connection, bank_statement)] == ["3"], "by hand"
    await engine.dispose()


async def test_breaks_get_the_account_and_the_money_that_their_subjects_are_of(database_url: str) -> None:
    """Never those of a note; and a break that was changed by hand is found after the migration, the others are not."""
    engine = database.connect(database_url)
    named: dict[tuple[str, str, str, str], tuple[str | None, int | None]] = {
        ("books", "HOLDING", "A.H", ""): ("A.H", None),
        ("day_end", "DAY_END", "A.H", "at the end of 2026-11-27"): ("A.H", None),
        ("books", "POSTINGS", "ledger:suspense", ""): ("ledger:suspense", None),
        ("books", "UNIDENTIFIED", "suspense", ""): ("ledger:suspense", None),
        ("books", "UNIDENTIFIED", "entry:3", ""): (None, None),
        ("books", "STATUS_DIFF", "A.H.PLEDGE", ""): ("A.H.PLEDGE", None),
        ("books", "STATUS_DIFF", "pledge:1 lot:1", ""): (None, None),
        ("statement:XM1", "STATUS_DIFF", "XM1 HX A1", "lot 1"): (None, None),
        ("bank", "VENUE_ONLY", "cash:1", "A.H, reference cash:2"): (None, 1),
        ("bank", "VENUE_ONLY", "cash:9", "A.H, reference r"): (None, None),
        ("bank", "BANK_MORE", "payment:1", "2026-11-30 cash:2 of A.H"): (None, None),
        ("books", "HISTORY", "cash:2 state", ""): (None, 2),
        ("books", "HISTORY", "cash_transfer:2 row", ""): (None, None),
    }
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "0058")
        await connection.execute(
            text("INSERT INTO trading_account (account, member, kind, owner) VALUES ('A.H', 'A', 0, 'A')")
        )
        await connection.execute(
            text(
                "INSERT INTO cash_transfer (account, amount, bank_reference, status) "
                "VALUES ('A.H', 1, 'one', 'DONE'), ('A.H', 2, 'two', 'DONE')"
            )
        )
        await connection.execute(RUN)
        for scope, kind, subject, note in named:
            row = {"scope": scope, "kind": kind, "subject": subject, "note": note}
            await connection.execute(text(BREAK.text.replace("'K'", ":kind")), row)
        await audit.record(connection, audit.Act("clerk-1", "reconcile", "recon_run:1"))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE recon_break SET owner = 'y' WHERE subject = 'cash:1'"))
    await database.migrate(database_url)
    async with engine.begin() as connection:
        columns = recon_break.c
        rows = await connection.execute(select(recon_break).order_by(columns.break_id))
        assert {(row.scope, row.kind, row.subject, row.note): (row.account, row.cash_id) for row in rows} == named
        assert [one.key for one in await changes.differences(connection, recon_break)] == ["9"], "by hand"
        await connection.execute(text("UPDATE recon_break SET owner = 'z' WHERE subject = 'cash:2 state'"))
    async with engine.connect() as connection:
        assert [one.key for one in await changes.differences(connection, recon_break)] == ["12", "9"], "still watched"
    await engine.dispose()
