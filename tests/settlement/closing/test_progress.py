"""How far a step is: reported to who runs the close, and seen by others while it runs."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing import progress, statements
from settlement.closing.listing import status
from settlement.closing.progress import Running, StepProgress
from settlement.reconciliation import three_way
from settlement.tables.closing import close_progress
from tests.settlement.closing.days import close
from tests.settlement.commands import goldx
from tests.settlement.small_exchange import ONE, SmallExchange, do, find_breaks

pytestmark = pytest.mark.usefixtures("reported_at_once")


async def test_each_account_and_comparison_is_reported_and_seen(
    three_days_over: SmallExchange, before_each_account: Callable[[Any], None]
) -> None:
    seen: list[Running | None] = []
    said: list[StepProgress] = []

    async def look(day: date) -> None:
        seen.append((await do(three_days_over, status, day)).progress)

    before_each_account(look)
    (day, *_) = await closing.close(three_days_over.engine, ONE, said.append)
    of_day = [made for made in said if made.day == day]
    accounts = [(made.done, made.of) for made in of_day if made.step == statements.NAME and made.of]
    assert accounts == [(number, len(accounts)) for number in range(1, len(accounts) + 1)]
    assert len(accounts) > 1
    assert seen[: len(accounts)] == [None, *(Running(statements.NAME, *made) for made in accounts[:-1])]
    compared = [(made.done, made.of) for made in of_day if made.step == "reconciliation" and made.of]
    assert compared == [(number, len(three_way._CHECKS)) for number in range(1, len(three_way._CHECKS) + 1)]
    assert str(of_day[-1]) == f"{day} {of_day[-1].number}/{of_day[-1].steps} left_open: DONE"
    assert (await do(three_days_over, status, day)).progress is None
    assert await find_breaks(three_days_over) == ()


@pytest.mark.usefixtures("configured_database")
async def test_a_close_that_was_killed_and_started_again_begins_with_nothing_done(
    three_days_over: SmallExchange, before_each_account: Callable[[Any], None]
) -> None:
    seen: list[Running | None] = []

    async def look_and_end(day: date) -> None:
        seen.append((await do(three_days_over, status, day)).progress)
        if len(seen) == 2:
            raise KeyboardInterrupt

    before_each_account(look_and_end)
    with pytest.raises(KeyboardInterrupt):
        await close(three_days_over)
    (day, *_) = await do(three_days_over, days.over)
    shown = json.loads((await goldx("day", "--as", ONE, "status", str(day.day), "--json")).output)
    assert shown["progress"] == {"step": "statements", "done": 1, "of": shown["progress"]["of"]}
    assert len(await close(three_days_over)) == 3
    assert [found and found.done for found in seen[:3]] == [None, 1, None]
    async with three_days_over.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(close_progress)) == 3


async def test_a_quick_step_tells_nothing(three_days_over: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_SECONDS", 1e9)
    said: list[StepProgress] = []
    await closing.close(three_days_over.engine, ONE, said.append)
    assert not [made for made in said if made.of]
    async with three_days_over.engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(close_progress)) == 0
