"""Three people sign a closed day; its record is chained to the day before, and proves what was signed."""

import json
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select, text

from goldx.protocol.units import BadValue
from settlement.base.refusal import Refused
from settlement.closing import day as days
from settlement.closing import records, signing, why
from settlement.closing.steps import STEPS
from settlement.tables.closing import day_record
from tests.settlement.closing.days import FIRST, RISK, close, sign_all
from tests.settlement.closing.days import THIRD as THIRD_DAY
from tests.settlement.commands import goldx
from tests.settlement.small_exchange import ONE, OTHER, THIRD, SmallExchange, do, refused


async def test_three_different_people_sign_the_days_in_their_order(three_days_closed: SmallExchange) -> None:
    exchange = three_days_closed
    first, second, _ = await do(exchange, days.over)
    with pytest.raises(BadValue, match="capacity"):
        await do(exchange, signing.sign, ONE, first.day, "clerk")
    with pytest.raises(BadValue, match="a trading day that is closed"):
        await do(exchange, signing.sign, ONE, date.fromisoformat(THIRD_DAY), "settlement")
    assert "comes before" in await refused(exchange, "ILLEGAL_STEP", signing.sign, ONE, second.day, "settlement")
    await refused(exchange, "NOT_PERMITTED", signing.sign, ONE, first.day, "risk")
    await do(exchange, signing.sign, ONE, first.day, "settlement")
    await refused(exchange, "NOT_PERMITTED", signing.sign, ONE, first.day, "warehouse")
    assert "already" in await refused(exchange, "ILLEGAL_STEP", signing.sign, THIRD, first.day, "settlement")
    await do(exchange, signing.sign, RISK, first.day, "risk")
    await refused(exchange, "SAME_PERSON", signing.sign, RISK, first.day, "warehouse")
    await refused(exchange, "ILLEGAL_STEP", signing.sign, ONE, second.day, "settlement")
    assert (await do(exchange, signing.sign, OTHER, first.day, "warehouse")).record is not None
    assert (await do(exchange, signing.sign, ONE, second.day, "settlement")).record is None


async def test_a_record_that_not_all_three_have_signed_is_none(three_days_closed: SmallExchange) -> None:
    """Made by hand in the database, it fits the day's steps, its two signatures and the chain."""
    exchange = three_days_closed
    day = (await do(exchange, days.over))[0].day
    await do(exchange, signing.sign, ONE, day, "settlement")
    await do(exchange, signing.sign, RISK, day, "risk")
    await do(exchange, signing._record, "somebody", await do(exchange, signing.find, day))
    assert "warehouse did not sign it" in await refused(exchange, "RECORD_BROKEN", records.verify, day)


async def test_a_day_that_is_being_closed_is_not_signed(three_days_over: SmallExchange) -> None:
    exchange = three_days_over
    async with exchange.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE holding_at_end DISABLE TRIGGER append_only"))
        await connection.execute(text("UPDATE holding_at_end SET total = total + 1 WHERE account = 'B.H'"))
    with pytest.raises(Refused):
        await close(exchange)
    (day, *_) = await do(exchange, days.over)
    assert "is CLOSING" in await refused(exchange, "ILLEGAL_STEP", signing.sign, ONE, day.day, "settlement")
    found = await do(exchange, why.obstacles)
    assert {obstacle.step for obstacle in found} == {"books", "close"}
    assert "in the ledger and" in found[0].what


async def test_records_are_chained_and_days_compute_to_the_same_bytes(three_days_closed: SmallExchange) -> None:
    exchange = three_days_closed
    over = await do(exchange, days.over)
    hashes = [await sign_all(exchange, day) for day in over]
    async with exchange.engine.connect() as connection:
        rows = (await connection.execute(select(day_record).order_by(day_record.c.record_no))).all()
    assert [row.previous for row in rows] == [signing.GENESIS, *hashes[:-1]]
    assert [sha256(row.content).digest() for row in rows] == hashes
    for day, record in zip(over, hashes, strict=True):
        assert await do(exchange, records.verify, day.day, record) == record
        again = await do(exchange, records.recompute, day.day)
        assert [one.step for one in again] == [step.name for step in STEPS]
        assert all(one.same for one in again), again
    assert {obstacle.step for obstacle in await do(exchange, why.obstacles)} == {"archive"}
    with pytest.raises(Refused, match="not the one given"):
        await do(exchange, records.verify, over[0].day, hashes[1])


