"""A warehouse's statement against the register: every kind of difference, and how breaks open and end."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from goldx.protocol.units import BadValue
from settlement.base import working_days
from settlement.base.refusal import Refused
from settlement.closing import left_open
from settlement.custody import transfers
from settlement.intake import files, pre_advice
from settlement.intake.bar_rows import Reading
from settlement.load_outs import application, cancels
from settlement.lots import locks, lots, scales
from settlement.reconciliation import break_limits, breaks, statement_file, three_way, warehouse_statement
from settlement.reports import bar_export
from settlement.service import movements
from settlement.workbooks import sheets
from tests.settlement import bar_lists
from tests.settlement.commands import clerk, goldx
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, bars, do, load_out_application
from tests.settlement.workbooks.test_sheets import workbook

DAY = date(2026, 11, 24)
HEADING = "refiner,serial,year,gross_g,fineness_permille,status,seal,customs"
BARS = ["HX,A1,2024,100.00,999.00,RECEIPTED,S-1,DOMESTIC", "HX,A2,2024,100.00,999.00,已注册仓单,S-1,DOMESTIC"]


def csv(*rows: str) -> bytes:
    return "\n".join((HEADING, *rows)).encode("utf-8-sig")


async def differences(exchange: SmallExchange, data: bytes) -> tuple[breaks.Break, ...]:
    lines = statement_file.read(sheets.read(data), Reading())
    async with exchange.engine.connect() as connection:
        return (await warehouse_statement.compare(connection, "XM1", lines)).breaks


async def compared(stocked_exchange: SmallExchange, *rows: str) -> list[tuple[str, str, int, int]]:
    return [(b.kind, b.subject, b.expected, b.found) for b in await differences(stocked_exchange, csv(*rows))]


async def test_a_statement_that_agrees_has_no_breaks(stocked_exchange: SmallExchange) -> None:
    assert await compared(stocked_exchange, *BARS) == []
    assert await compared(stocked_exchange, *reversed(BARS)) == []
    assert await compared(stocked_exchange, "HX,A1,2024,100.02,999.0,,,", BARS[1]) == []


async def taken(
    exchange: SmallExchange, by: str, place: str, day: date, *rows: str
) -> warehouse_statement.StatementComparison:
    data = csv(*rows)
    lines = statement_file.read(sheets.read(data), Reading())
    return await do(exchange, warehouse_statement.take_in, by, place, day, "s.csv", data, lines)


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
    frozen = BARS[0].replace("RECEIPTED", "冻结")
    assert await compared(stocked_exchange, frozen, BARS[1]) == []
    assert await compared(stocked_exchange, BARS[0], BARS[1]) == [("STATUS_DIFF", "XM1 HX A1 2024", 1, 0)]
    async with stocked_exchange.engine.begin() as connection:
        await locks.unfreeze(connection, OTHER, [1], "cleared")
    assert await compared(stocked_exchange, *BARS) == []


async def test_a_missing_bar_may_travel_once_two_people_have_agreed_on_its_transfer(
    stocked_exchange: SmallExchange,
) -> None:
    missing = ("XM1 HX A2 2024", 100_000, 0)
    proposal = await do(stocked_exchange, transfers.propose, ONE, [2], "XM2", "shortage")
    assert await compared(stocked_exchange, BARS[0]) == [("MISSING_AT_WAREHOUSE", *missing)]
    await do(stocked_exchange, movements.decline, OTHER, proposal)
    assert await compared(stocked_exchange, BARS[0]) == [("MISSING_AT_WAREHOUSE", *missing)]
    await stocked_exchange.approve(await do(stocked_exchange, transfers.propose, ONE, [2], "XM2", "shortage"))
    assert await compared(stocked_exchange, BARS[0]) == [("TIMING", *missing)]
    assert await compared(stocked_exchange, *BARS) == []
    await do(stocked_exchange, transfers.ship, ONE, 2, "S-9", "carrier")
    assert await compared(stocked_exchange, BARS[0]) == [("TIMING", *missing)]


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
    rows = (*BARS, "HX,C1,2024,100.00,999.00,,,", "HX,Z9,2024,100.00,999.00,,,")
    assert await compared(stocked_exchange, *rows) == [
        ("UNKNOWN_AT_WAREHOUSE", "XM1 HX A1 2024", 0, 100_000),
        ("UNKNOWN_AT_WAREHOUSE", "XM1 HX C1 2024", 0, 100_000),
        ("UNKNOWN_AT_WAREHOUSE", "XM1 HX Z9 2024", 0, 100_000),
    ]
    assert [(found.lot_id, found.note) for found in await differences(stocked_exchange, csv(*rows))] == [
        (1, "line 2: lot 1 is RELEASED last in XM1"),
        (4, "line 4: lot 4 is PRE_ADVISED in XM1"),
        (None, "line 5"),
    ]
    lines = statement_file.read(sheets.read(csv(*rows)), Reading())
    counted = [one._replace(line=None) for one in lines]
    found = (await do(stocked_exchange, warehouse_statement.compare, "XM1", counted)).breaks
    assert [one.note for one in found] == ["lot 1 is RELEASED last in XM1", "lot 4 is PRE_ADVISED in XM1", ""]
    async with stocked_exchange.engine.begin() as connection:
        await pre_advice.pre_advise(connection, ONE, bar_lists.declared(bars([{"serial": "A1"}])))
    again = await differences(stocked_exchange, csv(*rows))
    assert (again[0].lot_id, again[0].note) == (5, "line 2: lot 5 is PRE_ADVISED in XM1"), "one that comes goes before"


async def test_bars_whose_marks_and_numbers_read_the_same_are_two_breaks(exchange: SmallExchange) -> None:
    await exchange.issue([{"refiner": "HX A", "serial": "1"}, {"refiner": "HX", "serial": "A 1"}])
    await exchange.issue([{"refiner": "HX", "serial": 'A"2'}, {"refiner": "HX", "serial": "A3"}])
    found = await differences(
        exchange, csv("HX,Z9,2024,1.00,999.00,,,", "HX,ı1,2024,1.00,999.00,,,", "HX,i1,2024,1.00,999.00,,,")
    )
    assert [(b.subject, b.lot_id) for b in found] == [
        ("XM1 HX Z9 2024", None),
        ("XM1 HX ı1 2024", None),
        ("XM1 HX I1 2024", None),
        ('XM1 "HX A" 1 2024', 1),
        ('XM1 HX "A 1" 2024', 2),
        ('XM1 HX "A\\"2" 2024', 3),
        ("XM1 HX A3 2024", 4),
    ]


OWNED = HEADING + ",owner"


async def test_a_wrong_owner_is_found(stocked_exchange: SmallExchange) -> None:
    """The account or its member may be named; a bar promised to a load-out belongs to the withdrawing account."""
    for name, expected in (
        ("A.H", []),
        ("a.h", []),
        ("A", []),
        ("", []),
        ("B.H", ["OWNER_DIFF"]),
        ("B", ["OWNER_DIFF"]),
    ):
        data = "\n".join((OWNED, f"{BARS[0]},{name}", f"{BARS[1]},A.H")).encode()
        found = await differences(stocked_exchange, data)
        assert [b.kind for b in found] == expected, name
    assert (found[0].subject, found[0].lot_id) == ("XM1 HX A1 2024", 1)
    assert found[0].note == "lot 1: A.H in the register, B there"
    count = await do(stocked_exchange, bar_export.count_list, "XM1", "csv")
    assert count.splitlines()[1].endswith(b",A.H")
    assert await differences(stocked_exchange, count) == ()

    await stocked_exchange.pay_in("B.H", 100_000_000, "bank-1")
    await stocked_exchange.trade("B.H", "A.H", 60_000, 150)
    applied = await do(stocked_exchange, application.apply, ONE, load_out_application("B.H", 99_900))
    await stocked_exchange.approve(applied)
    promised = await do(stocked_exchange, bar_export.count_list, "XM1", "csv")
    assert sorted(line.rpartition(b",")[2] for line in promised.splitlines()[1:]) == [b"A.H", b"B.H"]
    assert [b.kind for b in await differences(stocked_exchange, count)] == ["STATUS_DIFF", "OWNER_DIFF"]
    await stocked_exchange.round_trip()
    await stocked_exchange.approve(await do(stocked_exchange, cancels.propose, ONE, 1))
    await stocked_exchange.round_trip()
    received_back = await do(stocked_exchange, bar_export.count_list, "XM1", "csv")
    assert sorted(line.rpartition(b",")[2] for line in received_back.splitlines()[1:]) == [b"A.H", b"B.H"]
    assert [b.kind for b in await differences(stocked_exchange, count)] == ["OWNER_DIFF"]


async def test_bars_that_are_all_a_little_light_are_a_drift(exchange: SmallExchange) -> None:
    """24 bars of 2 kg are too light by 1.04 g together, each by less than the allowed 0.05 g."""
    await exchange.issue([{"serial": f"D{n}", "gross_g": "2000.00", "weighed_g": "2000.00"} for n in range(24)])

    async def drift(*off_cg: int) -> list[tuple[str, str, int]]:
        rows = [f"HX,D{n},2024,{2_000 + off / 100:.2f},999.00,,," for n, off in enumerate(off_cg)]
        found = await differences(exchange, csv(*rows))
        return [(b.kind, b.subject, b.found - b.expected) for b in found if b.kind in ("WEIGHT_DRIFT", "WEIGHT_DIFF")]

    assert await drift(*[-4] * 16, *[-5] * 8) == [("WEIGHT_DRIFT", "XM1", -1_040)]
    assert await drift(*[5] * 24) == [("WEIGHT_DRIFT", "XM1", 1_200)]
    assert await drift(*[-5, 5] * 12) == []
    # The root of 3 x 24 x 5 x 5 is 42.4.
    assert await drift(*[-2] * 18, *[-1] * 6) == []
    assert await drift(*[-2] * 19, *[-1] * 5) == [("WEIGHT_DRIFT", "XM1", -430)]
    assert await drift(-100, *[0] * 23) == [("WEIGHT_DIFF", "XM1 HX D0 2024", -1_000)]
    assert await drift(*[-5] * 3) == []
    found = await differences(exchange, csv(*[f"HX,D{n},2024,1999.95,999.00,,," for n in range(24)]))
    assert (
        found[-1].note
        == "24 bars, each within its tolerance, are 1.20 g too light together; up to 0.42 g may be chance"
    )


@pytest.mark.parametrize(
    ("gross_cg", "allowed"), [(1, 2), (100_000, 2), (100_001, 5), (500_000, 5), (500_001, 10), (1_250_000, 10)]
)
def test_the_tolerance_of_a_weight(gross_cg: int, allowed: int) -> None:
    """Domain sheet 8.3."""
    assert scales.tolerance_cg(gross_cg) == allowed


async def test_breaks_of_a_statement_end_with_the_next_one_and_leave_other_scopes_alone(
    stocked_exchange: SmallExchange,
) -> None:
    async def take(place: str, *rows: str, by: str = ONE) -> warehouse_statement.StatementComparison:
        return await taken(stocked_exchange, by, place, DAY, *rows)

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
        rows = await breaks.open_breaks(connection)
    assert [row.scope for row in rows] == ["statement:XM1", "statement:XM2"]
    await take("XM1", *BARS, by=OTHER)
    async with stocked_exchange.engine.connect() as connection:
        assert [row.scope for row in await breaks.open_breaks(connection)] == ["statement:XM2"]
        kept = await files.listing(connection)
    assert (kept[0].kind, kept[0].about) == ("statement", "XM1 2026-11-24")


def test_the_age_of_a_break_decides_who_deals_with_it() -> None:
    """Domain sheet 8.4."""
    assert [break_limits.desk(n, break_limits.DEFAULTS) for n in (0, 1, 2, 3, 4, 5, 30)] == [
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
    assert "WEIGHT_DIFF\tXM1 HX A1 2024\tAU\t100\t100.04\tg\tlot 1" in output
    assert "lot 2: RECEIPTED in the register, FROZEN there" in output
    assert "2 bars, 200.04 g gross on the statement; 2 lots, 200.00 g in the register: 2 breaks" in output
    await clerk(ONE, "explain", "1", "--owner", "clerk-2", "--explanation", "to be weighed again")
    output = await clerk(ONE, "breaks")
    assert "1\tWAREHOUSE\tclerk-2\tEXPLAINED\t0\tmatching\tno\t" in output
    assert "\tlot 1\tto be weighed again\n" in output
    assert 'owner: "nobody" is not allowed' in await clerk(
        ONE, "explain", "1", "--owner", "nobody", "--explanation", "?", code=1
    )
    assert "statement\tstatement.xlsx" in await clerk(ONE, "files", "list")
    await clerk(ONE, "files", "get", "1", "--out", "back.xlsx")
    assert Path("back.xlsx").read_bytes() == Path("statement.xlsx").read_bytes()
    rows[0][3], rows[1][5] = 100.0, "已注册仓单"
    Path("statement.xlsx").write_bytes(workbook(heading, *rows))
    output = await clerk(ONE, "statement", "statement.xlsx", "--warehouse", "XM1", "--preview")
    assert "sheet 'Bars': no other holds anything\nheadings in line 1\nline 2: refiner=HX serial=A1 year=2024" in output
    assert "words that are not ASCII: 品牌 (line 1)" in output
    older = ("statement", "statement.xlsx", "--warehouse", "XM1", "--day", "2026-11-23")
    for how in ((), ("--preview",)):
        assert "newer than 2026-11-23" in await clerk(ONE, *older, *how, code=1)
    assert (await clerk(ONE, "breaks")).count("\n") > 1
    output = await clerk(ONE, "statement", "statement.xlsx", "--warehouse", "XM1")
    assert "end when another person takes in the same file" in output
    assert (await clerk(ONE, "breaks")).count("\n") > 1
    output = await clerk("clerk-2", "statement", "statement.xlsx", "--warehouse", "XM1")
    assert "another person" not in output
    assert (await clerk(ONE, "breaks")).count("\n") == 1, "the headings alone"
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


async def test_an_older_statement_does_not_undo_a_newer_one(stocked_exchange: SmallExchange) -> None:
    today = working_days.today()
    earlier, tomorrow = today - timedelta(days=8), today + timedelta(days=1)
    await taken(stocked_exchange, ONE, "XM1", today, BARS[0])
    for by in (ONE, OTHER):
        with pytest.raises(Refused, match=f"file 1 is the statement of {today}, which is newer") as found:
            await taken(stocked_exchange, by, "XM1", earlier, *BARS)
        assert found.value.reason == "STATEMENT_OLDER"
        for day in (tomorrow, date(2099, 1, 1)):
            with pytest.raises(BadValue, match=f"day: .* until today, {today}"):
                await taken(stocked_exchange, by, "XM1", day, *BARS)
    assert len(await do(stocked_exchange, breaks.open_breaks)) == 1
    await do(stocked_exchange, files.keep, ONE, "statement", "far.csv", b"", 0, {}, "XM2 2099-01-01")
    await taken(stocked_exchange, ONE, "XM2", earlier, "HX,B1,2024,100.00,999.00,,,")


async def test_a_statement_ends_breaks_when_two_people_have_entered_it(stocked_exchange: SmallExchange) -> None:
    today = working_days.today()

    async def is_open() -> bool:
        return bool(await do(stocked_exchange, breaks.open_breaks))

    await taken(stocked_exchange, ONE, "XM1", today, BARS[0])
    first = await taken(stocked_exchange, ONE, "XM1", today, *BARS)
    assert (first.breaks, first.second, await is_open()) == ((), False, True)
    with pytest.raises(Refused, match="taken in by clerk-1 as file 2"):
        await taken(stocked_exchange, ONE, "XM1", today, *BARS)
    with pytest.raises(Refused, match=r"file 2, .* was taken in after it") as found:
        await taken(stocked_exchange, OTHER, "XM1", today, BARS[0])
    assert (found.value.reason, await is_open()) == ("STATEMENT_OLDER", True)
    second = await taken(stocked_exchange, OTHER, "XM1", today, *BARS)
    assert (second.second, await is_open()) == (True, False)
    for by in (ONE, OTHER, "clerk-3"):
        with pytest.raises(Refused, match="taken in by clerk-2 as file 3"):
            await taken(stocked_exchange, by, "XM1", today, *BARS)


async def test_a_warehouse_with_metal_that_sends_no_statement_is_among_what_stays_open(
    stocked_exchange: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent() -> dict[str, str]:
        found = await do(stocked_exchange, left_open.listing, working_days.today())
        return {one.subject: one.why for one in found if one.kind == "warehouse"}

    assert await silent() == {
        "XM1": "no statement has come; lots there: 2",
        "XM2": "no statement has come; lots there: 1",
    }
    await taken(stocked_exchange, ONE, "XM1", working_days.today(), *BARS)
    assert list(await silent()) == ["XM2"]
    monkeypatch.setattr(left_open, "WHOLE_DAYS", 0)
    assert (await silent())["XM1"] == f"no statement has come since {working_days.today()}; lots there: 2"
