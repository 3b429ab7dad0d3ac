"""The options of all commands of a clerk: the same thing has the same name, and its unit is named."""

from collections import defaultdict

import click

from settlement.clerk import clerk

OLD = {"--grams", "--weight", "--minimum-lot", "--text", "--before", "--on", "--to", "--state", "--number"}
"""Names that some commands had for what others call --gross, --fine, --min-fine, --explanation, --until, --day,
--warehouse or --to-account, --status and --accreditation-number."""
UNITS = {
    "GRAMS": {"--gross", "--fine", "--min-fine", "--resolution", "--capacity", "--min-deduction"},
    "CNY": {"--amount", "--fee", "--assay-fee", "--price", "--bid", "--ask", "--adjustment", "--refining"},
    "PERMILLE": {"--fineness", "--replicate"},
}
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


def options() -> dict[str, list[tuple[str, click.Option]]]:
    """Return the options of all commands by name, each with its command."""
    found: dict[str, list[tuple[str, click.Option]]] = defaultdict(list)

    def walk(command: click.Command, words: str) -> None:
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                for name in parameter.opts:
                    found[name].append((words, parameter))
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), name)
                assert inner is not None
                walk(inner, f"{words} {name}")

    walk(clerk, "clerk")
    return found


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
