"""Fees computed again: each wrong fee of a trade, an accrual or a bill is found, and nothing right is reported."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import text

from goldx.protocol.commands import InstrumentDefine, MarketSetPhase
from goldx.protocol.terms import BUY, CLOSED, CONTINUOUS, SELL
from settlement.base import working_days
from settlement.charges import accruals, bills
from settlement.reconciliation import breaks, fees, three_way
from settlement.reconciliation import trades as trades_of_ledger
from settlement.reconciliation.break_areas import BOOKS
from tests.settlement.small_exchange import ONE, SmallExchange, do

MAKER, TAKER = 3, 8
"""Rates in basis points of the generated trades."""


async def sql(exchange: SmallExchange, *statements: str) -> None:
    """Run statements on the database of a test, which has no triggers while they run."""
    async with exchange.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await connection.execute(text(statement))


async def found(exchange: SmallExchange) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in (await do(exchange, fees.compare))[1]]


async def test_the_fees_of_a_trading_day_are_right(traded_exchange: SmallExchange) -> None:
    """Trades by the engine with fees, accruals and bills of all of it."""
    await do(traded_exchange, accruals.accrue, working_days.today() - timedelta(days=1))
    assert await do(traded_exchange, bills.propose, ONE) is not None
    checked, breaks = await do(traded_exchange, fees.compare)
    assert (breaks, checked >= 4) == ([], True)
    assert (await three_way.reconcile(traded_exchange.engine, ONE)).breaks == ()


async def test_maker_and_taker_have_rates_of_their_own(traded_exchange: SmallExchange) -> None:
    """The engine charges other rates from a new definition on; those of before are still right for the trade before."""
    define = InstrumentDefine("AU", form="NONAPPROVED_BAR", min_fineness=90_000, maker_fee_bp=MAKER, taker_fee_bp=TAKER)
    closed, opened = (MarketSetPhase("AU", phase) for phase in (CLOSED, CONTINUOUS))
    await traded_exchange.engine_runner.run(closed, define, opened)
    await traded_exchange.trade("B.H", "A.H", 60_000, 10)
    assert await found(traded_exchange) == []
    await sql(traded_exchange, "UPDATE trade SET buy_fee = sell_fee, sell_fee = buy_fee WHERE trade_id = 2")
    assert await found(traded_exchange) == [("TRADE_FEE", "trade:2 buy"), ("TRADE_FEE", "trade:2 sell")]
    _, wrong = await do(traded_exchange, fees.compare)
    assert sum(one.found - one.expected for one in wrong) == 0
    assert all(one.found != one.expected for one in wrong), "neither hides the other's"


def charge(residue: int, amount: int, rate: int) -> tuple[int, int]:
    """Return fee and residue, the slow way: the sum of an order's exact fees is rounded after each trade."""
    exact = residue + amount * rate
    fee = (2 * exact + 10_000) // 20_000
    return fee, exact - fee * 10_000


