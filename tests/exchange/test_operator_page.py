"""The operator's page, typed line by line on a new exchange."""

import re
import shlex
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from goldx.demo.shell import Shell
from goldx.hosting.settings import Settings
from goldx.hosting.supervisor import Supervisor
from tests.exchange.test_by_hand import TO_THE_ENGINE, check, lines_to_type, until_posted


def next_weekday() -> date:
    """Return a date that may be the next trading day now, instead of the date on the page."""
    days = [(datetime.now(UTC) + timedelta(hours=8 + 24 * ahead)).date() for ahead in (1, 2, 3)]
    return next(day for day in days if day.weekday() < 5)


@pytest.mark.campaign
async def test_a_venue_is_brought_up_and_has_a_trading_day(working_folder: Path) -> None:
    settings = Settings(data_dir=working_folder / "data", gateway_port=0)
    async with (
        Supervisor(settings, services=("engine", "settlement", "gateway"), negotiated=True) as supervisor,
        Shell(supervisor.environment, working_folder / "commands.jsonl") as shell,
    ):
        lines = lines_to_type("operator.md")
        assert len(lines) > 20
        for typed, printed in lines:
            command = re.sub(r'("next_trading_day": )"[0-9-]+"', rf'\1"{next_weekday()}"', typed)
            program, *words = shlex.split(command)
            assert program == "goldx"
            check(command, await shell.execute(*words), printed)
            if any(word in words for word in TO_THE_ENGINE):
                await until_posted(supervisor)
