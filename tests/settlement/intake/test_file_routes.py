"""Files over REST: the same as the commands, through a real gateway."""

from settlement.workbooks import sheets
from tests.settlement import bar_lists
from tests.settlement.reconciliation.test_depository_report import ROWS
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange, bars
from tests.settlement.workbooks.test_sheets import workbook


async def test_files_over_rest(exchange: SmallExchange, rest: Rest, today: str) -> None:
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
    found = await rest("auditor", "POST", "/bar-lists/declared/preview", params=params, content=bad)
    assert [(problem["line"], problem["column"]) for problem in found["problems"]] == [(2, "serial")]
    assert (await rest("auditor", "POST", "/bar-lists/declared/preview", params=params, content=good))["rows"] == 1
    await rest("auditor", "POST", "/bar-lists/declared", 403, params=params, content=good)
    await rest(ONE, "POST", "/bar-lists/declared", params=params, content=good)
    again = await rest(ONE, "POST", "/bar-lists/declared", 409, params=params, content=good)
    assert again["reason"] == "FILE_KNOWN"
    unknown = {"set": ("colour=blue",)}
    await rest(ONE, "POST", "/bar-lists/declared", 422, params=unknown, content=good)
    (kept,) = (await rest("auditor", "GET", "/files"))["files"]
    assert (kept["name"], kept["kind"], kept["rows"]) == ("bars.xlsx", "declared", 1)
    assert await rest.content("auditor", f"/files/{kept['file_no']}/content") == good

    await exchange.issue([{"serial": "A1"}])
    written = await rest.content("auditor", "/exports/bars", format="xlsx", state="RECEIPTED")
    assert [row.key.serial for row in bar_lists.declared(written)] == ["A1"]
    count = await rest.content("auditor", "/exports/counts/XM1", format="csv")
    outcome = await rest("auditor", "POST", "/statements/XM1/preview", content=count)
    assert (outcome["bars"], outcome["breaks"]) == (1, [])
    light = count.replace(b"100.00", b"99.90")
    outcome = await rest(ONE, "POST", "/statements/XM1", params={"day": today}, content=light)
    assert [found["kind"] for found in outcome["breaks"]] == ["WEIGHT_DIFF"]
    (open_break,) = (await rest("auditor", "GET", "/breaks"))["breaks"]
    assert (open_break["scope"], open_break["days"], open_break["whose"]) == ("statement:XM1", 0, "matching")
    (stock,) = (await rest("auditor", "GET", "/stock"))["stock"]
    assert (stock["warehouse"], stock["free"], stock["in_dispute"]) == ("XM1", 0, 99_900)
    assert b"TOTAL" in await rest.content("auditor", "/exports/stock")
    account = await rest.content("auditor", "/exports/accounts/A.H", **{"from": today, "to": today})
    assert [row.cells[2].text for row in sheets.read(account).rows] == ["kind", "opening", "receipt", "closing"]
    found = await rest("auditor", "GET", "/lots", params={"serial": "A*", "warehouse": "XM1"})
    assert [lot["serial"] for lot in found["lots"]] == ["A1"]
    events = await rest("auditor", "GET", "/custody-events", params={"warehouse": "XM1", "limit": 2})
    more = await rest("auditor", "GET", "/custody-events", params={"after": events["next"]})
    assert not {event["event_id"] for event in events["events"]} & {event["event_id"] for event in more["events"]}
    report = workbook(["DEPOSITORY", "", "PREV TOTAL"], ["nothing"])
    await rest(ONE, "POST", "/depository-reports", 422, content=report)


async def test_previews_over_rest_show_how_a_file_was_read(exchange: SmallExchange, rest: Rest, today: str) -> None:
    text = bars([{"refiner": "Métaux", "serial": "Ä1"}]).decode().replace(",", ";")
    data = text.encode("cp1252")
    where = "/bar-lists/declared/preview"
    (asked,) = (await rest(ONE, "POST", where, content=data))["problems"]
    assert (asked["line"], asked["column"]) == (2, "file")
    assert "state it" in asked["problem"]
    found = await rest(ONE, "POST", where, params={"encoding": "windows-1252", "separator": "semicolon"}, content=data)
    assert (found["problems"], found["rows"]) == ([], 1)
    assert found["as_read"]["how"][:2] == ["encoding windows-1252: as stated", "separator semicolon: as stated"]
    assert found["as_read"]["words"] == [
        {"word": "Métaux", "line": 2},
        {"word": "Ä1", "line": 2},
        {"word": "P-Ä1", "line": 2},
    ]
    assert found["as_read"]["rows"][0]["cells"]["gross_g"] == "100.00"
    await rest(ONE, "POST", where, 422, params={"encoding": "latin-9"}, content=data)

    await exchange.issue([{"serial": "A1"}])
    count = await rest.content("auditor", "/exports/counts/XM1", format="csv")
    (day,) = (await rest("auditor", "POST", "/statements/XM1/preview", content=count))["as_read"]["rows"]
    assert day["cells"]["serial"] == "A1"
    await rest(ONE, "POST", "/statements/XM1", params={"day": today}, content=count)
    again = await rest(ONE, "POST", "/statements/XM1/preview", 409, params={"day": today}, content=count)
    assert again["reason"] == "FILE_KNOWN"

    report = workbook(*ROWS)
    found = await rest("auditor", "POST", "/depository-reports/preview", content=report)
    assert found["as_read"]["rows"][1]["cells"] == {"depository": "Registered", "previous": "100", "received": "10"} | {
        "withdrawn": "4",
        "net": "6",
        "adjustment": "-1",
        "total": "105",
    }
    taken = await rest(ONE, "POST", "/depository-reports", content=report)
    assert (taken["total"], taken["stocks"]) == (found["total"], found["stocks"])
    known = await rest(ONE, "POST", "/depository-reports/preview", 409, content=report)
    assert known["reason"] == "FILE_KNOWN"
