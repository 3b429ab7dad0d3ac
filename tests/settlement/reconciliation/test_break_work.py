"""Work on breaks: owners, notes, files, values, limits, and what stops the next day."""

import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from goldx.protocol.units import BadValue
from settlement.base import registry, working_days
from settlement.reconciliation import (
    break_limits,
    break_listing,
    break_values,
    break_work,
    breaks,
    past_limits,
)
from settlement.reconciliation.break_areas import BANK_SCOPE, BOOKS, area_of
from settlement.reconciliation.breaks import Break
from settlement.service import waiting
from settlement.tables.reconciliation import BREAK_AREAS, LARGEST_BREAK_FILE
from settlement.workbooks import writing
from tests.settlement.commands import clerk
from tests.settlement.reconciliation.conftest import opened_before
from tests.settlement.reconciliation.recorded import HOLDING, LIGHT, PNG, UNPAID, XM1, record
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, refused, rewrite


def test_each_break_belongs_to_one_area() -> None:
    found = {
        (BOOKS, "HOLDING"): "ENGINE",
        (BOOKS, "POOL_ENGINE"): "ENGINE",
        (BOOKS, "POOL_LEDGER"): "LEDGER",
        (BOOKS, "UNIDENTIFIED"): "LEDGER",
        (BOOKS, "FEES"): "FEE",
        (BANK_SCOPE, "BANK_ONLY"): "BANK",
        (XM1, "MISSING_AT_WAREHOUSE"): "WAREHOUSE",
        (XM1, "STATUS_DIFF"): "WAREHOUSE",
        (BOOKS, "STATUS_DIFF"): "LEDGER",
    }
    assert {key: area_of(*key) for key in found} == found


async def test_a_break_gets_an_owner_and_notes_that_stay(stocked_exchange: SmallExchange) -> None:
    await record(stocked_exchange, XM1, LIGHT)
    await do(stocked_exchange, break_work.assign, ONE, 1, OTHER, "has the key of the vault")
    for number in range(2):
        await do(stocked_exchange, break_work.note, OTHER, 1, f"note {number}")
    assert (await do(stocked_exchange, breaks.find, 1)).owner == OTHER
    steps = await do(stocked_exchange, break_work.steps, 1)
    assert [(row.step, row.by, row.text) for row in steps] == [
        ("assign", ONE, "has the key of the vault"),
        ("note", OTHER, "note 0"),
        ("note", OTHER, "note 1"),
    ]
    for owner, allowed in ((OTHER, "another one"), ("nobody", "the code of one of the staff")):
        with pytest.raises(BadValue, match=f"owner: .*{allowed}"):
            await do(stocked_exchange, break_work.assign, ONE, 1, owner, "is on leave")
    for bad in ("", "x" * 501, "a\nb"):
        with pytest.raises(BadValue, match="note"):
            await do(stocked_exchange, break_work.note, ONE, 1, bad)
    for number in (2, 0):
        with pytest.raises(BadValue, match="break"):
            await do(stocked_exchange, break_work.note, ONE, number, "about nothing")
    for change in ("UPDATE break_step SET text = ''", "DELETE FROM break_step"):
        with pytest.raises(Exception, match="append-only"):
            await rewrite(stocked_exchange, change)
    await record(stocked_exchange, XM1)
    with pytest.raises(BadValue, match="not corrected"):
        await do(stocked_exchange, break_work.note, ONE, 1, "too late")


