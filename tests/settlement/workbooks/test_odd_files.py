"""Odd files as they are met with: each is read rightly, or refused with a sentence that says what to do."""

import io
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from settlement.intake.bar_rows import Reading
from settlement.workbooks import formats
from settlement.workbooks.cells import BadFile
from tests.settlement import bar_lists
from tests.settlement.workbooks import biff

GIVEN = {"symbol": "AU", "form": "GRAIN", "account": "A.H", "warehouse": "XM1", "origin": "BANK"}
HEADING = ["refiner", "serial", "year", "gross_g", "fineness_permille"]
BAR = ["HX", "A1", 2024, 1000.05, 999.5]
LINE = "HX,A1,2024,1000.05,999.5"
TEXT = f"{','.join(HEADING)}\n{LINE}\n"
Edit = Callable[[Workbook, Worksheet], object]


def read(data: bytes) -> list[tuple[int, str]]:
    """The lines and serials of a bar list, all of whose bars weigh 1000.05 g."""
    rows = bar_lists.declared_rows(formats.parse(data), Reading(GIVEN))
    assert {row.gross_cg for row in rows} == {100_005}
    return [(row.line, row.key.serial) for row in rows]


def book(rows: list[list[Any]], edit: Edit) -> bytes:
    made = Workbook()
    assert isinstance(made.active, Worksheet)
    for row in rows:
        made.active.append(row)
    edit(made, made.active)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("utf-8-sig"),
        b"\xef\xbb\xbf" + TEXT.encode("utf-8-sig"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace(",", ";").replace(".", ",").encode(),
        f'"{TEXT.strip()}"'.replace(",", '","').replace("\n", '"\n"').encode(),
        TEXT.replace("\n", ",,\n").encode(),
    ],
    ids=["mark", "two marks", "UTF-16 BE", "UTF-16", "CR", "CR LF", "decimal commas", "all quoted", "empty columns"],
)
def test_forms_of_one_list_are_the_same_list(data: bytes) -> None:
    assert read(data) == [(2, "A1")]


def test_line_ends_may_be_mixed() -> None:
    text = TEXT + LINE.replace("A1", "A2") + "\r\r\n" + LINE.replace("A1", "A3")
    assert read(text.encode()) == [(2, "A1"), (3, "A2"), (5, "A3")]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (TEXT.replace("HX", '"HX').encode(), "line 2, row: its quotes do not fit"),
        (TEXT.replace("HX", '"H\nX"').encode(), "line 2, refiner: .* must be printable text"),
        (TEXT.replace("A1", "A1\u200b").encode("utf-8-sig"), "line 2, serial: .* must be printable text"),
        (TEXT.replace("1000.05", "１０００").encode(), "line 2, gross_g"),
        (TEXT.replace("1000.05", "1E3").encode(), "line 2, gross_g: .*1E3"),
        (TEXT.replace("A1", "#N/A").encode(), "line 2, serial: cell 2 of the row, holds the error #N/A"),
        ((TEXT + "TOTAL,,,1000.05,\n").encode(), "line 3, serial"),
        ((TEXT + TEXT).encode(), "line 3, year: .*year"),
        (TEXT.encode("utf-32"), "NUL as utf-16"),
        (TEXT.encode("utf-16")[:-1], "is not utf-16 text"),
        (b"<html><table><tr><td>refiner</td></tr></table></html>", "it is HTML or XML, whatever its name says"),
        (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", "it is a PDF"),
        (b"{\\rtf1}", "it is an RTF"),
        (TEXT.replace(",", "|").encode(), "line 1, serial: is missing"),
        (b"", "no rows"),
        (b" \n , ,\n", "no rows"),
    ],
)
def test_odd_texts_are_refused_with_what_is_wrong(data: bytes, problem: str) -> None:
    with pytest.raises(BadFile, match=problem):
        read(data)


def hidden_sheet(made: Workbook, _: Worksheet) -> None:
    other = made.create_sheet("Hidden")
    other.append(HEADING)
    other.sheet_state = "hidden"


@pytest.mark.parametrize(
    ("rows", "edit"),
    [
        ([["Bars of XM1"], HEADING, BAR], lambda _, sheet: sheet.merge_cells("A1:E1")),
        ([HEADING, BAR], hidden_sheet),
        ([HEADING, ["HX", "007", "2024", "1000.05", "999.5"]], lambda _, __: None),
        ([HEADING, BAR], lambda _, sheet: setattr(sheet["D2"], "number_format", '0.0 "kg?"')),
    ],
    ids=["merged title", "hidden sheet", "numbers as text", "format with text"],
)
def test_odd_workbooks_that_are_read(rows: list[list[Any]], edit: Edit) -> None:
    assert len(read(book(rows, edit))) == 1


def only_hidden(made: Workbook, sheet: Worksheet) -> None:
    made.create_sheet("Empty")
    made.active = 1
    sheet.sheet_state = "hidden"


@pytest.mark.parametrize(
    ("rows", "edit", "problem"),
    [
        ([HEADING, BAR, ["HX", "A2", None, 1, 999]], lambda _, s: s.merge_cells("C2:C3"), "C3, sheet .* is merged"),
        ([HEADING, BAR], lambda _, s: s.merge_cells("A1:B1"), "serial: is missing"),
        ([HEADING, BAR], only_hidden, "no rows in the sheets that are shown"),
        ([HEADING, ["HX", date(2026, 1, 2), 2024, 1, 999]], lambda _, __: None, "serial: .*made a date"),
        ([HEADING, BAR], lambda _, s: setattr(s["C2"], "number_format", "yyyy"), "year: .*date"),
        ([HEADING, BAR], lambda _, s: setattr(s["E2"], "number_format", "0.00%"), "not shown as a percentage"),
        ([HEADING, [*BAR[:1], "#REF!", *BAR[2:]]], lambda _, __: None, "B2, sheet 'Sheet', holds the error #REF!"),
        ([HEADING, [*BAR[:3], "=1+1", 999]], lambda _, __: None, "formula without a value, =1\\+1"),
    ],
)
def test_odd_workbooks_are_refused_with_what_is_wrong(rows: list[list[Any]], edit: Edit, problem: str) -> None:
    with pytest.raises(BadFile, match=problem):
        read(book(rows, edit))


def test_hidden_rows_are_read_and_said() -> None:
    def hide(_: Workbook, sheet: Worksheet) -> None:
        sheet.row_dimensions[2].hidden = True

    data = book([HEADING, BAR, [*BAR[:1], "A2", *BAR[2:]]], hide)
    assert read(data) == [(2, "A1"), (3, "A2")]
    assert formats.parse(data).how[1:] == ("hidden rows are read too: 2",)
    flags = (1).to_bytes(2, "little") + bytes(10) + (0x0020).to_bytes(2, "little") + bytes(2)
    old = biff.workbook([biff.record(0x0208, flags), biff.text(0, 0, "a"), biff.text(1, 0, "b"), biff.text(2, 0, "c")])
    assert formats.parse(old).how[1:] == ("hidden rows are read too: 2",)
