"""Corrections of money and metal by two people, and fee income paid out: each with its entry, and no break after it."""

import random
from functools import partial

import pytest
from sqlalchemy import select

from goldx.protocol import terms
from goldx.protocol.commands import HoldingAdjust, MarketEndDay
from goldx.protocol.units import CASH, MAX_WEIGHT_MG, BadValue
from settlement.base.refusal import Refused
from settlement.ledger import balances, cash, corrections, fee_payouts, own_stock
from settlement.service import documents, movements
from settlement.tables.ledger import stock
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, find_breaks, refused

WHY = ("booked to the wrong account", "LETTER-1")


async def carried_out(exchange: SmallExchange, proposal: int) -> None:
    await exchange.approve(proposal)
    await exchange.round_trip()


async def test_money_on_the_wrong_account_is_moved_by_two_people(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 10_000, "B-1")
    proposal = await do(exchange, corrections.propose, ONE, "A.H", "B.H", 4_000, *WHY)
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    shown = await do(exchange, documents.show_proposal, proposal)
    assert (shown.accounts, shown.summary["reason"]) == (["A.H", "B.H"], WHY[0])
    await carried_out(exchange, proposal)
    assert (exchange.held("A.H"), exchange.held("B.H")) == (6_000, 4_000)
    assert (await do(exchange, documents.show, "correction", 1)).status == "DONE"
    assert await do(exchange, balances.of_kind, "bank_escrow", CASH) == -10_000, "the bank's money is as before"
    assert await find_breaks(exchange) == ()


async def test_a_correction_that_the_engine_refuses_says_so(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 100_000_000, "B-1")
    await refused(exchange, "INSUFFICIENT_CASH", corrections.propose, ONE, "A.H", "B.H", 100_000_001, *WHY)
    proposal = await do(exchange, corrections.propose, ONE, "A.H", "B.H", 90_000_000, *WHY)
    await exchange.engine_runner.order("A.H", terms.BUY, 60_000, 1_000)
    await carried_out(exchange, proposal)
    found = await do(exchange, documents.show, "correction", 1)
    assert (found.status, found.says["reason"]) == ("REFUSED", "INSUFFICIENT_CASH")
    await exchange.engine_runner.order("A.H", terms.SELL, 70_000, 1)
    declined = await do(exchange, corrections.propose, ONE, "A.H", "B.H", 1, *WHY)
    await do(exchange, movements.decline, OTHER, declined)
    assert (await do(exchange, documents.show, "correction", 2)).status == "DECLINED"
    assert await find_breaks(exchange) == ()


async def test_what_came_or_went_by_no_document_is_cleared_and_never_beyond(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 10_000, "B-1")
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, "A.H", None, 1, *WHY)
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, None, "A.H", 1, *WHY)
    await exchange.engine_runner.run(HoldingAdjust("A.H", CASH, 300, "typed in"))
    await exchange.post()
    assert {found.kind for found in await find_breaks(exchange)} >= {"UNIDENTIFIED"}
    first = await do(exchange, corrections.propose, ONE, "A.H", None, 200, *WHY)
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, "A.H", None, 101, *WHY)
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, None, "A.H", 1, *WHY)
    await carried_out(exchange, first)
    await carried_out(exchange, await do(exchange, corrections.propose, ONE, "A.H", None, 100, *WHY))
    assert await do(exchange, balances.of_kind, "suspense", CASH) == 0
    assert await find_breaks(exchange) == ()
    await exchange.engine_runner.run(HoldingAdjust("A.H", CASH, -50, "typed out"))
    await exchange.post()
    await carried_out(exchange, await do(exchange, corrections.propose, ONE, None, "A.H", 50, *WHY))
    assert exchange.held("A.H") == 10_000
    assert await find_breaks(exchange) == ()


