"""``goldx replay``: the same input gives the same bytes, and a line that is no command ends it with its number."""

from pathlib import Path
from random import Random

import pytest

from goldx.protocol import wire
from matching.archive.replay import Replay, write_line
from matching.core.engine import Engine
from tests.matching.archive.goldx_command import run_goldx
from tests.matching.core.dice import SeededDice
from tests.matching.core.driving import command_tuple, read_event
from tests.matching.core.flows import Flow
from tests.matching.shards import traffic

LINES = [
    b'{"at":1,"method":"instrument.define","params":{"symbol":"AU"}}\n',
    b'{"at":1,"method":"account.open","params":{"account":"a","member":"m"}}\n',
    b'{"at":7,"method":"holding.adjust","params":{"account":"a","asset":"AU","amount":"5","reference":"r"}}\n',
]


async def replay(*arguments: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
    """Run ``goldx replay`` and return its exit code, standard output and standard error."""
    done = await run_goldx({}, "replay", *arguments, stdin=stdin)
    return done.returncode, done.stdout, done.stderr.decode()


def generated_day() -> list[bytes]:
    """A generated day in its readable form."""
    flow = Flow(SeededDice(Random(12)))
    commands = [command for frame in traffic(12, 300) for command in frame.commands]
    return [write_line(flow.at + number, command) for number, command in enumerate(commands)]


async def test_events_of_a_file_and_of_standard_input(tmp_path: Path) -> None:
    """The output is what the core gives for each line, in order; the digest goes to standard error."""
    engine, expected = Engine(), b""
    for number, command in enumerate(command for frame in traffic(12, 300) for command in frame.commands):
        events = engine.apply(1_000 + number, command_tuple(command))
        expected += b"".join(wire.write_event_line(read_event(event)) for event in events)
    file = tmp_path / "day.jsonl"
    file.write_bytes(b"".join(generated_day()))
    assert await replay(str(file)) == (0, expected, "")
    assert await replay("-", "--digest", stdin=file.read_bytes()) == (0, expected, engine.digest() + "\n")


def test_a_snapshot_after_any_line_does_not_change_the_events(tmp_path: Path) -> None:
    lines = generated_day()
    whole = Replay()
    expected = b"".join(whole.run(lines))
    every = Replay()
    found = []
    for events in every.run(lines):
        found.append(events)
        every.reread(tmp_path / "snapshot" if every.lines % 2 else None)
    assert b"".join(found) == expected
    assert every.engine.digest() == whole.engine.digest()


async def test_snapshot_at_a_line(tmp_path: Path) -> None:
    without = await replay("-", "--digest", stdin=b"".join(LINES))
    snapshot = tmp_path / "state"
    arguments = ("-", "--digest", "--snapshot-at", "2", "--snapshot-file", str(snapshot))
    assert await replay(*arguments, stdin=b"".join(LINES)) == without
    state = Engine.restore(snapshot.read_bytes())
    assert state.sequence == without[1].count(b"\n", 0, without[1].index(b'"at":7'))
    code, out, errors = await replay("-", "--snapshot-at", "4", stdin=b"".join(LINES))
    assert (code, out, errors) == (2, without[1], "goldx replay: --snapshot-at 4: there are only 3 lines\n")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\n", 'line: "" is not allowed'),
        (b"{\n", "one JSON object"),
        (b"[1]\n", "line: [1] is not allowed; it must be one JSON object"),
        (b"\xff\n", "one JSON object"),
        (b'{"at":9,"method":"clock.tock","params":{}}\n', 'method: "clock.tock" is not allowed'),
        (b'{"at":9,"method":"clock.tick"}\n', "params: null is not allowed; it must be an object"),
        (b'{"at":9,"method":"clock.tick","params":{"x":1}}\n', "x: 1 is not allowed"),
        (b'{"at":9,"method":"clock.tick","params":{},"id":4}\n', "id: 4 is not allowed"),
        (b'{"method":"clock.tick","params":{}}\n', "at: null is not allowed"),
        (b'{"at":"9","method":"clock.tick","params":{}}\n', 'at: "9" is not allowed'),
        (b'{"at":6,"method":"clock.tick","params":{}}\n', "at: 6 is not allowed; it must be not before"),
        (b'{"at":9,"method":"market.set_reference","params":{"symbol":"AU","price":612}}\n', "price: 612"),
    ],
)
def test_a_line_that_is_no_command_ends_it(line: bytes, reason: str) -> None:
    work = Replay()
    given: list[bytes] = []
    with pytest.raises(ValueError, match="line 4: ") as refused:
        given.extend(work.run([*LINES, line, LINES[2]]))
    assert reason in str(refused.value)
    assert given == list(Replay().run(LINES))


async def test_the_events_before_a_bad_line_are_printed_and_the_exit_code_is_2() -> None:
    _, expected, _ = await replay("-", stdin=b"".join(LINES))
    code, out, errors = await replay("-", stdin=b"".join([*LINES, b"nonsense\n", *LINES]))
    assert (code, out) == (2, expected)
    assert errors.startswith("goldx replay: line 4: ")
    assert errors.count("\n") == 1


async def test_a_missing_file_is_named() -> None:
    code, out, errors = await replay("nowhere.jsonl")
    assert (code, out) == (2, b"")
    assert "nowhere.jsonl" in errors
