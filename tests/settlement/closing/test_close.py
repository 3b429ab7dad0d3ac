"""Days are closed step by step, oldest first, and whatever stops a close, the next one ends with the same bytes."""

import asyncio
import json
from datetime import date

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import registry
from settlement.base.database import one_at_a_time
from settlement.base.refusal import Refused
from settlement.closing import benchmark_prices, reconciled, records, steps, why
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing.differs import PaperDiffers
from settlement.closing.obstacles import Blocked, Obstacle
from settlement.closing.steps import STEPS
from settlement.tables.closing import balance_at_end, business_day, close_step, day_price
from tests.settlement.closing.days import FIRST, SECOND, THIRD, close
from tests.settlement.commands import goldx
from tests.settlement.small_exchange import ONE, SmallExchange, do, find_breaks


async def outputs(exchange: SmallExchange) -> dict[tuple[str, str], tuple[bytes, bytes]]:
    async with exchange.engine.connect() as connection:
        rows = await connection.execute(select(close_step))
        return {(str(row.day), row.step): (row.input_hash, row.output) for row in rows}


async def test_missed_days_are_closed_one_by_one_oldest_first(three_days_over: SmallExchange) -> None:
    before, *rest = await close(three_days_over)
    assert rest == [FIRST, SECOND]
    assert before < FIRST
    assert await close(three_days_over) == []
    assert await find_breaks(three_days_over) == (), "each row that a close writes belongs to an act"
    async with three_days_over.engine.connect() as connection:
        rows = (await connection.execute(select(business_day).order_by(business_day.c.day))).all()
        assert [row.first_sequence for row in rows[1:]] == [row.last_sequence + 1 for row in rows[:-1]]
        assert {row.state for row in rows} == {"CLOSED"}
        prices = {
            str(row.day): (row.closing_price, row.closing_method, row.settlement_price, row.settlement_method)
            for row in await connection.execute(select(day_price))
        }
    assert prices == {
        before: (60_000, "REFERENCE", 60_000, "REFERENCE"),
        FIRST: (60_000, "LAST", 60_000, "AVERAGE"),
        SECOND: (60_000, "PREVIOUS", 60_000, "PREVIOUS"),
    }