@pytest.mark.parametrize(
    ("accounts", "amount", "field"),
    [
        (("A.H", "B.H"), 0, "amount"),
        (("A.H", "B.H"), -5, "amount"),
        (("A.H", "A.H"), 5, "to_account"),
        ((None, None), 5, "to_account"),
        (("A.H", "X.H"), 5, "account"),
    ],
)
async def test_a_correction_that_says_nothing_is_refused(
    exchange: SmallExchange, accounts: tuple[str | None, str | None], amount: int, field: str
) -> None:
    await exchange.pay_in("A.H", 10_000, "B-1")
    with pytest.raises(BadValue, match=f"^{field}:"):
        await do(exchange, corrections.propose, ONE, *accounts, amount, *WHY)


async def test_metal_that_came_or_went_by_no_document_is_cleared_and_never_beyond(exchange: SmallExchange) -> None:
    """Engine and ledger are equal all the time, and the pool of the class is right at the end."""
    await exchange.issue([{"serial": "A"}])
    had = exchange.held("A.H", "AU")
    metal = (corrections.propose_metal, ONE, "AU")
    await refused(exchange, "NOTHING_TO_CORRECT", *metal, "A.H", None, 1, *WHY)
    await exchange.engine_runner.run(HoldingAdjust("A.H", "AU", 300, "typed in"))
    await exchange.post()
    assert {(found.kind, found.asset) for found in await find_breaks(exchange)} >= {
        ("UNIDENTIFIED", "AU"),
        ("POOL_ENGINE", "AU"),
    }
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, None, "A.H", 1, *WHY)
    await exchange.engine_runner.run(HoldingAdjust("A.H", CASH, 500, "money typed in"))
    await exchange.post()
    money = await do(exchange, corrections.propose, ONE, "A.H", None, 500, *WHY)
    first = await do(exchange, *metal, "A.H", None, 200, *WHY)
    why = await refused(exchange, "NOTHING_TO_CORRECT", *metal, "A.H", None, 101, *WHY)
    assert why == "0.3 g of AU came to A.H without a document; corrections cannot exceed that"
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, first)
    shown = await do(exchange, documents.show_proposal, first)
    assert (shown.accounts, shown.summary["symbol"], shown.summary["weight"]) == (["A.H"], "AU", "0.2")
    await carried_out(exchange, first)
    await carried_out(exchange, money)
    await carried_out(exchange, await do(exchange, *metal, "A.H", None, 100, *WHY))
    assert (exchange.held("A.H", "AU"), await do(exchange, balances.of_kind, "suspense", "AU")) == (had, 0)
    assert await find_breaks(exchange) == ()
    await exchange.engine_runner.run(HoldingAdjust("A.H", "AU", -50, "typed out"))
    await exchange.post()
    assert "went from A.H" in await refused(exchange, "NOTHING_TO_CORRECT", *metal, None, "A.H", 51, *WHY)
    await carried_out(exchange, await do(exchange, *metal, None, "A.H", 50, *WHY))
    assert exchange.held("A.H", "AU") == had
    assert await find_breaks(exchange) == ()
    (_, document, *_) = await do(exchange, documents.listing, "correction")
    assert (document.status, document.says["symbol"], document.says["fine_g"]) == ("DONE", "AU", "0.2")


async def test_metal_on_the_wrong_account_is_moved_and_is_bought_title_there(exchange: SmallExchange) -> None:
    await exchange.issue([{"serial": "A"}])
    had = exchange.held("A.H", "AU")
    await refused(exchange, "INSUFFICIENT_GOLD", corrections.propose_metal, ONE, "AU", "A.H", "B.H", had + 1, *WHY)
    await carried_out(exchange, await do(exchange, corrections.propose_metal, ONE, "AU", "A.H", "B.H", 400, *WHY))
    assert (exchange.held("A.H", "AU"), exchange.held("B.H", "AU")) == (had - 400, 400)
    async with exchange.engine.connect() as connection:
        own = {row.account: row.own_mg for row in await connection.execute(select(stock))}
        assert own["A.H"] == had - 400
        assert own.get("B.H", 0) == 0
        assert await own_stock.differences(connection) == []
    await exchange.engine_runner.order("B.H", terms.SELL, 60_000, 1)
    assert await find_breaks(exchange) == ()


