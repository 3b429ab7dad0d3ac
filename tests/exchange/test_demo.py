"""``goldx demo`` as a person or a script would run it: a process that starts everything and leaves nothing behind."""

import asyncio
import json
import signal
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "goldx.cli", "demo")


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes that work on a data directory, by their environment or arguments."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in told:
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


async def test_the_whole_exchange_agrees_with_itself(folder: Path) -> None:
    arguments = ("--seconds", "6", "--json", "--data-dir", str(folder / "data"))
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=-1, stderr=-1)
    printed, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    told = json.loads(printed.splitlines()[-1])

    assert told["disagreements"] == []
    assert told["breaks"] == 0
    assert told["lots"] == 153
    assert told["withdrawals"] == 1
    assert told["acked_orders"] > 50
    assert told["ledger_trades"] == told["trades"] > 20
    assert told["traded_fine_mg"] > 0
    assert 0 < told["latency_ms"]["p50"] <= told["latency_ms"]["p99"]
    assert "always" in told["durability"], "every acknowledged order was on the disk"
    assert told["replay"] == "the journal gives exactly what was published"
    assert processes_of(folder) == []


async def test_it_stops_everything_when_it_is_told_to_stop(folder: Path) -> None:
    arguments = ("--json", "--data-dir", str(folder / "data"))
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stdout=-1, stderr=-1)
    assert process.stderr is not None
    while b"Money in" not in (line := await process.stderr.readline()):
        assert line, "it ended before it was told to"
    assert processes_of(folder)
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert processes_of(folder) == []


async def test_it_refuses_a_folder_with_something_in_it(folder: Path) -> None:
    (folder / "mine.txt").write_text("not to be touched")
    process = await asyncio.create_subprocess_exec(*COMMAND, "--json", "--data-dir", str(folder), stdout=-1, stderr=-1)
    _, complained = await process.communicate()
    assert process.returncode == 2
    assert "is not empty" in complained.decode()
    assert [file.name for file in folder.iterdir()] == ["mine.txt"]
