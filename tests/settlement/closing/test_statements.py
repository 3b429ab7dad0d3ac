"""Statements of account: opening is yesterday's closing, all that moved is listed, and a member confirms or objects."""

import io
import json
from datetime import date, timedelta
from random import Random
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select

from goldx.protocol import terms
from goldx.protocol.units import CASH, BadValue
from settlement.base import registry, working_days
from settlement.base.refusal import Refused
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing import statement_paper, statements
from settlement.closing.differs import PaperDiffers
from settlement.closing.paper import LANGUAGES
from settlement.custody import legal_holds, pledges
from settlement.load_outs import application
from settlement.service import movements
from settlement.tables.base import audit_log
from settlement.tables.papers import account_statement
from tests.settlement.closing.days import DAYS, content_of, end_day, statement_of
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import (
    ONE,
    OTHER,
    THIRD,
    SmallExchange,
    begin_day,
    do,
    load_out_application,
)

LOT_MG = 99_900
"""Fine gold of a lot of the small exchange."""


async def first_day(exchange: SmallExchange) -> None:
    """Money, two lots, and a trade of 20 g on the day before the first of DAYS."""
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    await exchange.trade("B.H", "A.H", 60_000, 20)


async def first_day_closed(exchange: SmallExchange) -> None:
    """The same, and the day is closed."""
    await first_day(exchange)
    await end_day(exchange, DAYS[0])


@pytest.mark.prepared(by=first_day)
async def test_a_statement_lists_what_the_day_has_moved(exchange: SmallExchange) -> None:
    await exchange.engine_runner.order("B.H", terms.BUY, 50_000, 10)
    await exchange.post()
    await end_day(exchange, DAYS[0])
    buyer, seller = await content_of(exchange, "B.H"), await content_of(exchange, "A.H")
    fee = 120
    assert buyer["cash"] == {
        "opening": dict.fromkeys(("balance", "available", "withdrawable", "frozen_orders", "sale_proceeds"), 0),
        "paid_in": 100_000_000,
        "paid_out": 0,
        "bought": -1_200_000,
        "sold": 0,
        "trading_fees": -fee,
        "bills": 0,
        "other": 0,
        "closing": buyer["cash"]["closing"],
    }
    closing_cash = buyer["cash"]["closing"]
    assert closing_cash["balance"] == 100_000_000 - 1_200_000 - fee
    assert closing_cash["available"] == closing_cash["balance"] - closing_cash["frozen_orders"]
    (bought,) = buyer["trades"]
    assert (bought["side"], bought["price"], bought["quantity"], bought["amount"]) == ("BUY", 60_000, 20_000, 1_200_000)
    assert [record["bank_reference"] for record in buyer["movements"]] == ["bank-1"]
    (metal,) = seller["metal"]
    assert (metal["load_in"], metal["sold"], metal["closing"]["total"]) == (2 * LOT_MG, -20_000, 2 * LOT_MG - 20_000)
    assert [(lot["serial"], lot["warehouse"], lot["fine_mg"]) for lot in seller["lots"]] == [
        ("A", "XM1", LOT_MG),
        ("B", "XM1", LOT_MG),
    ]
    assert seller["cash"]["sold"] == 1_200_000


@pytest.mark.prepared(by=first_day)
async def test_pledged_and_held_gold_stays_in_the_statement_of_its_owner(exchange: SmallExchange) -> None:
    await do(exchange, registry.add_member, "test", "BANK", "A bank")
    number = await do(exchange, pledges.enter, ONE, "A.H", "BANK", "AU", 30_000, "P-1", [])
    proposal = await do(exchange, pledges.pair, OTHER, number, "BANK", "AU", 30_000, "P-2")
    await do(exchange, movements.approve, THIRD, proposal)
    await exchange.round_trip()
    await exchange.approve(await do(exchange, legal_holds.propose, ONE, "A.H", "AU", 5_000, "COURT", "H-1"))
    await exchange.round_trip()
    await end_day(exchange, DAYS[0])
    content = await content_of(exchange, "A.H")
    (metal,) = content["metal"]
    assert metal["closing"]["total"] == 2 * LOT_MG - 20_000
    assert (metal["closing"]["pledged"], metal["closing"]["held"]) == (30_000, 5_000)
    assert metal["closing"]["available"] == 2 * LOT_MG - 20_000 - 35_000
    moved = {record["kind"]: (record["amount"], record["pledged"], record["held"]) for record in content["movements"]}
    assert moved["pledge"] == (-30_000, 30_000, 0)
    assert moved["legal_hold"] == (-5_000, 0, 5_000)


