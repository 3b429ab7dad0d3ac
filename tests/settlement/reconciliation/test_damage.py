"""Damage by hand in SQL that the triggers allow: a reconciliation or a proof names it."""

import runpy
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import settlement.migrations
from settlement.base import audit, working_days
from settlement.documents.kinds import MOVEMENTS
from settlement.ledger import cash, chain, own_stock
from settlement.load_outs import application
from settlement.reconciliation import documents, histories, three_way
from settlement.service import movements
from settlement.tables.changes import EXEMPT
from tests.settlement.commands import goldx
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, load_out_application

LOT_MG = 99_900


async def of_histories(connection: AsyncConnection) -> list[str]:
    """Return the findings about histories, documents, chains and own stock."""
    facts = histories.Facts()
    await histories.compare(connection, facts)
    await documents.compare(connection, facts)
    assert all(one.difference for one in facts.breaks)
    found = [f"{one.subject} {one.note}" for one in facts.breaks]
    try:
        await audit.verify(connection)
        await chain.verify(connection)
    except (audit.BrokenChain, chain.BrokenLedger) as error:
        found.append(str(error))
    return found + await own_stock.differences(connection)


async def findings(engine: AsyncEngine) -> list[str]:
    """Return the breaks of a reconciliation, and the findings about histories."""
    found = [f"{one.kind} {one.subject}" for one in (await three_way.reconcile(engine, ONE)).breaks]
    async with engine.connect() as connection:
        return found + await of_histories(connection)


SWAP = "UPDATE lot SET serial = 'swap' WHERE lot_id = 1; UPDATE lot SET serial = 'A0' WHERE lot_id = 3"
ENTRY = """
INSERT INTO ledger_entry (sequence, kind, at, reference)
    SELECT max(sequence) + 1, 'unidentified', 1, 'x' FROM ledger_entry;
INSERT INTO posting (sequence, line, account_id, amount)
    SELECT (SELECT max(sequence) FROM ledger_entry), row_number() OVER (ORDER BY name),
           account_id, CASE name WHEN 'A.H' THEN -500 ELSE 500 END
    FROM ledger_account WHERE kind = 'member' AND asset = 'CNY' AND name IN ('A.H', 'B.H');
UPDATE engine_holding SET total = total + CASE account WHEN 'A.H' THEN -500 ELSE 500 END
    WHERE asset = 'CNY' AND account IN ('A.H', 'B.H')
"""


