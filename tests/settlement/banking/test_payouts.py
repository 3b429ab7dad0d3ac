"""Payments to members: to the member alone, in one file, never twice; rejected ones come back."""

from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from lxml import etree
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from goldx.protocol.units import BadValue
from settlement.banking import answers, bank_reconciliation, payouts
from settlement.banking.answers import PaymentAnswer
from settlement.banking.payouts import Payee
from settlement.workbooks import formats
from settlement.workbooks.cells import BadFile
from tests.settlement.banking.bank_days import statement
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange, do, find_breaks, refused

PAYEE = Payee("厦门某某珠宝", "6222 0001", "102393000015")


def pain_002(*statuses: tuple[str, str, str], version: str = "10") -> bytes:
    """A bank's answer: end-to-end id, status and reason, if there is one, of each payment."""
    parts = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{escape(name)}</OrgnlEndToEndId><TxSts>{status}</TxSts>"
        + (f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else "")
        + "</TxInfAndSts>"
        for name, status, reason in statuses
    )
    payments = f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>P</OrgnlPmtInfId>{parts}</OrgnlPmtInfAndSts>"
    return status_report("M", "", payments, version)


def status_report(message_id: str, group: str, payments: str = "", version: str = "10") -> bytes:
    """Return a pain.002 about the payment file ``message_id``: ``group`` and ``payments`` are what it reports."""
    heading = "<GrpHdr><MsgId>A</MsgId><CreDtTm>2026-11-30T10:00:00</CreDtTm></GrpHdr>"
    about = f"<OrgnlMsgId>{message_id}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}"
    body = f"<CstmrPmtStsRpt>{heading}<OrgnlGrpInfAndSts>{about}</OrgnlGrpInfAndSts>{payments}</CstmrPmtStsRpt>"
    return f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}">{body}</Document>'.encode()


async def ordered(exchange: SmallExchange, fen: int) -> str:
    """Order a payment, let it be approved and its money go out; return its end-to-end id."""
    await exchange.approve(await do(exchange, payouts.order, ONE, "A.H", fen, PAYEE))
    await exchange.round_trip()
    return str((await do(exchange, payouts.listing))[-1].end_to_end)


async def test_money_goes_to_the_member_alone(exchange: SmallExchange, bank: MockBank) -> None:
    assert bank.balance_fen == 100_000
    why = await refused(exchange, "PAYEE_DIFFERS", payouts.order, ONE, "A.H", 100, PAYEE._replace(name="某某珠宝"))
    assert why == "money of member A goes to itself alone, which is Member A or 厦门某某珠宝, not to 某某珠宝"
    await refused(exchange, "PAYEE_DIFFERS", payouts.order, ONE, "B.H", 100, PAYEE)
    await do(exchange, payouts.order, ONE, "A.H", 100, PAYEE._replace(name="ＭEMBER A"))
    with pytest.raises(BadValue, match="more than zero"):
        await do(exchange, payouts.order, ONE, "A.H", 0, PAYEE)