@pytest.mark.prepared(by=first_day)
async def test_a_lot_leaves_the_statement_with_its_load_out(exchange: SmallExchange) -> None:
    await exchange.pay_in("A.H", 10_000_000, "bank-2")
    await exchange.pay_in("VENUE", 10_000_000, "bank-3")
    await end_day(exchange, DAYS[0])
    proposal = await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG))
    await exchange.approve(proposal)
    await exchange.round_trip()
    await end_day(exchange, DAYS[1])
    first, second = [day.day.isoformat() for day in await do(exchange, days.over)]
    before, after = await content_of(exchange, "A.H", first), await content_of(exchange, "A.H", second)
    assert [lot["serial"] for lot in before["lots"]] == ["A", "B"]
    assert len(after["lots"]) == 1
    (metal,) = after["metal"]
    assert metal["load_out"] == -LOT_MG


@pytest.mark.campaign
@pytest.mark.parametrize("seed", [1, 2])
async def test_generated_days_follow_each_other(exchange: SmallExchange, seed: int) -> None:
    """The holdings of the engine at each end are the model."""
    random = Random(seed)
    await first_day(exchange)
    held: list[dict[tuple[str, str], int]] = []
    for number, next_day in enumerate(DAYS[:4]):
        for step in range(random.randrange(6)):
            act = random.randrange(4)
            if act == 0:
                await exchange.pay_in(random.choice(("A.H", "B.H")), random.randrange(1, 10**7), f"x{number}.{step}")
            elif act == 1:
                await exchange.issue([{"serial": f"{number}.{step}", "account": random.choice(("A.H", "B.H"))}])
            elif act == 2:
                await exchange.trade("B.H", "A.H", random.randrange(50_000, 70_000), random.randrange(1, 30))
            else:
                await exchange.trade("A.H", "B.H", random.randrange(50_000, 70_000), random.randrange(1, 10))
        await end_day(exchange, next_day)
        held.append(dict(exchange.engine_runner.held))
    over = await do(exchange, days.over)
    for account in ("A.H", "B.H"):
        before: dict[str, Any] | None = None
        for number, day in enumerate(over):
            content = await content_of(exchange, account, day.day.isoformat())
            assert content["cash"]["closing"]["balance"] == held[number].get((account, CASH), 0)
            gold = {metal["symbol"]: metal["closing"]["total"] for metal in content["metal"]}
            assert gold.get("AU", 0) == held[number].get((account, "AU"), 0)
            if before is not None:
                assert content["cash"]["opening"] == before["cash"]["closing"]
                assert [m["opening"] for m in content["metal"]][:1] == [m["closing"] for m in before["metal"]][:1]
            before = content


@pytest.mark.prepared(by=first_day_closed)
async def test_the_sums_of_all_statements_are_those_of_the_ledger(exchange: SmallExchange) -> None:
    (day,) = await do(exchange, days.over)
    contents = [json.loads(row.content) for row in await do(exchange, _all_statements) if row.account is not None]
    balances = await do(exchange, days.balances_at, day.last)
    for asset, kind in ((CASH, "cash"), ("AU", "metal")):
        owed = sum(found.balance for found in balances if found.kind == "member" and found.asset == asset)
        if kind == "cash":
            assert sum(content["cash"]["closing"]["balance"] for content in contents) == owed
        else:
            assert sum(m["closing"]["total"] for c in contents for m in c["metal"] if m["symbol"] == asset) == owed
    fees = sum(found.balance for found in balances if found.kind == "fee_income")
    assert -sum(content["cash"]["trading_fees"] for content in contents) == fees


async def _all_statements(connection: Any) -> list[Any]:
    return list(await connection.execute(select(account_statement).order_by(account_statement.c.statement_no)))


async def test_a_members_statement_sums_up_its_accounts(exchange: SmallExchange) -> None:
    await exchange.engine_runner.open("B.C1")
    await first_day(exchange)
    await exchange.pay_in("B.C1", 700, "bank-9")
    await end_day(exchange, DAYS[0])
    whole = await content_of(exchange, "B")
    parts = [await statement_of(exchange, account) for account in ("B.C1", "B.H")]
    assert [account["account"] for account in whole["accounts"]] == ["B.C1", "B.H"]
    assert [account["sha256"] for account in whole["accounts"]] == [part.hash.hex() for part in parts]
    assert whole["cash"]["paid_in"] == 100_000_700
    assert whole["cash"]["closing"]["balance"] == sum(p.content["cash"]["closing"]["balance"] for p in parts)
    assert whole["metal"][0]["closing"]["total"] == 20_000


