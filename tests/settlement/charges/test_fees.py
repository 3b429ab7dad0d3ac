"""Fees: the published vectors, accrual day by day, bills through the journal, and arrears."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from goldx.protocol.units import BadValue, half_up
from settlement.base import working_days
from settlement.base.refusal import Refused
from settlement.charges import accruals, bills, tariff
from settlement.custody import receipt_cancels, receipts
from settlement.ledger import cash
from settlement.load_outs import application, cancels, handing_over
from settlement.service import movements
from settlement.tables.charges import accrual_day, fee_accrual
from settlement.tables.ledger import ledger_account
from settlement.tables.load_outs import load_out as sheets
from tests.settlement.load_outs.load_out_steps import LOT_MG, signed
from tests.settlement.small_exchange import (
    ONE,
    OTHER,
    SmallExchange,
    do,
    find_breaks,
    load_out_application,
    rewrite,
)

RATES = {name: figure.value for name, figure in tariff.FIGURES.items()}


async def charged(exchange: SmallExchange, account: str) -> dict[tuple[str, str], tuple[int, int]]:
    """Return quantity and millionths of a fen of all days together, by fee and document."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for row in await do(exchange, accruals.listing, account):
        quantity, ufen = found.get((row.kind, row.subject), (0, 0))
        found[row.kind, row.subject] = (quantity + row.quantity, ufen + row.amount_ufen)
    return found


async def billed(exchange: SmallExchange) -> int:
    """Propose bills and return the proposal's number."""
    number = await do(exchange, bills.propose, ONE)
    assert number is not None
    return number


@pytest.mark.parametrize(
    ("exact_ufen", "fen"),
    [
        (30 * accruals.per_kg_day(12_500_000, RATES["STORAGE_OWN"]), 67_500),
        (45 * accruals.per_kg_day(3_000_000, RATES["STORAGE_BOUGHT"]), 8_100),
        (accruals.whole_kilograms(125_000) * RATES["LOAD_OUT"] * accruals.UFEN, 400),
        (accruals.per_gram(1_000_000, RATES["FREIGHT_INSURANCE"]), 6_000),
    ],
    ids=["12.5 kg remaining x 30 d", "3 kg bought x 45 d", "load-out of 1.25 kg", "1 kg of freight at 0.06 CNY/g"],
)
def test_vectors_of_the_domain_sheet(exact_ufen: int, fen: int) -> None:
    """Domain sheet 2.6: 675.00, 81.00 and 4.00 CNY; and its rate of freight and insurance."""
    assert exact_ufen == fen * accruals.UFEN


@pytest.mark.parametrize(("weight_cg", "kg"), [(1, 1), (100_000, 1), (100_001, 2), (0, 0)])
def test_a_part_of_a_kilogram_counts_as_one(weight_cg: int, kg: int) -> None:
    assert accruals.whole_kilograms(weight_cg) == kg


async def test_days_are_accrued_once_and_exactly(exchange: SmallExchange) -> None:
    yesterday = working_days.today() - timedelta(days=1)
    assert await do(exchange, accruals.accrue, yesterday - timedelta(days=1)) == 3
    assert await do(exchange, accruals.accrue, yesterday - timedelta(days=1)) == 0
    assert await do(exchange, accruals.catch_up) == 2
    assert await do(exchange, accruals.catch_up) == 0
    with pytest.raises(BadValue, match="a day before"):
        await do(exchange, accruals.accrue, working_days.today())
    own, bought = 4 * LOT_MG - 150_000, 150_000
    assert await charged(exchange, "A.H") == {
        ("LOAD_IN", "receipts:1-4"): (1, 200 * accruals.UFEN),
        ("STORAGE_OWN", ""): (2 * own, 2 * own * 180),
        ("FREIGHT_INSURANCE", "sold"): (150_000, 150 * 6 * accruals.UFEN),
    }
    assert await charged(exchange, "B.H") == {("STORAGE_BOUGHT", ""): (2 * bought, 2 * bought * 60)}
    assert await charged(exchange, "VENUE") == {}, "the venue pays itself nothing"


