"""Listings in pages: rows in the order of a key, each page from behind one key on.

A page is asked for with two values: at most ``limit`` rows, behind the row whose key is ``after``. It names in ``next``
what ``after`` of the following page is, and None where the listing ends. As a page begins behind a key and not at a
position, rows that come or go between two pages make no other row appear twice or not at all.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Row, Select, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue

T = TypeVar("T")

LONGEST: Final = 1_000
"""The largest ``limit`` that REST takes, and its default."""
LARGEST_NUMBER: Final = 2**63 - 1
"""The largest number that a document can have: BIGINT."""
SEPARATOR: Final = ","
"""Between the parts of a key; no code and no number contains it."""


class PageRequest(NamedTuple):
    """Which part of a listing is asked for; ``limit`` None: every row that is left."""

    after: str | None = None
    limit: int | None = None


ALL: Final = PageRequest()


class Page(list[T]):
    """Rows of a listing, and what ``after`` of the next page is: None if there is none."""

    def __init__(self, rows: Iterable[T], following: str | None) -> None:
        super().__init__(rows)
        self.next = following


def _bad_cursor(text: str) -> BadValue:
    return BadValue("after", text, "what an answer of this listing gave as its `next`")


def _parse(text: str, key: Sequence[ColumnElement[Any]]) -> list[Any]:
    parts = text.split(SEPARATOR)
    if len(parts) != len(key):
        raise _bad_cursor(text)
    values: list[Any] = []
    for column, part in zip(key, parts, strict=True):
        if column.type.python_type is not int and part.isprintable():
            values.append(literal(part, column.type))
        elif column.type.python_type is int and part.isascii() and part.isdecimal() and int(part) <= LARGEST_NUMBER:
            values.append(literal(int(part), column.type))
        else:
            raise _bad_cursor(text)
    return values


def paged(query: Select[Any], key: Sequence[ColumnElement[Any]], page: PageRequest) -> Select[Any]:
    """Return ``query`` in the order of ``key``, from behind ``page.after`` on, with one row more than asked for.

    That row shows whether another page follows. ``key`` are columns that the query selects and that no two of its rows
    share. Raises BadValue for an ``after`` that is no key of this listing.
    """
    query = query.order_by(*key)
    if page.after is not None:
        first, *others = _parse(page.after, key)
        query = query.where(tuple_(*key) > tuple_(first, *others) if others else key[0] > first)
    return query if page.limit is None else query.limit(page.limit + 1)


async def fetch(
    connection: AsyncConnection, query: Select[Any], key: Sequence[ColumnElement[Any]], page: PageRequest
) -> Page[Row[Any]]:
    """Return one page of ``query`` in the order of ``key``; see ``paged``."""
    rows = list(await connection.execute(paged(query, key, page)))
    return _cut(rows, page, lambda row: SEPARATOR.join(str(row._mapping[column]) for column in key))


def cut(rows: Sequence[T], key: Callable[[T], str], page: PageRequest) -> Page[T]:
    """Return one page of rows that are at hand in their lasting order. Raises BadValue for an unknown ``after``."""
    if page.after is not None:
        keys = [key(row) for row in rows]
        if page.after not in keys:
            raise _bad_cursor(page.after)
        rows = rows[keys.index(page.after) + 1 :]
    return _cut(rows, page, key)


def _cut(rows: Sequence[T], page: PageRequest, key: Callable[[T], str]) -> Page[T]:
    if page.limit is None or len(rows) <= page.limit:
        return Page(rows, None)
    return Page(rows[: page.limit], key(rows[page.limit - 1]))