CHANGES = (
    ("close_step", "UPDATE close_step SET output = output || ' ' WHERE step = 'prices'", "output of the step prices"),
    ("close_step", "UPDATE close_step SET facts = '{}' || facts WHERE step = 'fees'", "step fees was made from"),
    ("day_record", "UPDATE day_record SET content = content || ' ' WHERE record_no = 1", "its content was changed"),
    ("day_record", "UPDATE day_record SET previous = hash WHERE record_no = 2", "does not follow the record before"),
    ("day_signature", "UPDATE day_signature SET closing_hash = '\\x00'", "has signed something else"),
    ("day_signature", "UPDATE day_signature SET signed_at = signed_at + 1", "not made of the day's steps and sign"),
    ("business_day", "UPDATE business_day SET closing_hash = '\\x00'", "not those that were signed"),
)
"""Changes that somebody with all rights makes: the table, what is done, and what is found."""


async def test_what_was_changed_is_found(three_days_closed: SmallExchange) -> None:
    over = await do(three_days_closed, days.over)
    for day in over[:2]:
        await sign_all(three_days_closed, day)
    for table, change, what in CHANGES:
        async with three_days_closed.engine.connect() as connection:
            await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            await connection.execute(text(change))
            with pytest.raises(Refused, match=what) as found:
                await records.verify(connection, over[1].day)
            assert found.value.reason == "RECORD_BROKEN"
            await connection.rollback()
    await do(three_days_closed, records.verify, over[1].day)


async def test_a_ledger_that_was_changed_computes_to_other_bytes(three_days_closed: SmallExchange) -> None:
    exchange = three_days_closed
    over = await do(exchange, days.over)
    async with exchange.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE trade DISABLE TRIGGER ALL"))
        await connection.execute(text("UPDATE trade SET price = price + 1"))
    again = await do(exchange, records.recompute, over[1].day)
    differing = {one.step: one.why for one in again if not one.same}
    assert list(differing) == ["prices", "statements", "bulletin"]
    assert "the statement of" in str(differing["statements"])


async def test_why_names_each_missing_signature_and_who_can_give_it(three_days_closed: SmallExchange) -> None:
    exchange = three_days_closed
    over = await do(exchange, days.over)
    await do(exchange, signing.sign, ONE, over[0].day, "settlement")
    found = [obstacle for obstacle in await do(exchange, why.obstacles) if str(over[0].day) in obstacle.what]
    assert [obstacle.what.rpartition(" ")[2] for obstacle in found] == ["warehouse", "risk"]
    assert found[0].who == f"{OTHER} or {RISK}: `goldx day sign {over[0].day} --for warehouse`"
    assert found[1].who == f"{RISK}: `goldx day sign {over[0].day} --for risk`"


@pytest.mark.usefixtures("configured_database")
async def test_people_sign_and_prove_a_day_by_commands(three_days_closed: SmallExchange, tmp_path: Path) -> None:
    before, *_ = [str(day.day) for day in await do(three_days_closed, days.over)]
    assert "is not signed for settlement" in (await goldx("day", "--as", ONE, "why", code=1)).output
    await goldx("day", "--as", ONE, "sign", before, "--for", "settlement")
    said = (await goldx("day", "--as", OTHER, "sign", before, "--for", "warehouse")).output
    assert said.endswith("still to sign: risk\n")
    signed = json.loads((await goldx("day", "--as", RISK, "sign", before, "--for", "risk", "--json")).output)
    record = signed["record"]
    said = (await goldx("day", "--as", ONE, "verify", before, "--record", record)).output
    assert f"as they were made: {record}\nit is not archived yet\n" in said
    assert "not the one given" in (await goldx("day", "--as", ONE, "verify", before, "--record", "00", code=1)).output
    lines = (await goldx("day", "--as", ONE, "recompute", before, "--json")).output.splitlines()
    assert [json.loads(line)["same"] for line in lines] == [True] * len(STEPS)
    assert (await goldx("day", "--as", ONE, "left-open", before)).output.startswith("kind\tsubject\tstate\twhy\n")
    status = json.loads((await goldx("day", "--as", ONE, "status", before, "--json")).output)
    assert (status["state"], status["record"]) == ("SIGNED", record)
    assert [row["signed_by"] for row in status["signatures"]] == [ONE, OTHER, RISK]
    file = tmp_path / "record.json"
    await goldx("day", "--as", ONE, "record", before, "--out", str(file))
    assert "exists already" in (await goldx("day", "--as", ONE, "record", before, "--out", str(file), code=1)).output
    kept = json.loads(file.read_bytes())
    assert sha256(kept["record"].encode()).hexdigest() == kept["sha256"] == record
    outputs = {name: output for name, _, output in json.loads(kept["record"])["steps"]}
    assert {step["step"]: sha256(step["output"].encode()).hexdigest() for step in kept["steps"]} == outputs
    assert FIRST in (await goldx("day", "--as", ONE, "why", code=1)).output
