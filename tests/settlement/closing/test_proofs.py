"""A close compares what was written since the newest proved and signed day: when it does not, what it leaves out."""

from collections.abc import Sequence

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import audit
from settlement.closing import day as days
from settlement.closing import proofs, reconciled
from settlement.closing.obstacles import Blocked
from settlement.reconciliation import break_work, since, three_way
from settlement.reconciliation.break_areas import BOOKS
from settlement.reconciliation.breaks import record_run
from settlement.reconciliation.since import Since
from settlement.tables.closing import day_proof
from settlement.tables.reconciliation import recon_break, recon_run
from tests.settlement.closing.days import DAYS, close, pass_equal_days
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, begin_day, do

ACT = "INSERT INTO row_act SELECT number, begun FROM row_transaction() ON CONFLICT DO NOTHING"
"""Makes a change one of a program with an act of its own."""
PAST_TRIGGERS = "SET LOCAL session_replication_role = replica"


async def written(exchange: SmallExchange) -> Since | None:
    """Return what the next close compares, None for everything."""
    return await do(exchange, proofs.find)


async def found_by(exchange: SmallExchange, statements: Sequence[str]) -> tuple[set[str], set[str]]:
    """Return what a close and what the comparison of everything finds after some damage, which is taken back."""
    async with exchange.engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
        await connection.execute(text("SET LOCAL session_replication_role = origin"))
        of_close = await three_way.compare(connection, await proofs.find(connection))
        whole = await three_way.compare(connection)
        await connection.rollback()
    return tuple({f"{one.kind} {one.subject}" for one in made.breaks} for made in (of_close, whole))  # type: ignore[return-value]


async def test_a_close_compares_what_was_written_since_the_signed_day(equal_days_closed: SmallExchange) -> None:
    exchange = equal_days_closed
    async with exchange.engine.connect() as connection:
        first, second, third = await days.over(connection)
        runs = (await connection.scalars(select(recon_run.c.since).order_by(recon_run.c.run_id))).all()
        proved = (await connection.execute(select(day_proof).order_by(day_proof.c.sequence))).all()
    assert runs == [None, first.last, second.last]
    assert [(row.day, row.sequence) for row in proved] == [(day.day, day.last) for day in (first, second, third)]
    since = await written(exchange)
    assert since is not None
    async with exchange.engine.connect() as connection:
        fees = await connection.scalar(text("SELECT sum(buy_fee + sell_fee)::bigint FROM trade"))
    assert fees is not None
    assert (since.sequence, since.trade_fees_fen) == (third.last, fees)
    assert fees > 0


async def test_without_a_signed_day_everything_is_compared(three_days_closed: SmallExchange) -> None:
    async with three_days_closed.engine.connect() as connection:
        assert set(await connection.scalars(select(recon_run.c.since))) == {None}
    assert await written(three_days_closed) is None


UNSEEN: Sequence[tuple[str, set[str], set[str]]] = [
    ("UPDATE trade SET price = price + 1 WHERE trade_id = 1", set(), {"TRADES trade:1"}),
    ("UPDATE posting SET amount = amount + 1 WHERE sequence = (SELECT min(sequence) FROM trade) AND line = 1",
     set(), {"TRADES trade:1", "POSTINGS B.H"}),
    ("UPDATE custody_event SET warehouse = 'XM2' WHERE lot_id = 1", set(), {"HISTORY lot:1 warehouse"}),
    ("UPDATE certificate SET content = replace(content, '999', '998')", set(), {"CERTIFICATE lot:1"}),
    ("UPDATE engine_holding SET total = total + 1 WHERE account = 'A.H' AND asset = 'CNY'",
     {"HOLDING A.H"}, {"HOLDING A.H"}),
    ("UPDATE ledger_account SET balance = balance + 1 WHERE name = 'A.H' AND asset = 'CNY'",
     {"POSTINGS A.H", "HOLDING A.H"}, {"POSTINGS A.H", "HOLDING A.H"}),
    ("UPDATE receipt SET fine_mg = fine_mg - 1 WHERE receipt_no = 1", {"RECEIPT lot:1"}, {"RECEIPT lot:1"}),
]  # fmt: skip
"""Changes past all triggers: what a close finds, and something of what the comparison of everything finds."""


