"""Payments become members' money, or wait; what the bank takes back is taken back here, or owed; the books agree."""

from datetime import timedelta

import pytest

from goldx.protocol import terms
from goldx.protocol.units import BadValue
from settlement.banking import accounts, bank_reconciliation, camt, claims, deposits, imports, virtual_accounts
from settlement.banking.deposits import DepositMatch
from settlement.banking.statements import UNCLEAR_REVERSALS
from settlement.base import proposals, registry
from settlement.base.working_days import today
from settlement.ledger import cash
from settlement.load_outs import application
from settlement.reconciliation import breaks
from settlement.service import documents
from tests.settlement.banking.mock_bank import ACCOUNT, Booking, MockBank, Payment
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, find_breaks, load_out_application, refused

VIRTUAL = f"{ACCOUNT}007"
RETURN = "it takes back payment 1"


async def bank_of(exchange: SmallExchange) -> MockBank:
    """The escrow bank's account, empty and known."""
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
    return MockBank(0)


async def booked(exchange: SmallExchange, bank: MockBank, *bookings: Booking | Payment) -> list[DepositMatch]:
    """A day of the bank, taken in and matched; what became of its open payments."""
    data = bank.camt(bank.book(*bookings))
    await do(exchange, imports.take_in, ONE, "day.xml", data, camt.read(data))
    return await do(exchange, deposits.match, ONE)


async def carried_out(exchange: SmallExchange, *found: DepositMatch) -> None:
    for one in found:
        assert one.proposal is not None, one
        await exchange.approve(one.proposal)
    await exchange.round_trip()


async def differences(exchange: SmallExchange) -> list[tuple[str, str, int, int]]:
    proof = await do(exchange, bank_reconciliation.reconcile, ONE)
    assert proof.bank_fen - proof.ledger_fen == sum(one.found - one.expected for one in proof.breaks)
    return [(one.kind, one.subject, one.expected, one.found) for one in proof.breaks]


async def test_payments_are_members_by_virtual_account_and_reference_and_the_rest_waits(
    exchange: SmallExchange,
) -> None:
    bank = await bank_of(exchange)
    await do(exchange, virtual_accounts.add, ONE, f"{VIRTUAL[:6]} {VIRTUAL[6:]}", "B.H")
    found = await booked(
        exchange,
        bank,
        Payment(100, "E-1", text="货款a.h。", name="A"),
        Payment(200, "E-2", virtual_account=VIRTUAL),
        (Payment(300, "A.H"), Payment(400, "nobody")),
        Payment(500, "A.H", text="for B.H"),
        Payment(-7, "FEE", text="A.H"),
    )
    assert [(one.how, one.account) for one in found] == [
        ("REFERENCE", "A.H"),
        ("VIRTUAL", "B.H"),
        ("REFERENCE", "A.H"),
        (None, None),
        (None, None),
        (None, None),
    ]
    assert [one.why for one in found[3:]] == [
        "it names no account",
        "it names several accounts: A.H by reference A.H; B.H by text B.H",
        "money out that nobody has recorded",
    ]
    first = found[0].proposal
    assert first is not None
    await refused(exchange, "SAME_PERSON", proposals.decide, ONE, first, "APPROVED")
    await carried_out(exchange, *found[:3])
    assert (exchange.held("A.H"), exchange.held("B.H")) == (400, 200)
    assert [row.item_no for row in await do(exchange, deposits.suspense)] == [4, 5, 6]
    assert [one.how for one in await do(exchange, deposits.match, ONE)] == [None] * 3, "nothing is credited twice"
    assert await differences(exchange) == [
        ("BANK_ONLY", "payment:4", 0, 400),
        ("BANK_ONLY", "payment:5", 0, 500),
        ("BANK_ONLY", "payment:6", 0, -7),
    ]

    number = await do(exchange, deposits.assign, ONE, 4, "B.H", "letter of the member")
    with pytest.raises(BadValue, match="the number of a payment in suspense"):
        await do(exchange, deposits.assign, ONE, 4, "A.H", "again")
    await exchange.approve(number)
    await exchange.round_trip()
    assert exchange.held("B.H") == 600
    assert await find_breaks(exchange) == ()


