"""The bulletin of a day: prices with their methods, volumes, gold under receipt, stock, breaks; public, and fixed."""

import csv
import io
import re
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from goldx.protocol.units import BadValue
from settlement.closing import bulletin, bulletin_paper
from settlement.closing import day as days
from settlement.closing.canonical import canonical, digest
from settlement.closing.differs import PaperDiffers
from settlement.closing.paper import LANGUAGES
from settlement.closing.words import word
from settlement.load_outs import application
from settlement.reconciliation import three_way
from tests.settlement.closing.days import DAYS, end_day, sign_all
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange, do, load_out_application

LOT_MG, GROSS_MG = 99_900, 100_000


async def two_days(exchange: SmallExchange) -> None:
    """A day with three lots taken in, one of them without a receipt; one with two trades, a load-out and a break."""
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": "A"}, {"serial": "B"}])
    await exchange.register([{"serial": "C"}])
    await end_day(exchange, DAYS[0])
    await exchange.trade("B.H", "A.H", 60_000, 20)
    await exchange.trade("B.H", "A.H", 61_000, 10)
    await exchange.approve(await do(exchange, application.apply, ONE, load_out_application("A.H", LOT_MG)))
    await exchange.round_trip()
    await do(exchange, _run, "UPDATE engine_holding SET total = total + 1 WHERE account = 'B.H' AND asset = 'AU'")
    await three_way.reconcile(exchange.engine, ONE)
    await do(exchange, _run, "UPDATE engine_holding SET total = total - 1 WHERE account = 'B.H' AND asset = 'AU'")
    await end_day(exchange, DAYS[1])


async def both(exchange: SmallExchange) -> tuple[bulletin.Bulletin, bulletin.Bulletin]:
    """Return the bulletins of the two days."""
    first, second = await do(exchange, days.over)
    return await do(exchange, bulletin.find, first.day), await do(exchange, bulletin.find, second.day)


async def _run(connection: Any, sql: str) -> None:
    await connection.exec_driver_sql(sql)


@pytest.mark.prepared(by=two_days)
async def test_a_bulletin_has_prices_volumes_gold_and_stock(exchange: SmallExchange) -> None:
    first, second = [found.content for found in await both(exchange)]
    (quiet,), (traded,) = first["instruments"], second["instruments"]
    assert (quiet["trades"], quiet["open"], quiet["closing_method"]) == (0, None, "REFERENCE")
    shown = {name: traded[name] for name in ("open", "high", "low", "trades", "quantity", "amount")}
    assert shown == {
        "open": 60_000,
        "high": 61_000,
        "low": 60_000,
        "trades": 2,
        "quantity": 30_000,
        "amount": 1_810_000,
    }
    assert (traded["closing_price"], traded["closing_method"]) == (61_000, "LAST")
    assert (traded["settlement_price"], traded["settlement_method"]) == (60_333, "AVERAGE")
    assert (traded["previous_settlement"], traded["change"]) == (60_000, 333)
    whole = 2 * LOT_MG
    assert first["registered"] == [{"symbol": "AU", "previous": 0, "taken_in": whole, "given_out": 0, "total": whole}]
    assert second["registered"] == [
        {"symbol": "AU", "previous": whole, "taken_in": 0, "given_out": LOT_MG, "total": LOT_MG}
    ]
    (before,), (after,) = first["stock"], second["stock"]
    assert (before["gross_previous"], before["gross_in"], before["gross_total"]) == (0, 3 * GROSS_MG, 3 * GROSS_MG)
    assert (before["unreceipted"], before["free"], before["fine_total"]) == (LOT_MG, whole, 3 * LOT_MG)
    assert (after["gross_previous"], after["gross_in"], after["gross_total"]) == (3 * GROSS_MG, 0, 3 * GROSS_MG)
    assert (after["load_out"], after["free"]) == (LOT_MG, LOT_MG), "not collected yet"
    assert first["breaks"] == []
    assert [found["open"] for found in second["breaks"]] == [1, 1], "the engine against the ledger and the receipts"


@pytest.mark.prepared(by=two_days)
async def test_it_stays_as_it_was_made_whatever_happens_later(exchange: SmallExchange) -> None:
    found = await both(exchange)
    await three_way.reconcile(exchange.engine, ONE)
    await exchange.register([{"serial": "D"}])
    await end_day(exchange, DAYS[2])
    for day, made in zip(await do(exchange, days.over), found, strict=False):
        assert digest(await do(exchange, bulletin.work, day, canonical(made.content["record"]))) == made.hash.hex()
    first = (await do(exchange, days.over))[0]
    await do(exchange, _run, "ALTER TABLE bulletin DISABLE TRIGGER append_only")
    await do(exchange, _run, "UPDATE bulletin SET hash = sha256('x')")
    with pytest.raises(PaperDiffers, match="the bulletin was"):
        await do(exchange, bulletin.work, first, b"")


@pytest.mark.prepared(by=two_days)
async def test_names_stock_and_breaks_that_an_older_program_kept_are_taken_as_they_are(exchange: SmallExchange) -> None:
    _, second = await do(exchange, days.over)
    made = (await do(exchange, bulletin.find, second.day)).content
    record = {"day": "2026-11-20", "sha256": "0" * 64}
    kept = {"record": record, "names": {"AU": ["As it was", "旧名"]}, "stock": [], "breaks": made["breaks"]}
    of_then = [{**row, "name": "As it was", "name_zh": "旧名"} for row in made["instruments"]]
    expected = {**made, "record": record, "stock": [], "instruments": of_then}
    assert made["stock"]
    with pytest.raises(PaperDiffers, match=f"and is now {digest(canonical(expected))}"):
        await do(exchange, bulletin.work, second, canonical(kept))


