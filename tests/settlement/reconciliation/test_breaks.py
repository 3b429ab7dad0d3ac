"""Breaks name the lot that they are about, and nothing reads it out of texts."""

from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import working_days
from settlement.base.paging import ALL
from settlement.intake.bar_rows import Reading
from settlement.reconciliation import break_work, breaks, statement_file, vault_freeze, warehouse_statement
from settlement.reconciliation.break_areas import BOOKS
from settlement.reconciliation.breaks import Break, difference_of, statement_scope
from settlement.reports import stock_report
from settlement.workbooks import sheets
from tests.settlement.reconciliation.conftest import opened_before
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, refused, rewrite

HEADING = "refiner,serial,year,gross_g,fineness_permille,status"


async def make_old(stocked_exchange: SmallExchange, working_days: int = 4) -> None:
    """Set the opening of the breaks to ``working_days`` Mondays to Fridays ago."""
    opened_at = opened_before(working_days)
    await rewrite(stocked_exchange, f"UPDATE recon_break SET opened_at = {opened_at}")


async def test_a_break_freezes_the_vault_of_its_lot_and_not_of_its_texts(stocked_exchange: SmallExchange) -> None:
    misleading = Break("HOLDING", "account lot:1", "AU", 1, 2)
    await do(stocked_exchange, breaks.record_run, ONE, BOOKS, 1, [misleading])
    await make_old(stocked_exchange)
    await do(stocked_exchange, vault_freeze.check, "XM1")
    about = Break("RECEIPT", "the first bar", "AU", 1, 2, lot_id=1)
    await do(stocked_exchange, breaks.record_run, ONE, BOOKS, 1, [about])
    await make_old(stocked_exchange)
    assert "the first bar" in await refused(stocked_exchange, "VAULT_FROZEN", vault_freeze.check, "XM1")
    await do(stocked_exchange, vault_freeze.check, "XM2")


async def test_a_vault_is_frozen_on_the_third_day_whatever_is_explained(stocked_exchange: SmallExchange) -> None:
    """Domain sheet 8.4."""
    missing = Break("MISSING_AT_WAREHOUSE", "XM1 HX A1 2024", "AU", 1, 0)
    await do(stocked_exchange, breaks.record_run, ONE, statement_scope("XM1"), 1, [missing])
    await make_old(stocked_exchange, 2)
    await do(stocked_exchange, vault_freeze.check, "XM1")
    await make_old(stocked_exchange, 3)
    await refused(stocked_exchange, "VAULT_FROZEN", vault_freeze.check, "XM1")
    await do(stocked_exchange, break_work.explain, ONE, 1, ONE, "is looked for")
    await refused(stocked_exchange, "VAULT_FROZEN", vault_freeze.check, "XM1")
    await do(stocked_exchange, breaks.record_run, ONE, statement_scope("XM1"), 1, [])
    await do(stocked_exchange, vault_freeze.check, "XM1")


async def test_a_break_of_the_books_about_no_lot_freezes_no_vault(stocked_exchange: SmallExchange) -> None:
    await do(stocked_exchange, breaks.record_run, ONE, BOOKS, 1, [Break("HOLDING", "A.H", "AU", 1, 2)])
    await make_old(stocked_exchange)
    await do(stocked_exchange, vault_freeze.check, "XM1")


async def in_dispute(exchange: SmallExchange) -> int:
    """Return the fine mg in dispute of all vaults."""
    return sum(line.in_dispute for line in await do(exchange, stock_report.report, working_days.today()))


async def test_lots_in_dispute_follow_from_breaks_and_not_from_notes(stocked_exchange: SmallExchange) -> None:
    misleading = Break("SEAL_DIFF", "XM1 HX A1 2024", "AU", 1, 0, "match", "lot 1: S-1 in the register, S-2 there")
    await do(stocked_exchange, breaks.record_run, ONE, statement_scope("XM1"), 1, [misleading])
    assert await in_dispute(stocked_exchange) == 0
    about = Break("SEAL_DIFF", "XM1 HX A1 2024", "AU", 1, 0, "match", "another seal", 1)
    await do(stocked_exchange, breaks.record_run, ONE, statement_scope("XM1"), 1, [about])
    assert await in_dispute(stocked_exchange) == 99_900