async def test_metal_that_orders_have_reserved_is_refused_by_the_engine(exchange: SmallExchange) -> None:
    await exchange.issue([{"serial": "A"}])
    had = exchange.held("A.H", "AU")
    proposal = await do(exchange, corrections.propose_metal, ONE, "AU", "A.H", "B.H", had, *WHY)
    await exchange.engine_runner.order("A.H", terms.SELL, 60_000, 1)
    await carried_out(exchange, proposal)
    found = await do(exchange, documents.show, "correction", 1)
    assert (found.status, found.says["reason"]) == ("REFUSED", "INSUFFICIENT_GOLD")
    assert await find_breaks(exchange) == ()


@pytest.mark.parametrize(
    ("symbol", "accounts", "weight", "field"),
    [
        ("AU", ("A.H", "B.H"), 0, "weight"),
        ("AU", ("A.H", "B.H"), MAX_WEIGHT_MG + 1, "weight"),
        ("CNY", ("A.H", "B.H"), 5, "symbol"),
        ("XX", ("A.H", "B.H"), 5, "symbol"),
        ("AU", (None, None), 5, "to_account"),
        ("AU", ("A.H", "A.H"), 5, "to_account"),
        ("AU", ("A.H", "X.H"), 5, "account"),
    ],
)
async def test_a_correction_of_metal_that_says_nothing_is_refused(
    exchange: SmallExchange, symbol: str, accounts: tuple[str | None, str | None], weight: int, field: str
) -> None:
    with pytest.raises(BadValue, match=f"^{field}:"):
        await do(exchange, corrections.propose_metal, ONE, symbol, *accounts, weight, *WHY)


async def test_any_adjustments_and_corrections_leave_engine_and_ledger_equal(exchange: SmallExchange) -> None:
    """Against a model that keeps holdings and what came by no document in two dictionaries."""
    await exchange.issue([{"serial": "A"}, {"serial": "B", "account": "B.H"}])
    for account in ("A.H", "B.H"):
        await exchange.pay_in(account, 1_000, f"B-{account}")
    seed = random.SystemRandom().randrange(10**9)
    dice = random.Random(seed)
    held = {(account, asset): exchange.held(account, asset) for account in ("A.H", "B.H") for asset in (CASH, "AU")}
    unknown = dict.fromkeys(held, 0)
    for number in range(30):
        assert {key: exchange.held(*key) for key in held} == held, (seed, number)
        asset, amount = dice.choice((CASH, "AU")), dice.randint(1, 300)
        account, other = dice.sample(("A.H", "B.H"), 2)
        if dice.random() < 0.3:
            typed = dice.choice((amount, -amount))
            await exchange.engine_runner.run(HoldingAdjust(account, asset, typed, f"typed-{number}"))
            await exchange.post()
            if held[account, asset] + typed >= 0:
                held[account, asset] += typed
                unknown[account, asset] += typed
            continue
        giver, taker = dice.choice(((account, other), (account, None), (None, account)))
        room = {None: unknown[account, asset], other: amount}[taker] if giver else -unknown[account, asset]
        expected = amount <= room and (giver is None or held[giver, asset] >= amount)
        propose = partial(corrections.propose_metal, symbol=asset) if asset != CASH else corrections.propose
        size = {"fine_mg": amount} if asset != CASH else {"amount_fen": amount}
        about = {"by": ONE, "from_account": giver, "to_account": taker, "why": WHY[0], "document": WHY[1]}
        try:
            await carried_out(exchange, await do(exchange, propose, **about, **size))
        except Refused:
            assert not expected, (seed, number)
            continue
        assert expected, f"{seed} {number} {asset} {amount} {giver} {taker} {held} {unknown}"
        for name, change in ((giver, -amount), (taker, amount)):
            if name is None:
                unknown[account, asset] -= change
            else:
                held[name, asset] += change
    assert {key: exchange.held(*key) for key in held} == held, seed
    for asset in (CASH, "AU"):
        left = sum(amount for (_, of), amount in unknown.items() if of == asset)
        assert await do(exchange, balances.of_kind, "suspense", asset) == -left, seed
    found = await find_breaks(exchange)
    assert {one.kind for one in found} <= {"UNIDENTIFIED", "POOL_ENGINE", "HISTORY"}, (seed, found)
    by_account = {(one.account, one.asset): one.found for one in found if one.kind == "UNIDENTIFIED"}
    assert by_account == {key: amount for key, amount in unknown.items() if amount}, seed


