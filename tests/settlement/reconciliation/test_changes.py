"""Changes of rows by hand, with all triggers on: each is found, and nothing that was changed so is approved."""

import re

import pytest
from sqlalchemy import Column, Table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from settlement.base import changes, proposals, registry
from settlement.base.refusal import Refused
from settlement.custody import receipt_cancels
from settlement.documents.kinds import KINDS
from settlement.ledger import cash
from settlement.load_outs import application
from settlement.reconciliation import break_work, breaks, three_way
from settlement.service import movements
from settlement.tables.changes import EXEMPT, FREE, watched
from settlement.tables.schema import metadata
from tests.settlement.commands import goldx
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, load_out_application

OTHERWISE = {
    "SMALLINT": "coalesce({0}, 0) + 1",
    "BIGINT": "coalesce({0}, 0) + 1",
    "NUMERIC(38, 0)": "coalesce({0}, 0) + 1",
    "TEXT": "coalesce({0}, '') || 'x'",
    "BYTEA": "sha256(coalesce({0}, ''))",
    "DATE": "coalesce({0}, '2026-01-01') + 1",
    "BOOLEAN": "NOT coalesce({0}, false)",
    "JSONB": "jsonb_build_array({0})",
    "BIGINT[]": "array_append({0}, 7)",
    "TEXT[]": "array_append({0}, 'x')",
}
"""By type: SQL of another value than a column has."""


def key_of(table: Table) -> str:
    return "concat_ws(':', " + ", ".join(f'"{column.name}"' for column in table.primary_key.columns) + ")"


async def other_value(connection: AsyncConnection, table: Table, column: Column[object], key: str) -> str | None:
    """Give one column of a row another value; return why the database refuses to, or None."""
    value = OTHERWISE[column.type.compile(connection.dialect)].format(f'"{column.name}"')
    allowed = [value]
    for constraint in table.constraints:
        rule = str(getattr(constraint, "sqltext", ""))
        if rule.startswith(f"{column.name} IN ("):
            words = rule.partition("(")[2].rstrip(")").split(", ")
            allowed = words
    for foreign in column.foreign_keys:
        other = f'SELECT "{foreign.column.name}" FROM "{foreign.column.table.name}" f'
        allowed.append(
            f'({other} WHERE f."{foreign.column.name}" IS DISTINCT FROM "{table.name}"."{column.name}" LIMIT 1)'
        )
    why = "there is no other value"
    for value in allowed:
        change = f'UPDATE "{table.name}" SET "{column.name}" = {value} WHERE {key_of(table)} = :key'
        try:
            async with connection.begin_nested():
                done = await connection.execute(
                    text(f'{change} AND "{column.name}" IS DISTINCT FROM {value}'), {"key": key}
                )
                if done.rowcount == 1:
                    return None
        except DBAPIError as error:
            why = str(error.orig)
    return why


async def test_each_change_of_each_column_is_found(busy_exchange: SmallExchange) -> None:
    """Or the database refuses it. Tables without a row here have the same triggers (see below)."""
    found, refused = set(), set()
    async with busy_exchange.engine.connect() as connection:
        assert await changes.all_differences(connection) == []
        for table in watched():
            key = await connection.scalar(text(f'SELECT {key_of(table)} FROM "{table.name}" LIMIT 1'))
            if key is None:
                continue
            free = FREE.get(table.name, ())
            for column in table.columns:
                if column.primary_key or column.name in free:
                    continue
                about = f"{table.name}.{column.name}"
                trial = await connection.begin_nested()
                if await other_value(connection, table, column, key) is not None:
                    refused.add(about)
                else:
                    named = await changes.differences(connection, table)
                    (one,) = named
                    assert (one.key, f"({column.name})" in one.note) == (key, True), (about, named)
                    found.add(about)
                await trial.rollback()
    assert len(found) >= 150, (len(found), sorted(refused))
    assert {
        "api_key.public_key",
        "member.name",
        "load_out.collector",
        "fee_accrual.account",
        "encumbrance.document",
        "aml_report.amount_fen",
        "scale.resolution_cg",
        "trading_account.member",
        "cash_transfer.amount",
        "proposal.summary",
        "proposal.subjects",
        "proposal.kind",
    } <= found, sorted(refused)


