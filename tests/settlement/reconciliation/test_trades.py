"""Each trade and each annulment is compared with the postings of its entry."""

from sqlalchemy import text

from goldx.protocol.commands import TradeBust
from settlement.reconciliation import three_way
from settlement.reconciliation import trades as trades_of_ledger
from tests.settlement.ledger.test_busts import WHY, trades
from tests.settlement.small_exchange import SmallExchange, do, find_breaks

PAST_TRIGGERS = "SET LOCAL session_replication_role = replica"
FEE_LINE = "line = 3 AND sequence = (SELECT max(sequence) FROM trade)"
DAMAGE = [
    (
        "UPDATE posting SET amount = amount + 1 WHERE line = 1 AND sequence IN (SELECT sequence FROM trade)",
        ["trade:1", "trade:2"],
    ),
    (f"DELETE FROM posting WHERE {FEE_LINE}", ["trade:2"]),
    (f"UPDATE posting SET account_id = (SELECT min(account_id) FROM ledger_account) WHERE {FEE_LINE}", []),
    (
        "UPDATE posting SET account_id = (SELECT min(account_id) FROM ledger_account) "
        "WHERE line = 4 AND sequence IN (SELECT sequence FROM trade)",
        ["trade:1", "trade:2"],
    ),
    ("UPDATE posting SET line = 9 WHERE line = 5", []),
    ("UPDATE trade SET price = price + 1 WHERE trade_id = 2", ["trade:2", "annulment of trade:2"]),
    ("UPDATE trade SET sell_account = 'VENUE' WHERE trade_id = 1", ["trade:1"]),
    ("UPDATE trade SET quantity = quantity + 1 WHERE trade_id = 1", ["trade:1"]),
    ("UPDATE trade SET at = at + 1 WHERE trade_id = 1", ["trade:1"]),
    ("UPDATE trade_bust SET trade_id = 1", ["annulment of trade:1"]),
    ("UPDATE trade_bust SET at = at - 1", ["annulment of trade:2"]),
    ("DELETE FROM trade_bust", ["entry"]),
    ("DELETE FROM trade WHERE trade_id = 1", ["entry"]),
    ("DELETE FROM posting WHERE sequence = (SELECT sequence FROM trade_bust)", ["annulment of trade:2"]),
]
"""SQL statements, and the subjects of the breaks; a fee that stands elsewhere is a break of POSTINGS and of fees."""


async def annulled(exchange: SmallExchange) -> None:
    """Trade once more, and annul that trade: the first was prepared, perhaps too long ago to be annulled."""
    await exchange.trade("B.H", "A.H", 60_010, 10)
    given = (await trades(exchange))[2]
    await exchange.engine_runner.run(*(TradeBust(2, WHY, by, given) for by in ("ada", "ben")))
    await exchange.post()


async def test_trades_and_annulments_have_their_postings(traded_exchange: SmallExchange) -> None:
    await annulled(traded_exchange)
    assert await do(traded_exchange, trades_of_ledger.compare) == (3, [])
    assert await find_breaks(traded_exchange) == ()
    for statement, subjects in DAMAGE:
        async with traded_exchange.engine.connect() as connection:
            await connection.execute(text(PAST_TRIGGERS))
            await connection.execute(text(statement))
            _, found = await trades_of_ledger.compare(connection)
            await connection.rollback()
        named = ["entry" if one.subject.startswith("entry:") else one.subject for one in found]
        assert named == subjects, (statement, found)


async def test_a_trade_of_an_account_with_itself_has_its_postings(traded_exchange: SmallExchange) -> None:
    """Both sides are of one account: its money moves by the fees alone, and its metal not at all."""
    statements = (
        PAST_TRIGGERS,
        "UPDATE trade SET sell_account = buy_account",
        "UPDATE posting p SET account_id = b.account_id FROM ledger_account a JOIN ledger_account b "
        "ON b.kind = 'member' AND b.asset = a.asset AND b.name = 'B.H' "
        "WHERE a.account_id = p.account_id AND a.name = 'A.H' AND p.sequence IN (SELECT sequence FROM trade)",
    )
    async with traded_exchange.engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
        assert (await trades_of_ledger.compare(connection))[1] == []
        wrong = "UPDATE posting SET amount = amount - 1 WHERE line = 1 AND sequence = (SELECT min(sequence) FROM trade)"
        await connection.execute(text(wrong))
        assert [one.subject for one in (await trades_of_ledger.compare(connection))[1]] == ["trade:1"]
        await connection.rollback()


async def test_an_entry_without_a_document_stands_against_suspense(traded_exchange: SmallExchange) -> None:
    """One that moves money from a member to another does not, and is found although all sums are right."""
    async with traded_exchange.engine.connect() as connection:
        for statement in (
            "INSERT INTO ledger_entry (sequence, kind, at, reference) SELECT max(sequence) + 1, 'unidentified', 1, 'x' "
            "FROM ledger_entry",
            "INSERT INTO posting (sequence, line, account_id, amount) SELECT (SELECT max(sequence) FROM ledger_entry), "
            "row_number() OVER (ORDER BY name), account_id, CASE name WHEN 'A.H' THEN -500 ELSE 500 END "
            "FROM ledger_account WHERE kind = 'member' AND asset = 'CNY' AND name IN ('A.H', 'B.H')",
            "UPDATE engine_holding SET total = total + CASE account WHEN 'A.H' THEN -500 ELSE 500 END "
            "WHERE asset = 'CNY' AND account IN ('A.H', 'B.H')",
        ):
            await connection.execute(text(statement))
        found = [
            (one.kind, one.subject.partition(":")[0], one.found) for one in (await three_way.compare(connection)).breaks
        ]
        await connection.rollback()
    assert found == [("UNIDENTIFIED", "entry", 500)]