@pytest.mark.prepared(by=two_days)
async def test_its_files_have_the_same_bytes_each_time_and_two_languages(exchange: SmallExchange) -> None:
    _, found = await both(exchange)
    for kind in bulletin_paper.KINDS:
        made = {language: bulletin_paper.write(found, kind, language) for language in LANGUAGES}
        assert made["zh"] == bulletin_paper.write(found, kind, "zh")
        assert (made["zh"] == made["en"]) == (kind == "json")
    book = openpyxl.load_workbook(io.BytesIO(bulletin_paper.write(found, "xlsx", "en")))
    assert [name.partition(" ")[0] for name in book.sheetnames] == [
        "Prices",
        "Benchmarks",
        "Gold",
        "Stock",
        "Newest",
        "Open",
        "Bulletin",
    ]
    rows = {
        part: list(csv.reader(io.StringIO(bulletin_paper.write(found, "csv", "en", part).decode("utf-8-sig"))))
        for part in bulletin_paper.PARTS
    }
    assert rows["instruments"][1][:6] == ["AU", "600.00", "610.00", "600.00", "610.00", "last trade"]
    assert rows["registered"][1] == ["AU", "199.800", "0.000", "99.900", "99.900"]
    assert {len(row) for row in rows["stock"]} == {21}
    with pytest.raises(BadValue, match="part"):
        bulletin_paper.write(found, "csv", "en", "all")
    with pytest.raises(BadValue, match="format"):
        bulletin_paper.write(found, "doc", "en")


def test_each_kind_of_break_has_a_name_in_both_languages() -> None:
    sources = "".join(file.read_text() for file in Path("settlement").rglob("*.py"))
    named = set(re.findall(r'(?:\bBreak|\.compare)\(\s*"([A-Z_]+)"', sources))
    page = Path("docs/settlement.md").read_text()
    named |= set(re.findall(r"[A-Z]+_(?:DIFF|ONLY|MORE|AT_WAREHOUSE|DRIFT|SERIAL)\b", page))
    assert len(named) > 25
    for kind in sorted(named):
        zh, en = (word(language, f"break.{kind}") for language in LANGUAGES)
        assert (zh, en) != (kind, kind), kind
        assert re.search("[\u4e00-\u9fff]", zh), kind


@pytest.mark.prepared(by=two_days)
async def test_anybody_reads_it(exchange: SmallExchange, rest: Rest) -> None:
    first, second = await both(exchange)
    listed = await rest.anybody("GET", "/v1/bulletins?limit=1")
    assert [row["day"] for row in listed["bulletins"]] == [first.day.isoformat()]
    (row,) = (await rest.anybody("GET", f"/v1/bulletins?after={listed['next']}"))["bulletins"]
    assert row["hash"] == second.hash.hex()
    shown = await rest.anybody("GET", f"/v1/bulletins/{second.day}")
    assert shown == {"sha256": second.hash.hex(), "content": second.content}
    assert await rest.anybody("GET", f"/v1/bulletins/{second.day}/file?format=json") == second.content
    for path in ("2099-01-01", "x", "2099-12-01/file?format=doc", "2099-12-01/file?language=fr"):
        await rest.anybody("GET", f"/v1/bulletins/{path}", 422)
    about = await rest.public_file(f"/v1/bulletins/{second.day}/file?format=csv&part=about&language=en")
    assert about == bulletin_paper.write(second, "csv", "en", "about")
    refused = await rest.anybody("GET", f"/v1/bulletins/{second.day}/file?part=all", 422)
    assert all(f"'{part}'" in str(refused) for part in bulletin_paper.PARTS), refused


@pytest.mark.usefixtures("configured_database")
@pytest.mark.prepared(by=two_days)
async def test_a_clerk_writes_it(exchange: SmallExchange, tmp_path: Any) -> None:
    _, found = await both(exchange)
    listed = (await clerk(ONE, "bulletin", "list")).splitlines()
    assert listed[-1] == f"{found.day}\t{found.hash.hex()}"
    for kind in bulletin_paper.KINDS:
        await clerk(ONE, "bulletin", "write", str(found.day), "--out", f"b.{kind}", "--language", "en")
        assert (tmp_path / f"b.{kind}").read_bytes() == bulletin_paper.write(found, kind, "en")
    missing = await clerk(ONE, "bulletin", "write", str(date(2099, 1, 1)), "--out", "c.pdf", code=1)
    assert "a trading day that is closed" in missing


async def test_it_names_the_newest_signed_record(three_days_closed: SmallExchange) -> None:
    first, *_ = await do(three_days_closed, days.over)
    record = await sign_all(three_days_closed, first)
    await end_day(three_days_closed, DAYS[5])
    *before, newest = await do(three_days_closed, days.over)
    found = await do(three_days_closed, bulletin.find, newest.day)
    assert found.content["record"] == {"day": first.day.isoformat(), "sha256": record.hex()}
    assert (await do(three_days_closed, bulletin.find, before[-1].day)).content["record"] is None
    written = bulletin_paper.write(found, "csv", "en", "record").decode("utf-8-sig").splitlines()
    assert written == ["Trading day,SHA-256", f"{first.day},{record.hex()}"]
    assert bulletin_paper.write(found, "pdf", "en").startswith(b"%PDF")