async def test_only_the_whole_comparison_finds_what_was_changed_past_triggers_in_proved_days(
    equal_days_closed: SmallExchange,
) -> None:
    checks = "ALTER TABLE certificate DROP CONSTRAINT ck_certificate_hash_of_content"
    for damage, of_close, of_all in UNSEEN:
        close_found, whole_found = await found_by(equal_days_closed, [checks, PAST_TRIGGERS, damage])
        assert close_found == of_close, damage
        assert all(any(one.startswith(name) for one in whole_found) for name in of_all), damage


BY_HAND = (
    "UPDATE lot SET serial = 'Z' WHERE lot_id = 1",
    "UPDATE scale SET capacity_cg = capacity_cg + 1",
    "DELETE FROM cash_transfer WHERE cash_id = 1",
    "UPDATE fee_accrual SET amount_ufen = 1 WHERE accrual_no = (SELECT min(accrual_no) FROM fee_accrual)",
    "UPDATE proposal SET decided_by = 'clerk-3' WHERE proposal_id = 1",
    "UPDATE outbox SET legs = '[]' WHERE number = 1",
)


async def test_a_close_finds_as_much_as_the_whole_comparison_where_old_rows_were_changed(
    equal_days_closed: SmallExchange,
) -> None:
    """By hand, or by a program with an act of its own."""
    for damage in BY_HAND:
        for statements in ([damage], [damage, ACT]):
            of_close, whole = await found_by(equal_days_closed, statements)
            assert of_close == whole, statements
        assert of_close or damage.startswith("UPDATE scale"), damage


async def test_a_change_that_was_under_way_during_the_proof_is_found(equal_days_closed: SmallExchange) -> None:
    exchange = equal_days_closed
    async with exchange.engine.connect() as slow:
        await slow.execute(text("UPDATE scale SET capacity_cg = capacity_cg + 1"))
        await do(exchange, audit.record, audit.Act("test", "test.later", "database"))
        await pass_equal_days(exchange, DAYS[3:4])
        await slow.commit()
    since = await written(exchange)
    assert since is not None
    assert since.changed["scale"] == {"SCALE-1"}
    await begin_day(exchange, DAYS[4])
    await close(exchange)
    async with exchange.engine.connect() as connection:
        found = (await connection.execute(select(recon_break.c.kind, recon_break.c.subject))).all()
    assert found == [("HISTORY", "scale:SCALE-1 row")]


async def test_a_break_that_waits_makes_a_close_compare_everything(equal_days_closed: SmallExchange) -> None:
    exchange = equal_days_closed
    await do(exchange, AsyncConnection.execute, text("UPDATE scale SET capacity_cg = capacity_cg + 1"))
    await three_way.reconcile(exchange.engine, ONE)
    assert await written(exchange) is None
    async with exchange.engine.begin() as connection:
        (number,) = await connection.scalars(select(recon_break.c.break_id))
        await break_work.explain(connection, ONE, number, OTHER, "a new certificate of calibration")
    assert await written(exchange) is None
    await begin_day(exchange, DAYS[3])
    await close(exchange)
    async with exchange.engine.connect() as connection:
        assert (await three_way.last_run(connection)).since is None  # type: ignore[union-attr]
        assert not await connection.scalar(select(day_proof.c.day).where(day_proof.c.run_id > 3))