async def test_a_bar_that_a_statement_has_twice_is_in_dispute_only_if_its_lot_differs(
    stocked_exchange: SmallExchange,
) -> None:
    for gross, disputed in (("100.00", 0), ("101.00", 99_900)):
        bars = [*[f"HX,A1,2024,{gross},999.00,"] * 2, "HX,A2,2024,100.00,999.00,"]
        lines = statement_file.read(sheets.read("\n".join((HEADING, *bars)).encode("utf-8-sig")), Reading())
        found = (await do(stocked_exchange, warehouse_statement.compare, "XM1", lines)).breaks
        assert found[0].kind == "DUPLICATE_SERIAL"
        await do(stocked_exchange, breaks.record_run, ONE, statement_scope("XM1"), 1, found)
        assert await in_dispute(stocked_exchange) == disputed


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        (["HX,A1,2024,100.00,999.00,"], [("MISSING_AT_WAREHOUSE", 2)]),
        (["HX,A1,2024,100.00,999.00,"] * 2, [("DUPLICATE_SERIAL", None), ("MISSING_AT_WAREHOUSE", 2)]),
        (["HX,A1,2024,101.00,999.01,FROZEN"], [("WEIGHT_DIFF", 1), ("FINENESS_DIFF", 1), ("STATUS_DIFF", 1)]),
        (["HX,Z9,2024,100.00,999.00,"], [("UNKNOWN_AT_WAREHOUSE", None)]),
    ],
    ids=["missing", "twice", "differs", "unknown"],
)
async def test_a_statement_names_the_lots_of_its_breaks(
    stocked_exchange: SmallExchange, bars: list[str], expected: list[tuple[str, int | None]]
) -> None:
    lines = statement_file.read(sheets.read("\n".join((HEADING, *bars)).encode("utf-8-sig")), Reading())
    found = (await do(stocked_exchange, warehouse_statement.compare, "XM1", lines)).breaks
    assert [(b.kind, b.lot_id) for b in found][: len(expected)] == expected


async def test_a_bar_that_differs_has_what_both_sides_say(stocked_exchange: SmallExchange) -> None:
    lines = statement_file.read(sheets.read(f"{HEADING}\nHX,A1,2024,100.00,999.00,FROZEN".encode()), Reading())
    (found, _) = (await do(stocked_exchange, warehouse_statement.compare, "XM1", lines)).breaks
    assert (found.kind, found.difference) == ("STATUS_DIFF", difference_of("RECEIPTED", "FROZEN"))


async def test_a_break_can_only_name_a_lot_of_the_register(stocked_exchange: SmallExchange) -> None:
    with pytest.raises(IntegrityError, match="fk_recon_break_lot_id"):
        await do(
            stocked_exchange, breaks.record_run, ONE, BOOKS, 1, [Break("RECEIPT", "lot:99", "AU", 1, 2, lot_id=99)]
        )


MISSING = Break("MISSING_AT_WAREHOUSE", "XM1 HX A1 2024", "AU", 100_000, 0, "gross_mg", "lot 1 is RECEIPTED", 1)
LIGHT = Break("WEIGHT_DIFF", "XM1 HX A1 2024", "AU", 100_000, 99_900, "gross_mg", "lot 1", 1)
NOTE = "lot 1: S-1 in the register, S-2 there"
SEAL = Break("SEAL_DIFF", "XM1 HX A1 2024", "AU", 1, 0, "match", NOTE, 1, difference=difference_of("S-1", "S-2"))


@pytest.mark.parametrize(
    ("explained", "found_next", "status"),
    [
        (LIGHT, LIGHT, "EXPLAINED"),
        (LIGHT, LIGHT._replace(found=99_950), "EXPLAINED"),
        (LIGHT, LIGHT._replace(found=99_890), "OPEN"),
        (LIGHT, LIGHT._replace(found=0), "OPEN"),
        (LIGHT, LIGHT._replace(found=100_050), "OPEN"),
        (SEAL, SEAL, "EXPLAINED"),
        (SEAL, SEAL._replace(note="S-1 and S-2"), "EXPLAINED"),
        (SEAL, SEAL._replace(difference=difference_of("S-1", "S-3")), "OPEN"),
    ],
    ids=[
        "the same",
        "smaller",
        "a little larger",
        "a thousand times larger",
        "the other way",
        "same seal",
        "same seal in other words",
        "third seal",
    ],
)
async def test_an_explained_break_is_open_again_when_it_grows_or_is_another(
    stocked_exchange: SmallExchange, explained: Break, found_next: Break, status: str
) -> None:
    scope = statement_scope("XM1")
    await do(stocked_exchange, breaks.record_run, ONE, scope, 1, [explained])
    await do(stocked_exchange, break_work.explain, ONE, 1, OTHER, "dust")
    run = await do(stocked_exchange, breaks.record_run, ONE, scope, 1, [found_next])
    (row,) = await do(stocked_exchange, breaks.open_breaks)
    assert (row.break_id, row.status, row.explanation, row.owner) == (1, status, "dust", OTHER)
    (act, *_) = await do(
        stocked_exchange,
        AsyncConnection.execute,
        text(f"SELECT detail FROM audit_log WHERE action = 'reconcile' AND subject = 'recon_run:{run}'"),
    )
    assert ('"reopened":[1]' in act.detail) is (status == "OPEN")


