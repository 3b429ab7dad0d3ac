"""Breaks name the lot that they are about, and nothing reads it out of texts."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import working_days
from settlement.intake.bar_rows import Reading
from settlement.reconciliation import breaks, vault_freeze, warehouse_statement
from settlement.reconciliation.breaks import BOOKS, Break, statement_scope
from settlement.reports import stock_report
from settlement.workbooks import sheets
from tests.settlement.small_exchange import ONE, SmallExchange, do, refused

HEADING = "refiner,serial,year,gross_g,fineness_permille,status"


async def make_old(stocked_exchange: SmallExchange, hours: int = 96) -> None:
    """Make the breaks so many hours older."""
    earlier = text(f"UPDATE recon_break SET opened_at = opened_at - {hours * 3_600_000}")
    await do(stocked_exchange, AsyncConnection.execute, earlier)


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
    await make_old(stocked_exchange, 71)
    await do(stocked_exchange, vault_freeze.check, "XM1")
    await make_old(stocked_exchange, 1)
    await refused(stocked_exchange, "VAULT_FROZEN", vault_freeze.check, "XM1")
    await do(stocked_exchange, breaks.explain, ONE, 1, ONE, "is looked for")
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
        lines = warehouse_statement.read(sheets.read("\n".join((HEADING, *bars)).encode()), Reading())
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
    lines = warehouse_statement.read(sheets.read("\n".join((HEADING, *bars)).encode()), Reading())
    found = (await do(stocked_exchange, warehouse_statement.compare, "XM1", lines)).breaks
    assert [(b.kind, b.lot_id) for b in found][: len(expected)] == expected


async def test_a_break_can_only_name_a_lot_of_the_register(stocked_exchange: SmallExchange) -> None:
    with pytest.raises(IntegrityError, match="fk_recon_break_lot_id"):
        await do(
            stocked_exchange, breaks.record_run, ONE, BOOKS, 1, [Break("RECEIPT", "lot:99", "AU", 1, 2, lot_id=99)]
        )