def test_rows_are_found_by_the_first_column_of_their_key() -> None:
    """A colon in it would cut it short; a symbol has none."""
    for table in watched():
        first, *others = table.primary_key.columns
        assert not others or str(first.type) in ("BIGINT", "DATE") or first.name == "symbol", table.name


async def test_each_table_is_watched_or_exempt(engine: AsyncEngine) -> None:
    """All by the same triggers, whose arguments are the table's key and the columns that are free."""
    assert EXEMPT.keys() <= metadata.tables.keys()
    assert all(set(free) <= set(metadata.tables[name].columns.keys()) for name, free in FREE.items())
    query = text(
        "SELECT c.relname, t.tgname, t.tgenabled, t.tgargs AS arguments FROM pg_trigger t "
        "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname = 'record_change'"
    )
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    there: dict[str, dict[str, bytes]] = {}
    for row in rows:
        assert row.tgenabled == b"O"
        there.setdefault(row.relname, {})[row.tgname] = row.arguments
    assert there.keys() == {table.name for table in watched()}
    for table in watched():
        parts = ", ".join(f"content ->> '{column.name}'" for column in table.primary_key.columns)
        arguments = f"concat_ws(':', {parts})\0{{{','.join(FREE.get(table.name, ()))}}}\0".encode()
        assert there[table.name] == dict.fromkeys(("row_made", "row_changed", "row_gone"), arguments), table.name


async def test_no_table_is_emptied_at_once(engine: AsyncEngine) -> None:
    """TRUNCATE deletes without the triggers that record each row."""
    for table in watched():
        async with engine.connect() as connection:
            with pytest.raises(DBAPIError, match=r"TRUNCATE of .* is refused"):
                await connection.execute(text(f'TRUNCATE "{table.name}" CASCADE'))


async def test_rows_that_are_added_or_deleted_are_found(busy_exchange: SmallExchange) -> None:
    async with busy_exchange.engine.begin() as connection:
        await connection.execute(text("INSERT INTO member VALUES ('Z', 'Z', '', 1)"))
        await connection.execute(text("DELETE FROM transfer_lot"))
        (lots, *_), (member,) = [
            await changes.differences(connection, metadata.tables[name]) for name in ("transfer_lot", "member")
        ]
        number = text("SELECT max(change_no) FROM row_change WHERE of_table = :name")
        added, deleted = [await connection.scalar(number, {"name": name}) for name in ("member", "transfer_lot")]
        assert member[:4] == ("member", "Z", f"added by goldx in SQL, without an act (change {added})", added)
        assert lots.note == f"deleted by goldx in SQL, without an act (change {deleted})"


async def test_a_change_with_the_triggers_off_is_found(busy_exchange: SmallExchange) -> None:
    async with busy_exchange.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE member SET name = 'x' WHERE member = 'A'"))
    async with busy_exchange.engine.connect() as connection:
        ((table, key, note, *_, present),) = await changes.all_differences(connection)
        assert (table, key) == ("member", "A")
        assert f"now {present})" in note
        assert re.fullmatch(r"it differs from the record of its changes \(its digest is now [0-9a-f]{8}\)", note)


async def by_hand(exchange: SmallExchange, *statements: str) -> None:
    """Do what no act accounts for, all of it in one transaction."""
    async with exchange.engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))