async def test_the_owner_of_a_break_is_one_of_the_staff(stocked_exchange: SmallExchange) -> None:
    await do(stocked_exchange, breaks.record_run, ONE, BOOKS, 1, [MISSING])
    for owner in ("nobody", "A", "", ONE.upper()):
        with pytest.raises(BadValue, match=r"owner: .* the code of one of the staff"):
            await do(stocked_exchange, break_work.explain, ONE, 1, owner, "is looked for")
    for explanation in ("", "two\nlines", "x" * 501):
        with pytest.raises(BadValue, match="explanation: "):
            await do(stocked_exchange, break_work.explain, ONE, 1, ONE, explanation)
    (row,) = await do(stocked_exchange, breaks.open_breaks)
    assert (row.owner, row.status, row.explanation) == (ONE, "OPEN", None)


async def test_a_break_ages_by_working_days(stocked_exchange: SmallExchange) -> None:
    """One opens on a Wednesday before holidays with a worked Saturday, one on a Friday in a year without holidays."""
    await do(stocked_exchange, breaks.record_run, ONE, BOOKS, 1, [MISSING])
    for day in range(1, 9):
        await do(stocked_exchange, working_days.set_day, ONE, date(2026, 10, day), False, "National Day")
    await do(stocked_exchange, working_days.set_day, ONE, date(2026, 10, 10), True, "worked for National Day")
    for opened, expected in (
        (date(2026, 9, 30), {date(2026, 9, 30): 0, date(2026, 10, 8): 0, date(2026, 10, 9): 1, date(2026, 10, 12): 3}),
        (date(2027, 1, 1), {date(2026, 12, 31): 0, date(2027, 1, 3): 0, date(2027, 1, 4): 1, date(2027, 1, 8): 5}),
    ):
        last = working_days.midnight(opened) + 86_399_999
        await rewrite(stocked_exchange, f"UPDATE recon_break SET opened_at = {last}")
        for at, days in expected.items():
            (row,) = await do(stocked_exchange, breaks.open_breaks, ALL, at)
            assert row.days == days, (opened, at)


async def test_what_one_run_finds_are_as_many_breaks(stocked_exchange: SmallExchange) -> None:
    """Breaks with one text stay apart: in one scope and in two, about two lots, and completely equal ones."""
    several = [MISSING, MISSING._replace(lot_id=2), MISSING._replace(lot_id=2, expected=5)]
    for _ in range(2):
        await do(stocked_exchange, breaks.record_run, ONE, statement_scope("XM1"), 3, several)
        await do(stocked_exchange, breaks.record_run, ONE, BOOKS, 1, [MISSING])
    rows = await do(stocked_exchange, breaks.open_breaks)
    assert [(row.break_id, row.scope, row.lot_id, row.expected) for row in rows] == [
        (1, "statement:XM1", 1, 100_000),
        (2, "statement:XM1", 2, 100_000),
        (3, "statement:XM1", 2, 5),
        (4, "books", 1, 100_000),
    ]


async def test_a_break_that_named_no_lot_keeps_its_number_when_it_names_one(stocked_exchange: SmallExchange) -> None:
    for lot_id in (None, 1, 1):
        await do(stocked_exchange, breaks.record_run, ONE, BOOKS, 1, [MISSING._replace(lot_id=lot_id)])
    (row,) = await do(stocked_exchange, breaks.open_breaks)
    assert (row.break_id, row.lot_id) == (1, 1)
