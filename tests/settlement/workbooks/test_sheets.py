"""Tables as people send them: dialects of CSV, workbooks, numbers that a spreadsheet has touched."""

import io
import zipfile
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import Workbook

from goldx.protocol.units import BadValue
from settlement.workbooks import cells, formats, sheets, writing
from settlement.workbooks.cells import DATE, NUMBER, BadFile, Cell
from settlement.workbooks.formats import Stated


def workbook(*rows: Sequence[Any], more: Sequence[str] = ()) -> bytes:
    """A workbook as Excel would save it: numbers as numbers; ``more`` are further sheets with something in them."""
    book = Workbook()
    assert book.active is not None
    book.active.title = "Bars"
    for row in rows:
        book.active.append(list(row))
    for title in more:
        book.create_sheet(title).append(["x"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def texts(data: bytes, sheet: str | None = None) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in sheets.read(data, Stated(sheet)).rows]


@pytest.mark.parametrize(
    ("data", "dialect"),
    [
        ("编号,毛重\nA1,5\n".encode(), "UTF-8, separated by comma"),
        ("编号,毛重\r\nA1,5\r\n".encode("utf-8-sig"), "UTF-8, separated by comma"),
        ("编号;毛重\nA1;5\n".encode("gb18030"), "GB18030, separated by semicolon"),
        ("编号\t毛重\nA1\t5\n".encode("utf-16"), "UTF-16, separated by tab"),
        ('"编号";"毛重"\n"A1";"5"\n\n'.encode(), "UTF-8, separated by semicolon"),
    ],
)
def test_csv_is_read_in_the_dialects_that_spreadsheets_write(data: bytes, dialect: str) -> None:
    table = sheets.read(data)
    assert (table.format, table.dialect) == ("CSV", dialect)
    assert texts(data) == [["编号", "毛重"], ["A1", "5"]]


def test_a_workbooks_cells_say_what_they_were() -> None:
    table = sheets.read(workbook(["serial", "gross"], ["007", 1000.05], [7, date(2026, 1, 2)]))
    assert table.format == "XLSX"
    assert [row.line for row in table.rows] == [1, 2, 3]
    assert table.rows[1].cells == (Cell("007"), Cell("1000.05", NUMBER))
    assert table.rows[2].cells == (Cell("7", NUMBER), Cell("2026-01-02", DATE))


def test_what_must_be_text_is_refused_as_a_number() -> None:
    assert cells.plain_text("serial", Cell("007")) == "007"
    for cell in (Cell("7", NUMBER), Cell("2026-01-02", DATE)):
        with pytest.raises(BadValue, match="serial"):
            cells.plain_text("serial", cell)


@pytest.mark.parametrize(
    ("held", "places", "text"),
    [
        (1000.05, 2, "1000.05"),
        (0.1 + 0.2, 1, "0.3"),
        (303898928.60400003, 3, "303898928.604"),
        (100.0, 0, "100"),
        (1e22, 0, "1" + "0" * 22),
        (-571636.203, 3, "-571636.203"),
    ],
)
def test_a_number_cell_is_taken_to_its_places(held: float, places: int, text: str) -> None:
    cell = sheets.read(workbook(["x"], [held])).rows[1].cells[0]
    assert cells.decimal_text("gross", cell, places) == text


@pytest.mark.parametrize(("held", "places"), [(1000.055, 2), (999.5000001, 3), (0.5, 0), (100.0000000001, 2)])
def test_a_number_cell_that_holds_more_than_it_may_show_is_refused(held: float, places: int) -> None:
    with pytest.raises(BadValue, match="holds more"):
        cells.decimal_text("gross", Cell(repr(held), NUMBER), places)


def test_the_decimal_mark_is_found_where_it_can_only_be_one() -> None:
    assert cells.decimal_mark("gross", ["619,20", "1614,6", "5"]) == ","
    assert cells.decimal_mark("gross", ["401,125", "995,8"]) == ","
    assert cells.decimal_mark("gross", ["1.401,125", "995"]) == ","
    assert cells.decimal_mark("gross", ["401.125", "995,8"]) == ".", (
        "neither fits: each bad number is reported with its row"
    )
    assert cells.decimal_mark("gross", ["1,000,000"]) == "."
    assert cells.decimal_mark("gross", ["1,250", "999.5"]) == "."
    assert cells.decimal_mark("gross", ["401.125", "5"]) == "."
    with pytest.raises(BadValue, match="either"):
        cells.decimal_mark("gross", ["1,250", "401,125"])


@pytest.mark.parametrize(
    ("text", "mark", "read"),
    [
        ("1000.05", ".", "1000.05"),
        ("1,250.5", ".", "1250.5"),
        ("-1,000,000", ".", "-1000000"),
        ("1000,05", ",", "1000.05"),
        ("1.250,5", ",", "1250.5"),
        ("401,125", ",", "401.125"),
        ("1250", ",", "1250"),
        ("x", ",", "x"),
    ],
)
def test_a_typed_number_is_read_by_its_mark(text: str, mark: str, read: str) -> None:
    assert cells.number_text("gross", text, mark) == read


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("1.250", ","),
        ("999.5", ","),
        ("1.25,5", ","),
        ("1,250.5", ","),
        ("1,250", "."),
        ("12,34", "."),
        ("1,2,3.5", "."),
        ("1,2345.5", "."),
        ("0,250.5", "."),
        ("1.250,5", "."),
        (",5", ","),
        ("5.", "."),
    ],
)
def test_a_typed_number_with_marks_in_other_places_is_refused(text: str, mark: str) -> None:
    with pytest.raises(BadValue, match="gross"):
        cells.number_text("gross", text, mark)


