"""Invoices of fees: every fee once with its tax, numbers without gaps, corrected by red ones."""

import io
import json
from datetime import date
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select

from goldx.protocol import terms
from goldx.protocol.commands import MarketSetPhase
from goldx.protocol.units import CASH, BadValue, format_money
from settlement.base import registry, working_days
from settlement.charges import accruals, bills
from settlement.closing import (
    bulletin,
    bulletin_paper,
    invoice_paper,
    invoices,
    red_invoices,
    statement_paper,
    statements,
    tax_profiles,
)
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing.differs import PaperDiffers
from settlement.closing.invoice_lines import taxed
from settlement.closing.paper import LANGUAGES
from settlement.closing.tax_profiles import Buyer
from settlement.load_outs import application, handing_over
from settlement.tables.charges import fee_bill
from settlement.tables.papers import invoice
from tests.settlement.closing.days import DAYS, end_day, statement_of
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import (
    CODE,
    COLLECTOR_ID,
    ONE,
    OTHER,
    SmallExchange,
    begin_day,
    do,
    load_out_application,
    refused,
)

DAILY = Buyer("Buyer", "91350200MA00000000", "SPECIAL", "DAY")
LOT_MG = 99_900


async def fees(exchange: SmallExchange) -> None:
    """Trading fees of two members, a load-out handed over, and the paid bills of both."""
    for code in ("A", "B"):
        await do(exchange, registry.add_member, "test", code, f"Member {code}", f"会员{code}")
    for account in ("A.H", "B.H", "VENUE"):
        await exchange.pay_in(account, 100_000_000, account)
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    await exchange.trade("B.H", "A.H", 60_000, 20)
    use = {"declared_use": "NON_INVESTMENT"}
    await exchange.approve(await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG, **use)))
    await exchange.round_trip()
    await do(exchange, handing_over.sign, ONE, 1, CODE, COLLECTOR_ID)
    await do(exchange, handing_over.release, OTHER, 1)
    await do(exchange, accruals.catch_up)
    await bill(exchange)


async def bill(exchange: SmallExchange) -> None:
    number = await do(exchange, bills.propose, ONE)
    assert number is not None
    await exchange.approve(number)
    await exchange.round_trip()


async def kept(exchange: SmallExchange) -> list[Any]:
    async with exchange.engine.connect() as connection:
        return list(await connection.execute(select(invoice).order_by(invoice.c.invoice_no)))


@pytest.mark.parametrize(
    ("amount", "bp", "net", "tax"),
    [(10_600, 600, 10_000, 600), (10_900, 900, 10_000, 900), (1, 600, 1, 0), (100, 600, 94, 6), (-100, 600, -94, -6)],
)
def test_the_tax_is_in_the_price(amount: int, bp: int, net: int, tax: int) -> None:
    assert taxed(amount, bp) == {"rate_bp": bp, "net_fen": net, "tax_fen": tax}


@pytest.mark.prepared(by=fees)
async def test_every_fee_is_on_an_invoice_once(exchange: SmallExchange) -> None:
    for code in ("A", "B"):
        await do(exchange, tax_profiles.add, ONE, code, DAILY)
    await end_day(exchange, DAYS[0])
    (day,) = await do(exchange, days.over)
    rows = await kept(exchange)
    assert [(row.invoice_no, row.member, row.kind) for row in rows] == [(1, "A", "SPECIAL"), (2, "B", "SPECIAL")]
    balances = await do(exchange, days.balances_at, day.last)
    income = sum(found.balance for found in balances if found.kind == "fee_income" and found.asset == CASH)
    assert sum(row.total_fen for row in rows) == income > 0
    first = json.loads(rows[0].content)
    lines = {line["fee"]: line for line in first["lines"]}
    assert {"TRADING", "LOAD_IN", "LOAD_OUT", "STORAGE_LOAD_OUT", "FREIGHT_INSURANCE"} <= set(lines)
    assert (lines["TRADING"]["base"], lines["TRADING"]["amount_fen"]) == (1_200_000, 120)
    assert (lines["LOAD_OUT"]["use"], lines["LOAD_OUT"]["document"]) == ("NON_INVESTMENT", "load_out:1")
    assert lines["LOAD_IN"]["use"] is None
    assert all(line["rate_bp"] == (900 if fee == "FREIGHT_INSURANCE" else 600) for fee, line in lines.items())
    async with exchange.engine.connect() as connection:
        billed = {row.account: row.amount_fen for row in await connection.execute(select(fee_bill))}
    custody = [line["amount_fen"] for line in first["lines"] if line["fee"] != "TRADING"]
    assert sum(custody) == billed["A.H"], "the lines of a bill sum to it"
    assert all(line["net_fen"] + line["tax_fen"] == line["amount_fen"] for line in first["lines"])
    await exchange.trade("B.H", "A.H", 61_000, 10)
    await end_day(exchange, DAYS[1])
    rows = await kept(exchange)
    assert [row.invoice_no for row in rows] == [1, 2, 3, 4]
    assert [row.total_fen for row in rows[2:]] == [61, 61], "nothing comes twice"
    assert rows[2].first_sequence == rows[0].last_sequence + 1
    for one in await do(exchange, days.over):
        assert await do(exchange, invoices.work, one) == await do(exchange, invoices.work, one)
    assert await kept(exchange) == rows


