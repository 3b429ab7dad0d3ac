"""A day is shown as it is signed, its archived file is read again, and everybody sees what waits for them."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from goldx.protocol.units import BadValue
from settlement.base import registry
from settlement.charges import accruals
from settlement.closing import archive, bulletin, invoices, signing, statements
from settlement.closing import day as days
from settlement.custody import receipts
from settlement.ledger import balances, cash
from settlement.lots import lots
from settlement.lots.lots import EventSearch, Search
from settlement.reconciliation import breaks, last_counts
from settlement.reconciliation.breaks import Break
from settlement.service import waiting
from settlement.tables.closing import close_step
from tests.settlement.closing.days import FIRST, RISK, SECOND, sign_all
from tests.settlement.commands import goldx
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, refused


def objects(output: str) -> list[Any]:
    """Return the JSON objects of an output, in which there may be lines of a gateway's log, too."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@pytest.mark.usefixtures("configured_database")
async def test_a_day_is_shown_as_it_is_signed(three_days_closed: SmallExchange, rest: Rest) -> None:
    exchange = three_days_closed
    (found,) = objects((await goldx("day", "--as", RISK, "show", FIRST, "--json")).output)
    async with exchange.engine.connect() as connection:
        query = select(close_step.c.step, close_step.c.output_hash).where(close_step.c.day == date.fromisoformat(FIRST))
        hashes = {row.step: row.output_hash.hex() for row in await connection.execute(query)}
    assert {one["step"]: one["output_sha256"] for one in found["steps"]} == hashes
    (price,) = found["prices"]
    assert price == {
        "symbol": "AU",
        "closing_cny": "600.00",
        "closing_method": "LAST",
        "settlement_cny": "600.00",
        "settlement_method": "AVERAGE",
        "trades": 1,
        "quantity_g": "20",
        "amount_cny": "12000.00",
    }
    assert (found["trades"], found["trading_fees_cny"], found["record"]) == (1, "2.40", None)
    listed = await do(exchange, statements.listing, day=date.fromisoformat(FIRST))
    assert found["statements"] == len(listed) > 1
    assert found["invoices"] == len([row for row in await do(exchange, invoices.listing) if str(row.day) == FIRST])
    assert (found["breaks"], found["taken_over"]) == ([], [])
    left = {one["kind"]: one["why"] for one in found["left_open"]}
    assert "no account at a bank is registered" in left["bank"]
    over = await rest("operator", "GET", f"/days/{FIRST}/summary")
    assert over == found
    (price,) = (await rest("auditor", "GET", f"/days/{FIRST}"))["prices"]
    assert price["inputs"]["day"]["last_price_fen_per_g"] == price["inputs"]["reference_price_fen_per_g"] == 60_000
    assert {"from_ms", "until_ms", "quantity_mg", "amount_fen"} <= price["inputs"]["window"].keys()
    text = (await goldx("day", "--as", ONE, "show", FIRST)).output
    assert "\nprices:\n" in text
    assert found["sign_sha256"] in text
    assert "SIGNED" not in text
    assert (await do(exchange, bulletin.find, date.fromisoformat(FIRST))).content["instruments"][0]["trades"] == 1


@pytest.mark.usefixtures("configured_database")
async def test_a_day_that_is_not_closed_is_not_shown(three_days_over: SmallExchange) -> None:
    assert "must be CLOSED" in (await goldx("day", "--as", ONE, "show", FIRST, code=1)).output
    assert len(await do(three_days_over, days.over)) == 3


@pytest.mark.usefixtures("configured_database")
async def test_an_archived_record_is_read_again(three_days_closed: SmallExchange, tmp_path: Path) -> None:
    exchange, folder = three_days_closed, tmp_path / "records"
    first, *_ = await do(exchange, days.over)
    await sign_all(exchange, first)
    assert await do(exchange, archive.newest) is None
    asked = ("day", "--as", ONE, "verify", str(first.day), "--records", str(folder))
    assert "it is not archived yet" in (await goldx(*asked)).output
    file = await do(exchange, archive.archive, first.day, folder)
    assert file is not None
    assert f"{file} is as it was written" in (await goldx(*asked)).output
    assert json.loads((await goldx(*asked, "--json")).output)["archived"] == str(file)
    data = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(data.replace(b"books", b"b00ks"))
    assert "is not as it was written" in (await goldx(*asked, code=1)).output
    assert await do(exchange, archive.newest) == first.day
    await refused(exchange, "ARCHIVE_DIFFERS", archive.check, first.day, folder)
    file.unlink()
    await refused(exchange, "ARCHIVE_MISSING", archive.check, first.day, folder)
    assert "cannot be read" in (await goldx(*asked, code=1)).output


