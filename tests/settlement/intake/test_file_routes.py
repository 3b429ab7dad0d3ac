"""Files and the counter over REST: the same as the commands, through a real gateway."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from settlement.base import registry, working_days
from settlement.workbooks import sheets
from tests.settlement import bar_lists
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange
from tests.settlement.test_routes import Desk, desk, exchange
from tests.settlement.workbooks.test_sheets import workbook

__all__ = ["desk", "exchange"]


@pytest.fixture
def today() -> str:
    """The date in Shanghai as a test begins: a run of all tests may well pass midnight there."""
    return working_days.today().isoformat()


@pytest_asyncio.fixture
async def member(exchange: SmallExchange) -> AsyncIterator[None]:
    async with exchange.engine.begin() as connection:
        await registry.add_member(connection, "test", "A", "Member A")
        await working_days.set_day(connection, ONE, working_days.today(), True, "as any day")
    yield


async def test_files_over_rest(exchange: SmallExchange, desk: Desk, today: str) -> None:
    heading = ["品牌", "条号", "毛重(克)", "成色(‰)"]
    good = workbook(heading, ["HX", "007", 100.0, 999.0])
    given = (
        "symbol=AU",
        "form=NONAPPROVED_BAR",
        "account=A.H",
        "warehouse=XM1",
        "origin=BANK",
        "origin_document=INV-1",
    )
    params = {"set": given, "name": "bars.xlsx"}
    bad = workbook(heading, ["HX", 7, 100.0, 999.0])
    found = await desk("auditor", "POST", "/bar-lists/declared/preview", params=params, content=bad)
    assert [(problem["line"], problem["column"]) for problem in found["problems"]] == [(2, "serial")]
    assert (await desk("auditor", "POST", "/bar-lists/declared/preview", params=params, content=good))["rows"] == 1
    await desk("auditor", "POST", "/bar-lists/declared", 403, params=params, content=good)
    await desk(ONE, "POST", "/bar-lists/declared", params=params, content=good)
    again = await desk(ONE, "POST", "/bar-lists/declared", 409, params=params, content=good)
    assert again["reason"] == "FILE_KNOWN"
    unknown = {"set": ("colour=blue",)}
    await desk(ONE, "POST", "/bar-lists/declared", 422, params=unknown, content=good)
    (kept,) = (await desk("auditor", "GET", "/files"))["files"]
    assert (kept["name"], kept["kind"], kept["rows"]) == ("bars.xlsx", "declared", 1)
    assert await desk.content("auditor", f"/files/{kept['file_no']}/content") == good

    await exchange.issue([{"serial": "A1"}])
    written = await desk.content("auditor", "/exports/bars", format="xlsx", state="RECEIPTED")
    assert [row.key.serial for row in bar_lists.declared(written)] == ["A1"]
    count = await desk.content("auditor", "/exports/counts/XM1", format="csv")
    outcome = await desk("auditor", "POST", "/statements/XM1/preview", content=count)
    assert (outcome["bars"], outcome["breaks"]) == (1, [])
    light = count.replace(b"100.00", b"99.90")
    outcome = await desk(ONE, "POST", "/statements/XM1", params={"day": today}, content=light)
    assert [found["kind"] for found in outcome["breaks"]] == ["WEIGHT_DIFF"]
    (open_break,) = (await desk("auditor", "GET", "/breaks"))["breaks"]
    assert (open_break["scope"], open_break["days"], open_break["whose"]) == ("statement:XM1", 0, "matching")
    (stock,) = (await desk("auditor", "GET", "/stock"))["stock"]
    assert (stock["warehouse"], stock["free"], stock["in_dispute"]) == ("XM1", 0, 99_900)
    assert b"TOTAL" in await desk.content("auditor", "/exports/stock")
    account = await desk.content("auditor", "/exports/accounts/A.H", **{"from": today, "to": today})
    assert [row.cells[2].text for row in sheets.read(account).rows] == ["kind", "opening", "receipt", "closing"]
    found = await desk("auditor", "GET", "/lots", params={"serial": "A*", "warehouse": "XM1"})
    assert [lot["serial"] for lot in found["lots"]] == ["A1"]
    events = await desk("auditor", "GET", "/custody-events", params={"warehouse": "XM1", "limit": 2})
    more = await desk("auditor", "GET", "/custody-events", params={"after": events["next"]})
    assert not {event["event_id"] for event in events["events"]} & {event["event_id"] for event in more["events"]}
    report = workbook(["DEPOSITORY", "", "PREV TOTAL"], ["nothing"])
    await desk(ONE, "POST", "/depository-reports", 422, content=report)


async def test_the_counter_over_rest(exchange: SmallExchange, desk: Desk, member: None, today: str) -> None:  # noqa: ARG001
    counter = {"counter": "C1", "member": "A", "account": "A.H", "warehouse": "XM1", "name": "Counter one"}
    await desk(ONE, "POST", "/counters", json=counter)
    price = {"form": "NONAPPROVED_BAR", "bid": "600.00", "ask": "610.00", "payable_percent": "99"}
    await desk(ONE, "POST", "/two-way-prices", json=price)
    assert (await desk("auditor", "GET", "/two-way-prices"))["prices"][0]["payable_e5"] == 99_000
    person = {"id_type": "PASSPORT", "id_number": "E12345678", "name": "Seller"}
    papers = {"id_copy": "COPY-1", "screening": "CLEAR", "screening_list": "UN"}
    ticket = await desk(ONE, "POST", "/tickets", json={"counter": "C1", **person, **papers})
    assert ticket["seller"]["masked_number"] == "E12****78"
    await desk("auditor", "POST", "/tickets/1/items", 403, json={})
    item = {"description": "bar", "form": "NONAPPROVED_BAR", "weight": "100.00", "stated_origin": "own"}
    await desk(ONE, "POST", "/tickets/1/items", json=item)
    await desk(ONE, "POST", "/tickets/1/screen", json={"xrf_permille": ["999"]})
    assert (await desk(ONE, "POST", "/tickets/1/offer"))["offered"] == "59340.60"
    await desk(ONE, "POST", "/tickets/1/accept")
    payment = {"method": "TRANSFER", "payment_reference": "T-1"}
    refused = await desk(ONE, "POST", "/tickets/1/pay", 409, json=payment)
    assert refused["reason"] == "SAME_PERSON"
    assert (await desk(OTHER, "POST", "/tickets/1/pay", json=payment)) == {"amount": "59340.60", "reports": []}
    lots = await desk(ONE, "POST", "/tickets/deliveries", json={"tickets": [1], "symbols": {"NONAPPROVED_BAR": "AU"}})
    assert list(lots["lots"]) == ["1"]
    assert (await desk("auditor", "GET", "/tickets/1"))["items"][0]["value"] == "59340.60"
    await desk(ONE, "POST", "/tickets/turned-away", json={"counter": "C1", "description": "no document"})
    assert len((await desk("auditor", "GET", "/tickets", params={"counter": "C1"}))["tickets"]) == 2
    (report,) = (await desk("auditor", "GET", "/aml-reports"))["reports"]
    assert (report["reason"], report["due_on"]) == ("ID_REFUSED", today)
    filed = {"step": "file", "reference": "CAMLMAC-1"}
    await desk(OTHER, "POST", f"/aml-reports/{report['report_no']}/decisions", json=filed)
    assert b"CAMLMAC-1" in await desk.content("auditor", "/aml-reports/export", format="csv")
    diligence = {"document": "CDD-1", "findings": "known"}
    assert (await desk(ONE, "POST", "/sellers/1/due-diligence", json=diligence))["due_diligence"] == 1