DAMAGE: list[tuple[str, list[str]]] = [
    (SWAP, ["lot:1 serial A0 by its history, swap in the table", "lot:3 serial A2 by its history, A0"]),
    ("UPDATE lot SET year = 2020 WHERE lot_id = 1", ["lot:1 year 2024 by its history, 2020"]),
    ("UPDATE lot SET warehouse = 'XM2' WHERE lot_id = 3", ["lot:3 warehouse XM1 by its history, XM2"]),
    ("UPDATE lot SET state = 'ALLOCATED' WHERE lot_id = 3", ["lot:3 state RECEIPTED by its history, ALLOCATED"]),
    ("UPDATE lot SET account = 'B.H' WHERE lot_id = 3", ["lot:3 account A.H by its history, B.H"]),
    ("UPDATE receipt SET account = 'B.H' WHERE receipt_no = 3", ["receipt:3 amounts A.H AU 99900 by its"]),
    ("UPDATE receipt SET account = 'A.H' WHERE receipt_no = 7", ["receipt:7 account B.H by its history, A.H"]),
    (
        "INSERT INTO cash_transfer (account, amount, bank_reference, status) "
        "VALUES ('A.H', 900, 'x', 'DONE'), ('B.H', -900, 'y', 'DONE')",
        ["cash:6 amounts nothing sent", "cash:6 state PROPOSED by its history, DONE", "cash:7 amounts nothing"],
    ),
    (
        "UPDATE cash_transfer SET amount = amount + CASE cash_id WHEN 1 THEN 5 ELSE -5 END WHERE cash_id IN (1, 2)",
        ["cash:1 amounts A.H CNY 100000000 by its history, A.H CNY 100000005", "cash:2 amounts"],
    ),
    ("UPDATE cash_transfer SET status = 'REFUSED' WHERE cash_id = 4", ["cash:4 state DONE by its history"]),
    ("UPDATE cash_transfer SET status = 'DECLINED' WHERE cash_id = 5", ["cash:5 state PROPOSED by its"]),
    ("DELETE FROM fee_accrual WHERE kind = 'STORAGE_BOUGHT'", ["fees 3 fees of"]),
    ("UPDATE fee_accrual SET amount_ufen = 1 WHERE kind = 'LOAD_IN'", ["fees 1 fees of"]),
    ("UPDATE stock SET own_mg = 0", ["own stock of A.H in AU: 0 mg and sold 150000 stored"]),
    ("UPDATE stock SET own_sold_mg = 0", ["own stock of A.H in AU"]),
    ("UPDATE lot_lock SET lifted_by = 'x', lifted_at = 1", ["lot:6 FREEZE locked by its history, not locked"]),
    ("DELETE FROM lot_lock WHERE kind = 'TRANSFER'", ["lot:4 TRANSFER locked by its history, not locked"]),
    ("UPDATE proposal SET decided_by = 'clerk-3' WHERE proposal_id = 2", ["proposal:2 decider clerk-2 by its"]),
    ("UPDATE proposal SET proposed_by = 'clerk-3' WHERE proposal_id = 2", ["proposal:2 proposer clerk-1 by"]),
    ("DELETE FROM proposal WHERE proposal_id = 2", ["proposal:2 state APPROVED by its history, None"]),
    ("DELETE FROM aml_report", ["aml_report:1 state DUE by its history, deleted"]),
    ("UPDATE staff SET permissions = '{settle,operate}' WHERE staff = 'clerk-1'", ["staff clerk-1 permissions"]),
    ("INSERT INTO staff VALUES ('clerk-7', 'Nobody', '{settle}', 1)", ["staff clerk-7 permissions None by"]),
    ("UPDATE api_key SET status = 'ENDED'", ["key A.key standing ACTIVE by its history, ENDED"]),
    ("UPDATE member SET status = 'SUSPENDED'", ["member A standing ACTIVE by its history, SUSPENDED"]),
    ("UPDATE staff SET status = 'ENDED' WHERE staff = 'clerk-2'", ["staff clerk-2 standing ACTIVE by its history"]),
    ("UPDATE warehouse_key SET public_key = sha256(public_key)", ["warehouse_key:1 fingerprint XM1 "]),
    ("UPDATE warehouse_key SET warehouse = 'XM2'", ["warehouse_key:1 fingerprint XM1 "]),
    ("UPDATE warehouse_key SET status = 'ENDED', end_reason = 'x'", ["warehouse_key:1 state LIVE by its"]),
    ("UPDATE load_out SET account = 'A.H' WHERE load_out_no = 1", ["load_out:1 amounts", "receipt:7 account A.H"]),
    ("UPDATE load_out SET status = 'EXPIRED' WHERE load_out_no = 2", ["load_out:2 state SUCCESS by its history"]),
    ("UPDATE transfer SET status = 'CANCELLED'", ["transfer:1 state MADE by its history, CANCELLED"]),
    ("UPDATE encumbrance SET status = 'RELEASED'", ["legal_hold:1 state LIVE by its history, RELEASED"]),
    (
        "UPDATE outbox SET legs = '[[\"A.H\", \"CNY\", 1]]' WHERE reference = 'cash:1'",
        ["cash:1 posted A.H CNY 1000"],
    ),
    (ENTRY, ["ledger entry"]),
]
"""SQL statements, and the beginnings of the findings about them."""


