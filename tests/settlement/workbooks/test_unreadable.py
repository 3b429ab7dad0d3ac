"""Cells that hold no value are not empty: errors, formulas that nobody computed, merged cells; in every reader."""

import io
from collections.abc import Callable, Sequence
from datetime import time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from goldx.protocol.units import BadValue
from settlement.intake.bar_rows import Reading
from settlement.reconciliation import depository_report, statement_file
from settlement.workbooks import cells, formats
from settlement.workbooks.cells import (
    DATE,
    MERGED,
    NUMBER,
    PERCENTAGE,
    TEXT,
    UNREADABLE,
    BadFile,
    Cell,
    Row,
    SheetTable,
)
from tests.settlement import bar_lists
from tests.settlement.reconciliation.test_depository_report import ROWS
from tests.settlement.small_exchange import ROW
from tests.settlement.workbooks import biff
from tests.settlement.workbooks.test_limits import changed
from tests.settlement.workbooks.test_sheets import workbook

INPUTS = Path(__file__).parents[4] / "shared" / "faults" / "inputs"
SHEET = "xl/worksheets/sheet1.xml"
Read = Callable[[SheetTable], object]
BAR = {**ROW, "sample_seal": "P-1", "fine_g": "", "replicate_3": "", "licence": "", "tax_proof": ""}
STATED = {name: BAR.get(name, "") for name in ("refiner", "serial", "year", "gross_g", "fineness_permille")}
STATED |= {"fine_g": "", "status": "", "seal": "", "customs": "", "owner": ""}


def declared(table: SheetTable) -> object:
    return bar_lists.declared_rows(table, Reading())


def measured(table: SheetTable) -> object:
    return bar_lists.measured_rows(table, Reading())


def statement(table: SheetTable) -> object:
    return statement_file.read(table, Reading())


def table_of(row: dict[str, Any]) -> SheetTable:
    """A table of one row, as it comes out of the process that reads files."""
    values = (value if isinstance(value, Cell) else Cell(value) for value in row.values())
    return SheetTable("XLSX", "sheet 'Bars'", [Row(1, tuple(map(Cell, row))), Row(2, tuple(values))])


def second_row(data: bytes) -> tuple[Cell, ...]:
    return formats.parse(data).rows[1].cells


def with_sheet_data(cells_of_row: str) -> bytes:
    """A workbook with a heading and this second row, written as it stands in the file."""
    row = f'<row r="2">{cells_of_row}</row></sheetData>'
    return changed(workbook(["a", "b", "c", "d"]), SHEET, lambda text: text.replace("</sheetData>", row))


def computed_before(data: bytes) -> bytes:
    """The workbook as a spreadsheet program saves it: and not to be computed when it is opened."""
    return changed(data, "xl/workbook.xml", lambda text: text.replace('fullCalcOnLoad="1"', ""))


def test_errors_and_formulas_that_were_not_computed_are_no_empty_cells() -> None:
    data = with_sheet_data(
        '<c r="A2" t="e"><v>#REF!</v></c><c r="B2"><f>1+1</f><v></v></c><c r="C2"><f>A1</f></c><c r="D2" t="s"/>'
    )
    assert second_row(computed_before(data)) == (
        Cell("#REF!", UNREADABLE),
        Cell("=1+1", UNREADABLE),
        Cell("=A1", UNREADABLE),
        Cell(""),
    )


def test_formulas_that_were_computed_are_read_shared_ones_and_empty_texts_too() -> None:
    data = with_sheet_data(
        '<c r="A2"><f t="shared" ref="A2:B2" si="0">1+1</f><v>2</v></c><c r="B2"><f t="shared" si="0"/><v>3</v></c>'
        '<c r="C2" t="str"><f>""</f><v></v></c><c r="D2" t="str"><f>"x"</f><v>x</v></c>'
    )
    read = (Cell("2", NUMBER), Cell("3", NUMBER), Cell(""), Cell("x"))
    assert second_row(computed_before(data)) == read
    unsure = second_row(data)
    assert [cell.kind for cell in unsure] == [UNREADABLE] * 4, "the file asks for its formulas to be computed"
    assert [cell.text for cell in unsure] == ["=1+1", "=", '=""', '="x"']