async def test_parts_of_a_fen_are_rounded_once_for_a_bill(exchange: SmallExchange) -> None:
    """Three fees of 0.4 fen are a bill of 1 fen."""
    await do(exchange, registry.add_member, "test", "A", "Member A")
    await do(exchange, tax_profiles.add, ONE, "A", DAILY)
    await exchange.pay_in("A.H", 100, "bank-1")
    kinds = ("OVERDUE", "STORAGE_BOUGHT", "STORAGE_OWN")
    found = [accruals.Fee("A.H", "AU", kind, 400_000, 1, 400_000) for kind in kinds]
    await do(exchange, accruals._write, working_days.today(), found)
    await bill(exchange)
    await end_day(exchange, DAYS[0])
    (row,) = await kept(exchange)
    lines = json.loads(row.content)["lines"]
    assert (row.total_fen, [line["amount_fen"] for line in lines]) == (1, [1])


@pytest.mark.prepared(by=fees)
async def test_who_wants_it_gets_one_a_month_with_the_last_day(exchange: SmallExchange) -> None:
    await do(exchange, tax_profiles.add, ONE, "B", DAILY)
    await begin_day(exchange, "2099-11-27")
    await closing.close(exchange.engine, ONE, lambda _: None)
    before = [row.member for row in await kept(exchange)]
    assert before.count("B") == 1
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await exchange.trade("B.H", "A.H", 60_000, 10)
    await end_day(exchange, "2099-11-30")
    assert [row.member for row in await kept(exchange)] == [*before, "B"], "no month has ended"
    await end_day(exchange, "2099-12-01")
    added = (await kept(exchange))[len(before) + 1 :]
    assert [(row.member, row.total_fen) for row in added] == [("A", 60)]
    assert (added[0].kind, json.loads(added[0].content)["title"]) == ("ORDINARY", "会员A")


async def test_a_buyer_is_whole_and_holds_from_the_present_day_on(exchange: SmallExchange) -> None:
    await do(exchange, registry.add_member, "test", "A", "Member A")
    wrong = (
        ("X", DAILY, "member"),
        ("A", DAILY._replace(title=""), "title"),
        ("A", DAILY._replace(tax_number=""), "tax_number"),
        ("A", DAILY._replace(tax_number="123"), "tax_number"),
        ("A", DAILY._replace(kind="x"), "kind"),
        ("A", DAILY._replace(period="x"), "period"),
    )
    for code, buyer, field in wrong:
        with pytest.raises(BadValue, match=field):
            await do(exchange, tax_profiles.add, ONE, code, buyer)
    await begin_day(exchange, DAYS[0])
    assert await do(exchange, tax_profiles.add, ONE, "A", DAILY) == date.fromisoformat(DAYS[0])
    assert (await do(exchange, tax_profiles.on, working_days.today()))["A"].title == "Member A"
    assert (await do(exchange, tax_profiles.on, date.fromisoformat(DAYS[0])))["A"] == DAILY


