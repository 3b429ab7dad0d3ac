"""Lists, scans and reports of inventory counts, the commands and the REST of a count."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from settlement.intake.bar_rows import BarKey
from settlement.reconciliation import count_files, count_paper, count_sessions, counting
from settlement.reconciliation.count_results import CountResult
from settlement.workbooks import sheets
from settlement.workbooks.cells import BadFile
from tests.settlement.commands import clerk
from tests.settlement.filled import CSV
from tests.settlement.reconciliation.test_counting import both, close, open_count
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, THIRD, SmallExchange, do, refused

A1, A2 = BarKey("HX", "A1", 2024), BarKey("HX", "A2", 2024)
LISTED = (A1, A2, BarKey("OTHER", "a 2", 0))


def read(text: str, listed: Sequence[BarKey] = LISTED) -> tuple[list[CountResult], str]:
    return count_files.read(sheets.read(text.encode()), listed)


async def filled_in(exchange: SmallExchange, number: int, lines: dict[str, dict[str, Any]]) -> bytes:
    """Write the blind list as XLSX and fill lines in, by the bar's number; ``+`` is an empty line."""
    row, bars = await do(exchange, count_sessions.opened, number)
    book = load_workbook(io.BytesIO(count_files.blank_list(row, bars)))
    sheet = book.active
    heading = {str(cell.value): cell.column for cell in sheet[1]}
    assert tuple(heading) == count_files.COLUMNS
    for place in range(2, sheet.max_row + 1):
        values = lines.pop(str(sheet.cell(place, heading["serial"]).value or "+"), {})
        for name, value in values.items():
            sheet.cell(place, heading[name]).value = value
    assert lines == {}
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def test_the_list_is_blind_and_is_read_when_it_is_filled_in(stocked_exchange: SmallExchange) -> None:
    number = await open_count(stocked_exchange)
    blank = await filled_in(stocked_exchange, number, {})
    texts = [str(cell.value) for line in load_workbook(io.BytesIO(blank)).active.iter_rows() for cell in line]
    assert "A1" in texts
    assert not {"S-1", "100", "100.00", "99.9", "AU", "A.H"} & set(texts)
    extra = {"refiner": "HX", "serial": "Z9", "found": "yes", "gross_g": "50.00"}
    data = await filled_in(
        stocked_exchange,
        number,
        {"A1": {"found": "是", "gross_g": 99.99, "seal": "S-1"}, "A2": {"found": "no"}, "+": extra},
    )
    for by in (ONE, OTHER):
        entered = await do(stocked_exchange, count_files.take_in, by, number, "list.xlsx", data, sheets.read(data))
        assert entered == 3
    kept = (ONE, number, "list.xlsx", data, sheets.read(data))
    await refused(stocked_exchange, "FILE_KNOWN", count_files.take_in, *kept)
    await both(stocked_exchange, number)
    assert await do(stocked_exchange, counting.recount, THIRD, number) == 2
    again = await filled_in(stocked_exchange, number, {"A2": {"found": "no"}, "Z9": {"found": "yes", "gross_g": "50"}})
    for by in (ONE, OTHER):
        await do(stocked_exchange, count_files.take_in, by, number, "again.xlsx", again, sheets.read(again))
        await both(stocked_exchange, number, by=(by,))
    assert await close(stocked_exchange, number) == [("UNKNOWN_AT_WAREHOUSE", None), ("MISSING_AT_WAREHOUSE", 2)]


def test_a_list_says_only_what_was_filled_in() -> None:
    text = "line,refiner,serial,year,found,gross_g,seal,condition\n"
    found = read(text + "1,HX,A1,2024,yes,,,\n2,HX,A2,2024,,100.00,,scratched\n3,OTHER,a 2,,,,,\n4,,,,,,,\n")
    assert found == ([CountResult(A1), CountResult(A2, True, 10_000, None, "scratched")], "LIST")
    bad = (
        "1,HX,A1,2024,perhaps,,,",
        "2,HX,A2,2024,yes,1.001,,",
        "3,HX,A2,2024,yes,,,",
        "4,HX,A2,2024,no,,,",
        "5,,,,yes,,,",
    )
    with pytest.raises(BadFile) as error:
        read(text + "\n".join(bad))
    wrong = [(one.line, one.column) for one in error.value.errors]
    assert wrong == [(2, "found"), (3, "gross_g"), (5, "serial"), (6, "serial")]


def test_a_scan_is_a_list_of_numbers() -> None:
    """Also with Chinese headings, twice the same, and with a maker where the number alone is not enough."""
    assert read("serial\nA1\nA1\na1\n") == ([CountResult(A1)], "SCAN")
    assert read("条码,厂家\nA2,HX\nA1,\n")[0] == [CountResult(BarKey("HX", "A2", 0)), CountResult(A1)]
    assert read("serial,year\nA2,2024\n")[0] == [CountResult(A2)]
    assert read("bar number,gross weight (g)\nA1,100.00\n")[0] == [CountResult(A1, True, 10_000)]
    for text, why in (
        ("serial\nA2\n", "the list has 2 bars of this number"),
        ("serial\nZ9\n", "the list has no bar of this number"),
        ("serial,year\nA2,1999\n", "the list has no bar of this number"),
        ("serial,year\nA2,99\n", "a year from 1800 to 2999"),
        ("weight\n1\n", "no column `serial`"),
        ("serial,bar number\nA1,A1\n", "twice"),
    ):
        with pytest.raises(BadFile, match=why):
            read(text)