@pytest.mark.parametrize("held", [1e300, -1e300, 1e24])
def test_a_number_cell_beyond_any_quantity_is_refused(held: float) -> None:
    cell = sheets.read(workbook(["x"], [held])).rows[1].cells[0]
    with pytest.raises(BadValue, match="at most 22 digits"):
        cells.decimal_text("gross", cell, 5)


def test_one_of_several_sheets_must_be_named() -> None:
    data = workbook(["a"], ["1"], more=["Totals"])
    with pytest.raises(BadFile, match="'Bars', 'Totals'"):
        sheets.read(data)
    assert texts(data, "Totals") == [["x"]]
    with pytest.raises(BadFile, match="no sheet 'Other'"):
        sheets.read(data, Stated("Other"))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"PK\x03\x04 nothing", "not one"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 nothing", "not a readable XLS"),
        (b"a,b\n\xff\xff\n", "byte 4 is not ASCII"),
        (b"\xff\xfea", "byte 2 is not utf-16 text"),
        (b'a,b\n"x"y,1\n', "expected"),
        (workbook(), "no rows"),
        (b"x," * 300, "columns"),
    ],
)
def test_what_cannot_be_read_is_said(data: bytes, problem: str) -> None:
    with pytest.raises(BadFile, match=problem):
        sheets.read(data)


def test_a_small_file_that_unpacks_to_a_large_one_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/sheet.xml", "w") as member:
        for _ in range(formats.MAX_UNPACKED // 2**20 + 1):
            member.write(bytes(2**20))
    assert len(out.getvalue()) < 2**20
    with pytest.raises(BadFile, match="unpacks"):
        sheets.read(out.getvalue())


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_what_is_written_reads_the_same(kind: str) -> None:
    rows: list[list[writing.Out]] = [["=1+1", Decimal("1000.50"), 3, None], ["007", Decimal("0.001"), -1, "足金"]]
    data = writing.write(kind, "Bars", ["编号", "g", "n", "x"], rows)
    found = sheets.read(data)
    assert [cell.text for cell in found.rows[0].cells] == ["编号", "g", "n", "x"]
    first, second = found.rows[1].cells, found.rows[2].cells
    assert first[0] == Cell("=1+1")
    assert second[0] == Cell("007")
    assert [cells.decimal_text("g", row[1], 3).rstrip("0") for row in (first, second)] == ["1000.5", "0.001"]
    assert second[3].text == "足金"


COMPUTED = ("=1+1", "+1", "-1", "@A1", "＝1", "＋1", "－1", "＠A1", " =1", "\u3000=1", "\t=1", "\u200b=1", "\ufeff=1")


@pytest.mark.parametrize("text", COMPUTED)
def test_what_a_spreadsheet_would_compute_is_marked_and_reads_back(text: str) -> None:
    data = writing.write_csv(["refiner", "serial"], [[text, 1]])
    assert data.decode("utf-8-sig").splitlines()[1].lstrip('"').startswith("'")
    assert texts(data)[1] == [text, "1"]


@pytest.mark.parametrize("text", ["'s-Hertogenbosch", "''", "'=1", "''=1", "plain", "1-2", "旧金"])
def test_an_apostrophe_of_the_text_itself_reads_back(text: str) -> None:
    assert texts(writing.write_csv(["name"], [[text]]))[1] == [text]


def test_damaged_workbooks_are_refused() -> None:
    """A workbook that is cut or altered at any byte is either read or refused."""
    whole = workbook(["a", "b"], ["1", "2"])
    damaged = [whole[:end] for end in range(4, len(whole), 97)]
    damaged += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(4, len(whole), 41)]
    refused = 0
    for data in damaged:
        try:
            formats.parse(data)
        except BadFile:
            refused += 1
    assert refused > len(damaged) // 2