def test_cells_that_do_not_say_where_they_are_count_on() -> None:
    data = with_sheet_data('<c><v>1</v></c><c t="e"><v>#N/A</v></c><c r="D2" t="e"><v>#NAME?</v></c>')
    assert [cell.text for cell in second_row(data)] == ["1", "#N/A", "", "#NAME?"]


def test_unreadable_cells_beyond_all_others_are_there() -> None:
    data = computed_before(workbook(["a"], ["1"]))
    row = '<row r="5"><c r="C5"><f>A1</f></c></row></sheetData>'
    rows = formats.parse(changed(data, SHEET, lambda text: text.replace("</sheetData>", row))).rows
    assert [(row.line, len(row.cells)) for row in rows] == [(1, 3), (2, 3), (5, 3)]
    assert rows[2].cells[2] == Cell("=A1", UNREADABLE)


@pytest.mark.parametrize("text", ["#N/A", "#REF!", "#DIV/0!", "#NAME?", "#NV", "#BEZUG!", "#####", "Err:502"])
def test_what_stands_for_an_error_is_none_of_a_bars_texts(text: str) -> None:
    """Copied as text, or written into a CSV, an error is that text."""
    assert formats.parse(f"a,b\nx,{text}\n".encode()).rows[1].cells[1] == Cell(text, UNREADABLE)
    assert second_row(workbook(["a", "b"], ["x", text]))[1] == Cell(text, UNREADABLE)


@pytest.mark.parametrize("text", ["#7", "A#1!", "#", "No. #12", "Error!", "N/A"])
def test_a_number_sign_alone_makes_no_error(text: str) -> None:
    assert formats.parse(f"a,b\nx,{text}\n".encode()).rows[1].cells[1] == Cell(text)


def test_merged_cells_have_one_value_and_no_empty_ones() -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["refiner", "year", "g"], ["HX", 2024, 1], [None, None, 2]):
        sheet.append(row)
    sheet.merge_cells("B2:B3")
    out = io.BytesIO()
    book.save(out)
    table = formats.parse(out.getvalue())
    assert [row.cells[1] for row in table.rows[1:]] == [Cell("2024", NUMBER), Cell("", MERGED)]
    assert str(table.unreadable(table.rows[2], 1, "year")).startswith("line 3, year: B3, sheet 'Sheet', is merged")


def test_a_percentage_is_not_the_number_that_it_shows() -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["a", "b", "c", "d"])
    sheet.append([0.9995, 99.95, 0.5, time(1, 2)])
    sheet["A2"].number_format, sheet["B2"].number_format, sheet["C2"].number_format = "0.00%", '0.00" %"', "0 %;-0 %"
    out = io.BytesIO()
    book.save(out)
    kinds = [cell.kind for cell in second_row(out.getvalue())]
    assert kinds == [PERCENTAGE, NUMBER, PERCENTAGE, DATE]
    with pytest.raises(BadValue, match="not shown as a percentage"):
        cells.decimal_text("fineness_percent", Cell("0.5", PERCENTAGE), 3)


