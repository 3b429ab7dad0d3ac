"""Each account and entry has a break of what was moved without a document, until corrections have taken it back."""

import pytest
from sqlalchemy import select

from goldx.protocol.commands import HoldingAdjust, HoldingSettle, Leg
from goldx.protocol.units import CASH, BadValue
from settlement.ledger import balances, corrections, undocumented
from settlement.reconciliation import resolutions, three_way
from settlement.service import documents
from settlement.tables.ledger import ledger_entry
from settlement.tables.reconciliation import recon_break
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, find_breaks, refused

WHY = ("typed into the market", "LETTER-1")


async def typed(exchange: SmallExchange, *commands: HoldingAdjust | HoldingSettle) -> int:
    """Let the engine do what no document is of; return the sequence of the last entry."""
    await exchange.engine_runner.run(*commands)
    await exchange.post()
    async with exchange.engine.connect() as connection:
        return int(
            await connection.scalar(select(ledger_entry.c.sequence).order_by(ledger_entry.c.sequence.desc())) or 0
        )


async def moved(exchange: SmallExchange, fen: int, reference: str) -> int:
    """Move money from one account to another without a document; return the sequence of the entry."""
    legs = (Leg("A.H", CASH, -fen), Leg("B.H", CASH, fen))
    return await typed(exchange, HoldingSettle(reference, legs))


async def corrected(exchange: SmallExchange, *about: object, **more: object) -> int:
    """Have a correction of money proposed, approved and done; return its proposal."""
    proposal = await do(exchange, corrections.propose, ONE, *about, *WHY, **more)
    await exchange.approve(proposal)
    await exchange.round_trip()
    return proposal


async def open_breaks(exchange: SmallExchange) -> list[tuple[str, str, int, str | None]]:
    """Return subject, asset, figure and account of the breaks of a run, all of them of one kind."""
    found = await find_breaks(exchange)
    assert {one.kind for one in found} <= {"UNIDENTIFIED"}
    return [(one.subject, one.asset, one.found, one.account) for one in found]


async def test_movements_that_cancel_out_in_suspense_are_a_break_of_each_account(exchange: SmallExchange) -> None:
    for account in ("A.H", "B.H"):
        await exchange.pay_in(account, 1_000, f"IN-{account}")
    await typed(exchange, HoldingAdjust("A.H", CASH, -500, "one"), HoldingAdjust("B.H", CASH, 500, "other"))
    assert await do(exchange, balances.of_kind, "suspense", CASH) == 0
    assert await open_breaks(exchange) == [("A.H", CASH, -500, "A.H"), ("B.H", CASH, 500, "B.H")]
    text = await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, "A.H", None, 1, *WHY)
    assert text == "5.00 CNY went from A.H without a document; corrections cannot exceed that"
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, None, "A.H", 501, *WHY)
    await corrected(exchange, None, "A.H", 500)
    assert await open_breaks(exchange) == [("B.H", CASH, 500, "B.H")]
    await corrected(exchange, "B.H", None, 500)
    assert (await open_breaks(exchange), exchange.held("A.H"), exchange.held("B.H")) == ([], 1_000, 1_000)


async def test_what_is_under_way_for_one_account_leaves_the_other_its_own(exchange: SmallExchange) -> None:
    await typed(exchange, HoldingAdjust("A.H", CASH, 300, "one"), HoldingAdjust("B.H", CASH, 300, "other"))
    await do(exchange, corrections.propose, ONE, "A.H", None, 300, *WHY)
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, "A.H", None, 1, *WHY)
    await do(exchange, corrections.propose, ONE, "B.H", None, 300, *WHY)


async def test_an_entry_between_accounts_ends_as_a_break_when_it_is_taken_back(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 1_000, "IN-1")
    entry = await moved(exchange, 500, "between")
    assert await open_breaks(exchange) == [(f"entry:{entry}", CASH, 500, "B.H")]
    await corrected(exchange, "B.H", "A.H", 100)
    assert await open_breaks(exchange) == [(f"entry:{entry}", CASH, 500, "B.H")], "it names no entry"
    await corrected(exchange, "A.H", "B.H", 100)
    await corrected(exchange, "B.H", "A.H", 200, entry=entry)
    assert await open_breaks(exchange) == [(f"entry:{entry}", CASH, 300, "B.H")]
    waiting = await do(exchange, corrections.propose, ONE, "B.H", "A.H", 300, *WHY, entry=entry)
    assert await open_breaks(exchange) == [(f"entry:{entry}", CASH, 300, "B.H")], "it is not done"
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, "B.H", "A.H", 1, *WHY, entry=entry)
    await exchange.approve(waiting)
    await exchange.round_trip()
    assert (await open_breaks(exchange), exchange.held("A.H"), exchange.held("B.H")) == ([], 1_000, 0)
    assert (await do(exchange, documents.show, "correction", 4)).says["entry"] == entry
    async with exchange.engine.connect() as connection:
        row = (await connection.execute(select(recon_break))).one()
        assert (row.status, row.account) == ("CORRECTED", "B.H"), "the same break all the time"
        since = (await connection.execute(undocumented.open_entries(entry))).all()
    assert since == [], "a proof of it leaves it out"


