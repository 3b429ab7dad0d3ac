"""A depository's report: a real one where it is at hand, and every kind of error in one."""

from pathlib import Path

import pytest

from settlement.reconciliation import depository_report
from settlement.workbooks import sheets
from settlement.workbooks.cells import BadFile
from tests.settlement.workbooks.test_sheets import workbook

REAL = Path(__file__).parents[4] / "shared" / "data" / "comex-silver-stocks-2026-01-23.xls"
HEADING: list[object] = [
    "DEPOSITORY",
    "",
    "PREV TOTAL",
    "RECEIVED",
    "WITHDRAWN",
    "NET CHANGE",
    "ADJUSTMENT",
    "TOTAL TODAY",
]
ROWS: list[list[object]] = [
    ["SILVER", "", "Report Date: 1/23/2026"],
    HEADING,
    ["FIRST VAULT"],
    ["  Registered", "", 100.0, 10.0, 4.0, 6.0, -1.0, 105.0],
    ["  Eligible", "", 50.5, 0.0, 0.0, 0.0, 0.0, 50.5],
    ["  Total", "", 150.5, 10.0, 4.0, 6.0, -1.0, 155.5],
    ["SECOND VAULT"],
    ["  Registered", "", 0.1, 0.2, 0.0, 0.2, 0.0, 0.1 + 0.2],
    ["  Eligible", "", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ["  Total", "", 0.1, 0.2, 0.0, 0.2, 0.0, 0.3],
    ["TOTAL REGISTERED", "", 100.1, 10.2, 4.0, 6.2, -1.0, 105.3],
    ["TOTAL ELIGIBLE", "", 50.5, 0.0, 0.0, 0.0, 0.0, 50.5],
    ["COMBINED TOTAL", "", 150.6, 10.2, 4.0, 6.2, -1.0, 155.8],
    ["For information only."],
]


def read(rows: list[list[object]]) -> depository_report.DepositoryReport:
    return depository_report.read(sheets.read(workbook(*rows)))


def changed(row: int, place: int, value: object) -> list[list[object]]:
    rows = [list(cells) for cells in ROWS]
    rows[row][place] = value
    return rows


def test_a_correct_report_is_read() -> None:
    report = read(ROWS)
    assert report.about == ("SILVER", "Report Date: 1/23/2026")
    assert [(stock.line, stock.depository, stock.category) for stock in report.stocks] == [
        (4, "FIRST VAULT", "Registered"),
        (5, "FIRST VAULT", "Eligible"),
        (8, "SECOND VAULT", "Registered"),
        (9, "SECOND VAULT", "Eligible"),
    ]
    assert report.stocks[0].figures == (100_000, 10_000, 4_000, 6_000, -1_000, 105_000)
    assert report.total("Registered").total == 105_300
    assert report.total().total == 155_800


@pytest.mark.parametrize(
    ("row", "place", "value", "where"),
    [
        (3, 3, 11.0, [(4, "net"), (4, "total"), (6, "received"), (11, "received"), (13, "received")]),
        (5, 7, 155.6, [(6, "total")]),
        (10, 2, 100.2, [(11, "previous")]),
        (12, 7, 155.7, [(13, "total")]),
        (3, 2, 100.0001, [(4, "previous")]),
        (3, 2, "n/a", [(4, "previous")]),
        (6, 0, "FIRST VAULT", [(7, "FIRST VAULT")]),
        (7, 0, "Pledged", [(8, "Pledged")]),
        (12, 0, "ALL", [(13, "ALL"), (14, "COMBINED TOTAL")]),
    ],
    ids=["movement", "total", "grand", "combined", "decimals", "text", "vault twice", "category", "no combined"],
)
def test_a_wrong_report_is_refused(row: int, place: int, value: object, where: list[tuple[int, str]]) -> None:
    with pytest.raises(BadFile) as bad:
        read(changed(row, place, value))
    found = [(error.line, error.column) for error in bad.value.errors]
    assert found[: len(where)] == where


def test_a_vault_without_its_total_is_named() -> None:
    with pytest.raises(BadFile, match="FIRST VAULT: has no row Total"):
        read([*ROWS[:5], *ROWS[6:]])


def test_a_real_report_is_correct_to_the_thousandth() -> None:
    """The COMEX silver report of 2026-01-23: 12 depositories, each total and the grand totals reconcile."""
    if not REAL.exists():
        pytest.skip(f"{REAL.name} is not here: the real report is kept beside the checkout, not in it")
    table = sheets.read(REAL.read_bytes())
    assert (table.format, depository_report.is_report(table)) == ("XLS", True)
    report = depository_report.read(table)
    assert "Report Date: 1/23/2026" in report.about
    assert len({stock.depository for stock in report.stocks}) == 12
    assert len(report.stocks) + 12 + 3 == 39
    assert depository_report.shown(report.total("Registered").total) == "114262775.060"
    assert depository_report.shown(report.total("Eligible").net) == "-1736840.422"
    assert report.total().total == 416_424_863_242


@pytest.mark.parametrize("typed", ["1,0,0", "100,0", "10,0.0", "1,250"])
def test_a_mark_that_is_not_before_a_group_of_three_is_refused(typed: str) -> None:
    with pytest.raises(BadFile, match=rf'line 4, previous: previous: "{typed}" is not'):
        read(changed(3, 2, typed))