@pytest.mark.prepared(by=first_day_closed)
async def test_what_was_made_stays_and_is_made_again_to_the_same_bytes(exchange: SmallExchange) -> None:
    await exchange.trade("B.H", "A.H", 61_000, 5)
    await end_day(exchange, DAYS[1])
    rows = await do(exchange, _all_statements)
    for day in await do(exchange, days.over):
        assert await do(exchange, statements.work, day) == await do(exchange, statements.work, day)
    assert await do(exchange, _all_statements) == rows
    with pytest.raises(Exception, match="a statement that was issued stays as it is"):
        await do(exchange, _run, "UPDATE account_statement SET content = '{}'")
    with pytest.raises(Exception, match="a statement that was issued stays as it is"):
        await do(exchange, _run, "DELETE FROM account_statement")


async def _run(connection: Any, sql: str) -> None:
    await connection.exec_driver_sql(sql)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("replace(content, '\"balance\":', '\"balance\":9')", "opens with"),
        ("replace(content, '\"total\":', '\"total\":9')", "opens with"),
    ],
    ids=["money", "gold"],
)
@pytest.mark.prepared(by=first_day_closed)
async def test_a_day_is_not_closed_where_it_opens_otherwise(exchange: SmallExchange, change: str, says: str) -> None:
    await do(exchange, _run, "ALTER TABLE account_statement DISABLE TRIGGER content_kept")
    await do(exchange, _run, f"UPDATE account_statement SET content = {change}")
    await begin_day(exchange, DAYS[1])
    with pytest.raises(PaperDiffers, match=says) as found:
        await closing.close(exchange.engine, ONE, lambda _: None)
    assert found.value.reason == "PAPER_DIFFERS"


@pytest.mark.prepared(by=first_day_closed)
async def test_a_statement_that_was_changed_is_found(exchange: SmallExchange) -> None:
    (day,) = await do(exchange, days.over)
    await do(exchange, _run, "ALTER TABLE account_statement DISABLE TRIGGER content_kept")
    await do(exchange, _run, "UPDATE account_statement SET hash = sha256('x') WHERE account = 'A.H'")
    with pytest.raises(PaperDiffers, match=r"the statement of A\.H was"):
        await do(exchange, statements.work, day)


@pytest.mark.prepared(by=first_day_closed)
async def test_papers_have_the_same_bytes_each_time_and_two_languages(exchange: SmallExchange) -> None:
    for found in (await statement_of(exchange, "A.H"), await statement_of(exchange, "A")):
        for kind in statement_paper.KINDS:
            made = {language: statement_paper.write(found, kind, language) for language in LANGUAGES}
            assert made["zh"] == statement_paper.write(found, kind, "zh")
            assert (made["zh"] == made["en"]) == (kind == "json")
            assert made["en"].startswith(b"%PDF") == (kind == "pdf")
        book = openpyxl.load_workbook(io.BytesIO(statement_paper.write(found, "xlsx", "zh")))
        assert "资金（元）" in book.sheetnames
    english = openpyxl.load_workbook(
        io.BytesIO(statement_paper.write(await statement_of(exchange, "A.H"), "xlsx", "en"))
    )
    trades = [[cell.value for cell in row] for row in english["Trades"].iter_rows()]
    assert trades[0][:5] == ["Time", "Trade", "Class", "Side", "Price (CNY/g)"]
    assert trades[1][2:6] == ["AU", "sell", 600, 20]
    with pytest.raises(BadValue, match="pdf, xlsx, json"):
        statement_paper.write(found, "doc", "en")


async def test_a_member_confirms_over_rest(exchange: SmallExchange, rest: Rest) -> None:
    await exchange.engine_runner.open("M1.H", "M1.C1")
    await first_day(exchange)
    for account in ("M1.H", "M1.C1"):
        await exchange.pay_in(account, 500, account)
    await end_day(exchange, DAYS[0])
    own = (await rest.own("M1", "GET", "/v1/statements"))["statements"]
    assert [(row["account"], row["status"]) for row in own] == [
        ("M1.C1", "ISSUED"),
        ("M1.H", "ISSUED"),
        (None, "ISSUED"),
    ]
    client, house, whole = (row["statement_no"] for row in own)
    other = (await statement_of(exchange, "A.H")).number
    for path in (f"/v1/statements/{other}", f"/v1/statements/{other}/file"):
        assert (await rest.own("M1", "GET", path, 422))["reason"] == "BAD_VALUE"
    assert (await rest.own("M1", "POST", f"/v1/statements/{other}/confirm", 422))["reason"] == "BAD_VALUE"
    assert (await rest.own(ONE, "GET", "/v1/statements", 403))["reason"] == "NOT_PERMITTED"
    assert (await rest("M1", "GET", "/account-statements", 403))["reason"] == "NOT_PERMITTED"
    assert (await rest.own("M1", "GET", f"/v1/statements/{house}"))["content"]["account"] == "M1.H"
    headers = {"Idempotency-Key": "once"}
    confirmed = await rest.own("M1", "POST", f"/v1/statements/{whole}/confirm", headers=headers)
    assert confirmed == {"status": "CONFIRMED", "statements": [whole, client, house]}
    assert await rest.own("M1", "POST", f"/v1/statements/{whole}/confirm", headers=headers) == confirmed
    assert (await rest.own("M1", "POST", f"/v1/statements/{house}/confirm", 409))["reason"] == "ILLEGAL_STEP"
    rows = (await rest(ONE, "GET", "/account-statements", params={"member": "M1"}))["statements"]
    assert {(row["status"], row["accepted_by"]) for row in rows} == {("CONFIRMED", "M1")}
    assert all(row["accepted_at"] for row in rows)
    async with exchange.engine.connect() as connection:
        query = select(audit_log).where(audit_log.c.action == "account_statement.confirm")
        acts = list(await connection.execute(query))
    assert [(act.actor, json.loads(act.detail)) for act in acts] == [("M1", {"key": "M1"})] * 3