async def test_damage_is_named(busy_exchange: SmallExchange) -> None:
    """Each damage is done alone, in a transaction that is rolled back."""
    assert len(DAMAGE) >= 30
    for damage, named in DAMAGE:
        async with busy_exchange.engine.connect() as connection:
            for statement in damage.split(";"):
                await connection.execute(text(statement))
            found = await of_histories(connection)
            await connection.rollback()
        for start in named:
            assert [one for one in found if start in one], (damage, found)


BARE: dict[str, list[str]] = {
    "audit_log": [
        "UPDATE audit_log SET actor = 'x' WHERE number = 2",
        "DELETE FROM audit_log WHERE number = 2",
        "INSERT INTO audit_log SELECT number + 1, at, actor, action, subject, detail, hash, hash FROM audit_log "
        "ORDER BY number DESC LIMIT 1",
    ],
    "ledger_entry": ["UPDATE ledger_entry SET at = 1", "DELETE FROM ledger_entry", ENTRY],
    "posting": ["UPDATE posting SET amount = -amount", "DELETE FROM posting WHERE sequence = 8"],
    "ledger_account": [
        "UPDATE ledger_account SET balance = balance + 1 WHERE name = 'A.H'",
        "UPDATE ledger_account SET name = 'Z.H' WHERE name = 'A.H'",
        "UPDATE ledger_account SET kind = 'suspense', name = 'suspense' WHERE kind = 'vault'",
        "UPDATE ledger_account SET asset = 'AG' WHERE name = 'B.H' AND asset = 'AU'",
        "DELETE FROM ledger_account WHERE name = 'B.H'",
        "INSERT INTO ledger_account (name, kind, asset, balance) VALUES ('Z.H', 'member', 'CNY', 1)",
    ],
    "engine_holding": [
        "UPDATE engine_holding SET total = total + 1 WHERE account = 'A.H'",
        "UPDATE engine_holding SET account = 'Z.H' WHERE account = 'A.H'",
        "UPDATE engine_holding SET asset = 'AG' WHERE account = 'B.H' AND asset = 'AU'",
        "DELETE FROM engine_holding WHERE account = 'B.H'",
        "INSERT INTO engine_holding VALUES ('Z.H', 'CNY', 5, 0, 0, 0, 1)",
    ],
    "trade": [
        *(
            f"UPDATE trade SET {change}"
            for change in (
                "buy_account = 'A.H'",
                "sell_account = 'B.H'",
                "buy_account = sell_account, sell_account = buy_account",
                "symbol = 'AG'",
                "at = at + 1",
                "price = price + 1",
                "quantity = quantity + 1",
                "amount = amount + 1",
                "buy_fee = buy_fee + 1, sell_fee = sell_fee - 1",
                "sequence = sequence + 1000",
            )
        ),
        "DELETE FROM trade",
        "INSERT INTO trade SELECT trade_id + 1, sequence + 1000, at, symbol, price, quantity, amount, buy_account, "
        "sell_account, 0, 0, taker_side FROM trade",
    ],
    "stock": [
        "UPDATE stock SET own_mg = own_mg + 1",
        "DELETE FROM stock",
        "INSERT INTO stock VALUES ('Z.H', 'AU', 5, 0)",
    ],
    "progress": ["UPDATE progress SET sequence = sequence - 20", "DELETE FROM progress"],
    "file": ["UPDATE file SET name = 'x'", "DELETE FROM file"],
}
"""By table that has no record of its changes: changes of its rows."""


