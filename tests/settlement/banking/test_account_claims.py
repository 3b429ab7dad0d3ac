"""A payment that the bank takes back after it was used is a claim, in ledger and engine, until it is collected."""

import io
from collections.abc import Mapping
from itertools import count
from typing import Any

import openpyxl
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol import terms
from goldx.protocol.claim_commands import AccountClaim
from goldx.protocol.commands import MarketSetPhase, OrderPlace
from goldx.protocol.units import CASH
from goldx.streams.entries import BEGINNING
from goldx.streams.frames import EventFrame
from matching.core.engine import Engine
from settlement.banking import bank_reconciliation, claims, deposits
from settlement.banking.deposits import DepositMatch
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing import statement_paper
from settlement.closing.paper import Language
from settlement.ledger import balances, cash, chain
from settlement.ledger.sender import Sender
from settlement.service import movements
from settlement.service.writer import Ledger
from settlement.tables.banking import payment_claim
from settlement.tables.ledger import ledger_account, ledger_entry, posting
from tests.settlement.banking.mock_bank import MockBank, Payment
from tests.settlement.banking.test_day_proof import Day, ended
from tests.settlement.banking.test_deposits import bank_of, booked, carried_out, differences
from tests.settlement.banking.test_voids import moved, one_day, taken_in, voided, waiting
from tests.settlement.closing.days import DAYS, content_of, statement_of
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, begin_day, do, find_breaks, refused

PAID = 100_000_00
"""The amount that A.H pays in and the bank takes back, in fen."""
RUNS = count(7)
"""The numbers of the runs of settlement after the first ones."""


async def lots(exchange: SmallExchange) -> None:
    """Let B.H have gold to sell."""
    lot = {"account": "B.H", "gross_g": "1000.00", "weighed_g": "1000.00"}
    await exchange.issue([{**lot, "serial": "A"}, {**lot, "serial": "B"}])


def owed(exchange: SmallExchange, account: str = "A.H") -> int:
    return exchange.engine_runner.engine.state.accounts[account].owed


async def restart(exchange: SmallExchange) -> None:
    """Let the engine go on from a snapshot, and settlement from its database, as after both were stopped."""
    runner = exchange.engine_runner
    runner.engine = Engine.restore(runner.engine.snapshot())
    exchange.ledger = Ledger(exchange.engine, exchange.shard)
    exchange.sender = Sender(exchange.engine, runner.journal, next(RUNS))


async def order(exchange: SmallExchange, account: str, side: int, grams: int, price: int = 60_000) -> str:
    """Place an order; return why it was refused, or an empty text."""
    runner = exchange.engine_runner
    before = runner.engine.sequence
    name = f"x{before}"
    await runner.run(OrderPlace(account, name, "AU", side, terms.LIMIT, grams * 1_000, price))
    frames: list[EventFrame] = await runner.events.read(before)
    await exchange.post()
    first = frames[0].outcomes[0][0]
    return ": ".join(filter(None, (getattr(first, "reason", None), getattr(first, "detail", None))))


async def sell(exchange: SmallExchange, grams: int, price: int = 60_000) -> None:
    """A.H sells gold to B.H."""
    assert await order(exchange, "B.H", terms.BUY, grams, price) == ""
    assert await order(exchange, "A.H", terms.SELL, grams, price) == ""


async def entries(exchange: SmallExchange, kind: str) -> list[tuple[str | None, list[tuple[str, str, int]]]]:
    """Return the entries of a kind: the reference, and of each line the kind and name of its account and the amount."""
    query = select(ledger_entry.c.sequence, ledger_entry.c.reference).where(ledger_entry.c.kind == kind)
    found = []
    async with exchange.engine.connect() as connection:
        for row in (await connection.execute(query.order_by(ledger_entry.c.sequence))).all():
            lines = select(ledger_account.c.kind, ledger_account.c.name, posting.c.amount)
            lines = lines.join(posting, posting.c.account_id == ledger_account.c.account_id)
            lines = lines.where(posting.c.sequence == row.sequence).order_by(posting.c.line)
            found.append((row.reference, [tuple(line) for line in await connection.execute(lines)]))
    return found


async def all_claims(connection: AsyncConnection) -> list[Row[Any]]:
    return list(await connection.execute(select(payment_claim)))