LAST_STEP = len(steps.STEPS) - 1
WITH_FACTS = next(number for number, step in enumerate(steps.STEPS) if step.facts is not None)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, marks=() if number in (WITH_FACTS, LAST_STEP) else pytest.mark.campaign)
        for number in range(len(steps.STEPS))
    ],
)
async def test_a_close_that_ends_in_a_step_is_taken_up_there(
    three_days_over: SmallExchange, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step has done its work, and the transaction is not committed."""
    step = steps.STEPS[number]

    async def end(connection: AsyncConnection, day: days.Day, facts: bytes | None = None) -> bytes:
        await step.run(connection, day, facts)
        raise KeyboardInterrupt

    ending = step._replace(work=end, long_work=None) if step.facts is None else step._replace(work_with_facts=end)
    broken = (*steps.STEPS[:number], ending, *steps.STEPS[number + 1 :])
    with monkeypatch.context() as patched:
        patched.setattr(closing, "STEPS", broken)
        with pytest.raises(KeyboardInterrupt):
            await close(three_days_over)
    found = await outputs(three_days_over)
    assert [output is None for _, output in found.values()].count(True) == 1
    assert len(await close(three_days_over)) == 3
    whole = await outputs(three_days_over)
    assert {key: value for key, value in found.items() if value[1]}.items() <= whole.items()
    assert len(whole) == 3 * len(steps.STEPS)


async def test_two_closes_do_not_run_at_once(three_days_over: SmallExchange) -> None:
    async with one_at_a_time(three_days_over.engine, closing._CLOSE_LOCK, Refused("CLOSE_RUNNING", "before")):
        with pytest.raises(Refused, match="another close is running") as found:
            await close(three_days_over)
    assert found.value.reason == "CLOSE_RUNNING"


async def test_a_day_is_not_closed_while_engine_and_ledger_differ(three_days_over: SmallExchange) -> None:
    async with three_days_over.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE holding_at_end DISABLE TRIGGER append_only"))
        await connection.execute(
            text("UPDATE holding_at_end SET total = total + 1 WHERE account = 'B.H' AND asset = 'AU'")
        )
    (before,) = [str(day.day) for day in await do(three_days_over, days.over)][:1]
    with pytest.raises(Blocked, match=f"{FIRST} cannot be closed: books: B.H has 20 of AU in the ledger and 20.001"):
        await close(three_days_over)
    async with three_days_over.engine.connect() as connection:
        states = {str(row.day): row.state for row in await connection.execute(select(business_day))}
        (blocked,) = (await connection.execute(select(close_step).where(close_step.c.status == "BLOCKED"))).all()
    assert states == {before: "CLOSED", FIRST: "CLOSING"}
    assert [obstacle["step"] for obstacle in blocked.obstacles] == ["books"]
    async with three_days_over.engine.begin() as connection:
        await connection.execute(
            text("UPDATE holding_at_end SET total = total - 1 WHERE account = 'B.H' AND asset = 'AU'")
        )
    assert await close(three_days_over) == [FIRST, SECOND]


async def test_a_close_that_an_older_program_has_begun_is_finished_without_the_steps_added_since(
    three_days_over: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a step would stand before others that are done: those of the older program, up to one that has obstacles."""
    older = tuple(step for step in STEPS if step.name != benchmark_prices.NAME)
    blocked = reconciled.NAME

    async def obstacle(*_: object) -> list[Obstacle]:
        return [Obstacle(blocked, "a difference", "a clerk")]

    stopping = tuple(step._replace(obstacles=obstacle) if step.name == blocked else step for step in older)
    monkeypatch.setattr(closing, "STEPS", stopping)
    with pytest.raises(Blocked):
        await close(three_days_over)
    monkeypatch.setattr(closing, "STEPS", STEPS)
    closed = await close(three_days_over)
    found = {
        day: [row.step for row in await do(three_days_over, closing.steps_of, date.fromisoformat(day))]
        for day in closed
    }
    first, *later = closed
    assert found[first] == [step.name for step in older]
    assert all(found[day] == [step.name for step in STEPS] for day in later)
    for day in closed:
        assert all(one.same for one in await do(three_days_over, records.recompute, date.fromisoformat(day)))


async def test_what_is_closed_is_not_changed(three_days_closed: SmallExchange) -> None:
    for statement in (
        "UPDATE close_step SET output = 'x'",
        "DELETE FROM close_step",
        "UPDATE business_day SET state = 'CLOSING'",
        "DELETE FROM business_day",
        "UPDATE day_price SET closing_price = 1",
        "TRUNCATE balance_at_end",
        "DELETE FROM holding_at_end",
    ):
        with pytest.raises(Exception, match=r"is refused: (the step is done|the day is closed|it is append-only)"):
            async with three_days_closed.engine.begin() as connection:
                await connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO holding_at_end SELECT 'X.H', 'AU', last_sequence, 5, 0, 0, 0 FROM business_day",
        "INSERT INTO stock_at_end SELECT 'X.H', 'AU', last_sequence, 5, 0 FROM business_day",
        "INSERT INTO instrument_at_end SELECT last_sequence, 'XX', 5, 5 FROM business_day",
        "INSERT INTO balance_at_end SELECT 999, last_sequence, 5 FROM business_day",
        "INSERT INTO balance_at_end SELECT 999, last_sequence - 1, 5 FROM business_day",
    ],
)
async def test_an_end_that_was_kept_gets_no_rows_later(three_days_closed: SmallExchange, statement: str) -> None:
    with pytest.raises(Exception, match="what was there at that event is kept already"):
        await do(three_days_closed, AsyncConnection.execute, text(statement))


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        (
            "INSERT INTO day_benchmark SELECT day, 'GRAIN', 1, 'AVERAGE', 1, 1, 1, '{}' FROM business_day",
            "day_benchmark",
        ),
        ("INSERT INTO day_price SELECT day, 'XX', 1, 'LAST', 1, 'AVERAGE', '{}' FROM business_day", "day_price"),
        (
            "INSERT INTO close_step (day, step, position, status, started_at) "
            "SELECT min(day), 'more', 99, 'RUNNING', 1 FROM business_day",
            "close_step",
        ),
        (
            "INSERT INTO business_day (day, first_sequence, last_sequence, ended_at, state, started_at, started_by) "
            "VALUES ('2020-01-01', -2, -1, 1, 'CLOSING', 1, 'x')",
            "business_day",
        ),
        ("UPDATE account_statement SET status = 'CONFIRMED', accepted_by = 'x', accepted_at = 1", "account_statement"),
        ("UPDATE trading_day SET day = day - 30", "trading_day"),
        ("UPDATE trading_day SET kept = NOT kept", "trading_day"),
        ("INSERT INTO phase_change VALUES (9999, 1, 'AU', 1, 0)", "phase_change"),
        ("INSERT INTO bulletin (day, content, hash, made_at) VALUES ('2020-01-01', '{}', sha256(''), 1)", "bulletin"),
        (
            "INSERT INTO day_signature SELECT day, 'risk', 'clerk-1', closing_hash, 1 FROM business_day",
            "day_signature",
        ),
        (
            "INSERT INTO day_record (day, previous, content, hash, made_at) "
            "SELECT min(day), sha256('a'), '{}', sha256('b'), 1 FROM business_day",
            "day_record",
        ),
        ("DELETE FROM accrual_day", "accrual_day"),
        ("INSERT INTO accrual_day VALUES ('2099-01-01', 1)", "accrual_day"),
        ("INSERT INTO acts_read VALUES ('t', '9999999999999-0')", "acts_read"),
    ],
)
@pytest.mark.usefixtures("configured_database")
async def test_rows_of_the_close_that_are_changed_by_hand_are_named(
    three_days_closed: SmallExchange, statement: str, named: str
) -> None:
    """With all triggers on, by a reconciliation and by the auditor's command."""
    await do(three_days_closed, AsyncConnection.execute, text(statement))
    found = await find_breaks(three_days_closed)
    assert {(one.kind, one.subject.partition(":")[0]) for one in found} >= {("HISTORY", named)}, found
    assert f"{named} " in (await goldx("audit", "verify", code=1)).output