def test_workbooks_in_the_old_format_say_the_same() -> None:
    words, numbers = b"\0\0\0\0\0\0\xff\xff", b"\2\0\x17\0\0\0\xff\xff"
    data = biff.workbook(
        [
            *(biff.text(0, place, name) for place, name in enumerate("abcdefghi")),
            biff.error(1, 0, 0x2A),
            biff.formula(1, 1, 7.0),
            biff.formula(1, 2, 7.0, 0x0002),
            biff.formula(1, 3, words),
            biff.string("x"),
            biff.formula(1, 4, words),
            biff.formula(1, 5, b"\3\0\0\0\0\0\xff\xff"),
            biff.formula(1, 6, numbers),
            biff.number(1, 7, 0.5, 1),
            biff.number(1, 8, 1.5),
            biff.number(2, 7, 2.0),
            biff.merged((1, 2, 8, 8)),
        ],
        formats=(0, 10),
    )
    table = formats.parse(data)
    assert table.format == "XLS"
    assert table.rows[1].cells == (
        Cell("#N/A", UNREADABLE),
        Cell("7", NUMBER),
        Cell("=", UNREADABLE),
        Cell("x", TEXT),
        Cell("=", UNREADABLE),
        Cell("=", UNREADABLE),
        Cell("#REF!", UNREADABLE),
        Cell("0.5", PERCENTAGE),
        Cell("1.5", NUMBER),
    )
    assert table.rows[2].cells[7:] == (Cell("2", NUMBER), Cell("", MERGED))


def test_an_encrypted_workbook_is_refused() -> None:
    with pytest.raises(BadFile, match="not a readable XLS"):
        formats.parse(biff.workbook([biff.text(0, 0, "a")], about=biff.record(0x002F, bytes(6))))


@pytest.mark.parametrize(
    ("read", "row"), [(declared, BAR), (measured, BAR), (statement, STATED)], ids=["declared", "measured", "statement"]
)
def test_no_list_of_bars_takes_a_cell_without_a_value_in_any_column(read: Read, row: dict[str, str]) -> None:
    read(table_of(row))
    for column in row:
        for cell in (Cell("#N/A", UNREADABLE), Cell("=A1", UNREADABLE), Cell("", MERGED)):
            with pytest.raises(BadFile) as bad:
                read(table_of({**row, column: cell}))
            assert [(error.line, error.column) for error in bad.value.errors] == [(2, column)]
            assert "sheet 'Bars'" in str(bad.value)


def test_a_heading_without_a_value_is_named() -> None:
    table = table_of(BAR)
    rows = [Row(1, (*table.rows[0].cells, Cell("#REF!", UNREADABLE))), Row(2, (*table.rows[1].cells, Cell("")))]
    with pytest.raises(BadFile, match="holds the error #REF!"):
        declared(table._replace(rows=rows))


def test_no_report_of_a_depository_takes_a_cell_without_a_value() -> None:
    whole = formats.parse(workbook(*ROWS))
    depository_report.read(whole)
    for line, row in enumerate(whole.rows):
        for place, cell in enumerate(row.cells):
            if not cell.text or line in (1, 13):
                continue
            spoilt = Row(row.line, (*row.cells[:place], Cell("#VALUE!", UNREADABLE), *row.cells[place + 1 :]))
            with pytest.raises(BadFile, match=f"line {row.line}, .*#VALUE!"):
                depository_report.read(whole._replace(rows=[*whole.rows[:line], spoilt, *whole.rows[line + 1 :]]))


@pytest.mark.parametrize(
    ("name", "stands"),
    [
        ("error_cell_fine.xlsx", ["line 2, fine_g: K2, sheet 'Sheet', holds the error #REF!"]),
        ("error_cell_year.xlsx", ["line 2, year: C2, sheet 'Sheet', holds the error #N/A"]),
        ("uncomputed_formula.xlsx", ["line 2, fine_g: K2, sheet 'Sheet', holds a formula without a value, =H2*I2"]),
    ],
)
def test_files_that_were_read_as_if_a_cell_were_empty(name: str, stands: Sequence[str]) -> None:
    if not INPUTS.exists():
        pytest.skip(f"{INPUTS} is not there")
    with pytest.raises(BadFile) as bad:
        declared(formats.parse((INPUTS / name).read_bytes()))
    assert [str(error).startswith(text) for error, text in zip(bad.value.errors, stands, strict=True)] == [True]
