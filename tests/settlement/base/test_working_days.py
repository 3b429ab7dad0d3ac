"""Working days come from the trading calendar, where there is one, and from nowhere else."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.base import working_days
from settlement.base.refusal import Refused
from settlement.service.process import Settlement
from settlement.tables.base import audit_log
from tests.goldx.timetable.days import example, text_of
from tests.settlement.small_exchange import ONE

BY = "settlement"


async def test_the_calendar_replaces_what_was_entered_by_hand(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await working_days.set_day(connection, ONE, date(2026, 11, 24), False, "entered by hand")
        assert await working_days.take_over(connection, BY, example())
        assert not await working_days.take_over(connection, BY, example())
        assert await working_days.is_working(connection, date(2026, 11, 24))
        # The eve of a holiday of seven days; the Saturday after it is worked.
        assert await working_days.after(connection, date(2026, 9, 30), 3) == date(2026, 10, 10)
        assert await working_days.after(connection, date(2026, 9, 30), 4) == date(2026, 10, 12)
        with pytest.raises(Refused, match="runs from 2026-09-01 to 2026-12-31: change it there") as refused:
            await working_days.set_day(connection, ONE, date(2026, 11, 24), False, "entered by hand")
        assert refused.value.reason == "CALENDAR_IN_FILE"
        for outside in (date(2026, 8, 31), date(2027, 1, 1)):
            with pytest.raises(Refused, match=f"not to {outside}") as refused:
                await working_days.is_working(connection, outside)
            assert refused.value.reason == "CALENDAR_UNKNOWN"
        written = select(func.count()).where(audit_log.c.action == "calendar.take_over")
        assert await connection.scalar(written) == 1


async def test_settlement_takes_the_calendar_over_and_keeps_it_when_the_file_is_damaged(
    engine: AsyncEngine, migrated_url: str, valkey_url: str, shard: str, tmp_path: Path
) -> None:
    file = tmp_path / "calendar.csv"
    file.write_text(text_of())
    service = Settlement(migrated_url, valkey_url, shard, calendar_file=file)
    try:
        await service.begin_day(date(2026, 11, 24))
        file.write_text("damaged")
        await service.begin_day(date(2026, 11, 25))
    finally:
        await service.close()
    async with engine.begin() as connection:
        assert await working_days.after(connection, date(2026, 9, 30), 1) == date(2026, 10, 8)