async def test_a_written_off_break_stays_where_it_is_not_looked_for(equal_days_closed: SmallExchange) -> None:
    exchange = equal_days_closed
    statement = "INSERT INTO recon_break (kind, subject, asset, expected, found, owner, status, opened_at, closed_at, "
    statement += "first_run, last_run) VALUES ('TRADES', 'trade:1', '', 1, 0, 'clerk-1', 'WRITTEN_OFF', 1, 1, 1, 1)"
    async with exchange.engine.begin() as connection:
        await connection.execute(text(statement))
        await audit.record(connection, audit.Act("test", "test.write_off", "database"))
    await begin_day(exchange, DAYS[3])
    await close(exchange)
    status = select(recon_break.c.status)
    async with exchange.engine.connect() as connection:
        assert (await three_way.last_run(connection)).since is not None  # type: ignore[union-attr]
        assert await connection.scalar(status) == "WRITTEN_OFF"
    await three_way.reconcile(exchange.engine, ONE)
    async with exchange.engine.connect() as connection:
        assert await connection.scalar(status) == "CORRECTED"


async def test_no_day_is_closed_on_balances_that_were_changed_after_they_were_signed(
    equal_days_closed: SmallExchange,
) -> None:
    exchange = equal_days_closed
    async with exchange.engine.begin() as connection:
        await connection.execute(text(PAST_TRIGGERS))
        for name, by in (("A.H", 1), ("B.H", -1)):
            wrong = "UPDATE balance_at_end SET balance = balance + :by WHERE account_id = (SELECT account_id FROM "
            wrong += "ledger_account WHERE name = :name AND asset = 'CNY') AND sequence = (SELECT max(sequence) FROM "
            await connection.execute(text(wrong + "balance_at_end)"), {"name": name, "by": by})
    assert await written(exchange) is None
    third = (await do(exchange, days.over))[-1]
    found = await do(exchange, reconciled.obstacles, third)
    assert [one.what for one in found] == [
        f"the balances kept at the end of {third.day} are not those that were signed"
    ]
    await begin_day(exchange, DAYS[3])
    with pytest.raises(Blocked):
        await close(exchange)


REFUSED = (
    ("INSERT INTO trade SELECT trade_id + 1000, sequence - 1, at, symbol, price, quantity, amount, buy_account, "
     "sell_account, buy_fee, sell_fee, taker_side FROM trade WHERE trade_id = 1", "the close of the day"),
    ("INSERT INTO ledger_entry (sequence, kind, at) SELECT sequence - 1, 'trade', at FROM trade WHERE trade_id = 1",
     "the close of the day"),
    ("INSERT INTO trade_bust SELECT trade_id, sequence - 1, at, 'clerk-1', 'clerk-2', 'late' FROM trade "
     "WHERE trade_id = 1", "the close of the day"),
    ("UPDATE outbox SET status = 'SENT' WHERE status = 'DONE'", "answered_by_an_event"),
    ("UPDATE outbox SET status = 'REFUSED' WHERE status = 'DONE'", "answered_by_an_event"),
    ("INSERT INTO outbox (reference, kind, subject, legs, by, status, created_at) VALUES ('cash:99', 'cash', 99, "
     "'[]', 'test', 'DONE', 1)", "answered_by_an_event"),
    ("TRUNCATE lot_lock", "row by row"),
    ("TRUNCATE fee_accrual, fee_bill", "row by row"),
)  # fmt: skip


async def test_what_the_record_of_changes_would_not_show_is_refused(equal_days_closed: SmallExchange) -> None:
    """Nothing that a proof covers is written later without a record."""
    for statement, why in REFUSED:
        with pytest.raises(DBAPIError, match=why):
            await do(equal_days_closed, AsyncConnection.execute, text(statement))


MOVED = (
    (["INSERT INTO fee_rate SELECT symbol, sequence - 1, 77, 77 FROM trade WHERE trade_id = 1"], "TRADE_FEE trade:1"),
    (["UPDATE fee_accrual SET day = day - 100 WHERE accrual_no = 1"], "HISTORY day:"),
    (["INSERT INTO fee_bill (account, exact_ufen, amount_fen, status, made_at) SELECT account, amount_ufen, "
      "round(amount_ufen / 1000000.0), 'REPLACED', 1 FROM fee_accrual WHERE accrual_no = 1",
      "UPDATE fee_accrual SET bill_no = 2 WHERE accrual_no = 1"], "BILL bill:1"),
    (["UPDATE outbox SET subject = 2 WHERE reference = 'cash:1'"], "HISTORY cash:1 amounts"),
    (["UPDATE lot_lock SET lot_id = 2"], "HISTORY lot:1 FREEZE"),
    (["DELETE FROM lot_lock"], "HISTORY lot:1 FREEZE"),
    (["UPDATE lot_lock SET kind = 'CLAIM'"], "HISTORY lot:1 FREEZE"),
)  # fmt: skip
"""Changes by which something else is wrong than what was written, and a break that the whole comparison finds."""


