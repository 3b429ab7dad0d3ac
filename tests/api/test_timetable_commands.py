"""An operator deviates from the timetable through a gateway; the status and the metrics say whether it is followed."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner
from redis.asyncio import Redis

from goldx.streams.keys import Keys
from goldx.timetable import calendar, compiled
from goldx.timetable.status import TimetableStatus, publish_status
from goldx.timetable.timetable_command import timetable
from goldx.timetable.venue_time import today
from tests.api.conftest import Desk
from tests.goldx.timetable.test_compiled import EXAMPLE
from tests.http_client import http_client


def write_timetable(desk: Desk, folder: Path) -> Path:
    """Write the example's timetable for the desk's instrument, with days around today."""
    days = calendar.draft(today() - timedelta(days=15), today() + timedelta(days=15), "N")
    text = EXAMPLE.replace("AU-DORE", desk.symbol)
    file = folder / "timetable.json"
    file.write_bytes(compiled.compile_timetable(text, calendar.parse(calendar.write(days))).write())
    return file


async def test_hold_release_and_delay(desk: Desk, tmp_path: Path) -> None:
    timetable_file, key = write_timetable(desk, tmp_path), tmp_path / "op.pem"
    desk.services.keys["op"].save(key)

    async def run(*arguments: str) -> str:
        given = (*arguments, "--key", str(key), "--reason", "a test", "--url", desk.server.url)
        return (await asyncio.to_thread(CliRunner().invoke, timetable, given)).output

    delay = ("delay", desk.symbol, "--timetable", str(timetable_file), "--minutes")
    assert json.loads(await run("hold", desk.symbol))["held"] is True
    assert "BAD_VALUE: it is held already" in await run("hold", desk.symbol)
    assert json.loads(await run("release", desk.symbol))["held"] is False
    delayed = json.loads(await run(*delay, "30", "--from", "08:45", "--to", "09:00"))
    assert (delayed["event"], delayed["delay_ms"]) == ("timetable.delayed", 1_800_000)
    assert delayed["last_at"] - delayed["first_at"] == 900_000
    # The closing steps, up to the day's last.
    assert json.loads(await run(*delay, "10", "--from", "15:25"))["delay_ms"] == 600_000
    assert "closed would begin until" in await run(*delay, "15", "--from", "15:25")
    assert "continuous would begin until" in await run(*delay, "150", "--from", "08:45", "--to", "09:00")
    assert "09:01 is not the time of one planned step; there are" in await run(*delay, "1", "--from", "09:01")
    assert "--from 09:00 comes after --to 08:45" in await run(*delay, "1", "--from", "09:00", "--to", "08:45")


async def test_status_and_metrics_say_whether_the_timetable_is_followed(desk: Desk, redis: Redis) -> None:
    keys = Keys(desk.services.shard)
    async with http_client(desk.server.url, timeout=60) as http:
        assert (await http.get("/v1/status")).json()["timetable"] is None
        for trouble, followed in (((), "1.0"), (("it is not",), "0.0")):
            await publish_status(redis, keys, TimetableStatus("abc", "2026-11-24", 1, (), (), trouble))
            shown = (await http.get("/v1/status")).json()["timetable"]
            assert (shown["sha256"], shown["trouble"]) == ("abc", list(trouble))
            metrics = (await http.get("/metrics")).text.splitlines()
            (line,) = [line for line in metrics if line.startswith("goldx_timetable_followed{")]
            assert line.endswith(f" {followed}")


async def test_a_day_that_the_calendar_does_not_have_does_not_begin(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "calendar.csv"
    days = calendar.draft(
        today() - timedelta(days=15), today() + timedelta(days=12), "N", [today() + timedelta(days=9)]
    )
    server = await desk.services.start_gateway("with-calendar", calendar_file=file)

    async def refusal(ahead: int) -> str:
        day = str(today() + timedelta(days=ahead))
        answer = await desk.services.ask_operator(server, "market.end_day", {"next_trading_day": day})
        assert answer.status_code == 409, answer.text
        return str(answer.json()["detail"])

    assert "the trading calendar is refused: [Errno 2]" in await refusal(9)
    file.write_text(calendar.write(days))
    assert "is no trading day but a holiday (N)" in await refusal(9)
    assert "is not in the calendar, which runs from" in await refusal(13)