async def test_files_are_kept_as_they_came_and_checked_for_their_kind(stocked_exchange: SmallExchange) -> None:
    await record(stocked_exchange, XM1, LIGHT)
    files = {
        "photo.png": PNG,
        "photo.JPG": b"\xff\xd8\xff" + bytes(9),
        "report.pdf": b"%PDF-1.7\n",
        "list.xlsx": writing.write_xlsx("a", ["b"], []),
        "list.csv": "批次,1\n".encode("gb18030"),
        "mail.txt": b"Dear colleague",
    }
    for name, data in files.items():
        number = await do(stocked_exchange, break_work.attach, ONE, 1, name, data)
        assert bytes((await do(stocked_exchange, break_work.content, 1, number)).content) == data
    kept = await do(stocked_exchange, break_work.files, 1)
    assert [(row.name, row.size) for row in kept] == [(name, len(data)) for name, data in files.items()]
    assert [row.kind for row in kept] == ["png", "jpeg", "pdf", "xlsx", "csv", "txt"]
    await refused(stocked_exchange, "FILE_KNOWN", break_work.attach, ONE, 1, "again.png", PNG)
    archive = io.BytesIO()
    for name, data, why in (
        ("photo.png", b"\xff\xd8\xff", "the bytes of a png file"),
        ("list.xlsx", b"PK\x03\x04", "the bytes of a xlsx file"),
        ("list.csv", b"a,b\0", "the bytes of a csv file"),
        ("virus.exe", b"MZ", "a file that ends with .pdf"),
        ("pdf", b"MZ", "the bytes of a pdf file"),
        ("empty.txt", archive.getvalue(), f"1 to {LARGEST_BREAK_FILE} bytes"),
        ("large.txt", b"x" * (LARGEST_BREAK_FILE + 1), f"1 to {LARGEST_BREAK_FILE} bytes"),
    ):
        with pytest.raises(BadValue, match=why):
            await do(stocked_exchange, break_work.attach, ONE, 1, name, data)
    for number in range(len(files), break_work.MOST_FILES):
        await do(stocked_exchange, break_work.attach, ONE, 1, "n.txt", str(number).encode())
    await refused(stocked_exchange, "TOO_MANY_FILES", break_work.attach, ONE, 1, "n.txt", b"one more")
    await record(stocked_exchange, XM1, LIGHT, LIGHT._replace(kind="SEAL_DIFF"))
    with pytest.raises(BadValue, match="a file of break 2"):
        await do(stocked_exchange, break_work.content, 2, 1)
    with pytest.raises(IntegrityError, match="ck_break_file_hash_of_content"):
        await rewrite(
            stocked_exchange,
            "INSERT INTO break_file (break_id, name, kind, sha256, content, at, by) "
            "VALUES (1, 'a', 'txt', '', 'b', 1, '')",
        )


@pytest.mark.parametrize(
    ("found", "fen"),
    [
        (UNPAID, 500),
        (HOLDING, 92_500),
        (LIGHT, 9_241),  # 100 mg x 999 per mille x 925.00
        (LIGHT._replace(lot_id=None), 9_250),
        (LIGHT._replace(kind="FINENESS_DIFF", unit="fineness_e5", expected=99_900, found=99_800), 9_250),
        (LIGHT._replace(kind="SEAL_DIFF", unit="match", expected=1, found=0), 9_240_750),
        (LIGHT._replace(asset=""), 9_241),
        (LIGHT._replace(asset="", lot_id=None), None),
        (Break("TRADES", "trades", "", 1, 2), None),
        (Break("WEIGHT_DIFF", "x", "SILVER", 1, 2, "gross_mg"), None),
    ],
    ids=["money", "gold", "weight", "no lot", "fineness", "seal", "class of the lot", "unknown", "number", "no price"],
)
async def test_a_break_has_a_value(stocked_exchange: SmallExchange, found: Break, fen: int | None) -> None:
    await rewrite(stocked_exchange, "UPDATE instrument SET last_price = NULL, reference_price = 92500")
    await record(stocked_exchange, XM1, found)
    (listed,) = await do(stocked_exchange, break_listing.listing)
    assert listed.value_fen == fen
    await rewrite(stocked_exchange, "UPDATE instrument SET last_price = 185000")
    doubled = (await do(stocked_exchange, break_values.of, [listed.row]))[1]
    assert found.asset == "CNY" or fen is None or abs(int(doubled or 0) - 2 * fen) <= 1


async def test_a_value_is_at_the_settlement_price_of_the_newest_closed_day(stocked_exchange: SmallExchange) -> None:
    await rewrite(stocked_exchange, "UPDATE instrument SET last_price = 99900, reference_price = 92500")
    await record(stocked_exchange, BOOKS, HOLDING)
    for number, (day, price) in enumerate((("2026-11-25", 60_000), ("2026-11-24", 50_000), ("2026-11-26", None)), 1):
        await rewrite(
            stocked_exchange,
            "INSERT INTO business_day (day, first_sequence, last_sequence, ended_at, state, started_at, started_by) "
            f"VALUES ('{day}', {number}, {number}, 1, 'CLOSING', 1, 'x')",
        )
        method = "NONE" if price is None else "AVERAGE"
        await rewrite(
            stocked_exchange,
            "INSERT INTO day_price (day, symbol, closing_method, settlement_price, settlement_method, inputs) "
            f"VALUES ('{day}', 'AU', 'NONE', {'NULL' if price is None else price}, '{method}', '{{}}')",
        )
    (listed,) = await do(stocked_exchange, break_listing.listing)
    assert listed.value_fen == 60_000