async def test_who_approves_a_deposit_sees_who_has_paid(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    await do(exchange, registry.add_member, "test", "A", "Member A", "某某")
    paid = [
        Payment(100, "A.H", name="Somebody Else Ltd", account="62229"),
        Payment(200, "A.H", name="ＭEMBER A", account="62221"),
        Payment(300, "A.H"),
    ]
    found = await booked(exchange, bank, *paid)
    seen = [(await do(exchange, proposals.find, one.proposal or 0)).summary for one in found]
    assert [(one["payer"], one["payer_account"]) for one in seen] == [
        ("Somebody Else Ltd", "62229"),
        ("ＭEMBER A", "62221"),
        ("not given by the bank", "not given by the bank"),
    ]
    other = "the payer's name is not that of member A: Member A or 某某"
    assert [one.get("check") for one in seen] == [other, None, other]


@pytest.mark.usefixtures("configured_database")
async def test_payments_to_a_virtual_account_that_has_ended_wait(exchange: SmallExchange, rest: Rest) -> None:
    now = today()
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
    bank = MockBank(0, first=now - timedelta(days=1))
    for number in (VIRTUAL, f"{VIRTUAL}8"):
        await do(exchange, virtual_accounts.add, ONE, number, "B.H")
    with pytest.raises(BadValue, match="a virtual account, as"):
        await do(exchange, virtual_accounts.propose_end, ONE, f"{VIRTUAL}9", now, "closed")
    with pytest.raises(BadValue, match="a day from today"):
        await do(exchange, virtual_accounts.propose_end, ONE, VIRTUAL, now - timedelta(days=1), "closed")
    said = await clerk(ONE, "bank", "end-virtual-account", VIRTUAL, "--reason", "closed")
    assert said == "proposal 1 waits for another person's approval: virtual_account_end 1\n"
    assert (await do(exchange, documents.show_proposal, 1)).accounts == ["B.H"]
    again = (virtual_accounts.propose_end, ONE, f" {VIRTUAL}", now, "closed")
    await refused(exchange, "PROPOSED_ALREADY", *again)
    await refused(exchange, "SAME_PERSON", proposals.decide, ONE, 1, "APPROVED")
    await exchange.approve(1)
    await refused(exchange, "ILLEGAL_STEP", *again)
    paid = (Payment(200, "B.H", virtual_account=VIRTUAL), Payment(300, "x", virtual_account=f"{VIRTUAL}8"))
    before = await booked(exchange, bank, *paid)
    assert [(one.how, one.account, one.why) for one in before] == [
        ("VIRTUAL", "B.H", f"virtual account {VIRTUAL}, reference B.H"),
        ("VIRTUAL", "B.H", f"virtual account {VIRTUAL}8"),
    ], "it was paid while it went on"
    ended, other = await booked(exchange, bank, *paid)
    assert (ended.how, ended.why) == (None, f"virtual account {VIRTUAL} has ended on {now}")
    assert (other.how, other.account) == ("VIRTUAL", "B.H")
    listed = (await rest("auditor", "GET", "/virtual-accounts"))["virtual_accounts"]
    assert [one["ended_from"] for one in listed] == [now.isoformat(), None]
    later = {"reason": "closed", "from_day": (now + timedelta(days=9)).isoformat()}
    number = (await rest(ONE, "POST", f"/virtual-accounts/{VIRTUAL}8/end", json=later))["proposal"]
    await rest(OTHER, "POST", f"/proposals/{number}/decline")
    body = {"reason": "closed", "from_day": "soon"}
    await rest(ONE, "POST", f"/virtual-accounts/{VIRTUAL}8/end", 422, json=body)
    assert await find_breaks(exchange) == ()


@pytest.mark.parametrize("turned", [False, True])
async def test_reversals_that_cancel_out_wait_for_a_clerk(exchange: SmallExchange, turned: bool) -> None:
    """A returned deposit and a returned withdrawal of one amount: the balances hold with either direction.

    Nothing goes by the note, which is for people.
    """
    bank = await bank_of(exchange)
    await carried_out(exchange, *(await booked(exchange, bank, Payment(900, "A.H"), Payment(500, "D-1", text="B.H"))))
    returned = [
        Payment(-500, "D-1", reversal=True),
        Payment(500, "W-1", reversal=True),
    ]
    data = bank.camt(bank.book(*returned), turned=turned)
    (read,) = camt.read(data)
    assert UNCLEAR_REVERSALS in read.notes
    await do(exchange, imports.take_in, ONE, "day.xml", data, [read._replace(notes=("another wording",))])
    assert [(one.how, one.why) for one in await do(exchange, deposits.match, ONE)] == [(None, UNCLEAR_REVERSALS)] * 2
    assert (await do(exchange, imports.find, 2)).notes == ["another wording"]


async def test_a_declined_deposit_is_open_again(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    (found,) = await booked(exchange, bank, Payment(100, "A.H"))
    async with exchange.engine.begin() as connection:
        await proposals.decide(connection, OTHER, found.proposal or 0, "DECLINED")
        await cash.declined(connection, OTHER, [1])
    assert [row.item_no for row in await do(exchange, deposits.suspense)] == [1]


async def test_money_that_a_clerk_has_recorded_is_not_credited_again(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    await exchange.pay_in("A.H", 500, "b2611230001")
    (found,) = await booked(exchange, bank, Payment(500, "B.H"))
    assert (found.how, found.account, found.proposal) == ("RECORDED", "A.H", None)
    assert await differences(exchange) == []
    (matched,) = await booked(exchange, bank, Payment(70, "B.H"))
    assert matched.how == "REFERENCE"
    with pytest.raises(BadValue, match="a bank reference that is not yet in use"):
        await do(exchange, cash.propose, ONE, "B.H", 70, "B2611240001")


async def test_a_reversed_payment_is_taken_back(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    await carried_out(exchange, *await booked(exchange, bank, Payment(500, "A.H"), Payment(500, "B.H")))
    (found,) = await booked(exchange, bank, Payment(-500, "A.H", reversal=True))
    assert (found.how, found.account, found.why) == ("RETURN", "A.H", RETURN)
    await carried_out(exchange, found)
    assert (exchange.held("A.H"), exchange.held("B.H")) == (0, 500)
    assert await do(exchange, claims.listing) == []
    assert await differences(exchange) == []
    (again,) = await booked(exchange, bank, Payment(-500, "A.H", reversal=True))
    assert (again.how, again.why) == (None, "it takes back no payment here")


async def test_a_payment_that_was_spent_before_the_bank_took_it_back_is_owed(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    await carried_out(exchange, *await booked(exchange, bank, Payment(100_000_00, "A.H"), Payment(50, "B.H")))
    await exchange.engine_runner.order("A.H", terms.BUY, 60_000, 160)
    (found,) = await booked(exchange, bank, Payment(-100_000_00, "A.H", reversal=True, reason="AC04"))
    await carried_out(exchange, found)
    (claim,) = await do(exchange, claims.listing)
    assert (claim.item_no, claim.account, claim.amount_fen, claim.status) == (3, "A.H", -100_000_00, "REFUSED")
    why = await refused(exchange, "ARREAR", cash.propose, ONE, "A.H", -1, "out-1")
    assert why == "account A.H owes 100000.00 CNY, since the bank took back a payment (payment 3)"
    await refused(exchange, "ARREAR", application.apply, ONE, load_out_application("A.H", 99_900))
    await do(exchange, cash.propose, ONE, "B.H", -1, "out-2")
    assert await differences(exchange) == [("BANK_ONLY", "payment:3", 0, -100_000_00)]

    waiting, again = await booked(exchange, bank, Payment(100_000_00, "A.H"))
    assert (waiting.item_no, waiting.how, waiting.why) == (3, None, "account A.H owes it")
    await carried_out(exchange, again)
    number = await do(exchange, claims.collect, ONE, 3)
    await refused(exchange, "ILLEGAL_STEP", claims.collect, ONE, 3)
    await exchange.approve(number)
    await exchange.round_trip()
    assert await do(exchange, claims.listing) == []
    with pytest.raises(BadValue, match="the number of a payment that is owed"):
        await do(exchange, claims.collect, ONE, 3)
    await do(exchange, cash.propose, ONE, "A.H", -1, "out-1")
    assert await differences(exchange) == []


async def test_a_return_before_the_money_was_credited_ends_the_proposal(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    (found,) = await booked(exchange, bank, Payment(500, "A.H"))
    (back,) = await booked(exchange, bank, Payment(-500, "", account="", text="冲正 B2611230001", reversal=True))
    assert (back.how, back.account, back.proposal) == ("OFFSET", "A.H", None)
    await refused(exchange, "ILLEGAL_STEP", proposals.decide, OTHER, found.proposal, "APPROVED")
    assert await do(exchange, deposits.suspense) == []
    assert await differences(exchange) == []
    assert exchange.held("A.H") == 0


async def test_a_return_that_may_mean_several_payments_is_not_guessed(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    twins = (Payment(500, "A.H", "Same", "6222"), Payment(500, "B.H", "Same", "6222"))
    await carried_out(exchange, *await booked(exchange, bank, *twins))
    (found,) = await booked(exchange, bank, Payment(-500, "", "Same", "6222", reversal=True))
    assert (found.how, found.why) == (None, "it may take back any of the payments 1, 2")


async def test_days_tell_payments_of_one_account_apart_and_never_those_of_several(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    for day in (("A.H", "A.H"), ("A.H", "B.H")):
        await carried_out(exchange, *await booked(exchange, bank, *(Payment(500, to, "Same", "6222") for to in day)))
    await carried_out(exchange, *await booked(exchange, bank, Payment(700, "A.H", "Same", "7111")))
    await carried_out(exchange, *await booked(exchange, bank, Payment(700, "A.H", "Same", "7111")))
    of_several, of_one = await booked(
        exchange,
        bank,
        Payment(-500, "", "Same", "6222", reversal=True),
        Payment(-700, "", "Same", "7111", reversal=True),
    )
    assert (of_several.how, of_several.why) == (None, "it may take back any of the payments 1, 2, 3, 4")
    assert (of_one.how, of_one.why) == ("RETURN", "it takes back payment 6"), "the newest one is the nearest"


async def test_payments_under_one_number_of_the_bank_are_proposed_under_two(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    paid = (Payment(500, "A.H", number="N-1"), Payment(600, "B.H", number="N-1"))
    found = await booked(exchange, bank, *paid)
    seen = [(await do(exchange, proposals.find, one.proposal or 0)).summary["bank_reference"] for one in found]
    assert seen == ["N-1", "N-1 payment 2"]


async def test_returns_of_one_payment_take_it_back_once(exchange: SmallExchange) -> None:
    """One that could mean two payments is clear once another return has taken one of them back."""
    bank = await bank_of(exchange)
    paid = (Payment(500, "A.H", "Same", "6222"), Payment(500, "B.H", "Same", "6222"))
    await carried_out(exchange, *await booked(exchange, bank, *paid))
    unclear, clear, again = await booked(
        exchange,
        bank,
        Payment(-500, "", "Same", "6222", reversal=True),
        Payment(-500, "B.H", "Same", "6222", reversal=True),
        Payment(-500, "B.H", "Other", "6333", reversal=True),
    )
    assert [one.why for one in (unclear, clear)] == ["it takes back payment 1", "it takes back payment 2"]
    assert again.why == "it takes back no payment here"


async def test_a_withdrawal_that_comes_back_is_the_members_again(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    await carried_out(exchange, *await booked(exchange, bank, Payment(500, "A.H")))
    await exchange.pay_in("A.H", -200, "B2611240001")
    (out,) = await booked(exchange, bank, Payment(-200, "W-1", account="6222"))
    assert (out.how, out.account) == ("RECORDED", "A.H")
    (back,) = await booked(exchange, bank, Payment(200, "W-1", account="6222", reason="AC04"))
    assert (back.how, back.account) == ("RETURN", "A.H")
    await carried_out(exchange, back)
    assert exchange.held("A.H") == 500
    assert await differences(exchange) == []


async def test_the_five_differences_of_bank_and_ledger(exchange: SmallExchange) -> None:
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
    bank = MockBank(1_000)
    for fen, reference in ((100, "V-1"), (700, "B2611230001"), (600, "B2611230002"), (50, "B2611230003")):
        await exchange.pay_in("A.H", fen, reference)
    left = await booked(exchange, bank, Payment(500), Payment(900), Payment(-50), Payment(30))
    assert {one.how for one in left} == {None}
    assert await differences(exchange) == [
        ("BANK_ONLY", f"{ACCOUNT} before its first statement", 0, 1_000),
        ("VENUE_MORE", "payment:1", 700, 500),
        ("BANK_MORE", "payment:2", 600, 900),
        ("DIRECTION_DIFF", "payment:3", 50, -50),
        ("BANK_ONLY", "payment:4", 0, 30),
        ("VENUE_ONLY", "cash:1", 100, 0),
    ]
    proof = await do(exchange, bank_reconciliation.reconcile, ONE)
    assert [one.cash_id for one in proof.breaks] == [None, 2, 3, 4, None, 1]
    assert [row.cash_id for row in await do(exchange, breaks.open_breaks)] == [None, 2, 3, 4, None, 1]


@pytest.mark.usefixtures("configured_database")
async def test_a_clerk_works_the_list_and_proves_the_day(exchange: SmallExchange) -> None:
    bank = await bank_of(exchange)
    assert "is B.H's" in await clerk(ONE, "bank", "virtual-account", VIRTUAL, "--account", "B.H")
    assert "nobody's yet" in await clerk(ONE, "bank", "virtual-account", VIRTUAL, "--account", "A.H", code=1)
    assert await clerk(ONE, "bank", "virtual-accounts") == f"virtual_account\taccount\tended_from\n{VIRTUAL}\tB.H\t-\n"
    data = bank.camt(bank.book(Payment(100, "A.H", "Member A", "6222"), Payment(200, "X", "Payer")))
    await do(exchange, imports.take_in, ONE, "day.xml", data, camt.read(data))
    assert (await clerk(ONE, "bank", "match")).splitlines() == [
        "payment\tamount_cny\tmatched_by\taccount\treason\tproposal",
        "1\t1.00\tREFERENCE\tA.H\treference A.H\t1",
        "2\t2.00\tin suspense\t-\tit names no account\t-",
    ]
    suspended = (await clerk(ONE, "bank", "suspense")).splitlines()[1:]
    assert suspended == ["2\t2026-11-23\t2.00\tno\tB2611230002\tX\tPayer\t-\t-"]
    assigned = await clerk(ONE, "bank", "assign", "2", "--account", "B.H", "--reason", "letter")
    assert assigned == "proposal 2 waits for another person's approval: cash 2\n"
    assert '"why": "letter"' in await clerk(OTHER, "proposal", "2")
    await clerk(OTHER, "approve", "1", "2")
    await exchange.round_trip()
    proved = await clerk(ONE, "bank", "reconcile")
    assert (
        proved.removeprefix("account\tday\tclosing_cny\n")
        == f"{ACCOUNT}\t2026-11-23\t3.00\nbank 3.00, ledger 3.00, difference 0.00: 0 breaks\n"
    )
    await exchange.engine_runner.order("A.H", terms.BUY, 1_00, 1)
    data = bank.camt(bank.book(Payment(-100, "A.H", reversal=True)))
    await do(exchange, imports.take_in, ONE, "day.xml", data, camt.read(data))
    await clerk(ONE, "bank", "match")
    await clerk(OTHER, "approve", "3")
    await exchange.round_trip()
    assert (await clerk(ONE, "bank", "claims")).splitlines()[1].startswith("3\t-\tA.H\t1.00\tREFUSED\t")
    assert "BANK_ONLY\tpayment:3\tCNY\t0.00\t-1.00\tCNY" in await clerk(ONE, "bank", "reconcile", code=1)
    assert "payment:3" in await clerk(ONE, "breaks")
    assert "has not answered payment_claim:1" in await clerk(ONE, "bank", "collect", "3", code=1)
    await exchange.round_trip()
    assert "proposal 4 waits" in await clerk(ONE, "bank", "collect", "3")


async def test_the_work_list_over_rest(exchange: SmallExchange, rest: Rest) -> None:
    bank = await bank_of(exchange)
    await rest(ONE, "POST", "/virtual-accounts", json={"number": VIRTUAL, "account": "B.H"})
    await rest(ONE, "POST", "/bank-statements", content=bank.camt(bank.book(Payment(100, "A.H"), Payment(200, "X"))))
    found = (await rest(ONE, "POST", "/bank-matches"))["payments"]
    assert [(one["how"], one["amount"]) for one in found] == [("REFERENCE", "1.00"), (None, "2.00")]
    (waiting,) = (await rest("auditor", "GET", "/bank-suspense"))["payments"]
    assignment = {"account": "B.H", "reason": "letter"}
    assert (await rest("auditor", "POST", "/bank-suspense/2/assign", 403, json=assignment))["reason"] == "NOT_PERMITTED"
    number = (await rest(ONE, "POST", f"/bank-suspense/{waiting['item_no']}/assign", json=assignment))["proposal"]
    for proposal in (found[0]["proposal"], number):
        await rest(OTHER, "POST", f"/proposals/{proposal}/approve")
    await exchange.round_trip()
    proved = await rest(ONE, "POST", "/bank-reconciliations")
    assert (proved["bank"], proved["ledger"], proved["breaks"]) == ("3.00", "3.00", [])
    assert (await rest("auditor", "GET", "/bank-claims"))["claims"] == []
    await rest(ONE, "POST", "/bank-claims/1/collect", 422)