@pytest.mark.prepared(by=fees)
async def test_a_correction_takes_two_people_and_a_red_invoice(exchange: SmallExchange) -> None:
    for code in ("A", "B"):
        await do(exchange, tax_profiles.add, ONE, code, DAILY)
    await end_day(exchange, DAYS[0])
    await do(exchange, red_invoices.propose, ONE, 1, "wrong title", again=True)
    await refused(exchange, "SAME_PERSON", red_invoices.approve, ONE, 1)
    await do(exchange, red_invoices.decline, OTHER, 1)
    await refused(exchange, "ILLEGAL_STEP", red_invoices.approve, OTHER, 1)
    await do(exchange, red_invoices.propose, ONE, 1, "wrong title", again=True)
    await do(exchange, tax_profiles.add, ONE, "A", DAILY._replace(title="Right buyer"))
    assert await do(exchange, red_invoices.approve, OTHER, 1) == [3, 4]
    first, _, red, new = await kept(exchange)
    assert {str(red.day), str(new.day)} == {DAYS[0]}, "they are of the present trading day, after that of the first"
    assert (first.status, red.status, new.status) == ("CORRECTED", "RED", "ISSUED")
    assert (red.corrects, red.total_fen, red.net_fen, red.tax_fen) == (
        1,
        -first.total_fen,
        -first.net_fen,
        -first.tax_fen,
    )
    assert (new.replaces, new.total_fen) == (1, first.total_fen)
    assert json.loads(new.content)["title"] == "Right buyer"
    assert json.loads(red.content)["title"] == "Buyer"
    await refused(exchange, "ILLEGAL_STEP", red_invoices.propose, ONE, 1, "again")
    await refused(exchange, "ILLEGAL_STEP", red_invoices.propose, ONE, 3, "the red one")
    (day,) = await do(exchange, days.over)
    assert json.loads(await do(exchange, invoices.work, day))["invoices"][0][0] == 1, "the day is as it was"
    await exchange.trade("B.H", "A.H", 60_000, 10)
    await end_day(exchange, DAYS[1])
    assert [row.invoice_no for row in await kept(exchange)] == [1, 2, 3, 4, 5, 6]
    before, corrected = await do(exchange, days.over)
    sums = {name: -json.loads(first.content)[name] for name in ("net_fen", "tax_fen", "amount_fen")}
    await _named_by_the_close(exchange, corrected, sums)
    async with exchange.engine.connect() as connection:
        kept_then = {row.step: row.output for row in await closing.steps_of(connection, before.day)}
    assert await do(exchange, invoices.work, before) == kept_then["invoices"], "it has the corrections of no other day"


async def _named_by_the_close(exchange: SmallExchange, day: days.Day, sums: dict[str, int]) -> None:
    """Check that the close of the day on which invoice 1 was corrected names what was made, in all its papers."""
    async with exchange.engine.connect() as connection:
        steps = {row.step: row.output for row in await closing.steps_of(connection, day.day)}
    made = [[number, *about, "A"] for number, *about in ((3, 1, None), (4, None, 1))]
    assert [one[:4] for one in json.loads(steps["invoices"])["corrections"]] == made
    statement = await statement_of(exchange, "A", day.day.isoformat())
    again = {name: -fen for name, fen in sums.items()}
    assert statement.content["invoice_corrections"] == [
        {"invoice": 3, "corrects": 1, "reason": "wrong title", **sums},
        {"invoice": 4, "replaces": 1, **again},
    ]
    shown = statement_paper.write(statement, "xlsx", "en")
    rows = openpyxl.load_workbook(io.BytesIO(shown))["Corrections of invoices"].iter_rows(values_only=True)
    assert [row[:3] for row in rows][1:] == [(3, "Cancels out № 1", "wrong title"), (4, "In place of № 1", None)]
    assert statement_paper.write(statement, "pdf", "zh") != statement_paper.write(statement, "pdf", "en")
    published = await do(exchange, bulletin.find, day.day)
    assert published.content["invoices_corrected"] == {"count": 1, "amount_fen": sums["amount_fen"]}
    about = bulletin_paper.write(published, "csv", "en", "about").decode("utf-8-sig")
    assert f"Invoices cancelled out,1 · {format_money(sums['amount_fen'])} CNY" in about
    others = await statement_of(exchange, "B", day.day.isoformat())
    assert "invoice_corrections" not in others.content
    for work in (invoices.work, statements.work):
        assert await do(exchange, work, day) == steps[work.__module__.rpartition(".")[2]]


@pytest.mark.usefixtures("configured_database")
@pytest.mark.prepared(by=fees)
async def test_an_invoice_names_its_seller(exchange: SmallExchange) -> None:
    await do(exchange, registry.add_member, "test", "VENUE", "Venue")
    for code in ("A", "B"):
        await do(exchange, tax_profiles.add, ONE, code, DAILY)
    await end_day(exchange, DAYS[0])
    assert all("seller" not in json.loads(row.content) for row in await kept(exchange)), "none was recorded"
    typed = ("invoice", "seller", "--title", "厦门黄金交易中心", "--tax-number")
    assert "15 to 20 digits" in await clerk(ONE, *typed, "1", code=1)
    assert (await clerk(ONE, *typed, "91350200MA0SELLER1")).startswith("invoices name this seller from")
    await exchange.trade("B.H", "A.H", 60_000, 10)
    await end_day(exchange, DAYS[1])
    seller = {"title": "厦门黄金交易中心", "tax_number": "91350200MA0SELLER1"}
    assert [json.loads(row.content).get("seller") for row in await kept(exchange)] == [None, None, seller, seller]
    shown = openpyxl.load_workbook(io.BytesIO(invoice_paper.write(await do(exchange, invoices.find, 3), "xlsx", "en")))
    rows = {row[0]: row[1] for row in shown.worksheets[0].iter_rows(values_only=True)}
    assert (rows["Seller"], rows["Seller's tax number"]) == (seller["title"], seller["tax_number"])
    first, second = await do(exchange, days.over)
    for day in (first, second):
        await do(exchange, invoices.work, day)
    for day, name in ((first, None), (second, seller["title"])):
        papers = [await statement_of(exchange, which, day.day.isoformat()) for which in ("A.H", "A")]
        contents = [(await do(exchange, bulletin.find, day.day)).content, *(paper.content for paper in papers)]
        assert [content.get("issuer") for content in contents] == [name] * 3, "statements and bulletin name it too"
    book = openpyxl.load_workbook(io.BytesIO(statement_paper.write(papers[0], "xlsx", "en")))
    assert ("Issued by", seller["title"]) in [row[:2] for row in book.worksheets[0].iter_rows(values_only=True)]