async def test_an_operator_changes_the_limits_of_an_area(stocked_exchange: SmallExchange) -> None:
    async def change(*values: Any) -> None:
        await do(stocked_exchange, break_limits.change, "operator", *values)

    before = await do(stocked_exchange, break_limits.by_area)
    assert before["BANK"] == break_limits.DEFAULTS
    assert before["ENGINE"] == {**break_limits.DEFAULTS, "LIMIT": 0, "WRITE_OFF": 0}
    await change("BANK", "LIMIT", 7, "bank holidays")
    await change("BANK", "LIMIT", 8, "more of them")
    await change("BANK", "OWNER", 0, "at once")
    after = await do(stocked_exchange, break_limits.by_area)
    assert after == {**before, "BANK": {**before["BANK"], "LIMIT": 8, "OWNER": 0}}
    listed = await do(stocked_exchange, break_limits.listing)
    assert [(one.value, one.reason) for one in listed if (one.area, one.name) == ("BANK", "LIMIT")] == [
        (8, "more of them")
    ]
    for values, field in (
        (("CASH", "LIMIT", 1), "area"),
        (("BANK", "OLD", 1), "name"),
        (("BANK", "LIMIT", -1), "value"),
        (("BANK", "LIMIT", 251), "value"),
        (("BANK", "WRITE_OFF", 10_000_001), "value"),
        (("BANK", "OWNER", 3), "value"),
        (("ENGINE", "LIMIT", 1), "name"),
        (("ENGINE", "WRITE_OFF", 1), "name"),
    ):
        with pytest.raises(BadValue, match=f"^{field}"):
            await change(*values, "as an experiment")
    with pytest.raises(IntegrityError, match="engine_is_fixed"):
        await rewrite(
            stocked_exchange,
            "INSERT INTO break_limit (area, name, value, reason, at, by) VALUES ('ENGINE', 'LIMIT', 9, '', 1, '')",
        )


async def test_breaks_past_their_limit_stop_the_day_and_name_who_clears_them(stocked_exchange: SmallExchange) -> None:
    """Engine and ledger at once whatever is known, all others from the limit on until they are explained."""
    await record(stocked_exchange, BOOKS, HOLDING)
    await record(stocked_exchange, XM1, LIGHT)
    await record(stocked_exchange, BANK_SCOPE, UNPAID)
    await do(stocked_exchange, break_work.explain, ONE, 1, ONE, "the engine is slow")
    await rewrite(stocked_exchange, f"UPDATE recon_break SET opened_at = {opened_before(2)}")
    today = working_days.today()
    assert [stop.break_id for stop in await do(stocked_exchange, past_limits.past_limit, today)] == [1]
    await rewrite(stocked_exchange, f"UPDATE recon_break SET opened_at = {opened_before(3)}")
    found = await do(stocked_exchange, past_limits.past_limit, today)
    assert [(stop.break_id, stop.area, stop.days, stop.limit, stop.desk) for stop in found] == [
        (1, "ENGINE", 3, 0, "risk"),
        (2, "WAREHOUSE", 3, 3, "risk"),
        (3, "BANK", 3, 3, "risk"),
    ]
    assert found[0].why == "engine and ledger differ"
    assert not any("write" in way or "explain" in way for way in found[0].clear)
    assert any("weight" in way for way in found[1].clear)
    assert any("write it off, as it is worth 5.00 CNY" in way for way in found[2].clear)
    await do(stocked_exchange, break_limits.change, "operator", "BANK", "LIMIT", 4, "bank holidays")
    await do(stocked_exchange, break_work.explain, ONE, 2, ONE, "dust")
    assert await do(stocked_exchange, past_limits.count, today) == {"ENGINE": 1}
    later = today + timedelta(days=7)
    assert await do(stocked_exchange, past_limits.count, later) == {"ENGINE": 1, "BANK": 1}
    only = await do(stocked_exchange, break_listing.listing, past_limit=True)
    assert [one.row.break_id for one in only] == [1]


async def test_an_old_break_that_nothing_explains_waits_for_those_who_operate_the_market(
    stocked_exchange: SmallExchange,
) -> None:
    """From the age on at which it is passed on from its owner; one that is explained stays with its owner."""
    await do(stocked_exchange, registry.add_staff, "test", "op", "Operator", ["operate"])
    await do(stocked_exchange, registry.add_staff, "test", "auditor", "Auditor", ["supervise"])
    await record(stocked_exchange, XM1, LIGHT)
    await record(stocked_exchange, BANK_SCOPE, UNPAID)
    await do(stocked_exchange, break_work.explain, ONE, 2, ONE, "the bank was closed")

    async def seen(who: str) -> list[tuple[str, str]]:
        found = await do(stocked_exchange, waiting.listing, who)
        return [(one.subject, one.what) for one in found if one.kind == "break"]

    of_owner = [(str(number), f"{made.kind} {made.subject} is ") for number, made in ((1, LIGHT), (2, UNPAID))]
    for age, desk in ((1, None), (2, "head of operations"), (3, "risk"), (9, "notice to the regulator")):
        await rewrite(stocked_exchange, f"UPDATE recon_break SET opened_at = {opened_before(age)}")
        assert [
            (number, what.removesuffix("OPEN").removesuffix("EXPLAINED")) for number, what in await seen(ONE)
        ] == of_owner
        passed = f"{LIGHT.kind} {LIGHT.subject} is OPEN; its owner is {ONE}, and by its age it is for: {desk}"
        assert await seen("op") == ([] if desk is None else [("1", passed)])
        assert await seen(OTHER) == await seen("auditor") == []


