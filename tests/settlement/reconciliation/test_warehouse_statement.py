"""A warehouse's statement against the register: every kind of difference, and how breaks open and end."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import text

from settlement.base import working_days
from settlement.base.refusal import Refused
from settlement.intake import files, pre_advice
from settlement.intake.bar_rows import Reading
from settlement.lots import locks, lots, scales
from settlement.reconciliation import breaks, three_way, warehouse_statement
from settlement.workbooks import sheets
from tests.settlement import bar_lists
from tests.settlement.commands import clerk, goldx
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, bars
from tests.settlement.workbooks.test_sheets import workbook

DAY = date(2026, 11, 24)
HEADING = "refiner,serial,year,gross_g,fineness_permille,status,seal,customs"
BARS = ["HX,A1,2024,100.00,999.00,RECEIPTED,S-1,DOMESTIC", "HX,A2,2024,100.00,999.00,已注册仓单,S-1,DOMESTIC"]


def csv(*rows: str) -> bytes:
    return "\n".join((HEADING, *rows)).encode()


async def compared(stocked_exchange: SmallExchange, *rows: str) -> list[tuple[str, str, int, int]]:
    lines = warehouse_statement.read(sheets.read(csv(*rows)), Reading())
    async with stocked_exchange.engine.connect() as connection:
        found = (await warehouse_statement.compare(connection, "XM1", lines)).breaks
    return [(b.kind, b.subject, b.expected, b.found) for b in found]


async def test_a_statement_that_agrees_has_no_breaks(stocked_exchange: SmallExchange) -> None:
    assert await compared(stocked_exchange, *BARS) == []
    assert await compared(stocked_exchange, *reversed(BARS)) == []
    assert await compared(stocked_exchange, "HX,A1,2024,100.02,999.0,,,", BARS[1]) == []


DIFFERENCES: list[tuple[list[str], list[tuple[str, str, int, int]]]] = [
    ([BARS[0]], [("MISSING_AT_WAREHOUSE", "XM1 HX A2 2024", 100_000, 0)]),
    ([*BARS, "HX,Z9,2024,50.00,999.00,,,"], [("UNKNOWN_AT_WAREHOUSE", "XM1 HX Z9 2024", 0, 50_000)]),
    ([*BARS, "HX,B1,2024,100.00,999.00,,,"], [("LOCATION_DIFF", "XM1 HX B1 2024", 0, 100_000)]),
    ([*BARS, BARS[0]], [("DUPLICATE_SERIAL", "XM1 HX A1 2024", 1, 2)]),
    (["HX,A1,2024,100.03,999.00,,,", BARS[1]], [("WEIGHT_DIFF", "XM1 HX A1 2024", 100_000, 100_030)]),
    (["HX,A1,2024,99.97,999.00,,,", BARS[1]], [("WEIGHT_DIFF", "XM1 HX A1 2024", 100_000, 99_970)]),
    (["HX,A1,2024,100.00,999.01,,,", BARS[1]], [("FINENESS_DIFF", "XM1 HX A1 2024", 99_900, 99_901)]),
    (["HX,A1,2024,100.00,999.00,质押,,", BARS[1]], [("STATUS_DIFF", "XM1 HX A1 2024", 1, 0)]),
    (["HX,A1,2024,100.00,999.00,,S-2,", BARS[1]], [("SEAL_DIFF", "XM1 HX A1 2024", 1, 0)]),
    (["HX,A1,2024,100.00,999.00,,,BONDED", BARS[1]], [("CUSTOMS_DIFF", "XM1 HX A1 2024", 1, 0)]),
    (
        ["HX,A1,2023,100.00,999.00,,,", BARS[1]],
        [
            ("UNKNOWN_AT_WAREHOUSE", "XM1 HX A1 2023", 0, 100_000),
            ("MISSING_AT_WAREHOUSE", "XM1 HX A1 2024", 100_000, 0),
        ],
    ),
]


async def test_every_difference_has_its_kind(stocked_exchange: SmallExchange) -> None:
    for rows, expected in DIFFERENCES:
        assert await compared(stocked_exchange, *rows) == expected, rows


async def test_the_expected_status_follows_from_the_locks(stocked_exchange: SmallExchange) -> None:
    async with stocked_exchange.engine.begin() as connection:
        await locks.freeze(connection, ONE, [1], "doubt")
        await locks.lay(connection, ONE, "TRANSFER", [2], "to XM2", 1)
    frozen = BARS[0].replace("RECEIPTED", "冻结")
    assert await compared(stocked_exchange, frozen, BARS[1]) == []
    assert await compared(stocked_exchange, BARS[0], BARS[1]) == [("STATUS_DIFF", "XM1 HX A1 2024", 1, 0)]
    assert await compared(stocked_exchange, frozen) == [("TIMING", "XM1 HX A2 2024", 100_000, 0)]
    async with stocked_exchange.engine.begin() as connection:
        await locks.unfreeze(connection, OTHER, [1], "cleared")
    assert await compared(stocked_exchange, *BARS) == []


async def test_the_newest_seal_is_the_one_that_counts(stocked_exchange: SmallExchange) -> None:
    async with stocked_exchange.engine.begin() as connection:
        await lots.record_event(connection, ONE, "seal", [1], {"seal": "S-2"})
    assert await compared(stocked_exchange, *BARS) == [("SEAL_DIFF", "XM1 HX A1 2024", 1, 0)]
    assert await compared(stocked_exchange, BARS[0].replace("S-1", "S-2"), BARS[1]) == []


async def test_a_bar_that_has_left_or_is_to_come_is_unknown(stocked_exchange: SmallExchange) -> None:
    async with stocked_exchange.engine.begin() as connection:
        await pre_advice.pre_advise(connection, ONE, bar_lists.declared(bars([{"serial": "C1"}])))
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE lot SET state = 'RELEASED' WHERE lot_id = 1"))
    assert await compared(stocked_exchange, *BARS, "HX,C1,2024,100.00,999.00,,,") == [
        ("UNKNOWN_AT_WAREHOUSE", "XM1 HX A1 2024", 0, 100_000),
        ("UNKNOWN_AT_WAREHOUSE", "XM1 HX C1 2024", 0, 100_000),
    ]


@pytest.mark.parametrize(
    ("gross_cg", "allowed"), [(1, 2), (100_000, 2), (100_001, 5), (500_000, 5), (500_001, 10), (1_250_000, 10)]
)
def test_the_tolerance_of_a_weight(gross_cg: int, allowed: int) -> None:
    """Domain sheet 8.3."""
    assert scales.tolerance_cg(gross_cg) == allowed


async def test_breaks_of_a_statement_end_with_the_next_one_and_leave_other_scopes_alone(
    stocked_exchange: SmallExchange,
) -> None:
    async def take(place: str, *rows: str) -> warehouse_statement.Outcome:
        data = csv(*rows)
        lines = warehouse_statement.read(sheets.read(data), Reading())
        async with stocked_exchange.engine.begin() as connection:
            return await warehouse_statement.take_in(connection, ONE, place, DAY, "s.csv", data, lines)

    first = await take("XM1", BARS[0])
    await take("XM2", "HX,B1,2024,100.00,998.00,,,")
    assert (await three_way.reconcile(stocked_exchange.engine, ONE)).breaks == ()
    async with stocked_exchange.engine.connect() as connection:
        rows = await breaks.open_breaks(connection)
    assert [(row.kind, row.scope, row.owner, row.unit) for row in rows] == [
        ("MISSING_AT_WAREHOUSE", "statement:XM1", ONE, "gross_mg"),
        ("FINENESS_DIFF", "statement:XM2", ONE, "fineness_e5"),
    ]
    assert rows[0].first_run == first.run_id
    with pytest.raises(Refused, match="as file 1"):
        await take("XM1", BARS[0])
    await take("XM1", *BARS)
    async with stocked_exchange.engine.connect() as connection:
        assert [row.scope for row in await breaks.open_breaks(connection)] == ["statement:XM2"]
        kept = await files.listing(connection)
    assert (kept[0].kind, kept[0].about) == ("statement", "XM1 2026-11-24")


def test_the_age_of_a_break_decides_who_deals_with_it() -> None:
    """Domain sheet 8.4."""
    day = 86_400_000
    assert [breaks.age(0, n * day)[1] for n in (0, 1, 2, 3, 4, 5, 30)] == [
        "matching",
        "its owner",
        "head of operations",
        "risk",
        "risk",
        "notice to the regulator",
        "notice to the regulator",
    ]


@pytest.mark.usefixtures("stocked_exchange", "configured_database")
async def test_a_statement_from_the_command_line() -> None:
    heading = ["品牌", "条号", "年份", "毛重(克)", "成色(%)", "状态"]
    rows = [["HX", "A1", 2024, 100.04, 99.9, "已注册仓单"], ["HX", "A2", 2024, 100.0, 99.9, "冻结"]]
    Path("statement.xlsx").write_bytes(workbook(["XM1 金库存货单"], heading, *rows))
    output = await clerk(ONE, "statement", "statement.xlsx", "--warehouse", "XM1", "--day", "2026-11-24", code=1)
    assert "WEIGHT_DIFF\tXM1 HX A1 2024\tAU\texpected 100 g gross\tfound 100.04 g gross\tlot 1" in output
    assert "lot 2: RECEIPTED in the register, FROZEN there" in output
    assert "2 bars, 200.04 g gross on the statement; 2 lots, 200.00 g in the register: 2 breaks" in output
    await clerk(ONE, "explain", "1", "--owner", "clerk-2", "--explanation", "to be weighed again")
    output = await clerk(ONE, "breaks")
    assert "1\tclerk-2\tEXPLAINED\t0 days\tmatching\tWEIGHT_DIFF" in output
    assert "statement\tstatement.xlsx" in await clerk(ONE, "files", "list")
    await clerk(ONE, "files", "get", "1", "--out", "back.xlsx")
    assert Path("back.xlsx").read_bytes() == Path("statement.xlsx").read_bytes()
    rows[0][3], rows[1][5] = 100.0, "已注册仓单"
    Path("statement.xlsx").write_bytes(workbook(heading, *rows))
    await clerk(ONE, "statement", "statement.xlsx", "--warehouse", "XM1", "--preview")
    assert await clerk(ONE, "breaks") != ""
    await clerk(ONE, "statement", "statement.xlsx", "--warehouse", "XM1")
    assert await clerk(ONE, "breaks") == ""
    await goldx("clerk", "--as", ONE, "statement", "statement.xlsx", code=2)


async def test_working_days_follow_the_table(stocked_exchange: SmallExchange) -> None:
    """A Friday before a long holiday whose following Saturday is worked."""
    async with stocked_exchange.engine.begin() as connection:
        with pytest.raises(Refused, match="2026"):
            await working_days.after(connection, date(2026, 9, 25), 1)
        for day in range(1, 9):
            await working_days.set_day(connection, ONE, date(2026, 10, day), False, "National Day")
        await working_days.set_day(connection, ONE, date(2026, 10, 10), True, "worked for National Day")
        assert await working_days.after(connection, date(2026, 9, 30), 1) == date(2026, 10, 9)
        assert await working_days.after(connection, date(2026, 9, 30), 5) == date(2026, 10, 14)
        assert await working_days.after(connection, date(2026, 11, 20), 5) == date(2026, 11, 27)
        assert [day.working for day in await working_days.days(connection, 2026)] == [False] * 8 + [True]
