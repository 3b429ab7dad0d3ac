"""Exports: a list reads again, the stock report adds up, an account's statement ends at its balance."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from goldx.protocol.units import BadValue
from settlement.base import working_days
from settlement.intake import bar_rows, pre_advice
from settlement.intake.bar_rows import Reading
from settlement.lots import lots
from settlement.lots.lots import EVERY_LOT, Search
from settlement.lots.provenance import ProvenanceRecord
from settlement.reconciliation import statement_file, warehouse_statement
from settlement.reports import account_statement, bar_export, stock_report
from settlement.workbooks import cells, sheets
from tests.settlement import bar_lists
from tests.settlement.commands import clerk
from tests.settlement.intake.test_imports import GIVEN
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange


async def test_an_exported_list_reads_again(exchange: SmallExchange) -> None:
    """12476.5 g are 401.1288 oz, 401.125 by the turn of the scale; a kilobar at 999 has 32.119 fine ounces."""
    async with exchange.engine.connect() as connection:
        there = [
            (bar_rows.BarKey(row.refiner, row.serial, row.year), row.gross_cg, row.fineness_e5, row.symbol, row.account)
            for row in await lots.listing(connection)
        ]
        for kind in ("csv", "xlsx"):
            back = bar_lists.declared(await bar_export.export(connection, EVERY_LOT, "declared", kind))
            assert back[0].provenance == ProvenanceRecord("BANK", "CN", None, None, "KYB-1", ("INV-1",))
            assert [(row.key, row.gross_cg, row.fineness_e5, row.symbol, row.account) for row in back] == there

            london = await bar_export.export(connection, Search(state="REGISTERED"), "lbma", kind)
            rows = [[cell.text for cell in row.cells] for row in sheets.read(london).rows]
            assert [float(text) for text in rows[1][2:5]] == [401.125, 999.0, 400.723]
            assert [float(text) for text in rows[2][2:5]] == [32.151, 999.0, 32.119]
            assert [row.key.serial for row in bar_lists.declared(london, Reading(GIVEN))] == ["L1", "K1"]

            count = await bar_export.count_list(connection, "XM1", kind)
            outcome = await warehouse_statement.compare(
                connection, "XM1", statement_file.read(sheets.read(count), Reading())
            )
            assert (outcome.bars, outcome.breaks) == (5, ())
        wrong = (await bar_export.export(connection, Search(state="REGISTERED"), "lbma", "csv")).replace(
            b"2.119", b"2.118"
        )
        with pytest.raises(cells.BadFile, match=r"32\.119 fine ounces"):
            bar_lists.declared(wrong, Reading(GIVEN))
        with pytest.raises(BadValue):
            await bar_export.count_list(connection, "XM9", "csv")


async def test_an_accounts_statement_ends_at_its_balance(exchange: SmallExchange) -> None:
    today = working_days.today()
    async with exchange.engine.connect() as connection:
        found = await account_statement.entries(connection, "A.H", today - timedelta(days=1), today)
        gold = [entry for entry in found if entry.asset == "AU"]
        assert [entry.kind for entry in gold] == ["opening", "receipt", "receipt", "receipt", "trade", "closing"]
        assert (gold[0].balance, gold[-1].balance, gold[-2].amount) == (0, exchange.held("A.H", "AU"), -20_000)
        cash = [entry for entry in found if entry.asset == "CNY"]
        assert cash[-1].balance == exchange.held("A.H")
        later = await account_statement.entries(connection, "A.H", today + timedelta(days=1), today + timedelta(days=2))
        assert [(entry.kind, entry.balance) for entry in later if entry.asset == "AU"] == [
            ("opening", exchange.held("A.H", "AU")),
            ("closing", exchange.held("A.H", "AU")),
        ]
        for account, first, last in (("X.H", today, today), ("A.H", today, today - timedelta(days=1))):
            with pytest.raises(BadValue):
                await account_statement.entries(connection, account, first, last)


async def test_the_stock_report_adds_up_and_a_past_day_stays_the_same(exchange: SmallExchange) -> None:
    """The total of yesterday is the previous one of today; a released lot is out; the parts make the fine total."""
    async with exchange.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text("UPDATE custody_event SET at = at - 86400000 WHERE lot_id <> 3"))
    today = working_days.today()
    async with exchange.engine.connect() as connection:
        (line,) = await stock_report.report(connection, today)
        (before,) = await stock_report.report(connection, today - timedelta(days=1))
        assert await stock_report.report(connection, today - timedelta(days=2)) == []
        rows = await lots.listing(connection)
    gross = {row.serial: row.gross_cg * 10 for row in rows}
    fine = {row.serial: row.fine_mg for row in rows}
    assert (line.warehouse, line.form, line.customs, line.lots) == ("XM1", "NONAPPROVED_BAR", "DOMESTIC", 5)
    assert (line.gross_in, line.fine_in) == (gross["A3"], fine["A3"])
    assert line.gross_previous == before.gross_total == sum(gross.values()) - gross["A3"]
    assert line.fine_previous == before.fine_total == sum(fine.values()) - fine["A3"]
    assert (
        line.gross_total == sum(gross.values()) == line.gross_previous + line.gross_in - line.gross_out - line.melt_loss
    )
    assert line.fine_total == sum(fine.values()) == sum(line[-8:])
    assert (line.unreceipted, line.free) == (fine["L1"] + fine["K1"], fine["007"] + fine["A2"] + fine["A3"])

    async with exchange.engine.begin() as connection:
        count = (await bar_export.count_list(connection, "XM1", "csv")).splitlines(keepends=True)
        without = b"".join(line for line in count if b"A2" not in line)
        lines = statement_file.read(sheets.read(without), Reading())
        await warehouse_statement.take_in(connection, ONE, "XM1", today, "count.csv", without, lines)
        (line,) = await stock_report.report(connection, working_days.today())
        assert (line.in_dispute, line.free) == (fine["A2"], fine["007"] + fine["A3"])
        assert line.fine_total == sum(line[-8:])
        lines = statement_file.read(sheets.read(b"".join(count)), Reading())
        for by in (ONE, OTHER):
            await warehouse_statement.take_in(connection, by, "XM1", today, "count.csv", b"".join(count), lines)
        (line,) = await stock_report.report(connection, working_days.today())
        assert (line.in_dispute, line.free) == (0, fine["007"] + fine["A2"] + fine["A3"])

    await exchange.engine_runner.define("SCRAP", "SCRAP_JEWEL")
    await exchange.post()
    scrap = {"symbol": "SCRAP", "form": "SCRAP_JEWEL", "serial": "S1", "melt_g": "98.50"}
    await exchange.register([scrap])
    async with exchange.engine.connect() as connection:
        _, line = await stock_report.report(connection, working_days.today())
    assert (line.form, line.lots, line.gross_previous, line.gross_out) == ("SCRAP_JEWEL", 1, 0, 0)
    assert (line.gross_in, line.melt_loss, line.gross_total) == (100_000, 1_500, 98_500)
    assert line.fine_total == line.unreceipted == 98_401


async def test_exports_by_the_clerks_command(exchange: SmallExchange, configured_database: None) -> None:  # noqa: ARG001
    today = working_days.today().isoformat()
    await clerk(ONE, "export", "bars", "--out", "bars.xlsx", "--status", "RECEIPTED")
    assert len(bar_lists.declared(Path("bars.xlsx").read_bytes())) == 3
    await clerk(ONE, "export", "bars", "--out", "bars.pdf", code=1)
    await clerk(ONE, "export", "stock", "--out", "stock.csv")
    assert "TOTAL" in Path("stock.csv").read_text(encoding="utf-8-sig")
    await clerk(ONE, "export", "account", "A.H", "--from", today, "--until", today, "--out", "a.csv")
    assert "receipt:1,AU,99.900," in Path("a.csv").read_text(encoding="utf-8-sig")
    await clerk(ONE, "export", "count", "XM1", "--out", "count.xlsx")
    assert "0 breaks" in await clerk(ONE, "statement", "count.xlsx", "--warehouse", "XM1")
    async with exchange.engine.connect() as connection:
        assert await pre_advice.find_by_key(connection, [bar_rows.BarKey("HX", "007", 2024)])