async def test_an_explained_change_by_hand_covers_no_later_one(busy_exchange: SmallExchange) -> None:
    """One that the triggers recorded, one past them, and one past them before an act; an act alone opens nothing."""
    past_triggers = "SET LOCAL session_replication_role = replica"

    async def state() -> str:
        await three_way.reconcile(busy_exchange.engine, ONE)
        (row,) = await do(busy_exchange, breaks.open_breaks)
        assert row.subject == "member:A row"
        return str(row.status)

    async def explain() -> None:
        (row,) = await do(busy_exchange, breaks.open_breaks)
        await do(busy_exchange, break_work.explain, ONE, row.break_id, ONE, "a spelling")

    async def act(name: str) -> None:
        async with busy_exchange.engine.begin() as connection:
            await connection.execute(text("UPDATE member SET name_zh = :name WHERE member = 'A'"), {"name": name})
            await registry.add_member(connection, ONE, name, name)

    for statements, after in (
        (["UPDATE member SET name = 'One' WHERE member = 'A'"], None),
        (["UPDATE member SET name = 'Two' WHERE member = 'A'"], None),
        ([past_triggers, "UPDATE member SET name = 'Three' WHERE member = 'A'"], None),
        ([past_triggers, "UPDATE member SET name = 'Four' WHERE member = 'A'"], "NEW"),
        ([past_triggers, "UPDATE member SET name = 'Five' WHERE member = 'A'"], "NEXT"),
    ):
        await by_hand(busy_exchange, *statements)
        if after is not None:
            await act(after)
        assert await state() == "OPEN", statements
        await explain()
        assert await state() == "EXPLAINED", "the same one"
    await act("LAST")
    assert await state() == "EXPLAINED", "an act is no change by hand"


@pytest.mark.usefixtures("configured_database")
async def test_a_change_stays_found_after_an_act_and_one_taken_back_is_none(busy_exchange: SmallExchange) -> None:
    change = text("UPDATE member SET name = :name WHERE member = 'A'")
    async with busy_exchange.engine.connect() as connection:
        name = await connection.scalar(text("SELECT name FROM member WHERE member = 'A'"))
    await do(busy_exchange, AsyncConnection.execute, change, {"name": "Somebody"})
    named = "member A: changed (name) by goldx in SQL, without an act"
    assert named in (await goldx("audit", "verify", code=1)).output
    await do(busy_exchange, AsyncConnection.execute, change, {"name": name})
    assert "member A" not in (await goldx("audit", "verify")).output
    await do(busy_exchange, AsyncConnection.execute, change, {"name": "Somebody"})
    async with busy_exchange.engine.begin() as connection:
        await connection.execute(text("UPDATE member SET name_zh = 'x' WHERE member = 'A'"))
        await registry.add_member(connection, ONE, "NEW", "New")
    found = [one for one in (await three_way.reconcile(busy_exchange.engine, ONE)).breaks if "member:A" in one.subject]
    assert [(one.kind, one.subject) for one in found] == [("HISTORY", "member:A row")]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE cash_transfer SET account = 'B.H', amount = 70000000 WHERE cash_id = {0}",
        "UPDATE proposal SET subjects = '{{1}}' WHERE status = 'PROPOSED'",
        "UPDATE proposal SET kind = 'fee' WHERE status = 'PROPOSED'",
        "UPDATE proposal SET summary = '{{}}' WHERE status = 'PROPOSED'",
        "UPDATE proposal SET proposed_by = 'clerk-3' WHERE status = 'PROPOSED'",
    ],
)
async def test_what_was_changed_by_hand_is_not_approved(busy_exchange: SmallExchange, damage: str) -> None:
    number = await do(busy_exchange, cash.propose, ONE, "A.H", 700, "bank-9")
    async with busy_exchange.engine.begin() as connection:
        (cash_id,) = (await proposals.find(connection, number)).subjects
        for statement in damage.format(cash_id).split(";"):
            await connection.execute(text(statement))
    with pytest.raises(Refused, match=f"proposal {number} cannot be approved; .* without an act") as refused:
        await do(busy_exchange, movements.approve, OTHER, number)
    assert refused.value.reason == "CHANGED_BY_HAND"
    assert {one.kind for one in (await three_way.reconcile(busy_exchange.engine, ONE)).breaks} >= {"HISTORY"}