async def test_the_report_is_made_of_the_record_alone(stocked_exchange: SmallExchange) -> None:
    number = await open_count(stocked_exchange)
    await both(stocked_exchange, number, CountResult(A1, True, 10_000, "S-1"), CountResult(A2))
    await close(stocked_exchange, number)
    record = await do(stocked_exchange, count_sessions.record_of, number)
    first = count_paper.report(record.content, bytes(record.hash))
    assert first == count_paper.report(record.content, bytes(record.hash))
    assert first.startswith(b"%PDF")
    assert first != count_paper.report(record.content.replace('"A2"', '"A3"'), bytes(record.hash))
    await refused(stocked_exchange, "ILLEGAL_STEP", count_sessions.opened, number)


@pytest.mark.usefixtures("configured_database", "stocked_exchange")
async def test_the_commands_of_a_count(tmp_path: Path) -> None:
    said = await clerk(ONE, "count", "propose", "XM1", "--counter", ONE, "--counter", OTHER, "--reason", "yearly")
    assert "inventory_count 1" in said
    await clerk(OTHER, "approve", said.split()[1])
    assert "COUNTING" in await clerk(ONE, "count", "list")
    assert "A2" in await clerk(ONE, "count", "bars", "1")
    for name in ("list.pdf", "list.xlsx"):
        await clerk(ONE, "count", "paper", "1", "--out", name)
        assert (tmp_path / name).stat().st_size > 1_000
    await clerk(ONE, "count", "paper", "1", "--out", "list.doc", code=2)
    (tmp_path / "scan.csv").write_text("serial\nA1\n")
    assert "scan.csv: 1 bars" in await clerk(ONE, "count", "read", "1", "scan.csv")
    bar = ("--refiner", "HX", "--year", "2024", "--serial")
    assert "is not there" in await clerk(ONE, "count", "enter", "1", *bar, "A2", "--missing")
    await clerk(OTHER, "count", "enter", "1", *bar, "A1", "--gross", "100.00", "--seal", "S-1")
    await clerk(OTHER, "count", "enter", "1", *bar, "A1", "--gross", "100.001", code=1)
    for by in (ONE, OTHER):
        await clerk(by, "count", "sign", "1")
    await clerk(THIRD, "count", "close", "1", code=1)
    assert "1 bars are counted again" in await clerk(ONE, "count", "recount", "1")
    for by in (ONE, OTHER):
        await clerk(by, "count", "enter", "1", *bar, "A2", "--missing")
        await clerk(by, "count", "sign", "1")
    assert "1 of 2 bars found: 1 breaks" in await clerk(THIRD, "count", "close", "1", code=1)
    await clerk(ONE, "count", "report", "1", "--out", "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert "MISSING_AT_WAREHOUSE" in await clerk(ONE, "breaks")
    assert "CLOSED" in await clerk(ONE, "document", "inventory_count", "1")
    said = await clerk(
        ONE,
        "count",
        "propose",
        "XM1",
        "--counter",
        ONE,
        "--counter",
        OTHER,
        "--sample-size",
        "1",
        "--reason",
        "at random",
    )
    await clerk(OTHER, "approve", said.split()[1])
    await clerk(ONE, "count", "cancel", "2", "--reason", "fire alarm")
    await clerk(ONE, "reconcile")


@pytest.mark.usefixtures("stocked_exchange")
async def test_the_rest_of_a_count(rest: Rest) -> None:
    request = {"warehouse": "XM1", "counters": [ONE, OTHER], "reason": "yearly"}
    proposal = (await rest(ONE, "POST", "/counts", json=request))["proposal"]
    await rest("auditor", "POST", "/counts", 403, json=request)
    await rest(OTHER, "POST", f"/proposals/{proposal}/approve")
    assert (await rest.content("auditor", "/counts/1/list")).startswith(b"%PDF")
    assert (await rest.content("auditor", "/counts/1/list", format="xlsx")).startswith(b"PK")
    bars = await rest("auditor", "GET", "/count-bars", params={"count": 1})
    assert [sorted(bar) for bar in bars["bars"]] == [["line", "lot_id", "refiner", "serial", "year"]] * 2
    entered = [{"refiner": "HX", "serial": "A1", "year": 2024, "gross": "100.00"}]
    await rest(ONE, "POST", "/counts/1/results", json=entered)
    await rest(ONE, "POST", "/counts/1/results", 422, json=[{**entered[0], "gross": "-1"}])
    for by in (ONE, OTHER):
        await rest(by, "POST", "/counts/1/files", content=b"serial\nA1\nA2\n", headers=CSV)
        await rest(by, "POST", "/counts/1/sign")
    assert (await rest(ONE, "POST", "/counts/1/recount", 409))["reason"] == "NOTHING_TO_COUNT"
    assert (await rest(ONE, "POST", "/counts/1/close", 409))["reason"] == "SAME_PERSON"
    await rest("auditor", "GET", "/counts/1/report", 422)
    found = await rest("auditor", "GET", "/counts/1")
    assert (found["status"], found["record"], len(found["signatures"])) == ("COUNTING", None, 2)
    why = {"reason": "fire alarm"}
    assert (await rest(ONE, "POST", "/counts/1/cancel", 409, json=why))["reason"] == "SAME_PERSON"
    proposed = {"warehouse": "XM2", "counters": [ONE, OTHER], "reason": "yearly"}
    await rest(OTHER, "POST", f"/proposals/{(await rest(ONE, 'POST', '/counts', json=proposed))['proposal']}/approve")
    assert await rest(ONE, "POST", "/counts/2/cancel", json=why) == {"count": 2, "breaks": []}
    assert (await rest("auditor", "GET", "/counts"))["counts"][1]["status"] == "CANCELLED"