async def test_a_payment_is_in_one_file_and_the_statement_ties_it(exchange: SmallExchange, bank: MockBank) -> None:
    await do(exchange, payouts.order, ONE, "A.H", 5, PAYEE)
    names = [await ordered(exchange, fen) for fen in (20_000, 30_000)]
    assert exchange.held("A.H") == 50_000
    sent = await do(exchange, payouts.send, ONE, ACCOUNT)
    assert (sent.payments, sent.sum_fen) == (2, 50_000), "the one that nobody has approved waits"
    root = etree.fromstring(sent.content)
    space = {"p": root.nsmap[None]}
    assert root.xpath("string(//p:GrpHdr/p:CtrlSum)", namespaces=space) == "500.00"
    assert root.xpath("//p:EndToEndId/text()", namespaces=space) == names
    assert root.xpath("//p:InstdAmt[@Ccy='CNY']/text()", namespaces=space) == ["200.00", "300.00"]
    assert root.xpath("string(//p:Cdtr/p:Nm)", namespaces=space) == "厦门某某珠宝"
    assert root.xpath("string(//p:CdtrAcct//p:Id/p:Othr/p:Id)", namespaces=space) == "62220001"
    assert root.xpath("string(//p:CdtrAgt//p:MmbId)", namespaces=space) == "102393000015"
    await refused(exchange, "NO_PAYMENTS", payouts.send, ONE, ACCOUNT)
    assert (await do(exchange, payouts.again, 1)) == sent
    with pytest.raises(DBAPIError, match="pk_payment_in_file"):
        async with exchange.engine.begin() as connection:
            await connection.execute(text("INSERT INTO payment_in_file SELECT cash_id, 1 FROM payment_in_file"))
    tied = await statement(
        exchange, bank, *(Payment(-fen, name) for fen, name in zip((20_000, 30_000), names, strict=True))
    )
    assert [one.how for one in tied] == ["RECORDED", "RECORDED"]
    proof = await do(exchange, bank_reconciliation.reconcile, ONE)
    assert (proof.bank_fen, proof.ledger_fen, proof.breaks) == (50_000, 50_000, ())


async def test_a_rejected_payment_comes_back_once_and_is_no_difference(exchange: SmallExchange, bank: MockBank) -> None:
    name = await ordered(exchange, 20_000)
    assert bank.balance_fen == 100_000
    unsent = pain_002((name, "RJCT", "AC04"))
    with pytest.raises(BadFile, match="is a payment of no file of ours"):
        await do(exchange, payouts.take_answers, ONE, answers.parse(unsent))
    await do(exchange, payouts.send, ONE, ACCOUNT)
    pending = answers.parse(pain_002((name, "ACSP", "")))
    for note in ("", "known"):
        (taken,) = await do(exchange, payouts.take_answers, ONE, pending)
        assert (taken.answer, taken.proposal, taken.note) == ("PENDING", None, note)
    rejected = answers.read(unsent)
    assert rejected == [PaymentAnswer(name, "REJECTED", "RJCT AC04")]
    (taken,) = await do(exchange, payouts.take_answers, ONE, rejected)
    (again,) = await do(exchange, payouts.take_answers, ONE, rejected)
    assert (again.proposal, again.note) == (None, "its money comes back already")
    await exchange.approve(taken.proposal or 0)
    await exchange.round_trip()
    (again,) = await do(exchange, payouts.take_answers, ONE, rejected)
    assert again.proposal is None
    assert exchange.held("A.H") == 100_000
    proof = await do(exchange, bank_reconciliation.reconcile, ONE)
    assert (proof.bank_fen, proof.ledger_fen, proof.breaks) == (100_000, 100_000, ())
    await refused(exchange, "NO_PAYMENTS", payouts.send, ONE, ACCOUNT)
    assert await find_breaks(exchange) == ()


async def test_a_payment_that_the_bank_has_made_does_not_come_back(exchange: SmallExchange, bank: MockBank) -> None:
    names = [await ordered(exchange, fen) for fen in (20_000, 30_000)]
    await do(exchange, payouts.send, ONE, ACCOUNT, "CSV")
    await statement(exchange, bank, Payment(-20_000, names[0]))
    await do(exchange, payouts.take_answers, ONE, answers.parse(pain_002((names[1], "ACSC", ""))))
    both = answers.parse(pain_002(*((name, "RJCT", "AC04") for name in names)))
    for taken in await do(exchange, payouts.take_answers, ONE, both):
        assert (taken.proposal, taken.note[:41]) == (None, "an answer or a statement has it paid, so ")
    assert exchange.held("A.H") == 50_000


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (pain_002(("X", "ZZZZ", "")), "payment 'X' has the status 'ZZZZ'"),
        (pain_002(("", "RJCT", "")), "TxInfAndSts/OrgnlEndToEndId"),
        (pain_002(), "it answers to no single payment"),
        (b"<Document/>", "Document is no answer to a payment file"),
        (b"<Document>", "no readable XML"),
    ],
)
def test_an_answer_that_cannot_be_read_is_named(data: bytes, why: str) -> None:
    with pytest.raises(BadFile, match=why):
        answers.parse(data)