async def test_rows_beside_a_document_count(busy_exchange: SmallExchange) -> None:
    """The lots of a load-out: one is taken off the sheet, or is on it that was not proposed."""
    number = await do(busy_exchange, application.apply, ONE, load_out_application("A.H", 99_900))
    await do(busy_exchange, AsyncConnection.execute, text("UPDATE load_out_lot SET lot_id = 3"))
    with pytest.raises(Refused, match=r"load_out_lot .* \(lot_id\)|load_out_lot .* deleted"):
        await do(busy_exchange, movements.approve, OTHER, number)


async def test_no_kind_of_proposal_is_approved_about_a_document_changed_by_hand(busy_exchange: SmallExchange) -> None:
    """Each kind about a row of its table, of which one column after the other is changed."""
    tried = set()
    async with busy_exchange.engine.connect() as connection:
        for kind, about in KINDS.items():
            table = metadata.tables[about.table]
            number = await connection.scalar(text(f'SELECT {key_of(table)} FROM "{table.name}" LIMIT 1'))
            if number is None:
                continue
            trial = await connection.begin_nested()
            for column in table.columns:
                if column.primary_key or await other_value(connection, table, column, number) is not None:
                    continue
                with pytest.raises(Refused, match=f"{table.name} {number}: changed") as refused:
                    await changes.check_unchanged(connection, 0, kind, [int(number)])
                assert refused.value.reason == "CHANGED_BY_HAND"
                tried.add(kind)
                break
            await trial.rollback()
            await changes.check_unchanged(connection, 0, kind, [int(number)])
    assert len(tried) >= 15, sorted(KINDS.keys() - tried)


async def test_rows_of_a_document_that_are_older_than_its_proposal_count(busy_exchange: SmallExchange) -> None:
    """Each row that names a document as its own, as the locks of a lot do, with a kind about such documents."""
    tried = set()
    kinds = {metadata.tables[about.table]: kind for kind, about in KINDS.items()}
    async with busy_exchange.engine.connect() as connection:
        for own in [column for table in watched() for column in table.columns if column.foreign_keys]:
            table = own.table
            kind = next((kinds[key.column.table] for key in own.foreign_keys if key.column.table in kinds), None)
            belonging = (
                f'SELECT {key_of(table)}, "{own.name}" FROM "{table.name}" WHERE "{own.name}" IS NOT NULL LIMIT 1'
            )
            row = None if kind is None else (await connection.execute(text(belonging))).one_or_none()
            if row is None:
                continue
            key, document = row
            trial = await connection.begin_nested()
            for column in table.columns:
                if column.primary_key or column is own or await other_value(connection, table, column, key) is not None:
                    continue
                with pytest.raises(Refused, match=f"{table.name} {key}: changed"):
                    await changes.check_unchanged(connection, 0, str(kind), [document])
                tried.add(table.name)
                break
            await trial.rollback()
    assert tried >= {"lot_lock", "provenance", "receipt", "sample"}, tried


async def test_documents_of_earlier_proposals_count(busy_exchange: SmallExchange) -> None:
    """A receipt is older than the proposal to cancel it."""
    async with busy_exchange.engine.begin() as connection:
        lot_id = await connection.scalar(text("SELECT lot_id FROM receipt WHERE receipt_no = 3"))
        number = await receipt_cancels.propose(connection, ONE, [lot_id], "x")
    await do(busy_exchange, AsyncConnection.execute, text("UPDATE receipt SET account = 'B.H' WHERE receipt_no = 3"))
    with pytest.raises(Refused, match="receipt 3: changed"):
        await do(busy_exchange, movements.approve, OTHER, number)