async def receivable(exchange: SmallExchange) -> int:
    return await do(exchange, balances.of_kind, "receivable", CASH)


async def used_and_returned(exchange: SmallExchange, of_other: int = 50_000_00) -> tuple[MockBank, DepositMatch]:
    """A.H buys gold with the money of a payment that the bank then takes back; the engine cannot take the money out."""
    await lots(exchange)
    bank = await bank_of(exchange)
    await carried_out(exchange, *await booked(exchange, bank, Payment(PAID, "A.H"), Payment(of_other, "B.H")))
    assert await order(exchange, "B.H", terms.SELL, 150) == ""
    assert await order(exchange, "A.H", terms.BUY, 150) == ""
    (found,) = await booked(exchange, bank, Payment(-PAID, "A.H", reversal=True, reason="AC04"))
    await carried_out(exchange, found)
    return bank, found


async def spent_and_voided(exchange: SmallExchange, paid: Payment) -> MockBank:
    """A.H buys gold with the money of a payment whose statement is then voided; its way back is proposed."""
    await lots(exchange)
    bank = await bank_of(exchange)
    await carried_out(exchange, *await booked(exchange, bank, Payment(50_000_00, "B.H")))
    await taken_in(exchange, one_day(bank, paid))
    await carried_out(exchange, *await do(exchange, deposits.match, ONE))
    assert await order(exchange, "B.H", terms.SELL, 150) == ""
    assert await order(exchange, "A.H", terms.BUY, 150) == ""
    await voided(exchange, 2)
    (back,) = await waiting(exchange)
    await moved(exchange, back.proposal_id)
    return bank


async def test_a_payment_that_was_used_and_is_taken_back_is_a_claim_until_it_is_collected(
    exchange: SmallExchange,
) -> None:
    bank, found = await used_and_returned(exchange)
    left = exchange.held("A.H")
    assert 0 < left < PAID
    assert owed(exchange) == 0, "the engine does not have it yet"
    assert await differences(exchange) == [("BANK_ONLY", "payment:3", 0, -PAID)]
    await exchange.sender.flush()
    sent = len(await exchange.engine_runner.journal.read(BEGINNING))
    await exchange.sender.flush()
    assert len(await exchange.engine_runner.journal.read(BEGINNING)) == sent, "it is sent once in a run"
    await restart(exchange)
    await exchange.round_trip()
    assert owed(exchange) == PAID
    assert await entries(exchange, "payment_claim") == [
        ("payment_claim:1", [("receivable", "A.H", -PAID), ("bank_escrow", "bank_escrow", PAID)])
    ]
    assert await receivable(exchange) == -PAID
    assert (await differences(exchange), await find_breaks(exchange)) == ([], ())

    sent = len(await exchange.engine_runner.journal.read(BEGINNING))
    await restart(exchange)
    await exchange.round_trip()
    assert len(await exchange.engine_runner.journal.read(BEGINNING)) == sent, "the engine has it"
    why = "CLAIM: account A.H owes 100000.00 CNY; until that is paid it may sell and cancel"
    assert await order(exchange, "A.H", terms.BUY, 1) == why
    await exchange.engine_runner.run(AccountClaim("A.H", 0, "payment_claim:9", "somebody"))
    sent = len(await exchange.engine_runner.journal.read(BEGINNING))
    await exchange.round_trip()
    assert len(await exchange.engine_runner.journal.read(BEGINNING)) == sent, "nothing is sent again"
    assert len(await entries(exchange, "payment_claim")) == 1, "nothing is posted twice"
    number = await do(exchange, claims.collect, ONE, found.item_no)
    await exchange.approve(number)
    await exchange.round_trip()
    await exchange.round_trip()
    assert (owed(exchange), await receivable(exchange)) == (PAID, -PAID), "it has too little still"
    assert (await differences(exchange), await find_breaks(exchange)) == ([], ())

    await sell(exchange, 83)
    waits, again = await booked(exchange, bank, Payment(50_000_00, "A.H"))
    assert (waits.item_no, waits.why) == (3, "account A.H owes it")
    await carried_out(exchange, again)
    await exchange.approve(await do(exchange, claims.collect, ONE, found.item_no))
    await restart(exchange)
    await exchange.round_trip()
    assert (owed(exchange), await receivable(exchange)) == (0, 0)
    assert len(await entries(exchange, "payment_claim")) == 1, "the entry of the money has collected it"
    (*_, (reference, lines)) = await entries(exchange, "cash")
    assert (reference, lines) == ("cash:6", [("member", "A.H", -PAID), ("receivable", "A.H", PAID)])
    assert await do(exchange, claims.listing) == []
    assert await order(exchange, "A.H", terms.BUY, 1) == ""
    await do(exchange, cash.propose, ONE, "A.H", -1, "out-1")
    assert (await differences(exchange), await find_breaks(exchange)) == ([], ())
    await do(exchange, chain.verify)