async def test_two_entries_between_accounts_that_cancel_out_are_two_breaks(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 1_000, "IN-1")
    await moved(exchange, 500, "there")
    await moved(exchange, -500, "back")
    assert [(figure, account) for _, _, figure, account in await open_breaks(exchange)] == [(500, "B.H"), (500, "A.H")]


async def test_a_correction_names_an_entry_of_its_own_accounts_and_asset(exchange: SmallExchange) -> None:
    await exchange.issue([{"serial": "A"}])
    await exchange.pay_in("A.H", 1_000, "IN-1")
    entry = await moved(exchange, 500, "between")
    propose = (exchange, corrections.propose, ONE)
    why = await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, "A.H", "B.H", 1, *WHY, entry=entry)
    assert why == f"entry {entry} moved 5.00 CNY from A.H; corrections of it cannot exceed that"
    await refused(exchange, "NOTHING_TO_CORRECT", corrections.propose, ONE, "B.H", "VENUE", 1, *WHY, entry=entry)
    suspended = await typed(exchange, HoldingAdjust("B.H", CASH, 7, "typed"))
    for accounts, number in ((("B.H", "A.H"), entry - 1), (("B.H", "A.H"), suspended), (("B.H", None), entry)):
        with pytest.raises(BadValue, match=r"^entry:"):
            await do(*propose, *accounts, 1, *WHY, entry=number)
    with pytest.raises(BadValue, match=r"^entry: .* moved AU from one account"):
        await do(exchange, corrections.propose_metal, ONE, "AU", "A.H", "B.H", 1, *WHY, entry=entry)


async def test_metal_between_accounts_is_taken_back_by_an_entry_of_metal(exchange: SmallExchange) -> None:
    await exchange.issue([{"serial": "A"}])
    had = exchange.held("A.H", "AU")
    entry = await typed(exchange, HoldingSettle("x", (Leg("A.H", "AU", -300), Leg("B.H", "AU", 300))))
    assert await open_breaks(exchange) == [(f"entry:{entry}", "AU", 300, "B.H")]
    proposal = await do(exchange, corrections.propose_metal, ONE, "AU", "B.H", "A.H", 300, *WHY, entry=entry)
    await exchange.approve(proposal)
    await exchange.round_trip()
    assert (await open_breaks(exchange), exchange.held("A.H", "AU")) == ([], had)


async def test_the_break_of_an_account_is_resolved_by_a_correction_of_it(exchange: SmallExchange) -> None:
    await exchange.pay_in("B.H", 1_000, "IN-1")
    await typed(exchange, HoldingAdjust("A.H", CASH, 500, "typed"))
    await three_way.reconcile(exchange.engine, ONE)
    other = await corrected(exchange, "B.H", "VENUE", 1)
    await refused(exchange, "NOT_RESOLVED", resolutions.resolve, OTHER, 1, "correction", other, "x")
    proposal = await corrected(exchange, "A.H", None, 500)
    await do(exchange, resolutions.resolve, OTHER, 1, "correction", proposal, "taken back")
    assert await open_breaks(exchange) == []


@pytest.mark.usefixtures("configured_database")
async def test_an_entry_is_named_by_command_and_over_rest(exchange: SmallExchange, rest: Rest) -> None:
    await exchange.pay_in("A.H", 1_000, "IN-1")
    entry = await moved(exchange, 500, "between")
    both = ("--from-account", "B.H", "--to-account", "A.H", "--reason", WHY[0], "--document", WHY[1])
    assert "proposal 2 waits" in await clerk(ONE, "correct", "money", "--amount", "1.00", "--entry", str(entry), *both)
    assert "entry: 1 " in await clerk(ONE, "correct", "money", "--amount", "1.00", "--entry", "1", *both, code=1)
    body = {"from_account": "B.H", "to_account": "A.H", "reason": WHY[0], "document": WHY[1], "entry": entry}
    assert (await rest(ONE, "POST", "/corrections", json={**body, "amount": "4.00"}))["proposal"] == 3
    too_much = await rest(ONE, "POST", "/corrections", 409, json={**body, "amount": "0.01"})
    assert too_much["reason"] == "NOTHING_TO_CORRECT"
    metal = {**body, "symbol": "AU", "weight": "0.300"}
    assert (await rest(ONE, "POST", "/corrections/metal", 409, json=metal))["reason"] == "INSUFFICIENT_GOLD"
    (shown,) = [one for one in (await rest(ONE, "GET", "/proposals"))["proposals"] if one["proposal_id"] == 3]
    assert shown["summary"]["entry"] == entry
