"""Money and bars into the market and out again, with the answers of the real engine."""

from typing import Any

import pytest
from sqlalchemy import Table, select, text, update
from sqlalchemy.exc import IntegrityError

from goldx.protocol import terms
from goldx.protocol.commands import HoldingAdjust, OrderCancelAll
from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.refusal import Refused
from settlement.custody import receipts
from settlement.documents.lots import LOT
from settlement.intake import intake, pre_advice
from settlement.ledger import cash
from settlement.load_outs import application, handing_over, load_outs
from settlement.lots import lots
from settlement.reconciliation import three_way
from settlement.reconciliation.breaks import Break
from settlement.service import movements
from settlement.tables.custody import receipt
from settlement.tables.ledger import cash_transfer, outbox
from settlement.workbooks.cells import BadFile
from tests.settlement import bar_lists
from tests.settlement.small_exchange import CODE, COLLECTOR_ID, ONE, OTHER, SmallExchange, bars, load_out_application


async def column(exchange: SmallExchange, table: Table, name: str) -> list[Any]:
    async with exchange.engine.connect() as connection:
        rows = await connection.execute(select(table.c[name]).order_by(*table.primary_key))
        return list(rows.scalars())


async def find_breaks(exchange: SmallExchange) -> tuple[Break, ...]:
    return (await three_way.reconcile(exchange.engine, ONE)).breaks


async def apply(exchange: SmallExchange, ask_mg: int, account: str = "B.H") -> int:
    async with exchange.engine.begin() as connection:
        return await application.apply(connection, ONE, load_out_application(account, ask_mg))


async def test_gold_from_deposit_to_withdrawal(exchange: SmallExchange) -> None:
    """Cash and bars in, a trade, a withdrawal with over weight, and nothing differs at any point."""
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.pay_in("VENUE", 100_000_000, "bank-2")
    numbers = await exchange.issue([{"serial": f"A{n}"} for n in range(5)])
    await exchange.issue([{"serial": "V", "account": "VENUE"}])
    assert exchange.held("A.H", "AU") == 5 * 99_900
    assert await find_breaks(exchange) == ()

    await exchange.trade("B.H", "A.H", 60_000, 205)
    assert await find_breaks(exchange) == ()

    await exchange.approve(await apply(exchange, 200_000))
    assert await find_breaks(exchange) == (), "nothing moves before the engine's event"
    await exchange.round_trip()
    over = 2 * 99_900 - 200_000
    assert over == -200
    assert exchange.held("B.H", "AU") == 5_000
    assert exchange.held("VENUE", "AU") == 99_900 + 200
    assert exchange.held("VENUE") == 100_000_000 - 200 * 60
    assert await column(exchange, receipt, "status") == ["CANCELLED", "CANCELLED", "LIVE", "LIVE", "LIVE", "LIVE"]
    assert await find_breaks(exchange) == ()

    async with exchange.engine.begin() as connection:
        wrong = await handing_over.sign(connection, OTHER, 1, "000000", COLLECTOR_ID)
        assert wrong is not None
        assert "not the pick-up code" in str(wrong)
        assert await handing_over.sign(connection, OTHER, 1, CODE, COLLECTOR_ID) is None
    async with exchange.engine.begin() as connection:
        assert await handing_over.release(connection, ONE, 1) == numbers[:2]
        steps = [event.step for event in await lots.history(connection, numbers[0])]
        assert steps == [
            "pre_advise",
            "arrive",
            "weigh",
            "screen",
            "sample",
            "assay",
            "certify",
            "register",
            "issue",
            "allocate",
            "withdraw",
            "release",
        ]
        await audit.verify(connection)
    assert await find_breaks(exchange) == ()


async def test_over_weight_is_bought_from_the_venue(exchange: SmallExchange) -> None:
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}, {"serial": "V", "account": "VENUE"}])
    await exchange.trade("B.H", "A.H", 60_000, 99)
    await exchange.approve(await apply(exchange, 99_000))
    await exchange.round_trip()
    assert exchange.held("B.H", "AU") == 0
    assert exchange.held("VENUE", "AU") == 99_900 - 900
    assert exchange.held("VENUE") == 900 * 60
    assert await find_breaks(exchange) == ()