async def test_nothing_is_collected_before_the_engine_has_answered_the_claim(exchange: SmallExchange) -> None:
    """The claim is in the journal, and settlement starts again and sends it once more, before the engine goes on."""
    _, found = await used_and_returned(exchange, 150_000_00)
    await sell(exchange, 148, 62_000)
    assert exchange.held("A.H") >= PAID
    await exchange.sender.flush()
    why = await refused(exchange, "ILLEGAL_STEP", claims.collect, ONE, found.item_no)
    assert why.startswith("the engine has not answered payment_claim:1 of cash 3 yet")
    payment = cash.StatedPayment(found.item_no, "RETURN", "it takes back payment 1", 1)
    number = await do(exchange, cash.propose, ONE, "A.H", -PAID, "proposed before", payment)
    await refused(exchange, "ILLEGAL_STEP", movements.approve, OTHER, number)
    await restart(exchange)
    await exchange.round_trip()
    assert (owed(exchange), await receivable(exchange)) == (PAID, -PAID)
    await exchange.approve(number)
    await exchange.round_trip()
    await restart(exchange)
    await exchange.round_trip()
    assert (owed(exchange), await receivable(exchange)) == (0, 0)
    assert (await differences(exchange), await find_breaks(exchange)) == ([], ())

    await exchange.engine_runner.run(AccountClaim("A.H", PAID, "payment_claim:1", "settlement"))
    await exchange.post()
    assert (owed(exchange), await receivable(exchange)) == (PAID, -PAID), "it is set again after its end"
    await exchange.round_trip()
    assert (owed(exchange), await receivable(exchange)) == (0, 0), "nothing is owed, so it is ended again"
    (row,) = await do(exchange, all_claims)
    assert row.ended is not None
    assert row.began < row.ended
    assert (await differences(exchange), await find_breaks(exchange)) == ([], ())


async def test_a_payment_that_was_assigned_to_another_account_is_not_collected_too(exchange: SmallExchange) -> None:
    """One return takes money out once, of whichever account."""
    _, found = await used_and_returned(exchange, 250_000_00)
    await exchange.round_trip()
    await sell(exchange, 148, 62_000)
    before = exchange.held("A.H"), exchange.held("B.H")
    assert min(before) >= PAID
    await exchange.approve(await do(exchange, deposits.assign, ONE, found.item_no, "B.H", "letter of the member"))
    why = await refused(exchange, "ILLEGAL_STEP", claims.collect, ONE, found.item_no)
    assert why == "payment 3 is matched with other money, so that it is not in suspense"
    await exchange.round_trip()
    await exchange.round_trip()
    assert (exchange.held("A.H"), exchange.held("B.H")) == (before[0], before[1] - PAID)
    assert (owed(exchange), await receivable(exchange)) == (0, 0)
    assert await do(exchange, claims.listing) == []
    assert (await differences(exchange), await find_breaks(exchange)) == ([], ())


async def test_money_that_no_payment_stands_behind_is_collected_after_the_answer(exchange: SmallExchange) -> None:
    await spent_and_voided(exchange, Payment(PAID, "A.H", number="X-1"))
    await sell(exchange, 148, 62_000)
    await exchange.sender.flush()
    await refused(exchange, "ILLEGAL_STEP", claims.collect_money, ONE, 2)
    await exchange.round_trip()
    await exchange.approve(await do(exchange, claims.collect_money, ONE, 2))
    await exchange.round_trip()
    assert (owed(exchange), await receivable(exchange)) == (0, 0)


def figures(claim: Mapping[str, Any]) -> tuple[int, ...]:
    """The part of a statement about what is owed: at the beginning, what was added and collected, at the end."""
    return claim["opening"], claim["made"], claim["collected"], claim["closing"]


