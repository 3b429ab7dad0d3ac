"""The options of all commands of a clerk: the same thing has the same name, and its unit is named."""

from collections import defaultdict
from collections.abc import Iterator

import click
import pytest

from settlement.clerk import clerk
from settlement.clerk.day import day
from settlement.clerk.options import DayType
from tests.settlement.commands import goldx

OLD = {"--grams", "--weight", "--minimum-lot", "--text", "--before", "--on", "--to", "--state", "--number"}
"""Names that some commands had for what others call --gross, --fine, --min-fine, --explanation, --until, --day,
--warehouse or --to-account, --status and --accreditation-number."""
UNITS = {
    "GRAMS": {"--gross", "--fine", "--min-fine", "--resolution", "--capacity", "--min-deduction"},
    "CNY": {"--amount", "--fee", "--assay-fee", "--price", "--bid", "--ask", "--adjustment", "--refining"},
    "PERMILLE": {"--fineness", "--replicate"},
}
DAYS = {"--day", "--from", "--until", "--valid-from", "--valid-until", "day", "date"}
DIFFERENT = {
    "--form": "of an item or a posted price it is checked by the database, elsewhere it is a choice",
    "--status": "each kind of document has its own",
    "--reason": "of a refused ticket it is one of a list",
    "--gross": "of a transfer it is given for each lot",
    "--symbol": "of tickets it is given for each form",
    "--origin": "of an item it is what the seller says, of a lot one of a list",
    "--out": "a PDF may be written over, other files may not",
}
"""Options whose values differ from command to command, and why."""


def commands(command: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
    """Return a command and all that it contains, each with its words."""
    yield words, command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from commands(inner, f"{words} {name}")


def options() -> dict[str, list[tuple[str, click.Option]]]:
    """Return the options of all commands of a clerk by name, each with its command."""
    found: dict[str, list[tuple[str, click.Option]]] = defaultdict(list)
    for words, command in commands(clerk, "clerk"):
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                for name in parameter.opts:
                    found[name].append((words, parameter))
    return found


def test_every_day_is_read_alike() -> None:
    """A day that is none ends the command before it does anything, with the text and the form that is wanted."""
    found = [
        (words, parameter)
        for words, command in (*commands(clerk, "clerk"), *commands(day, "day"))
        for parameter in command.params
        if DAYS & {*parameter.opts, parameter.name}
    ]
    assert len(found) > 20
    for words, parameter in found:
        assert isinstance(parameter.type, DayType), words
        for text in ("tomorrow", "29.11.2026", "2026-2-3", "20261129", "2026-02-30", ""):
            with pytest.raises(click.BadParameter, match=r"a date such as 2026-11-24") as refused:
                parameter.type.convert(text, parameter, None)
            assert text in str(refused.value), words


@pytest.mark.parametrize(
    "words",
    [
        "close --until tomorrow",
        "status tomorrow",
        "left-open tomorrow",
        "sign tomorrow --for risk",
        "open tomorrow --reason late",
        "verify tomorrow",
        "recompute tomorrow",
        "record tomorrow --out x.json",
        "prices tomorrow",
    ],
)
async def test_a_day_that_is_none_is_no_traceback(words: str) -> None:
    said = (await goldx("day", "--as", "clerk-1", *words.split(), code=2)).output
    assert '"tomorrow" is not allowed; it must be a date such as 2026-11-24' in said


def test_the_same_thing_has_the_same_name() -> None:
    assert OLD.isdisjoint(options())
    for name, uses in options().items():
        kinds = {(option.type.name, option.metavar) for _, option in uses}
        assert len(kinds) == 1 or name in DIFFERENT, (name, [(words, option.metavar) for words, option in uses])


def test_every_quantity_names_its_unit() -> None:
    found = options()
    for unit, names in UNITS.items():
        for name in names:
            for words, option in found[name]:
                assert (option.metavar or "").endswith(unit), (words, name)
