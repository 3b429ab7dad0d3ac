"""Reconciliation finds nothing where nothing differs, and every kind of difference that is planted."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.protocol.commands import HoldingAdjust
from settlement.base.refusal import Refused
from settlement.reconciliation import break_work, breaks, three_way
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange


async def plant(engine: AsyncEngine, *statements: str) -> None:
    """Change the database past the program and its triggers."""
    async with engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (
            ["UPDATE engine_holding SET total = total + 1 WHERE account = 'B.H' AND asset = 'CNY'"],
            [("HOLDING", "B.H", "CNY", 1)],
        ),
        (
            ["UPDATE engine_holding SET total = total - 7 WHERE account = 'A.H' AND asset = 'AU'"],
            [("HOLDING", "A.H", "AU", -7), ("POOL_ENGINE", "AU", "AU", -7)],
        ),
        (
            ["UPDATE ledger_account SET balance = balance + 3 WHERE kind = 'member' AND name = 'A.H' AND asset = 'AU'"],
            [("HOLDING", "A.H", "AU", -3), ("POSTINGS", "A.H", "AU", 3)],
        ),
        (
            [
                "ALTER TABLE lot DROP CONSTRAINT ck_lot_fine_is_weight_times_fineness",
                "UPDATE lot SET fine_mg = fine_mg - 5 WHERE lot_id = 1",
            ],
            [
                ("POOL_LEDGER", "AU", "AU", 5),
                ("POOL_ENGINE", "AU", "AU", 5),
                ("RECEIPT", "lot:1", "AU", 5),
                ("CERTIFICATE", "lot:1", "AU", -5),
                ("HISTORY", "lot:1 row", "", -1),
            ],
        ),
        (
            ["UPDATE lot SET state = 'REGISTERED' WHERE lot_id = 2"],
            [
                ("POOL_LEDGER", "AU", "AU", 99_900),
                ("POOL_ENGINE", "AU", "AU", 99_900),
                ("RECEIPT", "lot:2", "", 99_900),
                ("HISTORY", "lot:2 state", "", -1),
                ("HISTORY", "lot:2 row", "", -1),
            ],
        ),
        (
            ["UPDATE receipt SET status = 'CANCELLED' WHERE lot_id = 2"],
            [
                ("RECEIPT", "lot:2", "AU", -99_900),
                ("HISTORY", "receipt:2 state", "", -1),
                ("HISTORY", "receipt:2 row", "", -1),
            ],
        ),
        (
            [
                "UPDATE certificate SET content = replace(content, '999000,999000', '999500,999500'), hash = sha256("
                "convert_to(replace(content, '999000,999000', '999500,999500'), 'UTF8')) WHERE lot_id = 1",
            ],
            [("CERTIFICATE", "lot:1", "AU", 99_900), ("HISTORY", "certificate:1 row", "", -1)],
        ),
        (
            ["DELETE FROM certificate WHERE lot_id = 1"],
            [("CERTIFICATE", "lot:1", "AU", 99_900), ("HISTORY", "certificate:1 row", "", -1)],
        ),
        (
            ["INSERT INTO engine_holding VALUES ('C.H', 'CNY', 5, 0, 0, 0, 1)"],
            [("HOLDING", "C.H", "CNY", 5)],
        ),
        (
            ["INSERT INTO ledger_account (name, kind, asset, balance) VALUES ('C.H', 'member', 'CNY', 5)"],
            [("HOLDING", "C.H", "CNY", -5), ("POSTINGS", "C.H", "CNY", 5)],
        ),
        (
            ["UPDATE trade SET buy_fee = 0"],
            [
                ("TRADES", "trade:1", "", -1),
                ("FEES", "fee_income", "CNY", 120),
                ("TRADE_FEE", "trade:1 buy", "CNY", -120),
                ("TRADE_FEE", "trade:1 in the ledger", "CNY", 120),
            ],
        ),
        (
            ["DELETE FROM trade"],
            [
                ("TRADES", "trades", "", -1),
                ("TRADES", "entry:15", "", 1),
                ("FEES", "fee_income", "CNY", 240),
                ("TRADE_FEE", "entry:15", "CNY", 240),
            ],
        ),
        (
            ["UPDATE cash_transfer SET amount = amount + 1"],
            [
                ("CASH_DOCUMENTS", "bank_escrow", "CNY", -1),
                ("HISTORY", "cash_transfer:1 row", "", -1),
                ("HISTORY", "cash:1 amounts", "", -1),
            ],
        ),
    ],
    ids=[
        "engine's cash",
        "engine's gold",
        "ledger balance",
        "lot's fine gold",
        "lot out of the vault",
        "receipt cancelled",
        "certificate changed",
        "certificate lost",
        "engine alone",
        "ledger alone",
        "fee forgotten",
        "trade lost",
        "cash document",
    ],
)
async def test_a_planted_difference_is_found(
    traded_exchange: SmallExchange, statements: list[str], expected: list[tuple[str, str, str, int]]
) -> None:
    assert (await three_way.reconcile(traded_exchange.engine, ONE)).breaks == ()
    await plant(traded_exchange.engine, *statements)
    found = (await three_way.reconcile(traded_exchange.engine, ONE)).breaks
    assert [(b.kind, b.subject, b.asset, b.found - b.expected) for b in found] == expected


async def test_metal_without_a_document_is_found(traded_exchange: SmallExchange) -> None:
    await traded_exchange.engine_runner.run(HoldingAdjust("B.H", "AU", 1, "typed by hand"))
    await traded_exchange.post()
    found = (await three_way.reconcile(traded_exchange.engine, ONE)).breaks
    assert [(b.kind, b.found - b.expected) for b in found] == [("POOL_ENGINE", 1), ("UNIDENTIFIED", 1)]


async def test_the_lock_of_a_pledge_or_hold_without_its_document_is_found(busy_exchange: SmallExchange) -> None:
    """The document was never there, is about other lots, or has ended."""
    insert = "INSERT INTO lot_lock (lot_id, kind, subject, reason, by, at) VALUES ({}, '{}', {}, 'x', 'x', 1)"
    damages = {
        insert.format(1, "PLEDGE", 77): ("pledge:77 lot:1", 1),
        insert.format(1, "LEGAL_HOLD", "NULL"): ("legal_hold:0 lot:1", 1),
        insert.format(1, "PLEDGE", 1): ("pledge:1 lot:1", 1),
        insert.format(1, "TRANSFER", 77): None,
        "UPDATE encumbrance SET lots = '{}'": ("legal_hold:1 lot:5", 1),
        "UPDATE encumbrance SET status = 'PROPOSED', fine_mg = 0": None,
    }
    async with busy_exchange.engine.connect() as connection:
        for damage, named in damages.items():
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            await connection.execute(text(damage))
            found = (await three_way.compare(connection)).breaks
            await connection.rollback()
            of_locks = [
                (one.subject, one.found) for one in found if "lot:" in one.subject and one.kind == "STATUS_DIFF"
            ]
            assert of_locks == ([] if named is None else [named]), damage


async def test_a_break_names_its_account_and_its_money(traded_exchange: SmallExchange) -> None:
    await traded_exchange.engine_runner.run(HoldingAdjust("B.H", "AU", 1, "typed by hand"))
    await traded_exchange.post()
    damage = (
        "INSERT INTO cash_transfer (account, amount, bank_reference, status) VALUES ('A.H', 9, 'x', 'DONE')",
        "UPDATE cash_transfer SET amount = amount + 1 WHERE cash_id = 1",
        "UPDATE outbox SET legs = '[[\"B.H\", \"CNY\", 7]]' WHERE reference = 'cash:1'",
        "UPDATE ledger_account SET balance = balance - 2 WHERE kind = 'vault'",
        "INSERT INTO engine_holding VALUES ('B.H.PLEDGE', 'AU', 5, 0, 0, 0, 1)",
    )
    async with traded_exchange.engine.connect() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in damage:
            await connection.execute(text(statement))
        found = (await three_way.compare(connection)).breaks
        await connection.execute(text("DELETE FROM cash_transfer WHERE cash_id = 1"))
        deleted = (await three_way.compare(connection)).breaks
        await connection.rollback()
    named = {(one.kind, one.subject): (one.account, one.cash_id) for one in found if one.account or one.cash_id}
    assert named == {
        ("HOLDING", "B.H.PLEDGE"): ("B.H.PLEDGE", None),
        ("POSTINGS", "ledger:vault"): ("ledger:vault", None),
        ("UNIDENTIFIED", "B.H"): ("B.H", None),
        ("HISTORY", "cash:1 amounts"): (None, 1),
        ("HISTORY", "cash:1 posted"): (None, 1),
        ("HISTORY", "cash:2 amounts"): (None, 2),
        ("HISTORY", "cash:2 state"): (None, 2),
    }
    of_it = [(one.subject, one.cash_id) for one in deleted if one.subject.startswith("cash:1 ")]
    assert of_it == [("cash:1 state", None), ("cash:1 amounts", None), ("cash:1 posted", None)], "it cannot refer to it"


async def test_a_break_keeps_its_number_and_age_until_it_is_gone(traded_exchange: SmallExchange) -> None:
    change = "UPDATE engine_holding SET total = total + {} WHERE account = 'B.H' AND asset = 'CNY'"
    await plant(traded_exchange.engine, change.format(1))
    first = await three_way.reconcile(traded_exchange.engine, ONE)
    await three_way.reconcile(traded_exchange.engine, OTHER)
    async with traded_exchange.engine.begin() as connection:
        (row,) = await breaks.open_breaks(connection)
        assert (row.owner, row.status, row.first_run, row.last_run) == (ONE, "OPEN", first.run_id, first.run_id + 1)
        await break_work.explain(connection, ONE, row.break_id, OTHER, "planted by a test")
    await three_way.reconcile(traded_exchange.engine, ONE)
    async with traded_exchange.engine.connect() as connection:
        (row,) = await breaks.open_breaks(connection)
        assert (row.owner, row.status, row.explanation) == (OTHER, "EXPLAINED", "planted by a test")
    await plant(traded_exchange.engine, change.format(-1))
    assert (await three_way.reconcile(traded_exchange.engine, ONE)).breaks == ()
    async with traded_exchange.engine.connect() as connection:
        assert await breaks.open_breaks(connection) == []


CASH_OF = "UPDATE engine_holding SET total = total + {} WHERE account = '{}' AND asset = 'CNY'"


async def test_one_run_goes_on_at_a_time(traded_exchange: SmallExchange) -> None:
    """A close waits for another run, everybody else is refused."""
    engine = traded_exchange.engine
    later: list[asyncio.Task[three_way.Run]] = []

    async def meanwhile(done: int, _: int) -> None:
        if done == 1:
            await plant(engine, CASH_OF.format(1, "B.H"))
            with pytest.raises(Refused, match="another reconciliation") as busy:
                await three_way.reconcile(engine, OTHER)
            assert busy.value.reason == "RECONCILIATION_RUNNING"
            later.append(asyncio.create_task(three_way.run(engine, OTHER, wait_seconds=30)))

    earlier = (await three_way.run(engine, ONE, report_done=meanwhile)).report
    found = (await later[0]).report
    assert (len(earlier.breaks), len(found.breaks)) == (0, 1)
    async with engine.connect() as connection:
        (left,) = await breaks.open_breaks(connection)
    assert (left.subject, left.first_run) == ("B.H", found.run_id)
    assert found.run_id > earlier.run_id


async def test_a_run_opens_again_what_has_grown_and_not_what_was_resolved_after_it_had_read(
    traded_exchange: SmallExchange,
) -> None:
    """A run that has read early still sees growth since the explanation or write-off, which are about known figures."""
    engine = traded_exchange.engine

    def during(step: str, **values: str) -> three_way.ReportDone:
        async def decide(done: int, _: int) -> None:
            if done == 1:
                async with engine.begin() as connection:
                    (row,) = await breaks.open_breaks(connection)
                    row = await break_work.load(connection, row.break_id)
                    await break_work.move(connection, row, step, **values)
                    await break_work.record(connection, ONE, row.break_id, step, "by a clerk", "proposal:1")

        return decide

    async def status() -> list[str]:
        async with engine.connect() as connection:
            return [row.status for row in await breaks.open_breaks(connection)]

    await plant(engine, CASH_OF.format(1, "A.H"))
    await three_way.reconcile(engine, ONE)
    await plant(engine, CASH_OF.format(1, "A.H"))
    for step in ("explain", "write_off"):
        await three_way.run(engine, ONE, report_done=during(step))
        assert await status() == ["OPEN"], "it is larger than what was explained or written off"
        await plant(engine, CASH_OF.format(1, "A.H"))
    await three_way.reconcile(engine, ONE)
    await three_way.run(engine, ONE, report_done=during("explain"))
    assert await status() == ["EXPLAINED"]
    await three_way.run(engine, ONE, report_done=during("resolve"))
    assert await status() == ["RESOLVED"], "it may be gone since that run has read"
    await three_way.reconcile(engine, ONE)
    assert await status() == ["OPEN"]
    await plant(engine, CASH_OF.format(-4, "A.H"))
    await three_way.reconcile(engine, ONE)
    assert await status() == []