async def test_changes_of_tables_without_a_record_are_refused_or_named(busy_exchange: SmallExchange) -> None:
    """Ends of days are tested with the close.

    Nothing follows from kept answers of requests, the progress of a close, and proposals that the engine has pending.
    """
    ends = {name for name in EXEMPT if name.endswith("_at_end")}
    nothing = {"row_change", "row_act", "request_key", "close_progress", "market_proposal"}
    assert BARE.keys() == EXEMPT.keys() - ends - nothing
    for name in ("row_change", "row_act"):
        with pytest.raises(DBAPIError, match="append-only"):
            await do(busy_exchange, AsyncConnection.execute, text(f"DELETE FROM {name}"))
    for damage in (change for changes in BARE.values() for change in changes):
        async with busy_exchange.engine.connect() as connection:
            try:
                for statement in damage.split(";"):
                    await connection.execute(text(statement))
            except IntegrityError:
                continue
            assert (await three_way.compare(connection)).breaks or await of_histories(connection), damage
            await connection.rollback()


async def test_a_reconciliation_looks_into_histories(busy_exchange: SmallExchange) -> None:
    await do(busy_exchange, AsyncConnection.execute, text("UPDATE lot SET warehouse = 'XM2' WHERE lot_id = 3"))
    found = (await three_way.reconcile(busy_exchange.engine, ONE)).breaks
    assert [(one.kind, one.subject, one.lot_id) for one in found] == [
        ("HISTORY", "lot:3 warehouse", 3),
        ("HISTORY", "lot:3 row", 3),
    ]


async def test_nothing_is_named_where_nothing_is_damaged(busy_exchange: SmallExchange) -> None:
    """A restarted program, whose first entry follows the last one in the database, does not hide it either."""
    assert await findings(busy_exchange.engine) == []
    busy_exchange.ledger = type(busy_exchange.ledger)(busy_exchange.engine, busy_exchange.shard)
    await busy_exchange.pay_in("A.H", 1, "bank-new")
    assert await findings(busy_exchange.engine) == []


def test_every_movement_is_compared() -> None:
    assert documents.TABLES.keys() == MOVEMENTS.keys()


@pytest.mark.usefixtures("configured_database")
async def test_the_chains_are_proved_by_the_auditors_command(busy_exchange: SmallExchange) -> None:
    """Both ends that were kept elsewhere are found again; a cut ledger and a changed own stock are named."""
    printed = (await goldx("audit", "verify")).output.splitlines()
    log, ledger = printed[0].rpartition(" ")[2], printed[1].rpartition(" ")[2]
    await goldx("audit", "verify", "--anchor", log, "--ledger-anchor", ledger)
    later = f"{int(ledger.partition(':')[0]) + 1}:{'0' * 64}"
    assert "the anchor is entry" in (await goldx("audit", "verify", "--ledger-anchor", later, code=1)).output
    other = f"{ledger.partition(':')[0]}:{'0' * 64}"
    assert "not the entry of the anchor" in (await goldx("audit", "verify", "--ledger-anchor", other, code=1)).output
    await do(busy_exchange, AsyncConnection.execute, text("UPDATE stock SET own_mg = 0"))
    assert "own stock of A.H in AU" in (await goldx("audit", "verify", code=1)).output


async def test_a_lapsed_proposal_is_no_damage(busy_exchange: SmallExchange) -> None:
    await do(busy_exchange, application.apply, ONE, load_out_application("A.H", LOT_MG))
    await do(busy_exchange, application.lapse, working_days.today() + timedelta(days=9))
    waiting = await do(busy_exchange, cash.propose, OTHER, "A.H", 1, "bank-x")
    await do(busy_exchange, movements.decline, OTHER, waiting)
    assert await findings(busy_exchange.engine) == []


async def test_a_ledger_that_is_older_than_the_chain_is_chained_by_its_migration(busy_exchange: SmallExchange) -> None:
    (migration,) = (Path(settlement.migrations.__file__).parent / "versions").glob("*_entries_are_chained.py")
    fill = str(runpy.run_path(str(migration))["FILL"])
    async with busy_exchange.engine.begin() as connection:
        kept = await chain.head(connection)
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE ledger_entry SET hash = NULL"))
        with pytest.raises(chain.BrokenLedger):
            await chain.verify(connection)
        await connection.exec_driver_sql(fill)
        assert await chain.verify(connection) == kept