@pytest.mark.prepared(by=fees)
async def test_an_invoice_stays_as_it_is(exchange: SmallExchange) -> None:
    await do(exchange, tax_profiles.add, ONE, "A", DAILY)
    await end_day(exchange, DAYS[0])
    for statement in ("UPDATE invoice SET total_fen = 1", "DELETE FROM invoice", "UPDATE tax_profile SET title = 'x'"):
        with pytest.raises(Exception, match="is refused"):
            await do(exchange, _run, statement)
    await do(exchange, _run, "ALTER TABLE invoice DISABLE TRIGGER content_kept")
    await do(exchange, _run, "UPDATE invoice SET hash = sha256('x') WHERE invoice_no = 1")
    (day,) = await do(exchange, days.over)
    with pytest.raises(PaperDiffers, match="invoice 1 was"):
        await do(exchange, invoices.work, day)


async def _run(connection: Any, sql: str) -> None:
    await connection.exec_driver_sql(sql)


@pytest.mark.usefixtures("configured_database")
async def test_files_commands_and_rest(exchange: SmallExchange, rest: Rest, tmp_path: Any) -> None:
    await exchange.engine_runner.open("M1.H")
    await fees(exchange)
    await exchange.pay_in("M1.H", 100_000_000, "M1")
    await exchange.trade("M1.H", "B.H", 60_000, 5)
    for member, title in (("M1", "Buyer of M1"), ("A", "公司")):
        typed = await clerk(ONE, "invoice", "buyer", member, "--title", title, "--period", "DAY")
        assert typed.startswith(f"invoices of {member} name this buyer from")
    await end_day(exchange, DAYS[0])
    (own,) = (await rest.own("M1", "GET", "/v1/invoices"))["invoices"]
    assert (own["total"], own["kind"]) == ("0.30", "ORDINARY")
    number = own["invoice_no"]
    assert (await rest.own("M1", "GET", f"/v1/invoices/{number}"))["content"]["title"] == "Buyer of M1"
    assert (await rest.own("M1", "GET", "/v1/invoices/1", 422))["reason"] == "BAD_VALUE"
    assert (await rest(ONE, "GET", "/invoices/1"))["content"]["member"] == "A"
    found = await do(exchange, invoices.find, 1)
    for kind in invoice_paper.KINDS:
        made = {language: invoice_paper.write(found, kind, language) for language in LANGUAGES}
        assert made["zh"] == invoice_paper.write(found, kind, "zh")
        assert (made["zh"] == made["en"]) == (kind == "json")
    await clerk(ONE, "invoice", "write", "1", "--out", "1.pdf")
    assert (tmp_path / "1.pdf").read_bytes() == invoice_paper.write(found, "pdf", "zh")
    book = openpyxl.load_workbook(io.BytesIO(invoice_paper.write(found, "xlsx", "en")))
    assert book["Fees"].max_row == 2 + len(found.content["lines"])
    await clerk(ONE, "invoice", "correct", "1", "--reason", "twice")
    approved = await clerk(OTHER, "invoice", "approve-correction", "1")
    assert approved == f"invoice 1 is cancelled out; issued: {number + 1}\n"
    headings, *rows = (await clerk(ONE, "invoice", "list", "--status", "RED")).splitlines()
    shown = dict(zip(headings.split("\t"), rows[0].split("\t"), strict=True))
    assert (shown["corrects"], shown["total_cny"][0]) == ("1", "-")
    assert "公司" in await clerk(ONE, "invoice", "buyers")
    body = {"reason": "x"}
    assert (await rest(ONE, "POST", f"/invoices/{number}/correct", json=body)) == {"status": "CORRECTION_PROPOSED"}
    (own,) = (await rest.own("M1", "GET", "/v1/invoices"))["invoices"]
    assert (own["status"], own["reason"]) == ("ISSUED", None), "the member sees a correction that is made"
    assert not {"correction_by", "corrected_by"} & own.keys()
    assert (await rest.own("M1", "GET", f"/v1/invoices/{number}"))["status"] == "ISSUED"
    assert (await rest(OTHER, "POST", f"/invoices/{number}/decline-correction")) == {"status": "ISSUED"}
