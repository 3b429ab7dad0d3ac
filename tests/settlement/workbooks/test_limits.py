"""Files that need more than the limits: the reading process refuses them without effect on others."""

import asyncio
import io
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from settlement.workbooks import limits, sheets
from settlement.workbooks.cells import BadFile
from tests.settlement.workbooks.test_sheets import workbook

INPUTS = Path(__file__).parents[4] / "shared" / "faults" / "inputs"


def changed(data: bytes, part: str, change: Callable[[str], str]) -> bytes:
    """The archive with one part changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            text = old.read(item)
            new.writestr(item.filename, change(text.decode()).encode() if item.filename == part else text)
    return out.getvalue()


def corners() -> bytes:
    """A workbook with values in the first and the last possible cell of a sheet."""

    def last(text: str) -> str:
        return text.replace("</sheetData>", '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')

    return changed(workbook(["serial"]), "xl/worksheets/sheet1.xml", last)


def wide() -> bytes:
    """A workbook of two cells: a table of 200 columns and 100,000 rows, for which the library makes every cell."""

    def last(text: str) -> str:
        cell = '<c r="GR100000" t="inlineStr"><is><t>x</t></is></c>'
        return text.replace("</sheetData>", f'<row r="100000">{cell}</row></sheetData>')

    return changed(workbook(["serial"]), "xl/worksheets/sheet1.xml", last)


def repeated() -> bytes:
    """An OpenDocument sheet of one cell that is repeated over all rows and columns."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", "<office:document-content/>")
    return out.getvalue()


def test_a_sheet_of_two_far_corners_is_refused_and_this_process_asks_for_nothing() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadFile, match="MiB of memory"):
        sheets.read(corners())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "KiB of a file's table"


def test_a_sheet_of_many_empty_cells_is_refused_before_they_are_made() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadFile, match=r"MiB of memory|columns|rows|cells|computing"):
        sheets.read(wide())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024, "KiB of a file's table"


def test_only_the_promised_formats_are_read() -> None:
    with pytest.raises(BadFile, match="no XLSX; CSV, XLSX and XLS are read"):
        sheets.read(repeated())


@pytest.mark.parametrize("name", ["corner.xlsx", "repeat.ods", "dim_cols.xlsx"])
def test_files_that_have_stopped_a_gateway_are_refused(name: str) -> None:
    if not INPUTS.exists():
        pytest.skip(f"{INPUTS} is not there")
    with pytest.raises(BadFile, match=r"MiB of memory|no XLSX|columns|rows|cells|computing"):
        sheets.read((INPUTS / name).read_bytes())


def test_a_table_of_too_many_cells_is_refused() -> None:
    width = limits.MAX_COLUMNS
    data = (b"," * (width - 1) + b"1\n") * (limits.MAX_CELLS // width + 1)
    with pytest.raises(BadFile, match=f"more than {limits.MAX_CELLS} cells"):
        sheets.read(data)


def test_long_texts_in_a_small_file_are_refused() -> None:
    row = "<row>" + f'<c t="inlineStr"><is><t>{"x" * 30_000}</t></is></c>' * 40 + "</row>"
    data = changed(
        workbook(["serial"]),
        "xl/worksheets/sheet1.xml",
        lambda text: text.replace("</sheetData>", row * 150 + "</sheetData>"),
    )
    assert len(data) < 2**20
    with pytest.raises(BadFile, match=r"MiB of cells|MiB of memory"):
        sheets.read(data)


def test_a_process_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_SECONDS", 0)
    with pytest.raises(BadFile, match="longer than 0 seconds"):
        sheets.read(b"a,b\n1,2\n")


async def test_others_go_on_while_files_are_read() -> None:
    """Two bad files and a good one after them: the event loop runs, its threads are free, the good one is read."""
    bad = [asyncio.create_task(sheets.read_async(corners())) for _ in range(2 * sheets.AT_ONCE)]
    good = asyncio.create_task(sheets.read_async(b"a,b\n1,2\n"))
    await asyncio.sleep(0)
    assert await asyncio.to_thread(lambda: 1) == 1
    assert not good.done(), "it waits its turn"
    assert all(isinstance(found, BadFile) for found in await asyncio.gather(*bad, return_exceptions=True))
    assert len((await good).rows) == 2
