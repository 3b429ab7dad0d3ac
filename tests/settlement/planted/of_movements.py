"""Movements of money in engine and ledger without a document."""

from random import Random
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.reconciliation.break_areas import LEDGER
from tests.settlement.planted.damage import named
from tests.settlement.planted.evening import Evening


async def a_movement_without_a_document(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """From one member to another, in the engine and in the ledger."""
    one, other = dice.sample(("A.H", "B.H", "C.H"), 2)
    sequence = 1 + int(await connection.scalar(text("SELECT max(sequence) FROM ledger_entry")) or 0)
    evening.sql.append(
        f"INSERT INTO ledger_entry (sequence, kind, at, reference) VALUES ({sequence}, 'unidentified', 1, 'x')"
    )
    accounts = "FROM ledger_account WHERE kind = 'member' AND asset = 'CNY' AND name"
    evening.sql.append(
        "INSERT INTO posting (sequence, line, account_id, amount) "
        f"SELECT {sequence}, row_number() OVER (ORDER BY name), account_id, "
        f"CASE name WHEN '{one}' THEN -700 ELSE 700 END {accounts} IN ('{one}', '{other}')"
    )
    for account, by in ((one, -700), (other, 700)):
        evening.sql.append(
            f"UPDATE engine_holding SET total = total + {by} WHERE account = '{account}' AND asset = 'CNY'"
        )
    evening.expect(LEDGER, "UNIDENTIFIED", f"entry:{sequence}")


async def two_movements_without_documents_that_cancel_out(
    connection: AsyncConnection, evening: Evening, dice: Random
) -> None:
    """One account gets what another loses, each against `suspense`, which has what it had."""
    fen = dice.randint(1, 1_000)
    free = (
        "SELECT free FROM generate_series((SELECT max(last_sequence) FROM business_day), "
        "(SELECT max(sequence) FROM progress)) AS given (free) "
        "WHERE NOT EXISTS (SELECT FROM ledger_entry WHERE sequence = free) ORDER BY free DESC LIMIT 2"
    )
    second, first = (await connection.scalars(text(free))).all()
    evening.sql.append(
        "INSERT INTO ledger_account (name, kind, asset, balance) VALUES ('suspense', 'suspense', 'CNY', 0) "
        "ON CONFLICT DO NOTHING"
    )
    for account, by, sequence in zip(dice.sample(("A.H", "B.H", "C.H"), 2), (-fen, fen), (first, second), strict=True):
        evening.sql.append(
            f"INSERT INTO ledger_entry (sequence, kind, at, reference) VALUES ({sequence}, 'unidentified', 1, 'x')"
        )
        evening.sql.append(
            "INSERT INTO posting (sequence, line, account_id, amount) "
            f"SELECT {sequence}, row_number() OVER (ORDER BY name), account_id, "
            f"CASE kind WHEN 'member' THEN {by} ELSE {-by} END FROM ledger_account "
            f"WHERE asset = 'CNY' AND (kind = 'suspense' OR kind = 'member' AND name = '{account}')"
        )
        evening.sql.append(
            f"UPDATE engine_holding SET total = total + {by} WHERE account = '{account}' AND asset = 'CNY'"
        )
        evening.expect(LEDGER, "UNIDENTIFIED", account)


DAMAGES: Final = named(a_movement_without_a_document, two_movements_without_documents_that_cancel_out)
