"""The output of commands: tables, records and JSON."""

import contextlib
import json
import os
from datetime import date

import click
from click.testing import CliRunner

from goldx.cli import main
from goldx.output import JSON, Both, Table, print_record

ROWS: list[tuple[object, ...]] = [
    (1, "旧金", date(2026, 11, 24), [1, 2], None, True, Both("1-3", [1, 2, 3])),
    (12, "bar\tof\nscrap", date(2026, 11, 25), [], {"fine_g": "1.5"}, False, Both("", [])),
]
COLUMNS = "number bar day lots detail gone of"


@click.command()
@JSON
def table() -> None:
    shown = Table(COLUMNS)
    for row in ROWS:
        shown.print([row])


@click.command()
@JSON
def record() -> None:
    print_record({"lot": 1, "fine_g": None, "history": [{"step": "arrive", "by": "clerk-1"}], "parents": []})


def test_a_table_has_headings_and_a_line_for_each_row() -> None:
    assert CliRunner().invoke(table).output.splitlines() == [
        "number\tbar\tday\tlots\tdetail\tgone\tof",
        "1\t旧金\t2026-11-24\t1,2\t-\tyes\t1-3",
        '12\tbar of scrap\t2026-11-25\t-\t{"fine_g": "1.5"}\tno\t-',
    ]


def on_terminal(command: click.Command) -> list[str]:
    """Run a command whose standard output is a terminal; return the lines that it shows."""
    master, slave = os.openpty()
    with open(slave, "w") as terminal, contextlib.redirect_stdout(terminal):
        command.main([], standalone_mode=False)
    shown = b""
    with contextlib.suppress(OSError):  # the end of what a terminal shows, once nobody writes to it any more
        while part := os.read(master, 4_096):
            shown += part
    os.close(master)
    return shown.decode().splitlines()


def test_a_terminal_shows_aligned_columns() -> None:
    """A Chinese character is as wide as two others; columns stay as wide as what was already shown in them."""
    assert on_terminal(table) == [
        "number  bar   day         lots  detail  gone  of",
        "1       旧金  2026-11-24  1,2   -       yes   1-3",
        '12      bar of scrap  2026-11-25  -     {"fine_g": "1.5"}  no    -',
    ]
    assert on_terminal(record)[:3] == ["lot      1", "fine_g   -", "parents  -"]


def test_json_is_one_object_a_line() -> None:
    shown = [json.loads(line) for line in CliRunner().invoke(table, ["--json"]).output.splitlines()]
    assert [list(one) for one in shown] == [COLUMNS.split()] * 2
    assert list(shown[0].values()) == [1, "旧金", "2026-11-24", [1, 2], None, True, [1, 2, 3]]
    (line,) = CliRunner().invoke(record, ["--json"]).output.splitlines()
    assert json.loads(line)["history"] == [{"step": "arrive", "by": "clerk-1"}]


def test_a_record_ends_with_its_tables() -> None:
    expected = "lot\t1\nfine_g\t-\nparents\t-\n\nhistory:\nstep\tby\narrive\tclerk-1\n"
    assert CliRunner().invoke(record).output == expected


def test_every_command_that_shows_something_has_json() -> None:
    """A command that shows something says so in its first word."""
    without, shows = [], 0

    def walk(command: click.Command, words: str) -> None:
        nonlocal shows
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                found = command.get_command(click.Context(command), name)
                assert found is not None
                walk(found, f"{words} {name}")
        elif (command.help or "").startswith(("Show ", "Compare ", "Check NUMBER", "Value ")):
            shows += 1
            if not any("--json" in parameter.opts for parameter in command.params):
                without.append(words)

    walk(main, "goldx")
    assert without == []
    assert shows >= 30