async def test_a_load_out_that_the_engine_refuses_frees_its_lots(exchange: SmallExchange) -> None:
    """The gold went into an order between the application and the approval."""
    numbers = await exchange.issue([{"serial": "A"}])
    proposal = await apply(exchange, 99_900, "A.H")
    await exchange.engine_runner.order("A.H", terms.SELL, 60_000, 1)
    await exchange.approve(proposal)
    await exchange.round_trip()
    async with exchange.engine.connect() as connection:
        row = await load_outs.find(connection, 1)
        assert (row.status, row.reason) == ("REFUSED", "INSUFFICIENT_GOLD")
        assert (await lots.find(connection, numbers))[numbers[0]].state == "RECEIPTED"
    assert await find_breaks(exchange) == ()
    await exchange.engine_runner.run(OrderCancelAll("A.H"))
    await exchange.post()
    await exchange.approve(await apply(exchange, 99_900, "A.H"))
    await exchange.round_trip()
    assert exchange.held("A.H", "AU") == 0
    assert await find_breaks(exchange) == ()


async def test_a_declined_load_out_frees_its_lots(exchange: SmallExchange) -> None:
    numbers = await exchange.issue([{"serial": "A"}])
    proposal = await apply(exchange, 99_900, "A.H")
    with pytest.raises(Refused, match=r"do not make 99\.9 g"):
        await apply(exchange, 99_900, "A.H")
    async with exchange.engine.begin() as connection:
        await movements.decline(connection, ONE, proposal)
        assert (await lots.find(connection, numbers))[numbers[0]].state == "RECEIPTED"


@pytest.mark.parametrize(
    ("account", "ask_mg", "reason"),
    [
        ("B.H", 99_900, "INSUFFICIENT_GOLD"),
        ("A.H", 99_000, "INSUFFICIENT_GOLD"),
        ("A.H", 100_500, "INSUFFICIENT_GOLD"),
        ("A.H", 50_000, "NO_FITTING_LOTS"),
        ("A.H", 300_000, "NO_FITTING_LOTS"),
    ],
    ids=[
        "no gold",
        "venue cannot sell the over weight",
        "asks for more than held",
        "lot far too big",
        "pool too small",
    ],
)
async def test_a_withdrawal_that_cannot_be_settled_is_refused_at_once(
    exchange: SmallExchange, account: str, ask_mg: int, reason: str
) -> None:
    numbers = await exchange.issue([{"serial": "A"}])
    with pytest.raises(Refused) as refused:
        await apply(exchange, ask_mg, account)
    assert refused.value.reason == reason
    async with exchange.engine.connect() as connection:
        assert (await lots.find(connection, numbers))[numbers[0]].state == "RECEIPTED"


