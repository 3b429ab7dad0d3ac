"""Generated payments and money: SQL matches them as the model does, and every match is within the gates."""

import secrets
from random import Random

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.banking import bank_reconciliation, camt, deposits, imports, matching, payouts
from settlement.banking.payouts import Payee
from settlement.base import registry
from settlement.base.spelling import fold
from settlement.base.working_days import today
from settlement.ledger import cash
from tests.settlement.banking.matching_model import Item, Matcher, Money
from tests.settlement.banking.mock_bank import ACCOUNT, Booking, MockBank, Payment
from tests.settlement.small_exchange import ONE, SmallExchange, do

NAMES = {"A.H": "厦门某某珠宝", "B.H": "Member B"}
SUMS = (100, 200, 300, 500)
"""Few sums, so that many are equal, and some are the sum of others."""


async def recorded(exchange: SmallExchange, dice: Random) -> None:
    """Record money in under few numbers, and orders to two payees in two files."""
    await do(exchange, registry.add_member, "test", "B", "Member B")
    numbers = []
    async with exchange.engine.begin() as connection:
        for number in range(6):
            money = (dice.choice(("A.H", "B.H")), dice.choice(SUMS), f"N-{number}")
            numbers.append(await cash.propose(connection, ONE, *money))
    for _ in range(2):
        async with exchange.engine.begin() as connection:
            for _ in range(dice.randint(2, 4)):
                account = dice.choice(("A.H", "A.H", "B.H"))
                payee = Payee(NAMES[account], dice.choice(("62220001", "62220002")), "102393000015")
                numbers.append(await payouts.order(connection, ONE, account, dice.choice(SUMS), payee))
        for proposal in numbers:
            await exchange.approve(proposal)
        numbers.clear()
        await exchange.round_trip()
        await do(exchange, payouts.send, ONE, ACCOUNT)


async def booked(connection: AsyncConnection, dice: Random) -> list[Booking | Payment]:
    """Return what the bank books for it: right and wrong, whole and in parts, with and without references."""
    rows = await connection.execute(
        text(
            "SELECT c.amount, c.bank_reference, o.payee_name, o.payee_account, p.payment_file_no AS file "
            "FROM cash_transfer c LEFT JOIN payment_order o USING (cash_id) "
            "LEFT JOIN payment_in_file p USING (cash_id) "
            "WHERE c.status = 'DONE' AND c.bank_reference <> 'B2611230001' ORDER BY cash_id"
        )
    )
    found: list[Booking | Payment] = []
    firsts: dict[int, str] = {}
    for row in rows:
        firsts.setdefault(row.file, row.bank_reference)
        names = (row.payee_name or "", row.payee_account or "")
        reference = dice.choice((row.bank_reference, row.bank_reference, "", "other"))
        number = row.bank_reference if row.amount > 0 and dice.random() < 0.5 else ""
        wrong = dice.choice((0, 0, 0, 1))
        whole = Payment(row.amount + wrong, reference, *names, number=number)
        parts = dice.random()
        if parts < 0.25:
            half = row.amount // 2
            found += [whole._replace(amount_fen=half), whole._replace(amount_fen=row.amount - half)]
        elif parts < 0.35:
            found += [whole, whole._replace(number="")]
        elif parts < 0.85:
            found.append(whole)
        if row.file is not None and dice.random() < 0.3:
            found.append(Payment(dice.choice((-300, -500, -600, -800)), f"F-{firsts[row.file]}", "Batch"))
    found.append(Payment(-sum(dice.sample(SUMS, 2)), "", NAMES["A.H"], "62220001"))
    dice.shuffle(found)
    return found


async def read(connection: AsyncConnection) -> Matcher:
    """Return the model of what is open in the database."""
    files = {
        row[0]: fold(f"{payouts.MESSAGE}{row[1]}")
        for row in await connection.execute(
            text(
                "SELECT DISTINCT ON (payment_file_no) payment_file_no, end_to_end FROM payment_in_file "
                "JOIN payment_order USING (cash_id) ORDER BY payment_file_no, cash_id"
            )
        )
    }
    items = [
        Item(
            row.item_no,
            row.amount_fen,
            row.day,
            fold(row.bank_reference),
            fold(row.reference),
            fold(row.account),
            fold(row.name),
            row.reversal,
        )
        for row in await connection.execute(deposits.open_payments().order_by(text("item_no")))
    ]
    rows = await connection.execute(
        text(
            "SELECT c.*, o.payee_account, o.payee_name, p.payment_file_no FROM cash_transfer c "
            "LEFT JOIN payment_order o USING (cash_id) LEFT JOIN payment_in_file p USING (cash_id) "
            "WHERE c.status IN ('PROPOSED', 'SENDING', 'DONE') "
            "AND NOT EXISTS (SELECT FROM bank_match m WHERE m.cash_id = c.cash_id) ORDER BY cash_id"
        )
    )
    money = [
        Money(
            r.cash_id,
            r.amount,
            r.account,
            fold(r.bank_reference),
            (fold(r.payee_account), fold(r.payee_name)) if r.payee_account else None,
            files.get(r.payment_file_no, ""),
            today() if r.payment_file_no else None,
        )
        for r in rows
    ]
    orders = {fold(row[0]) for row in await connection.execute(text("SELECT end_to_end FROM payment_order"))}
    return Matcher(items, money, orders)


GROUPS_ALONE = 1446505634
"""A sequence with a day on which no single payment is money of its own, but groups are."""


@pytest.mark.parametrize("seed", [GROUPS_ALONE, secrets.randbelow(2**32)], ids=["groups", "new"])
async def test_generated_payments_are_matched_as_the_model_does(
    exchange: SmallExchange, bank: MockBank, seed: int
) -> None:
    print("seed", seed)
    dice = Random(seed)
    await recorded(exchange, dice)
    bank.next_day = today()
    for _ in range(12):
        async with exchange.engine.connect() as connection:
            day = MockBank(bank.balance_fen, first=today())
            data = day.camt(day.book(*await booked(connection, dice)))
            await imports.take_in(connection, ONE, "day.xml", data, camt.read(data))
            model = await read(connection)
            items = {one.number: one.fen for one in model.items}
            money = {one.number: one.fen for one in model.money}
            found = await matching.recorded(connection)
            assert sorted((match.items, match.cash) for match in found) == model.ties()
            for match in found:
                assert sum(items[n] for n in match.items) == sum(money[n] for n in match.cash), match
            await deposits.match(connection, ONE)
            proof = await bank_reconciliation.compare(connection)
            moved = sum(one.found - one.expected for one in proof.breaks if one.unit == "amount")
            assert proof.bank_fen - proof.ledger_fen == moved
            assert "BANK_BALANCE" not in {one.kind for one in proof.breaks}
            await connection.rollback()