@pytest.mark.usefixtures("configured_database")
async def test_the_commands_of_breaks(stocked_exchange: SmallExchange, tmp_path: Any) -> None:
    await rewrite(
        stocked_exchange, "INSERT INTO staff (staff, name, permissions, created_at) VALUES ('op', 'op', '{operate}', 1)"
    )
    await record(stocked_exchange, XM1, LIGHT)
    await rewrite(stocked_exchange, f"UPDATE recon_break SET opened_at = {opened_before(3)}")
    assert "WAREHOUSE" in await clerk(ONE, "breaks", "--past-limit")
    assert "unexplained breaks of WAREHOUSE" in await clerk(ONE, "break", "stops", code=1)
    await clerk(ONE, "break", "assign", "1", OTHER, "--reason", "has the key")
    await clerk(ONE, "break", "note", "1", "asked the warehouse")
    (tmp_path / "photo.png").write_bytes(PNG)
    assert "28 bytes" in await clerk(ONE, "break", "attach", "1", str(tmp_path / "photo.png"))
    await clerk(OTHER, "break", "file", "1", "1", "--out", "copy.png")
    assert (tmp_path / "copy.png").read_bytes() == PNG
    shown = await clerk(ONE, "break", "show", "1")
    assert "asked the warehouse" in shown
    assert "photo.png" in shown
    await clerk(ONE, "break", "resolve", "1", "--by-weight", "1", "--reason", "weighed", code=1)
    await clerk(ONE, "break", "resolve", "1", "--reason", "weighed", code=2)
    assert "has none of the permissions operate" in await clerk(
        ONE, "break", "set-limit", "WAREHOUSE", "LIMIT", "9", "--reason", "holidays", code=1
    )
    assert "WAREHOUSE LIMIT: 9 working days" in await clerk(
        "op", "break", "set-limit", "WAREHOUSE", "LIMIT", "9", "--reason", "holidays"
    )
    await clerk("op", "break", "set-limit", "WAREHOUSE", "WRITE_OFF", "12,5", "--reason", "holidays", code=1)
    assert "holidays" in await clerk(ONE, "break", "limits")
    await clerk(ONE, "break", "stops")
    assert "break_write_off 1" in await clerk(ONE, "break", "write-off", "1", "--reason", "dust")
    assert "99.9" in await clerk(ONE, "document", "break", "1")
    assert len((await clerk(ONE, "break", "limits", "--json")).splitlines()) == 6 * len(BREAK_AREAS)


async def test_the_rest_of_breaks(stocked_exchange: SmallExchange, rest: Rest) -> None:
    await record(stocked_exchange, XM1, LIGHT)
    for path, body in (
        ("assign", {"owner": OTHER, "reason": "has the key"}),
        ("notes", {"text": "asked the warehouse"}),
        ("explain", {"owner": OTHER, "explanation": "dust"}),
    ):
        await rest(ONE, "POST", f"/breaks/1/{path}", json=body)
        await rest("auditor", "POST", f"/breaks/1/{path}", 403, json=body)
    kept = await rest(ONE, "POST", "/breaks/1/files", content=PNG, params={"name": "照片.png"})
    assert await rest.content("auditor", f"/breaks/1/files/{kept['file']}") == PNG
    found = await rest("auditor", "GET", "/breaks/1")
    assert (found["owner"], found["area"], found["past_limit"]) == (OTHER, "WAREHOUSE", False)
    assert [step["step"] for step in found["steps"]] == ["assign", "note", "explain"]
    assert [file["name"] for file in found["files"]] == ["照片.png"]
    assert (await rest("auditor", "GET", "/breaks", params={"past_limit": True}))["breaks"] == []
    resolved = {"resolution": "weight", "document": 1, "reason": "weighed again"}
    assert (await rest(ONE, "POST", "/breaks/1/resolve", 422, json=resolved))["reason"] == "BAD_VALUE"
    assert (await rest(ONE, "POST", "/breaks/1/write-off", json={"reason": "dust"}))["proposal"] > 0
    limit = {"area": "BANK", "name": "LIMIT", "value": 9, "reason": "holidays"}
    await rest(ONE, "POST", "/break-limits", 403, json=limit)
    await rest("operator", "POST", "/break-limits", json=limit)
    limits = (await rest("auditor", "GET", "/break-limits"))["limits"]
    assert [one["value"] for one in limits if (one["area"], one["name"]) == ("BANK", "LIMIT")] == [9]
    for number in (2, 10**18):
        await rest("auditor", "GET", f"/breaks/{number}", 422)