async def test_generated_trades_are_found_only_if_they_are_wrong(exchange: SmallExchange) -> None:
    """Orders that carry residues, makers and takers on either side, auctions; some fees are a fen or more off."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    rows, wrong = [], []
    residues = {"buy": 0, "sell": 0}
    for number in range(1, 301):
        amount = chance.choice([1, 7, chance.randrange(1, 10_000), chance.randrange(10**9)])
        side = chance.choice([BUY, SELL, None])
        buyer_takes = chance.random() < 0.5 if side is None else side == BUY
        rates = (TAKER, MAKER) if buyer_takes else (MAKER, TAKER)
        buy, residues["buy"] = charge(residues["buy"], amount, rates[0])
        sell, residues["sell"] = charge(residues["sell"], amount, rates[1])
        if chance.random() < 0.1:
            most = -(-amount * rates[0] // 10_000)
            buy = most + chance.choice([1, 10**6])
            if side is None and buy <= -(-amount * max(rates) // 10_000):
                continue
            wrong.append(("TRADE_FEE", f"trade:{number} buy"))
        rows.append(
            f"({number}, {number + 1000}, 1, 'AU', 1, 1, {amount}, 'B.H', 'A.H', {buy}, {sell}, "
            f"{'NULL' if side is None else side})"
        )
        if chance.random() < 0.3:
            residues = {"buy": 0, "sell": 0}
    await sql(
        exchange,
        "TRUNCATE fee_rate",
        f"INSERT INTO fee_rate VALUES ('AU', 1000, {MAKER}, {TAKER}), ('AU', 999, 0, 0), ('AU', 9999, 0, 0)",
        "INSERT INTO trade VALUES " + ", ".join(rows),
        "INSERT INTO ledger_account (name, kind, asset, balance) VALUES ('fee_income', 'fee_income', 'CNY', 0)",
        "INSERT INTO ledger_entry (sequence, kind, at) SELECT sequence, 'trade', 1 FROM trade",
        "INSERT INTO posting (sequence, line, account_id, amount) SELECT sequence, 3, account_id, buy_fee + sell_fee "
        "FROM trade, ledger_account a WHERE a.kind = 'fee_income' AND buy_fee + sell_fee <> 0",
    )
    assert await found(exchange) == wrong


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("UPDATE trade SET buy_fee = buy_fee + 2", ["TRADE_FEE trade:1 buy", "TRADE_FEE trade:1 in the ledger"]),
        ("DELETE FROM trade", ["TRADE_FEE entry:"]),
        ("UPDATE posting SET amount = amount - 1 WHERE line = 3", ["TRADE_FEE trade:1 in the ledger"]),
        ("UPDATE fee_rate SET taker_fee_bp = 99", ["TRADE_FEE trade:1"]),
        ("DELETE FROM fee_rate", []),
        ("UPDATE fee_accrual SET rate = rate + 1 WHERE accrual_no = 1", ["ACCRUAL accrual:1"]),
        ("UPDATE fee_accrual SET quantity = quantity * 10 WHERE accrual_no = 1", ["ACCRUAL accrual:1"]),
        (
            "UPDATE fee_accrual SET amount_ufen = amount_ufen + 1 WHERE accrual_no = 1",
            ["ACCRUAL accrual:1", "BILL bill:1"],
        ),
        ("UPDATE fee_accrual SET bill_no = NULL WHERE accrual_no = 1", ["BILL bill:1"]),
        ("UPDATE fee_bill SET exact_ufen = exact_ufen - 1 WHERE bill_no = 1", ["BILL bill:1"]),
        ("UPDATE fee_bill SET status = 'REPLACED' WHERE bill_no = 1", ["BILL bill:1"]),
        (
            "INSERT INTO tariff (name, value, from_day, status) SELECT name, 7, '2020-01-01', 'AGREED' "
            "FROM (VALUES ('LOAD_IN')) AS one (name)",
            ["ACCRUAL accrual:1"],
        ),
        (
            "INSERT INTO tariff (name, value, from_day, status) VALUES ('LOAD_IN', 7, '2099-01-01', 'AGREED'), "
            "('LOAD_IN', 7, '2020-01-01', 'PROPOSED')",
            [],
        ),
    ],
)
async def test_a_wrong_fee_is_found(traded_exchange: SmallExchange, damage: str, expected: list[str]) -> None:
    await do(traded_exchange, bills.propose, ONE)
    await sql(traded_exchange, damage)
    names = [f"{kind} {subject}" for kind, subject in await found(traded_exchange)]
    assert len(names) == len(expected)
    assert all(name.startswith(prefix) for name, prefix in zip(names, expected, strict=True)), names


async def test_no_break_ends_because_a_run_has_not_named_it(
    traded_exchange: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where more trades are wrong than a run names, the breaks of the others stay, and their number is a break."""
    for _ in range(3):
        await traded_exchange.trade("B.H", "A.H", 60_000, 10)
    await sql(traded_exchange, "UPDATE trade SET buy_fee = buy_fee + 2")

    async def run() -> list[tuple[str, int]]:
        await three_way.reconcile(traded_exchange.engine, ONE)
        kept = await do(traded_exchange, breaks.open_breaks)
        return [(row.subject, row.found) for row in kept if row.kind == "TRADE_FEE" and "ledger" not in row.subject]

    everything = await run()
    assert [subject for subject, _ in everything] == [f"trade:{number} buy" for number in range(1, 5)]
    for module in (fees, trades_of_ledger):
        monkeypatch.setattr(module, "MOST_NAMED", 2)
    assert await run() == [*everything, ("further trades", 2)]
    await sql(traded_exchange, "UPDATE trade SET buy_fee = buy_fee - 2 WHERE trade_id < 3")
    assert await run() == everything[2:]
    await sql(traded_exchange, "UPDATE trade SET buy_fee = buy_fee - 2 WHERE trade_id > 2")
    assert await run() == []


async def test_the_number_of_further_breaks_is_that_of_all_and_ends_by_itself(exchange: SmallExchange) -> None:
    """A run of what came after a proof counts fewer; of two numbers of one kind either may be gone."""

    async def stored(*found: tuple[str, int], proved: int | None = None) -> list[tuple[str, int]]:
        further = [breaks.Break("TRADES", subject, "", 0, number, breaks.FURTHER) for subject, number in found]
        async with exchange.engine.begin() as connection:
            await breaks.record_run(connection, ONE, BOOKS, 9, further, proved=proved)
            return [(row.subject, row.found) for row in await breaks.open_breaks(connection)]

    trades, entries = "further trades", "further entries"
    assert await stored((trades, 5), (entries, 3)) == [(trades, 5), (entries, 3)]
    assert await stored((trades, 2), proved=1) == [(trades, 5), (entries, 3)]
    assert await stored((trades, 6), proved=1) == [(trades, 6), (entries, 3)]
    assert await stored((trades, 4)) == [(trades, 4)]
    assert await stored() == []


async def test_differences_of_fees_are_breaks_of_their_area(traded_exchange: SmallExchange) -> None:
    await sql(traded_exchange, "UPDATE fee_rate SET maker_fee_bp = 500")
    report = await three_way.reconcile(traded_exchange.engine, ONE)
    assert [one.kind for one in report.breaks] == ["TRADE_FEE", "HISTORY"], "the wrong fee, and that a rate was changed"