async def test_four_eyes(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        number = await cash.propose(connection, ONE, "A.H", 100, "bank-1")
    async with exchange.engine.begin() as connection:
        with pytest.raises(Refused, match="to approve it takes another person"):
            await movements.approve(connection, ONE, number)
    await exchange.approve(number)
    async with exchange.engine.begin() as connection:
        with pytest.raises(Refused, match="is APPROVED; to approve"):
            await movements.approve(connection, OTHER, number)
    await exchange.round_trip()
    assert exchange.held("A.H") == 100
    with pytest.raises(IntegrityError, match="two_people"):
        async with exchange.engine.begin() as connection:
            await connection.execute(text("UPDATE proposal SET decided_by = proposed_by"))


async def test_money_is_refused_before_and_by_the_engine(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 100, "bank-1")
    for account, amount, bank_reference, why in (
        ("A.H", 100, "bank-1", "not yet in use"),
        ("X.H", 100, "bank-2", "account"),
        ("A.H", 0, "bank-2", "not zero"),
    ):
        with pytest.raises(BadValue, match=why):
            async with exchange.engine.begin() as connection:
                await cash.propose(connection, ONE, account, amount, bank_reference)
    await exchange.pay_in("B.H", 1_000, "bank-3")
    async with exchange.engine.begin() as connection:
        number = await cash.propose(connection, ONE, "A.H", -500, "bank-2")
    await exchange.approve(number)
    await exchange.round_trip()
    assert await column(exchange, cash_transfer, "status") == ["DONE", "DONE", "REFUSED"]
    assert await column(exchange, cash_transfer, "reason") == [None, None, "INSUFFICIENT_CASH"]
    assert exchange.held("A.H") == 100
    assert await find_breaks(exchange) == ()


async def test_an_item_of_unknown_outcome_is_looked_for_in_the_journal(exchange: SmallExchange) -> None:
    """Killed between the append and its record: the item is found in the journal and not sent again."""
    await exchange.pay_in("A.H", 100, "bank-1")
    async with exchange.engine.begin() as connection:
        first = await cash.propose(connection, ONE, "A.H", 200, "bank-2")
        second = await cash.propose(connection, ONE, "A.H", 300, "bank-3")
    await exchange.approve(first)
    assert await exchange.sender.flush() == 1
    async with exchange.engine.begin() as connection:
        await connection.execute(update(outbox).where(outbox.c.reference == "cash:2").values(status="SENDING"))
    await exchange.approve(second)
    async with exchange.engine.begin() as connection:
        lost = {"status": "SENDING", "writer": "settlement.lost", "frame": 1, "journal_end": "0-0"}
        await connection.execute(update(outbox).where(outbox.c.reference == "cash:3").values(lost))
    assert await exchange.sender.flush() == 1, "only the one that never arrived"
    assert await exchange.engine_runner.advance() == 2
    await exchange.post()
    assert await column(exchange, outbox, "status") == ["DONE", "DONE", "DONE"]
    assert exchange.held("A.H") == 600


async def test_a_reference_of_ours_used_by_an_outsider_is_not_ours(exchange: SmallExchange) -> None:
    """A holding adjusted by hand under the reference of a receipt: the gold stands in suspense, the receipt is void."""
    numbers = await exchange.register([{"serial": "A"}])
    async with exchange.engine.begin() as connection:
        proposal = await receipts.propose_issue(connection, ONE, numbers)
    await exchange.approve(proposal)
    await exchange.engine_runner.run(HoldingAdjust("B.H", "AU", 5, "receipt:1"))
    await exchange.post()
    await exchange.round_trip()
    assert await column(exchange, receipt, "status") == ["VOID"]
    assert await column(exchange, receipt, "reason") == ["DUPLICATE_ID"]
    assert {found.kind for found in await find_breaks(exchange)} == {"UNIDENTIFIED", "POOL_ENGINE"}


async def test_steps_cannot_be_skipped_or_repeated(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        (number,) = await pre_advice.pre_advise(connection, ONE, bar_lists.declared(bars([{}])))
        await intake.arrive(connection, ONE, {number: "S-1"})
    for step, rule in LOT.steps.items():
        if "ARRIVED" not in rule.before and rule.before:
            with pytest.raises(Refused, match=f"lot {number} is ARRIVED; to {step} it must be"):
                async with exchange.engine.begin() as connection:
                    await lots.take(connection, ONE, step, [number])
    async with exchange.engine.begin() as connection:
        await intake.reject(connection, ONE, number, "seal broken")
        proposal = await intake.propose_return(connection, ONE, number, "Depositor")
    await exchange.approve(proposal)
    async with exchange.engine.begin() as connection:
        again = await pre_advice.pre_advise(connection, ONE, bar_lists.declared(bars([{}])))
    assert again != [number], "a bar that has left may come back, as a new lot"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"form": "SCRAP_JEWEL", "symbol": "SCRAP"}, "MUST_BE_MELTED"),
        ({"replicate_1": "999.300"}, "REPLICATES_DIFFER"),
        ({"replicate_1": "899.800", "replicate_2": "899.900"}, "OUTSIDE_BAND"),
    ],
)
async def test_a_lot_that_may_not_be_traded_is_stopped(
    exchange: SmallExchange, row: dict[str, str], reason: str
) -> None:
    await exchange.engine_runner.define("SCRAP", "SCRAP_JEWEL")
    await exchange.post()
    with pytest.raises(Refused) as refused:
        await exchange.register([{"serial": "good"}, row])
    assert refused.value.reason == reason
    async with exchange.engine.connect() as connection:
        assert await lots.listing(connection) == [], "none of the file"


async def test_a_bar_list_is_checked_against_the_register(exchange: SmallExchange) -> None:
    await exchange.register([{"serial": "A1"}])
    rows = [
        {"serial": "A1"},
        {"serial": "A2", "symbol": "PT"},
        {"serial": "A3", "form": "DORE"},
        {"serial": "A4", "fineness_permille": "899.99"},
        {"serial": "A5", "account": "X.H", "warehouse": "SH9"},
        {"serial": "A6"},
    ]
    with pytest.raises(BadFile) as bad:
        async with exchange.engine.begin() as connection:
            await pre_advice.pre_advise(connection, ONE, bar_lists.declared(bars(rows)))
    assert [(error.line, error.column) for error in bad.value.errors] == [
        (2, "serial"),
        (3, "symbol"),
        (4, "form"),
        (5, "fineness_permille"),
        (6, "account"),
        (6, "warehouse"),
    ]
    async with exchange.engine.connect() as connection:
        assert len(await lots.listing(connection)) == 1