async def ended_day(exchange: SmallExchange, following: str) -> Day:
    """End and close a trading day."""
    await begin_day(exchange, following)
    await closing.close(exchange.engine, ONE, lambda _: None)
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await exchange.post()
    found = (await do(exchange, days.over))[-1]
    return Day(found.day, found.last)


async def test_days_close_with_a_claim_in_force_and_after_it(exchange: SmallExchange) -> None:
    bank, found = await used_and_returned(exchange)
    early = await ended(exchange, bank)
    without = await do(exchange, bank_reconciliation.prove, early)
    assert [one.subject for one in without.breaks] == ["payment:3"]
    await exchange.round_trip()
    assert (await do(exchange, bank_reconciliation.prove, early, without.known)).content() == without.content()
    first = await ended_day(exchange, DAYS[0])
    before = await do(exchange, bank_reconciliation.prove, first)
    assert (before.bank_fen, before.ledger_fen, before.breaks) == (50_000_00, 50_000_00, ())
    assert owed(exchange) == PAID, "the claim outlasts the day"
    made, collected = "payment_claim:1", "cash:5"
    (day,) = await do(exchange, days.over)
    statement = await statement_of(exchange, "A.H", day.day.isoformat())
    claim, changed = statement.content["claim"], [(made, PAID)]
    assert figures(claim) == (0, PAID, 0, PAID)
    assert [(each["document"], each["amount"]) for each in claim["changes"]] == changed
    closing_cash = statement.content["cash"]["closing"]
    assert (closing_cash["available"], closing_cash["withdrawable"], closing_cash["balance"] > 0) == (0, 0, True)
    (gold,) = statement.content["metal"]
    assert (gold["closing"]["available"], gold["closing"]["withdrawable"]) == (150_000, 0)
    assert figures((await statement_of(exchange, "A", day.day.isoformat())).content["claim"]) == (0, PAID, 0, PAID)
    assert "claim" not in (await content_of(exchange, "B.H"))
    papers: tuple[tuple[Language, str, str], ...] = (
        ("zh", "应付交易所款项", "追款（退汇或无付款）"),
        ("en", "Owed to the venue", "Claim"),
    )
    for language, heading, said in papers:
        assert statement_paper.render(statement, language)[:5] == b"%PDF-"
        book = openpyxl.load_workbook(io.BytesIO(statement_paper.workbook(statement, language)))
        rows = list(book[heading].values)
        assert (str(rows[5][1]).startswith(said), rows[5][2], float(rows[5][3])) == (True, made, 100_000.0)
    assert "CLAIM" in await order(exchange, "A.H", terms.BUY, 1)
    await sell(exchange, 83)
    _, again = await booked(exchange, bank, Payment(50_000_00, "A.H"))
    await carried_out(exchange, again)
    await exchange.approve(await do(exchange, claims.collect, ONE, found.item_no))
    await exchange.round_trip()
    second = await ended_day(exchange, DAYS[1])
    after = await do(exchange, bank_reconciliation.prove, second)
    assert (after.bank_fen, after.ledger_fen, after.breaks) == (100_000_00, 100_000_00, ())
    claim = (await content_of(exchange, "A.H"))["claim"]
    assert figures(claim) == (PAID, 0, -PAID, 0)
    assert [(each["document"], each["amount"]) for each in claim["changes"]] == [(collected, -PAID)]
    await ended_day(exchange, DAYS[2])
    assert "claim" not in (await content_of(exchange, "A.H"))
    again_first = await do(exchange, bank_reconciliation.prove, first, before.known)
    assert again_first.content() == before.content(), "whatever came later"
    assert await find_breaks(exchange) == ()
    sums = [balance.balance for balance in await do(exchange, days.balances_at, first.last) if balance.asset == CASH]
    assert sum(sums) == 0