async def test_missed_days_are_caught_up(exchange: SmallExchange) -> None:
    await do(exchange, accruals.accrue, working_days.today() - timedelta(days=5))
    await do(exchange, accruals.catch_up)
    async with exchange.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(accrual_day)) == 5
    assert (await charged(exchange, "B.H"))["STORAGE_BOUGHT", ""] == (5 * 150_000, 5 * 150_000 * 60)


async def test_a_bill_is_paid_through_the_journal(exchange: SmallExchange) -> None:
    """Money moves from the member to fee income, rounded once; ledger, engine and documents agree at every step."""
    await do(exchange, accruals.catch_up)
    number = await billed(exchange)
    with pytest.raises(Refused, match="another person"):
        await do(exchange, movements.approve, ONE, number)
    assert await do(exchange, bills.propose, ONE) is None, "nothing is billed twice"
    before = {account: exchange.held(account) for account in ("A.H", "B.H")}
    await exchange.approve(number)
    await exchange.round_trip()
    owed = {account: sum(ufen for _, ufen in (await charged(exchange, account)).values()) for account in before}
    for account, ufen in owed.items():
        assert before[account] - exchange.held(account) == half_up(ufen, accruals.UFEN)
    assert [row.status for row in await do(exchange, bills.listing)] == ["DONE", "DONE"]
    income = select(ledger_account.c.balance).where(ledger_account.c.kind == "fee_income")
    async with exchange.engine.connect() as connection:
        trading = 2 * 150 * 60_000 // 10_000
        assert await connection.scalar(income) == trading + sum(half_up(ufen, accruals.UFEN) for ufen in owed.values())
    assert await find_breaks(exchange) == ()


async def test_an_account_that_cannot_pay_is_in_arrear_and_loads_nothing_out(exchange: SmallExchange) -> None:
    await do(exchange, accruals.catch_up)
    await exchange.pay_in("B.H", -exchange.held("B.H"), "bank-out")
    await exchange.approve(await billed(exchange))
    await exchange.round_trip()
    (arrear,) = await do(exchange, bills.listing, status="ARREAR")
    assert (arrear.account, arrear.reason) == ("B.H", "INSUFFICIENT_CASH")
    assert await find_breaks(exchange) == ()
    with pytest.raises(Refused, match=r"account B\.H has not paid bill 2 of 0\.09 CNY") as refused:
        await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG))
    assert refused.value.reason == "ARREAR"
    await exchange.pay_in("B.H", 100_000, "bank-in")
    again = await billed(exchange)
    with pytest.raises(Refused, match="has not paid bill 3"):
        await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG))
    await do(exchange, movements.decline, OTHER, again)
    await exchange.approve(await billed(exchange))
    await exchange.round_trip()
    assert [row.status for row in await do(exchange, bills.listing)] == ["DONE", "REPLACED", "REPLACED", "DONE"]
    assert exchange.held("B.H") == 100_000 - 9
    assert await find_breaks(exchange) == ()
    await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG))


async def test_an_account_in_arrear_takes_no_money_and_no_metal_out(exchange: SmallExchange) -> None:
    waiting = await do(exchange, cash.propose, ONE, "B.H", -100, "bank-early")
    metal = await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG))
    await do(exchange, accruals.catch_up)
    await exchange.pay_in("B.H", -exchange.held("B.H"), "bank-out")
    await exchange.approve(await billed(exchange))
    await exchange.round_trip()
    await exchange.pay_in("B.H", 100_000, "bank-in")
    late = (cash.propose, ONE, "B.H", -100, "bank-late")
    for act in (late, (movements.approve, OTHER, waiting), (movements.approve, OTHER, metal)):
        with pytest.raises(Refused) as refused:
            await do(exchange, *act)
        assert refused.value.reason == "ARREAR"
    await exchange.approve(await billed(exchange))
    await exchange.round_trip()
    await do(exchange, movements.approve, OTHER, waiting)
    await do(exchange, movements.approve, OTHER, metal)


