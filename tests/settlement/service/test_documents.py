"""Documents and proposals with their outcome: listed, shown and waited for, by command and over REST."""

import asyncio
import json

import pytest

from goldx.protocol import terms
from goldx.protocol.commands import OrderCancelAll
from goldx.protocol.units import BadValue
from settlement.custody import legal_holds, receipt_cancels
from settlement.documents.machines import MACHINES
from settlement.ledger import cash
from settlement.load_outs import application
from settlement.service import documents
from settlement.service.documents import TABLES, ranges
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, load_out_application


def test_numbers_are_shown_in_ranges() -> None:
    assert ranges([1, 2, 3, 4, 7, 9, 10]) == "1-4, 7, 9, 10"
    assert ranges([]) == ""


def test_every_document_with_a_number_and_states_can_be_listed() -> None:
    others = {"lot", "proposal", "assay_exchange_party", "account_statement"}
    others |= {"withdrawal", "withdrawal_limit", "payee_account"}
    assert set(TABLES) == set(MACHINES) - others, "those have commands of their own"


async def refused_cash_out(exchange: SmallExchange) -> None:
    """Approve a cash-out of money that an order has reserved meanwhile: the engine refuses it."""
    await exchange.pay_in("A.H", 100_000_000, "B-1")
    proposal = await do(exchange, cash.propose, ONE, "A.H", -90_000_000, "O-1")
    await exchange.engine_runner.order("A.H", terms.BUY, 60_000, 1_000)
    await exchange.post()
    await exchange.approve(proposal)
    await exchange.round_trip()


@pytest.mark.usefixtures("configured_database")
async def test_a_refused_cash_out_says_so_with_the_engines_reason(exchange: SmallExchange) -> None:
    await refused_cash_out(exchange)
    headings, _, last = (await clerk(ONE, "documents", "cash")).splitlines()
    assert headings == "number\tstatus\tdocument"
    number, status, says = last.split("\t")
    assert (number, status) == ("2", "REFUSED")
    assert json.loads(says) == {
        "cash_id": 2,
        "account": "A.H",
        "amount": "-900000.00",
        "bank_reference": "O-1",
        "status": "REFUSED",
        "reason": "INSUFFICIENT_CASH",
    }
    assert (await clerk(ONE, "documents", "cash", "--status", "REFUSED")).count("\n") == 2
    shown = await clerk(ONE, "document", "cash", "2")
    assert f"\n2\tcash\tAPPROVED\t{ONE}\t{OTHER}\n" in shown
    assert "engine:\nreference\tstatus\treason\ncash:2\tREFUSED\tINSUFFICIENT_CASH" in shown
    shown = await clerk(ONE, "proposal", "2")
    assert f"kind\tcash\nstatus\tAPPROVED\nproposed_by\t{ONE}\ndecided_by\t{OTHER}\n" in shown
    assert "accounts\tA.H" in shown
    assert "\ncash:2\tREFUSED\tINSUFFICIENT_CASH" in shown


@pytest.mark.usefixtures("configured_database")
async def test_approve_waits_and_says_what_came_of_it(exchange: SmallExchange) -> None:
    async def serve() -> None:
        while True:
            await exchange.round_trip()
            await asyncio.sleep(0.05)

    await exchange.pay_in("A.H", 100_000_000, "B-1")
    numbers = [await do(exchange, cash.propose, ONE, "A.H", amount, f"O-{amount}") for amount in (5_000, -90_000_000)]
    serving = asyncio.create_task(serve())
    assert "cash:2 done" in await clerk(OTHER, "approve", str(numbers[0]), "--wait")
    await exchange.engine_runner.order("A.H", terms.BUY, 60_000, 1_000)
    said = await clerk(OTHER, "approve", str(numbers[1]), "--wait", code=1)
    assert "cash:3 refused by the engine: INSUFFICIENT_CASH" in said
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    late = await do(exchange, cash.propose, ONE, "A.H", 100, "O-3")
    said = await clerk(OTHER, "approve", str(late), "--wait", "--seconds", "1", code=1)
    assert "no answer of the engine yet" in said
    (lot,) = await exchange.register([{}])
    held = await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 0, "COURT", "C-1", [lot])
    assert "the engine is not concerned" in await clerk(OTHER, "approve", str(held), "--wait")