@pytest.mark.usefixtures("configured_database")
async def test_everybody_sees_what_waits_for_them(three_days_closed: SmallExchange, rest: Rest) -> None:
    exchange = three_days_closed
    number = await do(exchange, cash.propose, ONE, "A.H", 500, "bank-7")
    differs = Break("VENUE_ONLY", "cash:1", "CNY", 500, 0)
    await do(exchange, breaks.record_run, OTHER, "bank", 1, [differs])
    first, *_ = await do(exchange, days.over)

    async def of(who: str) -> list[tuple[str, str, str]]:
        return [(one.kind, one.subject, one.command) for one in await do(exchange, waiting.listing, who)]

    sign = f"goldx day sign {first.day} --for"
    approval = ("proposal", str(number), f"goldx clerk approve {number}")
    mine, keepers = (("sign", str(first.day), f"{sign} {capacity}") for capacity in ("settlement", "warehouse"))
    assert await of(ONE) == [mine]
    assert await of(OTHER) == [approval, mine, keepers, ("break", "1", "goldx clerk break show 1")]
    assert await of(RISK) == [approval, mine, keepers, ("sign", str(first.day), f"{sign} risk")]
    await do(exchange, registry.add_staff, "test", "risk-2", "Risk", ["operate"])
    assert await of("risk-2") == [("sign", str(first.day), f"{sign} risk")]
    await do(exchange, signing.sign, ONE, first.day, "settlement")
    assert await of(ONE) == [], "nobody signs a day twice"
    assert await of(OTHER) == [approval, keepers, ("break", "1", "goldx clerk break show 1")]
    await do(exchange, signing.sign, OTHER, first.day, "warehouse")
    await do(exchange, signing.sign, "risk-2", first.day, "risk")
    assert [subject for kind, subject, _ in await of(ONE) if kind == "sign"] == [FIRST]
    rows = objects((await goldx("clerk", "--as", OTHER, "waiting", "--json")).output)
    assert [(row["kind"], row["subject"], row["command"]) for row in rows] == await of(OTHER)
    assert (await rest("operator", "GET", "/waiting"))["waiting"][0]["subject"] == FIRST
    with pytest.raises(BadValue, match="nobody"):
        await of("nobody")
    assert SECOND not in {subject for _, subject, _ in await of(ONE)}


async def test_a_filter_that_nobody_knows_is_refused(three_days_closed: SmallExchange) -> None:
    asked = (
        (statements.listing, {"member": "ALPAH"}),
        (statements.listing, {"account": "A.HH"}),
        (statements.listing, {"member": "A", "account": "B.H"}),
        (invoices.listing, {"member": "ALPAH"}),
        (receipts.listing, {"account": "A.HH"}),
        (accruals.listing, {"account": "A.HH"}),
        (balances.listing, {"name": "A.HH"}),
        (last_counts.listing, {"warehouse": "XM2"}),
        (lots.listing, {"search": Search(symbol="AUU")}),
        (lots.listing, {"search": Search(account="A.HH")}),
        (lots.listing, {"search": Search(warehouse="XM2")}),
        (lots.events, {"search": EventSearch(warehouse="XM2")}),
    )
    for listing, wanted in asked:
        with pytest.raises(BadValue, match=r"ALPAH|A\.HH|B\.H|XM2|AUU"):
            await do(three_days_closed, listing, **wanted)
    assert await do(three_days_closed, balances.listing, name="bank_escrow") is not None
    assert len(await do(three_days_closed, receipts.listing, account="A.H")) == 2