async def test_an_objection_is_answered_and_then_time_decides(exchange: SmallExchange, rest: Rest) -> None:
    await exchange.engine_runner.open("M1.H")
    await first_day(exchange)
    await exchange.pay_in("M1.H", 500, "m1")
    await end_day(exchange, DAYS[0])
    number = (await statement_of(exchange, "M1.H")).number
    path = f"/v1/statements/{number}/object"
    for wrong in ("", "x" * 501, "a\nb"):
        assert (await rest.own("M1", "POST", path, 422, json={"objection": wrong}))["reason"] == "BAD_VALUE"
    await rest.own("M1", "POST", path, json={"objection": "500 fen were 600"})
    assert (await rest.own("M1", "POST", f"/v1/statements/{number}/confirm", 409))["reason"] == "ILLEGAL_STEP"
    assert (await rest(ONE, "POST", f"/account-statements/{number + 1}/answer", 409, json={"answer": "x"}))["reason"]
    far = date(2199, 1, 1)
    accepted = await do(exchange, statements.accept_due, far)
    assert accepted == len(await do(exchange, _all_statements)) - 1, "a disputed one is not accepted by time"
    answered = await rest(ONE, "POST", f"/account-statements/{number}/answer", json={"answer": "the bank has 500"})
    due = date.fromisoformat(answered["due_day"])
    assert due == await do(exchange, statements.due_day, working_days.today())
    assert await do(exchange, statements.accept_due, due) == 0
    assert await do(exchange, statements.accept_due, due + timedelta(days=1)) == 1
    (row,) = (await rest.own("M1", "GET", "/v1/statements", params={"account": "M1.H"}))["statements"]
    assert (row["status"], row["accepted_by"]) == ("ACCEPTED", "settlement")
    assert (row["objection"], row["answer"]) == ("500 fen were 600", "the bank has 500")


async def test_the_days_to_object_are_working_days(exchange: SmallExchange) -> None:
    friday = date(2099, 12, 4)
    assert await do(exchange, statements.due_day, friday) == date(2099, 12, 9)
    await do(exchange, working_days.set_day, ONE, date(2099, 12, 7), False, "a holiday")
    assert await do(exchange, statements.due_day, friday) == date(2099, 12, 10)


@pytest.mark.usefixtures("configured_database")
@pytest.mark.prepared(by=first_day_closed)
async def test_a_clerk_writes_statements(exchange: SmallExchange, tmp_path: Any) -> None:
    found = await statement_of(exchange, "A.H")
    headings, row = (await clerk(ONE, "account-statements", "list", "--account", "A.H")).splitlines()
    assert dict(zip(headings.split("\t"), row.split("\t"), strict=True))["sha256"] == found.hash.hex()
    for name in ("a.pdf", "a.xlsx", "a.json"):
        await clerk(ONE, "account-statements", "write", str(found.number), "--out", name)
        kind = name.removeprefix("a.")
        assert (tmp_path / name).read_bytes() == statement_paper.write(found, kind, "zh")
    wrong = await clerk(ONE, "account-statements", "write", str(found.number), "--out", "a.doc", code=1)
    assert "a file with the ending .pdf or .xlsx or .json" in wrong
    refused = await clerk(ONE, "account-statements", "answer", str(found.number), "--answer", "x", code=1)
    assert "it must be DISPUTED" in refused


@pytest.mark.prepared(by=first_day_closed)
async def test_only_what_a_member_disputes_is_answered(exchange: SmallExchange) -> None:
    with pytest.raises(Refused, match="it must be DISPUTED"):
        await do(exchange, statements.answer, ONE, (await statement_of(exchange, "A.H")).number, "x")
