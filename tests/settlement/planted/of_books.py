"""Damages of the books: engine, ledger, register of lots, documents and fees.

A statement that goes round the triggers stands for a faulty disk or somebody with all rights; the others for a program
that did something wrong and recorded an act of its own, or, where it says so, for somebody who typed SQL.
"""

from random import Random
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.reconciliation.break_areas import BANK, ENGINE, FEE, LEDGER, WAREHOUSE
from tests.settlement.planted.damage import named
from tests.settlement.planted.day import bank_number
from tests.settlement.planted.evening import Evening
from tests.settlement.planted.of_metal import expect_exchanged, subject

PAST_TRIGGERS: Final = "SET LOCAL session_replication_role = replica"
STANDING: Final = (
    "SELECT * FROM trade WHERE kind IS NULL AND NOT EXISTS (SELECT FROM trade_bust b WHERE b.trade_id = trade.trade_id)"
)
"""Trades of orders, of no lot in particular."""
LIVE: Final = (
    "SELECT lot.*, receipt_no FROM lot JOIN receipt r USING (lot_id) WHERE state = 'RECEIPTED' AND r.status = 'LIVE' "
    "AND NOT EXISTS (SELECT FROM lot_lock k WHERE k.lot_id = lot.lot_id AND k.lifted_at IS NULL)"
)


async def one_of(connection: AsyncConnection, dice: Random, query: str) -> Any:
    """Return one of the rows of a query."""
    return dice.choice((await connection.execute(text(f"{query} ORDER BY 1"))).all())


def line_of(evening: Evening, lot: Any) -> dict[str, str]:
    """Return the line of a lot in the statement of its warehouse."""
    key = (lot.refiner, lot.serial, str(lot.year))
    bars = evening.statements[lot.warehouse]
    return next(bar for bar in bars if (bar["refiner"], bar["serial"], bar["year"]) == key)