async def test_what_is_gone_or_about_something_else_now_is_missed_where_it_was(papers_closed: SmallExchange) -> None:
    """By a program with an act of its own: the record of changes does not say what a row was about before."""
    for statements, finds in MOVED:
        of_close, whole = await found_by(papers_closed, [*statements, ACT])
        assert any(one.startswith(finds) for one in whole), finds
        assert of_close == whole, finds


async def test_an_act_about_an_old_key_of_a_warehouse_is_compared(papers_closed: SmallExchange) -> None:
    exchange = papers_closed
    later = {"key": 1, "warehouse": "XM1", "fingerprint": "another"}
    await do(exchange, audit.record, audit.Act("test", "warehouse_key.propose", "proposal:1", later))
    of_close, whole = await found_by(exchange, [])
    assert of_close == whole >= {"HISTORY warehouse_key:1 fingerprint"}


async def test_a_proof_counts_in_its_own_cluster_and_with_its_own_schema(equal_days_closed: SmallExchange) -> None:
    async with equal_days_closed.engine.connect() as connection:
        at = await since.marks(connection)
        assert await since.read(connection, 1, 0, at) == Since(1, 0, {}, frozenset(), frozenset())
        assert await since.read(connection, 1, 0, at._replace(cluster="another")) is None
        assert await since.read(connection, 1, 0, at._replace(revision="0001")) is None


async def test_changes_that_were_restored_with_higher_numbers_of_transactions_are_old(
    equal_days_closed: SmallExchange,
) -> None:
    async with equal_days_closed.engine.connect() as connection:
        await connection.execute(
            text(
                "INSERT INTO row_change (of_table, key, digest, transaction, begun, changed_by) "
                "SELECT 'scale', 'OLD', '', pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000, 1, 'test'"
            )
        )
        written = await since.read(connection, 1, 0, await since.marks(connection))
    assert written is not None
    assert written.changed == {}


async def test_the_balances_that_count_are_those_of_the_proved_day(equal_days_closed: SmallExchange) -> None:
    """A later day that is signed without a proof is not what the comparison begins with."""
    exchange = equal_days_closed
    _, second, third = await do(exchange, days.over)
    async with exchange.engine.begin() as connection:
        await connection.execute(text(PAST_TRIGGERS))
        await connection.execute(text("DELETE FROM day_proof WHERE day = :day"), {"day": third.day})
    found = await written(exchange)
    assert found is not None
    assert found.sequence == second.last
    async with exchange.engine.begin() as connection:
        await connection.execute(text(PAST_TRIGGERS))
        wrong = "UPDATE balance_at_end SET balance = balance + 1 WHERE sequence = :sequence"
        await connection.execute(text(wrong), {"sequence": second.last})
    assert await written(exchange) is None


async def test_a_close_ends_no_break_that_another_run_has_found_in_the_meantime(
    equal_days_closed: SmallExchange,
) -> None:
    exchange = equal_days_closed
    last = (await do(exchange, days.over))[-1].last
    await do(exchange, AsyncConnection.execute, text("UPDATE scale SET capacity_cg = capacity_cg + 1"))
    await three_way.reconcile(exchange.engine, ONE)
    await do(exchange, record_run, ONE, BOOKS, 1, [], last, proved=last)
    assert await do(exchange, AsyncConnection.scalar, select(recon_break.c.status)) == "OPEN"
    await do(exchange, record_run, ONE, BOOKS, 1, [], last)
    assert await do(exchange, AsyncConnection.scalar, select(recon_break.c.status)) == "CORRECTED"