async def test_fee_income_goes_to_the_venues_account_and_from_there_to_the_bank(exchange: SmallExchange) -> None:
    await exchange.issue([{}])
    await exchange.pay_in("B.H", 10_000_000, "B-1")
    await exchange.trade("B.H", "A.H", 60_000, 10)
    earned = await do(exchange, balances.of_kind, "fee_income", CASH)
    assert earned > 0
    await refused(exchange, "INSUFFICIENT_FEES", fee_payouts.propose, ONE, 1, "November")
    await exchange.engine_runner.run(MarketEndDay("2026-11-25"))
    await exchange.post()
    await refused(exchange, "INSUFFICIENT_FEES", fee_payouts.propose, ONE, earned + 1, "November")
    first = await do(exchange, fee_payouts.propose, ONE, earned - 1, "November")
    await refused(exchange, "INSUFFICIENT_FEES", fee_payouts.propose, ONE, 2, "November")
    await carried_out(exchange, first)
    assert exchange.held("VENUE") == earned - 1
    assert await do(exchange, balances.of_kind, "fee_income", CASH) == 1
    assert await find_breaks(exchange) == ()
    await carried_out(exchange, await do(exchange, cash.propose, ONE, "VENUE", -(earned - 1), "O-1"))
    assert exchange.held("VENUE") == 0
    assert await find_breaks(exchange) == ()


@pytest.mark.usefixtures("configured_database")
async def test_corrections_by_command_and_over_rest(exchange: SmallExchange, rest: Rest) -> None:
    await exchange.pay_in("A.H", 10_000, "B-1")
    words = ("--amount", "10.00", "--reason", WHY[0], "--document", WHY[1])
    assert "proposal 2 waits" in await clerk(
        ONE, "correct", "money", "--from-account", "A.H", "--to-account", "B.H", *words
    )
    gold = ("--symbol", "AU", "--reason", WHY[0], "--document", WHY[1])
    assert "weight:" in await clerk(ONE, "correct", "metal", "--fine", "0.3001", "--to-account", "A.H", *gold, code=1)
    assert "0 g of AU came to A.H without a document" in await clerk(
        ONE, "correct", "metal", "--fine", "0.300", "--to-account", "A.H", *gold, code=1
    )
    assert "INSUFFICIENT" not in await clerk(ONE, "correct", "fees", "--amount", "1", "--reason", "x", code=1)
    assert "claim: 7" in await clerk(ONE, "correct", "claim", "7", *words, code=1)
    body = {"amount": "10.00", "reason": WHY[0], "document": WHY[1]}
    both = {"from_account": "A.H", "to_account": "B.H"}
    assert (await rest(ONE, "POST", "/corrections", json={**body, **both}))["proposal"] == 3
    metal = {"symbol": "AU", "weight": "0.300", "reason": WHY[0], "document": WHY[1]}
    nothing = await rest(ONE, "POST", "/corrections/metal", 409, json={**metal, "from_account": "A.H"})
    assert nothing["reason"] == "INSUFFICIENT_GOLD"
    assert (await rest(ONE, "POST", "/corrections/claims/7", 422, json=body))["field"] == "claim"
    wrong = await rest(ONE, "POST", "/corrections/fees", 409, json={"amount": "1.00", "reason": "x"})
    assert wrong["reason"] == "INSUFFICIENT_FEES"
