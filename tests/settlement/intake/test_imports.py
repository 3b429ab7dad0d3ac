"""Bar lists from file to register: every dialect, preview, all or nothing, the original kept."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from settlement.base import audit, registry
from settlement.base.refusal import Refused
from settlement.intake import files, imports
from settlement.intake.bar_rows import BarKey, Reading
from settlement.tables.intake import file
from settlement.tables.lots import lot
from settlement.workbooks.cells import BadFile
from tests.settlement import bar_lists
from tests.settlement.commands import clerk
from tests.settlement.small_exchange import ONE, SmallExchange, bars
from tests.settlement.workbooks.test_sheets import workbook

GIVEN = {
    "symbol": "AU",
    "form": "NONAPPROVED_BAR",
    "account": "A.H",
    "warehouse": "XM1",
    "origin": "BANK",
    "origin_document": "INV-1",
}
LBMA = (
    "Serial number,Brand code,Gross weight (troy ounces),Assay,Fine weight (troy ounces),"
    "Year of Manufacture (if stamped on the bar)\n123456,XYZ,401.125,995.8,399.440,2023\n"
)
CHINESE = "厂家;编号;年份;毛重（克）;成色（‰）\nHX;0007;2024;1000,05;999,50\nHX;0008;;999,9;999,5\n"


def problems(data: bytes, reading: Reading) -> list[tuple[int, str]]:
    with pytest.raises(BadFile) as bad:
        bar_lists.declared(data, reading)
    return [(error.line, error.column) for error in bad.value.errors]


def test_a_weight_list_as_london_sends_it() -> None:
    (bar,) = bar_lists.declared(LBMA.encode(), Reading(GIVEN))
    assert bar.key == BarKey("XYZ", "123456", 2023)
    assert (bar.gross_cg, bar.fineness_e5, bar.account) == (1_247_638, 99_580, "A.H")


@pytest.mark.parametrize(
    ("right", "wrong", "column"),
    [
        ("399.440", "399.441", "fine_oz"),
        ("401.125", "401.120", "gross_oz"),
        ("401.125", "401.1251", "gross_oz"),
        ("123456", "=1+1", "serial"),
    ],
)
def test_a_weight_list_that_does_not_hold_is_refused(right: str, wrong: str, column: str) -> None:
    assert problems(LBMA.replace(right, wrong).encode(), Reading(GIVEN)) == [(2, column)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_chinese_list_with_decimal_commas(encoding: str) -> None:
    one, other = bar_lists.declared(CHINESE.encode(encoding), Reading(GIVEN))
    assert one.key == BarKey("HX", "0007", 2024)
    assert (one.gross_cg, one.fineness_e5) == (100_005, 99_950)
    assert (other.gross_cg, other.key.year) == (99_990, 0)


def test_a_comma_that_may_separate_thousands_is_refused_unless_it_is_declared() -> None:
    data = "编号;厂家;毛重（千克）;成色\nA1;HX;1,250;999\nA2;HX;1,300;999\n".encode()
    assert problems(data, Reading(GIVEN)) == [(2, "gross_kg")]
    assert [bar.gross_cg for bar in bar_lists.declared(data, Reading(GIVEN, comma=True))] == [125_000, 130_000]
    assert problems(data, Reading(GIVEN, comma=False)) == [(2, "gross_kg"), (3, "gross_kg")]


def test_kilograms_per_cent_and_fine_grams() -> None:
    text = "refiner,serial,gross_kg,fineness_percent,fine_g\nHX,A1,1.00005,99.95,{}\n"
    (bar,) = bar_lists.declared(text.format("999.549").encode(), Reading(GIVEN))
    assert (bar.gross_cg, bar.fineness_e5) == (100_005, 99_950)
    assert bar_lists.declared(text.format("999.550").encode(), Reading(GIVEN))
    assert problems(text.format("999.551").encode(), Reading(GIVEN)) == [(2, "fine_g")]


def test_a_workbook_with_a_title_is_read_and_its_spoilt_cells_are_named() -> None:
    heading = ["品牌", "条号", "年份", "毛重(克)", "成色(‰)"]
    good: list[list[object]] = [["HX", "0007", 2024, 1000.05, 999.5], ["HX", "0008", None, 999.9, 999.5]]
    rows = bar_lists.declared(workbook(["金条清单"], heading, *good), Reading(GIVEN))
    assert [(row.line, row.gross_cg, row.key.serial) for row in rows] == [(3, 100_005, "0007"), (4, 99_990, "0008")]
    bad = [["HX", 7, 2024, 1000.05, 999.5], ["HX", "0008", 2024, 1000.055, 999.5], ["HX", "0009", 2024.5, "x", 999.5]]
    assert problems(workbook(heading, *bad), Reading(GIVEN)) == [
        (2, "serial"),
        (3, "gross_g"),
        (4, "gross_g"),
        (4, "year"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("refiner,serial,gross_g,gross_oz,fineness_permille\nHX,1,2,3,4\n", [(1, "gross_g")]),
        ("refiner,serial,fineness_permille\nHX,1,4\n", [(1, "gross_g")]),
        ("refiner,serial,gross_g,assay,account\nHX,1,2,4,A.H\n", [(1, "account")]),
        ("refiner,serial,gross_g,assay,\nHX,1,2,4,note\n", [(2, "row")]),
    ],
    ids=["two weights", "no weight", "given twice", "no heading"],
)
def test_a_list_of_the_wrong_shape_is_refused(text: str, expected: list[tuple[int, str]]) -> None:
    assert problems(text.encode(), Reading(GIVEN)) == expected


async def test_a_preview_names_every_problem_and_changes_nothing(exchange: SmallExchange) -> None:
    await exchange.register([{"serial": "A1"}])
    data = bars([{"serial": "A1"}, {"serial": "A2", "warehouse": "XM9"}, {"serial": "A3"}])
    async with exchange.engine.begin() as connection:
        found = await imports.preview(connection, ONE, "declared", "bars.csv", data, Reading())
        assert [(error.line, error.column) for error in found.problems] == [(2, "serial"), (3, "warehouse")]
        assert (found.rows, found.gross_cg, found.format) == (3, 30_000, "CSV")
        unreadable = await imports.preview(connection, ONE, "declared", "bars.csv", b"PK\x03\x04", Reading())
        assert [error.column for error in unreadable.problems] == ["file"]
        assert await connection.scalar(select(func.count()).select_from(lot)) == 1
        assert await files.listing(connection) == []


async def test_a_file_is_kept_as_it_came_and_taken_in_once(exchange: SmallExchange) -> None:
    data = bars([{"serial": "A1"}, {"serial": "A2"}])
    async with exchange.engine.begin() as connection:
        numbers = (await imports.take_in(connection, ONE, "declared", "bars.csv", data)).lots
        await imports.take_in(connection, ONE, "measured", "bars.csv", data)
        kept = await files.original(connection, 1)
        assert (bytes(kept.content), bytes(kept.sha256)) == (data, sha256(data).digest())
        assert (kept.kind, kept.rows, kept.result) == ("declared", 2, {"lots": numbers})
        found = await imports.preview(connection, ONE, "declared", "bars.csv", data, Reading())
        assert found.known_as == 1
        with pytest.raises(Refused, match="as file 1"):
            await imports.take_in(connection, ONE, "declared", "other name.csv", data)
    with pytest.raises(DBAPIError, match="append-only"):
        async with exchange.engine.begin() as connection:
            await connection.execute(text("UPDATE file SET name = 'x'"))


async def test_all_or_nothing(exchange: SmallExchange) -> None:
    """The last row of the second chunk is bad: nothing is left of the first."""
    rows = [{"serial": f"A{n}"} for n in range(imports.CHUNK + 1)]
    seen: list[tuple[int, int]] = []
    bad = bars([*rows, {"serial": "A0", "year": "2023", "symbol": "AG"}])
    with pytest.raises(BadFile):
        async with exchange.engine.begin() as connection:
            await imports.take_in(connection, ONE, "declared", "bad.csv", bad)
    async with exchange.engine.begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(lot)) == 0
        assert await connection.scalar(select(func.count()).select_from(file)) == 0
        taken = await imports.take_in(
            connection, ONE, "declared", "good.csv", bars(rows), progress=lambda done, total: seen.append((done, total))
        )
    assert len(taken.lots) == len(rows)
    assert seen == [(imports.CHUNK, len(rows)), (len(rows), len(rows))]


SPOILT = (
    {"serial": "A2", "scale": "SCALE-9"},
    {"serial": "A3", "weighed_g": "100.001"},
    {"serial": "A4", "laboratory": "LAB-9"},
    {"serial": "A5", "sample_seal": "P-A1"},
    {"serial": "A6", "weighed_g": "40000.00"},
    {"serial": "A7", "replicate_1": "100.000"},
    {"serial": "A9"},
)
"""Rows that nothing in the file shows to be wrong: each is refused by another step of the way to the register."""


async def test_a_preview_promises_nothing_that_the_run_refuses(exchange: SmallExchange) -> None:
    """Both name the same rows, all of them, and neither leaves anything behind."""
    declared = [{"serial": f"A{number}"} for number in (1, 2, 3, 4, 5, 6, 7, 8)]
    spoilt = bars([{"serial": "A1"}, *SPOILT, {"serial": "A8"}])
    async with exchange.engine.begin() as connection:
        await imports.take_in(connection, ONE, "declared", "bars.csv", bars(declared))
        before = await audit.head(connection)
        found = await imports.preview(connection, ONE, "measured", "spoilt.csv", spoilt, Reading())
        with pytest.raises(BadFile) as bad:
            await imports.take_in(connection, ONE, "measured", "spoilt.csv", spoilt)
        assert found.problems == bad.value.errors
        assert {error.line for error in found.problems} >= {3, 4, 5, 6, 7, 9}
        assert not {error.line for error in found.problems} & {2, 10}, (
            "the first and the last row are as they should be"
        )
        assert await audit.head(connection) == before
        assert set(await connection.scalars(select(lot.c.state))) == {"PRE_ADVISED"}


@pytest.mark.parametrize("kind", ["declared", "measured"])
async def test_a_preview_finds_what_the_run_then_does(exchange: SmallExchange, kind: str) -> None:
    data = bars([{"serial": "A1"}, {"serial": "A2"}])
    async with exchange.engine.begin() as connection:
        if kind == "measured":
            await imports.take_in(connection, ONE, "declared", "bars.csv", data)
        before = await audit.head(connection)
        found = await imports.preview(connection, ONE, kind, "bars.csv", data, Reading())
        assert (found.problems, found.rows, found.known_as) == ([], 2, None)
        assert await audit.head(connection) == before
        assert len((await imports.take_in(connection, ONE, kind, "bars.csv", data)).lots) == 2


async def test_a_preview_refuses_who_may_not_take_the_file_in(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        await registry.add_staff(connection, ONE, "auditor", "Auditor", ["supervise"])
        found = await imports.preview(
            connection, "auditor", "declared", "bars.csv", bars([{"serial": "A1"}]), Reading()
        )
        assert [str(problem)[:27] for problem in found.problems] == ["line 1, file: auditor may n"]


async def test_after_many_refused_rows_the_others_are_not_tried(
    exchange: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MOST_PROBLEMS", 2)
    rows = [{"serial": f"A{number}"} for number in range(6)]
    async with exchange.engine.begin() as connection:
        await imports.take_in(connection, ONE, "declared", "bars.csv", bars(rows))
        data = bars([{**row, "scale": "SCALE-9"} for row in rows])
        found = await imports.preview(connection, ONE, "measured", "bars.csv", data, Reading())
    assert [error.line for error in found.problems] == [2, 3, 4]
    assert found.problems[-1].problem == "this row and those after it were not tried: 2 others were refused"


@pytest.mark.usefixtures("configured_database", "exchange")
async def test_a_preview_from_the_command_line_shows_the_file_as_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    listed = bars([{"refiner": "Métaux", "serial": "A1"}, {"serial": "A2", "gross_g": "x"}]).decode()
    path.write_bytes(listed.encode("cp1252"))
    assert "nothing shows the encoding" in await clerk(ONE, "import-bars", str(path), "--preview", code=1)
    stated = ("import-bars", str(path), "--preview", "--encoding", "windows-1252")
    printed = await clerk(ONE, *stated, code=1)
    assert "encoding windows-1252: as stated\nseparator comma: the headings in line 1" in printed
    assert "line 2: refiner=Métaux serial=A1" in printed
    assert "words that are not ASCII: Métaux (line 2)" in printed
    assert "problem: line 3, gross_g: " in printed
    found = json.loads(await clerk(ONE, *stated, "--json", code=1))
    assert found["as_read"]["words"] == [{"word": "Métaux", "line": 2}]
    assert [(problem["line"], problem["column"]) for problem in found["problems"]] == [(3, "gross_g")]