async def test_money_of_a_voided_statement_is_claimed_and_the_claim_ends_with_what_it_is_about(
    exchange: SmallExchange,
) -> None:
    """The corrected statement has the payment again: the money stands after all, nothing was collected."""
    paid = Payment(PAID, "A.H", number="X-1")
    bank = await spent_and_voided(exchange, paid)
    assert await differences(exchange) == [("VENUE_ONLY", "cash:2", PAID, 0)]
    await exchange.round_trip()
    assert (owed(exchange), await receivable(exchange)) == (PAID, -PAID)
    assert (await differences(exchange), await find_breaks(exchange)) == ([], ())

    (right,) = await booked(exchange, bank, paid._replace(name="Another name"))
    assert "cash 2 stands after all" in right.why
    assert owed(exchange) == PAID
    await restart(exchange)
    await exchange.round_trip()
    assert (owed(exchange), await receivable(exchange)) == (0, 0)
    made = [("receivable", "A.H", -PAID), ("bank_escrow", "bank_escrow", PAID)]
    assert await entries(exchange, "payment_claim") == [
        ("payment_claim:1", made),
        ("payment_claim:1", [(kind, name, -amount) for kind, name, amount in made]),
    ]
    assert (await differences(exchange), await find_breaks(exchange)) == ([], ())
    assert await order(exchange, "A.H", terms.BUY, 1) == ""


async def test_a_claim_that_is_over_before_the_engine_had_it_is_ended_there(exchange: SmallExchange) -> None:
    await lots(exchange)
    bank = await bank_of(exchange)
    paid = Payment(PAID, "A.H", number="X-1")
    await taken_in(exchange, one_day(bank, paid))
    await carried_out(exchange, *await do(exchange, deposits.match, ONE))
    await exchange.engine_runner.order("A.H", terms.BUY, 60_000, 160)
    await voided(exchange, 1)
    (back,) = await waiting(exchange)
    await moved(exchange, back.proposal_id)
    (right,) = await booked(exchange, bank, paid._replace(name="Another name"))
    assert "cash 1 stands after all" in right.why
    await exchange.round_trip()
    (row,) = await do(exchange, all_claims)
    assert row.began is None
    assert row.ended is not None
    assert (await entries(exchange, "payment_claim"), owed(exchange)) == ([], 0)
    sent = len(await exchange.engine_runner.journal.read(BEGINNING))
    await exchange.round_trip()
    assert len(await exchange.engine_runner.journal.read(BEGINNING)) == sent, "nothing is sent twice"


async def test_no_money_leaves_the_bank_that_a_claim_takes_and_what_collects_one_takes_none(
    exchange: SmallExchange,
) -> None:
    _, found = await used_and_returned(exchange)
    why = await refused(exchange, "INSUFFICIENT_ESCROW", cash.propose, ONE, "B.H", -50_000_01, "out-1")
    assert why == "the escrow bank holds 150000.00 CNY; with this, 150000.01 would go out of it"
    await exchange.round_trip()
    assert await do(exchange, balances.of_kind, "bank_escrow", CASH) == -50_000_00
    await refused(exchange, "INSUFFICIENT_ESCROW", cash.propose, ONE, "B.H", -50_000_01, "out-1")
    await refused(exchange, "INSUFFICIENT_ESCROW", deposits.assign, ONE, found.item_no, "B.H", "it collects nothing")
    await exchange.pay_in("B.H", -50_000_00, "out-1")
    assert await do(exchange, balances.of_kind, "bank_escrow", CASH) == 0
    await sell(exchange, 148)
    await exchange.pay_in("A.H", 1_300_00, "the rest")
    number = await do(exchange, claims.collect, ONE, found.item_no)
    await refused(exchange, "INSUFFICIENT_ESCROW", cash.propose, ONE, "B.H", -1_300_01, "out-2")
    await exchange.approve(number)
    await exchange.round_trip()
    assert (owed(exchange), await receivable(exchange)) == (0, 0)
    assert await do(exchange, balances.of_kind, "bank_escrow", CASH) == -1_300_00
    assert await find_breaks(exchange) == ()


async def test_claims_that_nobody_has_made_are_breaks(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 500, "in-1")
    for reference in ("payment_claim:9", "typed", "payment_claim:x"):
        await exchange.engine_runner.run(AccountClaim("A.H", 100, reference, "somebody"))
        await exchange.post()
    found = {(one.kind, one.subject): (one.expected, one.found, one.account) for one in await find_breaks(exchange)}
    assert found == {
        ("CASH_DOCUMENTS", "ledger:receivable:A.H"): (0, 300, "A.H"),
        ("CASH_DOCUMENTS", "bank_escrow"): (500, 200, None),
    }