async def test_balances_are_kept_for_the_accounts_that_moved(three_days_over: SmallExchange) -> None:
    await close(three_days_over)
    over = await do(three_days_over, days.over)
    async with three_days_over.engine.connect() as connection:
        kept = (await connection.execute(select(balance_at_end.c.sequence))).scalars().all()
    assert [kept.count(day.last) for day in over] == [4, 5, 2], "a day without movements costs nothing"


@pytest.mark.usefixtures("three_days_over", "configured_database")
async def test_a_clerk_closes_days_and_looks_at_them() -> None:
    said = (await goldx("day", "--as", ONE, "close", "--until", FIRST)).output.splitlines()
    count = len(steps.STEPS)
    assert said[0].endswith(f"1/{count} books: RUNNING")
    assert said[-2] == f"{FIRST} {count}/{count} {steps.STEPS[-1].name}: DONE"
    assert said[-1].endswith(FIRST)
    assert json.loads((await goldx("day", "--as", ONE, "close", "--json")).output) == {"closed": [SECOND]}
    rows = [json.loads(line) for line in (await goldx("day", "--as", ONE, "list", "--json")).output.splitlines()]
    assert [(row["day"], row["state"]) for row in rows[1:]] == [(FIRST, "CLOSED"), (SECOND, "CLOSED")]
    shown = json.loads((await goldx("day", "--as", ONE, "status", "--json", SECOND)).output)
    assert shown["state"] == "CLOSED"
    assert [step["status"] for step in shown["steps"]] == ["DONE"] * count
    assert "that the engine has ended" in (await goldx("day", "--as", ONE, "status", THIRD, code=1)).output
    (price,) = (await goldx("day", "--as", ONE, "prices", "--json", FIRST)).output.splitlines()
    assert json.loads(price)["closing_cny"] == "600.00"
    assert json.loads(price)["inputs"]["day"]["quantity_mg"] == 20_000


async def test_why_says_what_a_paper_that_differs_has_stopped(three_days_over: SmallExchange) -> None:
    exchange = three_days_over
    async with exchange.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE trade DISABLE TRIGGER ALL"))
        await connection.execute(text("UPDATE trade SET amount = amount + 1"))
    with pytest.raises(PaperDiffers, match="opening and movements make"):
        await close(exchange)
    found = [obstacle for obstacle in await do(exchange, why.obstacles) if obstacle.step == "statements"]
    assert ["opening and movements make" in obstacle.what for obstacle in found] == [True]
    assert "goldx day close" in found[0].who
    async with exchange.engine.begin() as connection:
        (blocked,) = (await connection.execute(select(close_step).where(close_step.c.status == "BLOCKED"))).all()
        await connection.execute(text("UPDATE trade SET amount = amount - 1"))
    assert blocked.step == "statements"
    assert await close(exchange) == [FIRST, SECOND]


async def test_a_step_waits_for_an_act_that_is_held_open(three_days_over: SmallExchange) -> None:
    """It sees the rows that were written before it began and committed later."""
    engine = three_days_over.engine
    waiting = text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    async with engine.begin() as held:
        await registry.add_staff(held, "test", "late", "Late", ["settle"])
        closing_now = asyncio.create_task(close(three_days_over))
        try:
            async with engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                while not await connection.scalar(waiting):
                    assert not closing_now.done()
                    await asyncio.sleep(0.05)
                assert not (await connection.execute(select(close_step))).all()
        except BaseException:
            closing_now.cancel()
            raise
    assert len(await closing_now) == 3
    assert await find_breaks(three_days_over) == ()