@pytest.mark.usefixtures("configured_database")
async def test_a_clerk_pays_members(exchange: SmallExchange, ready: MockBank, tmp_path: Path) -> None:
    bank = ready
    pay = ("bank", "pay", "--account", "A.H", "--payee", "1", "--amount")
    for amount in ("200.00", "1.00"):
        assert "waits" in await clerk(ONE, *pay, amount)
    assert "of A.H may be up to 1000.00 CNY, not 1000.01" in await clerk(ONE, *pay, "1000.01", code=1)
    await exchange.approve(4)
    await exchange.round_trip()
    file = ("bank", "pay-file", "--out")
    made = await clerk(ONE, *file, "1.csv", "--bank-account", bank.account, "--csv")
    assert made == "payment file 1: 1 payments, 200.00 CNY, in 1.csv\n"
    rows = formats.parse((tmp_path / "1.csv").read_bytes()).rows
    assert [cell.text for cell in rows[1].cells[1:6]] == ["200.00", "CNY", PAYEE.name, "62220001", PAYEE.bank]
    assert "no order waits" in await clerk(ONE, *file, "2.xml", "--bank-account", bank.account, code=1)
    await clerk(ONE, *file, "2.csv", "--payment-file", "1")
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert "either --bank-account" in await clerk(ONE, *file, "3.csv", code=2)
    await exchange.approve(5)
    await exchange.round_trip()
    assert "1.csv exists already" in await clerk(ONE, *file, "1.csv", "--bank-account", bank.account, code=1)
    assert "payment file" in await clerk(ONE, *file, "3.xml", "--bank-account", bank.account), "it was not sent before"
    listed = (await clerk(ONE, "bank", "payments")).splitlines()
    assert listed[1].startswith("2\tA.H\t200.00\tDONE\tW-")
    name = listed[1].split("\t")[4]
    (tmp_path / "answer.xml").write_bytes(pain_002((name, "RJCT", "AC04")))
    assert f"{name}\tREJECTED\t6\t" in await clerk(ONE, "bank", "pay-answer", "answer.xml")
    (tmp_path / "answer.xml").write_bytes(pain_002(("other", "RJCT", "AC04")))
    assert "no file of ours" in await clerk(ONE, "bank", "pay-answer", "answer.xml", code=1)


async def test_payments_over_rest(exchange: SmallExchange, ready: MockBank, rest: Rest) -> None:
    bank = ready
    asked = {"account": "A.H", "amount": "200.00", "payee": 1}
    number = (await rest(ONE, "POST", "/payment-orders", json=asked))["proposal"]
    await exchange.approve(number)
    await exchange.round_trip()
    assert (await rest(ONE, "POST", "/payment-files", json={"bank_account": bank.account})) == {
        "file": 1,
        "payments": 1,
        "sum": "200.00",
        "stopped": [],
    }
    assert b"pain.001.001.09" in await rest.content(ONE, "/payment-files/1/content")
    (order,) = (await rest("auditor", "GET", "/payment-orders"))["orders"]
    assert (order["amount"], order["payment_file_no"], order["answer"]) == ("200.00", 1, None)
    answer = pain_002((order["end_to_end"], "RJCT", "AC04"))
    (taken,) = (await rest(ONE, "POST", "/payment-answers", content=answer))["answers"]
    assert (taken["answer"], taken["proposal"]) == ("REJECTED", number + 1)
    await rest(ONE, "POST", "/payment-answers", 422, content=b"<Document/>")
