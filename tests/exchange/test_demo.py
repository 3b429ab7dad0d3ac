"""``goldx demo`` as a process, as a person or a script would run it: it leaves nothing running."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from goldx.protocol.events import EVENTS

COMMAND = (sys.executable, "-m", "goldx.cli", "demo")


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of the processes that work on a data directory, by environment or arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            content = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in content:
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.campaign
async def test_the_whole_exchange_agrees_with_itself(folder: Path) -> None:
    arguments = ("--seconds", "6", "--json", "--data-dir", str(folder / "data"))
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=-1, stderr=-1)
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    outcome = json.loads(printed.splitlines()[-1])

    assert outcome["disagreements"] == []
    assert outcome["breaks"] == 0
    assert outcome["bank"]["difference_cny"] == "0.00"
    assert outcome["bank"]["breaks"] == []
    assert outcome["lots"] == 153
    assert outcome["withdrawals"] == 1
    assert outcome["acked_orders"] > 50
    assert outcome["ledger_trades"] == outcome["trades"] > 20
    assert outcome["traded_fine_mg"] > 0
    assert 0 < outcome["latency_ms"]["p50"] <= outcome["latency_ms"]["p99"]
    assert "always" in outcome["durability"], "every acknowledged order was on the disk"
    assert outcome["rfq"]["request"]["status"] == "accepted"
    assert {trade["kind"] for trade in outcome["rfq"]["trades"]} == {"rfq"}
    assert len({trade["price"] for trade in outcome["rfq"]["trades"]}) == 1 < len(outcome["rfq"]["trades"])
    day = outcome["day"]
    assert (day["closed"], day["signed"]) == (True, True)
    assert next(iter(day["steps"])) == "books"
    assert all(len(hashed) == 64 for hashed in (*day["steps"].values(), day["record"]))
    with (folder / "data" / "events.jsonl").open() as lines:
        produced = {json.loads(line)["event"] for line in lines}
    assert produced == {kind.event for kind in EVENTS}
    assert outcome["replay"] == "the journal gives exactly what was published"
    assert processes_of(folder) == []


def gateway_of(folder: Path) -> int:
    """Return the process id of the gateway that works on a data directory."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue
        if words.endswith(b"goldx.cli\0gateway\0") and str(folder).encode() in environment:
            return int(process.name)
    raise AssertionError("no gateway runs")


@pytest.mark.campaign
async def test_it_survives_the_loss_of_its_gateway(folder: Path) -> None:
    arguments = ("--seconds", "12", "--json", "--data-dir", str(folder / "data"))
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=-1, stderr=-1)
    assert process.stderr is not None
    while b"Trading" not in (line := await process.stderr.readline()):
        assert line, "it ended before it traded"
    await asyncio.sleep(4)
    os.kill(gateway_of(folder), signal.SIGKILL)
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    outcome = json.loads(printed.splitlines()[-1])
    assert outcome["disagreements"] == []
    assert outcome["breaks"] == 0


@pytest.mark.campaign
async def test_a_termination_signal_stops_everything(folder: Path) -> None:
    arguments = ("--json", "--data-dir", str(folder / "data"))
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=-1, stderr=-1)
    assert process.stderr is not None
    while b"Money in" not in (line := await process.stderr.readline()):
        assert line, "it ended before it got the signal"
    assert processes_of(folder)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert processes_of(folder) == []


async def test_a_folder_that_is_not_empty_is_refused(folder: Path) -> None:
    (folder / "mine.txt").write_text("not to be touched")
    process = await asyncio.create_subprocess_exec(*COMMAND, "--json", "--data-dir", str(folder), stdout=-1, stderr=-1)
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert "is not empty" in errors.decode()
    assert [file.name for file in folder.iterdir()] == ["mine.txt"]
