"""What the commands that read files share: the file itself, and how it is to be read."""

from pathlib import Path

import click

from settlement.intake import bar_list

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
SHEET = click.option("--sheet", help="The sheet to read, where a workbook has several.")
DECIMAL = click.option("--decimal", type=click.Choice(["point", "comma"]), help="Default: as the numbers show.")
PREVIEW = click.option("--preview", "only_preview", is_flag=True, help="Only say what would happen.")


def _columns(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    given = {}
    for value in values:
        column, equals, text = value.partition("=")
        if not equals or column not in bar_list.GIVEN or column in given:
            columns = ", ".join(bar_list.GIVEN)
            raise click.BadParameter(f"{value!r} must be COLUMN=VALUE, once each, with one of {columns}")
        given[column] = text
    return given


SET = click.option(
    "--set", "given", multiple=True, callback=_columns, metavar="COLUMN=VALUE", help="A column for every row."
)


def reading(sheet: str | None, decimal: str | None, given: dict[str, str] | None = None) -> bar_list.Reading:
    """How a file is to be read, by these options."""
    return bar_list.Reading(given or {}, sheet, None if decimal is None else decimal == "comma")
