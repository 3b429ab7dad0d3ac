"""The conventions of the book as worked cases: through the protocol's JSON, and through ``goldx replay``."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from goldx.protocol import wire
from goldx.protocol.units import BadValue
from matching.core.engine import Engine
from tests.matching.core.convention_cases import Case, Json, Line, commands, judge, read_cases, trades_with_self
from tests.matching.core.driving import apply_plain, command_tuple, read_event

HERE = Path(__file__).parent
OWN = HERE / "cases.jsonl"
SHARED = HERE.parents[3] / "shared" / "cases-conventions.jsonl"


def cases_of(path: Path) -> list[Case]:
    return read_cases(path.read_bytes()) if path.exists() else []


ALL = [pytest.param(case, id=case["name"]) for case in (*cases_of(OWN), *cases_of(SHARED))]


def test_the_shared_cases_are_here() -> None:
    if not SHARED.exists():
        pytest.skip("shared/cases-conventions.jsonl is not beside the repository: only our own cases ran")
    assert len(cases_of(SHARED)) == 35


def run(lines: Iterator[Line], snapshot_after: int | None) -> Iterator[tuple[int, Json]]:
    """Yield each event in its JSON form with the step it belongs to."""
    engine = Engine()
    for line in lines:
        read = msgspec.json.decode(msgspec.json.encode(line.command))
        command = wire.read_command(read["method"], read["params"])
        for event in apply_plain(engine, read["at"], command_tuple(command)):
            yield line.step, msgspec.json.decode(wire.write_event_line(read_event(event)))
        if line.step == snapshot_after:
            engine = Engine.restore(engine.snapshot())


@pytest.mark.parametrize("case", ALL)
def test_case(case: Case) -> None:
    snapshots = [number for number, step in enumerate(case["steps"], 1) if step["op"] == "snapshot_restore"]
    outcome = run(commands(case, 1), snapshots[0] if snapshots else None)
    if trades_with_self(case):
        with pytest.raises(BadValue, match="stp"):
            list(outcome)
        return
    judge(case, list(outcome))


@pytest.mark.parametrize("path", [OWN, SHARED], ids=["own", "shared"])
def test_all_cases_through_goldx_replay(path: Path, tmp_path: Path) -> None:
    """The whole file is one run of the command, with a snapshot where a case has one."""
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the repository")
    cases = [case for case in cases_of(path) if not trades_with_self(case)]
    lines = [(case, line) for number, case in enumerate(cases, 1) for line in commands(case, number)]
    file = tmp_path / "commands.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(line.command) + b"\n" for _, line in lines))
    snapshot_at = next(
        number
        for number, (case, line) in enumerate(lines, 1)
        if line.step and case["steps"][line.step - 1]["op"] == "snapshot_restore"
    )
    plainly = replay(str(file))
    assert replay(str(file), "--snapshot-at", str(snapshot_at)) == plainly
    engine, produced = Engine(), plainly.splitlines(keepends=True)
    outcomes: dict[str, list[tuple[int, Json]]] = {case["name"]: [] for case in cases}
    for case, line in lines:  # the command prints what the core gives: which event belongs to which line
        command = wire.read_command(line.command["method"], line.command["params"])
        for event in apply_plain(engine, line.command["at"], command_tuple(command)):
            written = produced.pop(0)
            assert written == wire.write_event_line(read_event(event))
            outcomes[case["name"]].append((line.step, msgspec.json.decode(written)))
    assert produced == []
    for case in cases:
        judge(case, outcomes[case["name"]])


def replay(*arguments: str) -> bytes:
    goldx = Path(sys.executable).with_name("goldx")
    done = subprocess.run([goldx, "replay", *arguments], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