async def money_of_one_account_off(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    row = await one_of(connection, dice, "SELECT account FROM engine_holding WHERE asset = 'CNY' AND total > 0")
    by = dice.choice((-1, 1))
    evening.sql.append(
        f"UPDATE engine_holding SET total = total + {by} WHERE account = '{row.account}' AND asset = 'CNY'"
    )
    evening.expect(ENGINE, "HOLDING", row.account)


async def gold_of_one_account_off(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    row = await one_of(connection, dice, "SELECT account FROM engine_holding WHERE asset = 'AU' AND total > 0")
    evening.sql.append(f"UPDATE engine_holding SET total = total + 1 WHERE account = '{row.account}' AND asset = 'AU'")
    evening.expect(ENGINE, "HOLDING", row.account)
    evening.expect(ENGINE, "POOL_ENGINE", "AU")


async def money_of_two_accounts_exchanged(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    one, other = dice.sample(("A.H", "B.H", "C.H"), 2)
    fen = dice.randint(1, 1_000)
    for account, by in ((one, fen), (other, -fen)):
        evening.sql.append(
            f"UPDATE engine_holding SET total = total + {by} WHERE account = '{account}' AND asset = 'CNY'"
        )
        evening.expect(ENGINE, "HOLDING", account)


async def a_holding_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Not zero, but no row at all."""
    row = await one_of(connection, dice, "SELECT account FROM engine_holding WHERE asset = 'CNY' AND total > 0")
    evening.sql.append(f"DELETE FROM engine_holding WHERE account = '{row.account}' AND asset = 'CNY'")
    evening.expect(ENGINE, "HOLDING", row.account)


async def a_posting_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    trade = await one_of(connection, dice, STANDING)
    evening.sql += [PAST_TRIGGERS, f"DELETE FROM posting WHERE sequence = {trade.sequence} AND line = 1"]
    evening.expect(LEDGER, "POSTINGS", trade.buy_account)
    evening.expect(LEDGER, "TRADES", f"trade:{trade.trade_id}")


async def two_errors_in_the_ledger_that_cancel_out(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Two trades of one buyer, each posted with the other's fen too many or too few: all balances are right."""
    row = await one_of(
        connection,
        dice,
        "SELECT one.trade_id AS first, other.trade_id AS second, one.sequence AS low, other.sequence AS high "
        "FROM trade one JOIN trade other ON one.buy_account = other.buy_account AND one.trade_id < other.trade_id",
    )
    fen = dice.randint(1, 99)
    evening.sql.append(PAST_TRIGGERS)
    for sequence, by in ((row.low, fen), (row.high, -fen)):
        evening.sql.append(f"UPDATE posting SET amount = amount + {by} WHERE sequence = {sequence} AND line = 1")
    for trade_id in (row.first, row.second):
        evening.expect(LEDGER, "TRADES", f"trade:{trade_id}")


async def an_entry_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """All postings of a trade."""
    trade = await one_of(connection, dice, STANDING)
    evening.sql += [PAST_TRIGGERS, f"DELETE FROM posting WHERE sequence = {trade.sequence}"]
    for account in (trade.buy_account, trade.sell_account):
        evening.expect(LEDGER, "POSTINGS", account, 2)
    evening.expect(LEDGER, "POSTINGS", "ledger:fee_income")
    evening.expect(LEDGER, "TRADES", f"trade:{trade.trade_id}")
    evening.expect(FEE, "TRADE_FEE", f"trade:{trade.trade_id} in the ledger")


async def a_trade_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """From the register of trades; the ledger has it."""
    trade = await one_of(connection, dice, STANDING)
    evening.sql += [PAST_TRIGGERS, f"DELETE FROM trade WHERE trade_id = {trade.trade_id}"]
    evening.expect(LEDGER, "TRADES", "trades")
    evening.expect(LEDGER, "TRADES", f"entry:{trade.sequence}")
    evening.expect(FEE, "FEES", "fee_income")
    evening.expect(FEE, "TRADE_FEE", f"entry:{trade.sequence}")


async def a_trade_of_another_buyer(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """In the register of trades: right price, right weight, wrong owner."""
    trade = await one_of(connection, dice, f"{STANDING} AND buy_account <> 'D.H' AND sell_account <> 'D.H'")
    evening.sql += [PAST_TRIGGERS, f"UPDATE trade SET buy_account = 'D.H' WHERE trade_id = {trade.trade_id}"]
    evening.expect(LEDGER, "TRADES", f"trade:{trade.trade_id}")


async def a_price_changed(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Change the price of a trade, from which closing prices are computed, and leave its amount as it was."""
    trade = await one_of(connection, dice, STANDING)
    evening.sql += [PAST_TRIGGERS, f"UPDATE trade SET price = price + 1 WHERE trade_id = {trade.trade_id}"]
    evening.expect(LEDGER, "TRADES", f"trade:{trade.trade_id}")


async def an_annulment_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    bust = await one_of(connection, dice, "SELECT trade_id, sequence FROM trade_bust")
    evening.sql += [PAST_TRIGGERS, f"DELETE FROM trade_bust WHERE trade_id = {bust.trade_id}"]
    evening.expect(LEDGER, "TRADES", "busts")
    evening.expect(LEDGER, "HISTORY", f"trade_bust:{bust.trade_id} row")
    evening.expect(LEDGER, "TRADES", f"entry:{bust.sequence}")
    evening.expect(FEE, "FEES", "fee_income")


async def a_receipt_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    lot = await one_of(connection, dice, LIVE)
    evening.sql.append(f"UPDATE receipt SET status = 'VOID' WHERE receipt_no = {lot.receipt_no}")
    evening.expect(LEDGER, "RECEIPT", f"lot:{lot.lot_id}")
    evening.expect(LEDGER, "HISTORY", f"receipt:{lot.receipt_no} state")


async def a_receipt_of_another_owner(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """The right weight, a wrong owner."""
    lot = await one_of(connection, dice, f"{LIVE} AND r.issued_to IS NULL")
    evening.sql.append(f"UPDATE receipt SET account = 'D.H' WHERE receipt_no = {lot.receipt_no}")
    evening.expect(LEDGER, "HISTORY", f"receipt:{lot.receipt_no} amounts")
    evening.expect(WAREHOUSE, "OWNER_DIFF", subject(lot.warehouse, line_of(evening, lot)))


async def a_unit_of_the_scale_in_the_register(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Too little for a statement to show it; the fine weight is computed with it."""
    lot = await one_of(connection, dice, LIVE)
    fine = "(gross_cg + 1) * fineness_e5"
    evening.sql.append(
        f"UPDATE lot SET gross_cg = gross_cg + 1, fine_mg = {fine} / 10000, residue_1e7 = {fine} % 10000 "
        f"WHERE lot_id = {lot.lot_id}"
    )
    evening.expect(LEDGER, "HISTORY", f"lot:{lot.lot_id} weight")
    for kind in ("CERTIFICATE", "RECEIPT"):
        evening.expect(LEDGER, kind, f"lot:{lot.lot_id}")
    evening.expect(LEDGER, "POOL_LEDGER", "AU")
    evening.expect(ENGINE, "POOL_ENGINE", "AU")


async def a_lot_moved_in_the_register(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    lot = await one_of(connection, dice, f"{LIVE} AND warehouse = 'XM1'")
    evening.sql.append(f"UPDATE lot SET warehouse = 'XM2' WHERE lot_id = {lot.lot_id}")
    evening.expect(LEDGER, "HISTORY", f"lot:{lot.lot_id} warehouse")
    bar = line_of(evening, lot)
    evening.expect(WAREHOUSE, "LOCATION_DIFF", subject("XM1", bar))
    evening.expect(WAREHOUSE, "MISSING_AT_WAREHOUSE", subject("XM2", bar))


async def two_serials_exchanged_in_the_register(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    query = f"{LIVE} AND warehouse = 'XM1' AND refiner = 'LS' AND year = 2024 ORDER BY lot_id"
    one, other = dice.sample((await connection.execute(text(query))).all(), 2)
    for lot_id, serial in ((one.lot_id, "between"), (other.lot_id, one.serial), (one.lot_id, other.serial)):
        evening.sql.append(f"UPDATE lot SET serial = '{serial}' WHERE lot_id = {lot_id}")
    for lot in (one, other):
        evening.expect(LEDGER, "HISTORY", f"lot:{lot.lot_id} serial")
    expect_exchanged(evening, line_of(evening, one), line_of(evening, other))


async def a_lot_of_another_depositor(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    lot = await one_of(connection, dice, LIVE)
    evening.sql.append(f"UPDATE lot SET account = 'D.H' WHERE lot_id = {lot.lot_id}")
    evening.expect(LEDGER, "HISTORY", f"lot:{lot.lot_id} account")


async def the_lock_of_a_hold_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    lock = "SELECT lot.*, subject FROM lot_lock JOIN lot USING (lot_id) WHERE kind = 'LEGAL_HOLD'"
    lot = await one_of(connection, dice, lock)
    evening.sql.append("UPDATE lot_lock SET lifted_by = 'x', lifted_at = 1 WHERE kind = 'LEGAL_HOLD'")
    evening.expect(LEDGER, "STATUS_DIFF", f"legal_hold:{lot.subject} lot:{lot.lot_id}")
    evening.expect(LEDGER, "HISTORY", f"lot:{lot.lot_id} LEGAL_HOLD")
    evening.expect(WAREHOUSE, "STATUS_DIFF", subject(lot.warehouse, line_of(evening, lot)))


async def a_hold_that_ended_by_itself(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Release the document of a hold, while its gold is still held."""
    hold = await one_of(connection, dice, "SELECT encumbrance_no, lots FROM encumbrance WHERE kind = 'LEGAL_HOLD'")
    held = await one_of(connection, dice, "SELECT name FROM ledger_account WHERE name LIKE 'A.H%' AND name <> 'A.H'")
    evening.sql.append("UPDATE encumbrance SET status = 'RELEASED' WHERE kind = 'LEGAL_HOLD'")
    evening.expect(LEDGER, "HISTORY", f"legal_hold:{hold.encumbrance_no} state")
    evening.expect(LEDGER, "STATUS_DIFF", held.name)
    for number in hold.lots:
        evening.expect(LEDGER, "STATUS_DIFF", f"legal_hold:{hold.encumbrance_no} lot:{number}")


async def money_in_that_never_came(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """A document of money that is done, though nothing was moved."""
    evening.sql.append(
        "INSERT INTO cash_transfer (cash_id, account, amount, bank_reference, status) "
        f"OVERRIDING SYSTEM VALUE VALUES (9001, 'D.H', {dice.randint(1, 10**6)}, 'x', 'DONE')"
    )
    evening.expect(LEDGER, "CASH_DOCUMENTS", "bank_escrow")
    evening.expect(LEDGER, "HISTORY", "cash:9001 amounts")
    evening.expect(LEDGER, "HISTORY", "cash:9001 state")


async def a_document_of_money_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    place = dice.choice((3, 4))
    number = bank_number(place)
    row = await one_of(connection, dice, f"SELECT cash_id FROM cash_transfer WHERE bank_reference = '{number}'")
    evening.sql.append(f"DELETE FROM cash_transfer WHERE cash_id = {row.cash_id}")
    evening.expect(LEDGER, "CASH_DOCUMENTS", "bank_escrow")
    evening.expect(LEDGER, "HISTORY", f"cash:{row.cash_id} amounts")
    evening.expect(LEDGER, "HISTORY", f"cash:{row.cash_id} state")
    evening.expect(BANK, "BANK_ONLY", f"payment {place}")
    evening.expect(BANK, "BANK_BALANCE", "all accounts")


async def another_sum_sent_to_the_engine(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    row = await one_of(connection, dice, "SELECT reference, legs FROM outbox WHERE kind = 'cash'")
    account, asset, fen = row.legs[0]
    evening.sql.append(
        f"UPDATE outbox SET legs = '[[\"{account}\", \"{asset}\", {fen + 1}]]' WHERE reference = '{row.reference}'"
    )
    evening.expect(LEDGER, "HISTORY", f"{row.reference} amounts")
    evening.expect(LEDGER, "HISTORY", f"{row.reference} posted")


async def approved_by_the_one_who_proposed(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    row = await one_of(connection, dice, "SELECT proposal_id FROM proposal WHERE status = 'APPROVED'")
    evening.sql.append(f"UPDATE proposal SET decided_by = 'clerk-3' WHERE proposal_id = {row.proposal_id}")
    evening.expect(LEDGER, "HISTORY", f"proposal:{row.proposal_id} decider")


async def a_right_that_nobody_gave(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    row = await one_of(connection, dice, "SELECT staff FROM staff")
    evening.sql.append(f"UPDATE staff SET permissions = '{{settle,operate}}' WHERE staff = '{row.staff}'")
    evening.expect(LEDGER, "HISTORY", f"staff {row.staff} permissions")


async def a_fee_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Remove the buyer's fee of a trade from the register of trades; the ledger still has it."""
    trade = await one_of(connection, dice, f"{STANDING} AND buy_fee > 0")
    evening.sql += [PAST_TRIGGERS, f"UPDATE trade SET buy_fee = 0 WHERE trade_id = {trade.trade_id}"]
    evening.expect(FEE, "TRADE_FEE", f"trade:{trade.trade_id} buy")
    evening.expect(FEE, "TRADE_FEE", f"trade:{trade.trade_id} in the ledger")
    evening.expect(FEE, "FEES", "fee_income")
    evening.expect(LEDGER, "TRADES", f"trade:{trade.trade_id}")


async def a_fee_at_another_rate(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """Charge, post and hold the same fees, but not by the rate of the instrument."""
    rate = await one_of(connection, dice, "SELECT symbol, sequence FROM fee_rate")
    evening.sql += [PAST_TRIGGERS, "UPDATE fee_rate SET maker_fee_bp = 3, taker_fee_bp = 3"]
    evening.expect(LEDGER, "HISTORY", f"fee_rate:{rate.symbol}:{rate.sequence} row")
    for row in await connection.execute(text("SELECT trade_id FROM trade")):
        for side in ("buy", "sell"):
            evening.expect(FEE, "TRADE_FEE", f"trade:{row.trade_id} {side}")


async def _accrual(connection: AsyncConnection, dice: Random) -> Any:
    return await one_of(connection, dice, "SELECT accrual_no, bill_no, day FROM fee_accrual WHERE bill_no IS NOT NULL")


async def an_accrued_fee_changed(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    row = await _accrual(connection, dice)
    evening.sql.append(f"UPDATE fee_accrual SET amount_ufen = amount_ufen + 1 WHERE accrual_no = {row.accrual_no}")
    evening.expect(FEE, "ACCRUAL", f"accrual:{row.accrual_no}")
    evening.expect(FEE, "BILL", f"bill:{row.bill_no}")
    evening.expect(LEDGER, "HISTORY", f"day:{row.day} fees")


async def an_accrued_fee_lost(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    row = await _accrual(connection, dice)
    evening.sql.append(f"DELETE FROM fee_accrual WHERE accrual_no = {row.accrual_no}")
    evening.expect(FEE, "BILL", f"bill:{row.bill_no}")
    evening.expect(LEDGER, "HISTORY", f"day:{row.day} fees")


async def a_bill_changed(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """By less than a fen."""
    row = await one_of(connection, dice, "SELECT bill_no FROM fee_bill WHERE status = 'DONE'")
    evening.sql.append(_BILL.format(row.bill_no))
    evening.expect(FEE, "BILL", f"bill:{row.bill_no}")


_BILL: Final = (
    "UPDATE fee_bill SET exact_ufen = exact_ufen + CASE WHEN exact_ufen > amount_fen * 1000000 THEN -1 ELSE 1 END "
    "WHERE bill_no = {}"
)


async def a_bill_changed_by_hand(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    row = await one_of(connection, dice, "SELECT bill_no FROM fee_bill WHERE status = 'DONE'")
    evening.sql.append(_BILL.format(row.bill_no))
    evening.by_hand = True
    evening.expect(FEE, "BILL", f"bill:{row.bill_no}")
    evening.expect(LEDGER, "HISTORY", f"fee_bill:{row.bill_no} row")


async def a_scale_changed_by_hand(connection: AsyncConnection, evening: Evening, dice: Random) -> None:
    """No other comparison reads it."""
    row = await one_of(connection, dice, "SELECT scale FROM scale")
    evening.sql.append(f"UPDATE scale SET capacity_cg = capacity_cg + 1 WHERE scale = '{row.scale}'")
    evening.by_hand = True
    evening.expect(LEDGER, "HISTORY", f"scale:{row.scale} row")


DAMAGES: Final = named(
    money_of_one_account_off,
    gold_of_one_account_off,
    money_of_two_accounts_exchanged,
    a_holding_lost,
    a_posting_lost,
    two_errors_in_the_ledger_that_cancel_out,
    an_entry_lost,
    a_trade_lost,
    a_trade_of_another_buyer,
    a_price_changed,
    an_annulment_lost,
    a_receipt_lost,
    a_receipt_of_another_owner,
    a_unit_of_the_scale_in_the_register,
    a_lot_moved_in_the_register,
    two_serials_exchanged_in_the_register,
    a_lot_of_another_depositor,
    the_lock_of_a_hold_lost,
    a_hold_that_ended_by_itself,
    money_in_that_never_came,
    a_document_of_money_lost,
    another_sum_sent_to_the_engine,
    approved_by_the_one_who_proposed,
    a_right_that_nobody_gave,
    a_fee_lost,
    a_fee_at_another_rate,
    an_accrued_fee_changed,
    an_accrued_fee_lost,
    a_bill_changed,
    a_bill_changed_by_hand,
    a_scale_changed_by_hand,
)