async def test_an_approver_sees_lots_and_accounts(exchange: SmallExchange, rest: Rest) -> None:
    lots = await exchange.issue([{"serial": f"A{number}"} for number in range(3)])
    await do(exchange, application.apply, ONE, load_out_application("A.H", 99_900))
    await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 0, "COURT", "C-1", [lots[2]])
    await do(exchange, receipt_cancels.propose, ONE, [lots[1]], "wrong owner")
    found = (await rest("auditor", "GET", "/proposals"))["proposals"]
    assert [(row["kind"], row["lots"], row["accounts"]) for row in found] == [
        ("load_out", [lots[0]], ["A.H"]),
        ("legal_hold", [lots[2]], ["A.H"]),
        ("receipt_cancel", [lots[1]], ["A.H"]),
    ]
    (issued,) = (await rest("auditor", "GET", "/proposals", params={"status": "APPROVED"}))["proposals"]
    assert (issued["lots"], issued["finished"]) == (lots, True)
    assert [answer["status"] for answer in issued["answers"]] == ["DONE"] * 3
    one = await rest("auditor", "GET", f"/proposals/{found[0]['proposal_id']}")
    assert (one["finished"], one["decided_by"], one["answers"]) == (False, None, [])
    await rest("auditor", "GET", "/proposals/99", 422)
    await rest("auditor", "GET", "/proposals", 422, params={"status": "LOST"})


async def test_documents_of_every_kind_are_listed_and_shown_over_rest(exchange: SmallExchange, rest: Rest) -> None:
    await refused_cash_out(exchange)
    await exchange.issue([{}])
    await do(exchange, application.apply, ONE, load_out_application("A.H", 99_900))
    for kind in TABLES:
        for row in (await rest("auditor", "GET", "/documents", params={"kind": kind}))["documents"]:
            shown = await rest("auditor", "GET", f"/documents/{kind}/{row['number']}")
            assert (shown["status"], shown["says"]) == (row["status"], row["says"])
    sheet = await rest("auditor", "GET", "/documents/load_out/1")
    assert (sheet["says"]["ask_g"], sheet["lots"], sheet["status"]) == ("99.9", [1], "APPLIED")
    assert not [name for name in sheet["says"] if "hash" in name or "salt" in name]
    cash_out = await rest("auditor", "GET", "/documents/cash/2")
    assert [answer["reason"] for answer in cash_out["answers"]] == ["INSUFFICIENT_CASH"]
    await rest("auditor", "GET", "/documents", 422, params={"kind": "letter"})
    await rest("auditor", "GET", "/documents/cash/99", 422)
    await rest("M1", "GET", "/documents/cash/2", 403)
    with pytest.raises(BadValue, match="status"):
        await do(exchange, documents.listing, "cash", status="LOST")


async def test_what_the_engine_refused_can_be_asked_for_again(exchange: SmallExchange) -> None:
    (lot,) = await exchange.issue([{}])
    await exchange.pay_in("A.H", 100, "B-1")
    proposal = await do(exchange, receipt_cancels.propose, ONE, [lot], "wrong owner")
    await exchange.engine_runner.order("A.H", terms.SELL, 60_000, 99)
    await exchange.approve(proposal)
    await exchange.round_trip()
    first = await do(exchange, documents.show_proposal, proposal)
    assert [(answer.status, answer.reason) for answer in first.answers] == [("REFUSED", "INSUFFICIENT_GOLD")]
    await exchange.engine_runner.run(OrderCancelAll("A.H"))
    await exchange.post()
    again = await do(exchange, receipt_cancels.propose, ONE, [lot], "wrong owner")
    await exchange.approve(again)
    await exchange.round_trip()
    assert (await do(exchange, documents.show, "receipt", 1)).status == "CANCELLED"