async def test_a_lot_is_taken_in_once(exchange: SmallExchange) -> None:
    """A receipt that is issued again, because the first one was taken back or refused, costs no second load-in."""
    before = await charged(exchange, "A.H")
    await exchange.approve(await do(exchange, receipt_cancels.propose, ONE, [1], "wrong account"))
    await exchange.round_trip()
    await exchange.approve(await do(exchange, receipts.propose_issue, ONE, [1]))
    await exchange.round_trip()
    assert await charged(exchange, "A.H") == before
    (new,) = await exchange.register([{"serial": "N"}])
    await do(exchange, movements.decline, OTHER, await do(exchange, receipts.propose_issue, ONE, [new]))
    assert await charged(exchange, "A.H") == before
    await exchange.approve(await do(exchange, receipts.propose_issue, ONE, [new]))
    assert len(await charged(exchange, "A.H")) == len(before) + 1


async def test_the_fees_of_a_load_out(exchange: SmallExchange) -> None:
    """A load-out is charged when it leaves: handling, its last day of storage, freight of bought title."""
    await exchange.approve(await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG)))
    await exchange.round_trip()
    assert await charged(exchange, "B.H") == {}, "nothing has left"
    await signed(exchange, 1)
    await do(exchange, handing_over.release, OTHER, 1)
    assert await charged(exchange, "B.H") == {
        ("LOAD_OUT", "load_out:1"): (1, 200 * accruals.UFEN),
        ("STORAGE_LOAD_OUT", "load_out:1"): (LOT_MG, LOT_MG * 180),
        ("FREIGHT_INSURANCE", "load_out:1"): (LOT_MG, LOT_MG * 6_000),
    }


async def test_the_fees_of_a_load_out_that_nobody_collects(exchange: SmallExchange) -> None:
    await exchange.approve(await do(exchange, application.apply, ONE, load_out_application("B.H", LOT_MG)))
    await exchange.round_trip()
    days = {"from_day": sheets.c.from_day - 7, "until_day": sheets.c.until_day - 7}
    await rewrite(exchange, update(sheets).values(**days))
    await do(exchange, accruals.catch_up)
    assert (await charged(exchange, "B.H"))["OVERDUE", "load_out:1"] == (LOT_MG, LOT_MG * 360)
    await do(exchange, cancels.expire, working_days.today() + timedelta(days=4))
    await exchange.round_trip()
    assert (await charged(exchange, "B.H"))["FREIGHT_INSURANCE", "load_out_cancel:1"] == (LOT_MG, LOT_MG * 6_000)


@pytest.mark.parametrize(("days_ago", "costs"), [(0, False), (1, True)])
async def test_a_cancel_is_free_on_its_day_alone(exchange: SmallExchange, days_ago: int, costs: bool) -> None:
    await exchange.approve(await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG)))
    await exchange.round_trip()
    await rewrite(exchange, update(sheets).values(applied_at=sheets.c.applied_at - days_ago * 86_400_000))
    await exchange.approve(await do(exchange, cancels.propose, ONE, 1))
    await exchange.round_trip()
    assert (("FREIGHT_INSURANCE", "load_out_cancel:1") in await charged(exchange, "A.H")) == costs
    assert await find_breaks(exchange) == ()


async def test_a_new_rate_holds_from_its_day_on(exchange: SmallExchange) -> None:
    tomorrow = working_days.today() + timedelta(days=1)
    await exchange.approve(await do(exchange, tariff.propose, ONE, "STORAGE_BOUGHT", 90, tomorrow))
    await do(exchange, accruals.catch_up)
    async with exchange.engine.connect() as connection:
        kinds = select(fee_accrual.c.rate).where(fee_accrual.c.kind == "STORAGE_BOUGHT")
        assert list((await connection.execute(kinds)).scalars()) == [60]


async def test_the_database_itself_refuses_a_false_bill(exchange: SmallExchange) -> None:
    await do(exchange, accruals.catch_up)
    await do(exchange, bills.propose, ONE)
    for statement, why in (
        ("UPDATE fee_bill SET amount_fen = amount_fen + 1", "rounded_once"),
        ("UPDATE fee_accrual SET amount_ufen = -1", "positive"),
        (
            "INSERT INTO fee_accrual (day, account, symbol, kind, subject, quantity, rate, amount_ufen) "
            "SELECT day, account, symbol, kind, subject, quantity, rate, amount_ufen FROM fee_accrual",
            "uq_fee_accrual",
        ),
    ):
        with pytest.raises(IntegrityError, match=why):
            async with exchange.engine.begin() as connection:
                await connection.execute(text(statement))
