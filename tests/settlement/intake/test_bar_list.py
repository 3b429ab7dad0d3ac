"""Bar lists: the records that are read, and every error named by line and column."""

import pytest

from settlement.intake.bar_rows import BarKey, Reading
from settlement.lots.provenance import ProvenanceRecord
from settlement.lots.scales import Weight
from settlement.workbooks import sheets
from settlement.workbooks.cells import BadFile
from tests.settlement import bar_lists
from tests.settlement.small_exchange import bars


def problems(data: bytes) -> list[tuple[int, str]]:
    with pytest.raises(BadFile) as bad:
        bar_lists.declared(data)
    assert all(error.problem for error in bad.value.errors)
    return [(error.line, error.column) for error in bad.value.errors]


def test_both_groups_of_columns_are_read_from_one_file() -> None:
    data = b"\xef\xbb\xbf" + bars([{"serial": "A1", "gross_g": "1000.05", "year": ""}, {"melt_g": "99.98"}])
    first, second = bar_lists.declared(data)
    assert first.key == BarKey("HX", "A1", 0)
    assert (first.gross_cg, first.fineness_e5, first.line) == (100_005, 99_900, 2)
    assert second.key.year == 2024
    found = bar_lists.measured(data)
    assert [row.melted for row in found] == [None, Weight(9_998, 2)]
    assert (found[0].weighed, found[0].sample_cg) == (Weight(10_000, 2), 500)
    assert found[0].replicates_ppm == (999_000, 999_000)
    assert found[0].xrf_e5 == (99_900,)
    assert first.provenance == ProvenanceRecord("BANK", "CN", seller_check="KYB-1", documents=("INV-1",))


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"refiner": ""}, "refiner"),
        ({"serial": "x" * 33}, "serial"),
        ({"year": "24"}, "year"),
        ({"symbol": "AU 9"}, "symbol"),
        ({"form": "RING"}, "form"),
        ({"account": "名"}, "account"),
        ({"gross_g": "1,00.05"}, "gross_g"),
        ({"gross_g": "1e3"}, "gross_g"),
        ({"gross_g": "12000.055"}, "gross_g"),
        ({"fineness_permille": "1000.01"}, "fineness_permille"),
        ({"fineness_permille": "999.999"}, "fineness_permille"),
        ({"origin": "FOUND"}, "origin"),
        ({"origin_document": "x" * 65}, "origin_document"),
    ],
)
def test_a_bad_declaration_is_named(row: dict[str, str], column: str) -> None:
    assert problems(bars([{"serial": "ok"}, row])) == [(3, column)]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({"replicate_2": ""}, "replicate_2"),
        ({"replicate_1": "999.0001"}, "replicate_1"),
        ({"xrf_permille": "999.5"}, "xrf_permille"),
        ({"xrf_permille": "999/998/"}, "xrf_permille"),
        ({"sample_seal": "x" * 33}, "sample_seal"),
        ({"melt_g": "100.01"}, "melt_g"),
        ({"weighed_g": ""}, "weighed_g"),
        ({"seal": ""}, "seal"),
    ],
)
def test_a_bad_measurement_is_named(row: dict[str, str], column: str) -> None:
    with pytest.raises(BadFile) as bad:
        bar_lists.measured(bars([row]))
    assert [(error.line, error.column) for error in bad.value.errors] == [(2, column)]


def test_every_bad_row_is_reported_at_once() -> None:
    rows = [{"serial": "A1"}, {"serial": "A2", "gross_g": "0"}, {"serial": "A1"}, {"form": "X", "origin": "X"}]
    assert problems(bars(rows)) == [(3, "gross_g"), (4, "serial"), (5, "form"), (5, "origin"), (5, "serial")]


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda data: data.replace(b"refiner", b"smelter", 1), [(1, "refiner"), (1, "smelter")]),
        (lambda data: data.replace(b"seal,", b"serial,", 1), [(1, "serial")]),
        (lambda data: data.replace(b"XM1,", b"XM1,,"), [(2, "row")]),
        (lambda data: data.replace(b"XM1,", b'"XM"1,'), [(2, "row")]),
        (lambda data: data.replace(b"XM1", b"\xff\xfe"), [(2, "file")]),
        (lambda data: data[: data.index(b"\n")], [(1, "file")]),
        (lambda _: b"", [(1, "file")]),
    ],
    ids=["unknown heading", "heading twice", "one cell more", "bad quoting", "not UTF-8", "no rows", "empty"],
)
def test_a_file_of_the_wrong_shape_is_refused(spoil: object, where: list[tuple[int, str]]) -> None:
    assert callable(spoil)
    assert problems(spoil(bars([{}])))[:2] == where


def test_a_row_that_is_too_short_ends_nothing() -> None:
    """Each short row is named by the first column that it lacks, and what it does have is read, as are all others."""
    heading = "refiner,serial,year,gross_g,fineness_permille,country"
    lines = (
        heading,
        "HX,A1,2024,1.00,999,CN",
        "HX,A2,2024,1.00,999",
        "HX,A3,2024,x",
        "HX,A4,2024,1.00,999,CN,,",
        "HX,A5,1,0,0,C",
    )
    given = {"symbol": "AU", "form": "GRAIN", "account": "A.H", "warehouse": "XM1", "origin": "BANK"}
    with pytest.raises(BadFile) as bad:
        bar_lists.declared_rows(sheets.read("\n".join(lines).encode()), Reading(given))
    assert [(error.line, error.column) for error in bad.value.errors] == [
        (3, "country"),
        (4, "fineness_permille"),
        (4, "gross_g"),
        (5, "row"),
        (6, "fineness_permille"),
        (6, "gross_g"),
        (6, "year"),
    ]
    assert "5 cells where the heading has 6; there is none for country" in str(bad.value)


def test_wrong_headings_hide_no_wrong_rows() -> None:
    lines = "refiner,serial,colour,gross_g,fineness_permille\nHX,A1,red,x,999\nHX,,red,1.00,999\nHX,A2,red,1.00\n"
    with pytest.raises(BadFile) as bad:
        bar_lists.declared_rows(
            sheets.read(lines.encode()), Reading({"symbol": "AU", "form": "GRAIN", "origin": "BANK"})
        )
    assert [(error.line, error.column) for error in bad.value.errors] == [
        (1, "account"),
        (1, "colour"),
        (1, "warehouse"),
        (2, "gross_g"),
        (3, "serial"),
        (4, "fineness_permille"),
    ]


def test_a_point_is_no_decimal_mark_beside_a_decimal_comma() -> None:
    """The point of ``1.250`` beside a declared comma is refused: it may be thousands or a slip."""
    table = sheets.read(bars([{"gross_g": "1.250", "fineness_permille": "999.5"}]))
    with pytest.raises(BadFile) as bad:
        bar_lists.declared_rows(table, Reading(comma=True))
    assert [(error.line, error.column) for error in bad.value.errors] == [(2, "fineness_permille"), (2, "gross_g")]
    typed = sheets.read(bars([{"gross_g": "1250", "fineness_permille": "999"}]))
    assert bar_lists.declared_rows(typed, Reading(comma=True))[0].gross_cg == 125_000
