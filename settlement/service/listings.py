"""How a command shows a listing: the options for a part of it, and its rows page by page."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.output import JSON, Table
from goldx.protocol.units import BadValue
from settlement.base.paging import LONGEST, Page, PageRequest

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])


def combined(
    parameter: str, make: Callable[..., object], *options: Callable[[Any], Any]
) -> Callable[[Command], Command]:
    """Return a decorator that adds ``options`` to a command and hands it one ``parameter``, made of their values.

    ``make`` takes the values of the options by the names of its own parameters; a BadValue of it ends the command.
    """
    names = tuple(inspect.signature(make).parameters)

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(*args: Any, **values: Any) -> Any:
            try:
                values[parameter] = make(**{name: values.pop(name) for name in names})
            except BadValue as error:
                raise click.ClickException(str(error)) from error
            return command(*args, **values)

        decorated: Any = run
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


_PAGE = combined(
    "page",
    PageRequest,
    click.option("--after", help="Only what follows this row, as `more follow` gives it."),
    click.option("--limit", type=click.IntRange(min=1), help="The most rows to show; default: all."),
)


def PAGE(command: Command) -> Command:  # noqa: N802
    """Add the options of every listing: its part, which the command gets as a ``PageRequest``, and ``--json``."""
    return _PAGE(JSON(command))


async def print_pages(
    connection: AsyncConnection,
    page: PageRequest,
    columns: str,
    listing: Callable[[AsyncConnection, PageRequest], Awaitable[Page[T]]],
    cells: Callable[[T], Iterable[object]],
) -> int:
    """Print the rows of a listing as a table (``goldx.output``) and return how many they were.

    ``columns`` are the headings, separated by blanks, of the ``cells`` of a row. All rows are printed if the page has
    no limit; otherwise, where more rows follow, how to get them is printed to the standard error.
    """
    table = Table(columns)
    after, shown = page.after, 0
    while True:
        left = LONGEST if page.limit is None else min(page.limit - shown, LONGEST)
        rows = await listing(connection, PageRequest(after, left))
        shown += table.print(map(cells, rows))
        after = rows.next
        if after is None:
            return shown
        if shown == page.limit:
            click.echo(f"more follow: --after {after}", err=True)
            return shown
