"""Pages of a listing: rows in the order of a key, at most a given number, after a given key.

A request has two values: ``limit``, the largest number of rows, and ``after``, the key of the row before the page. A
page gives in ``next`` the ``after`` of the page that follows, and None if it is the last one. A page begins after a key
and not at a position, so rows that are added or removed between two requests do not make others appear twice or never.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Row, Select, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue

T = TypeVar("T")

LONGEST: Final = 1_000
"""The largest ``limit`` that REST takes, and its default."""
LARGEST_NUMBER: Final = 2**63 - 1
"""The largest number that a document can have: BIGINT."""
NUMBER: Final = re.compile("[0-9]{1,19}")
DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
SEPARATOR: Final = ","
"""Between the parts of a key; no code and no number contains it."""


class PageRequest(NamedTuple):
    """The part of a listing that is wanted; ``after`` None: from the first row, ``limit`` None: to the last one."""

    after: str | None = None
    limit: int | None = None


ALL: Final = PageRequest()


class Page(list[T]):
    """Rows of a listing; ``next`` is the ``after`` of the following page, None on the last one."""

    def __init__(self, rows: Iterable[T], following: str | None) -> None:
        super().__init__(rows)
        self.next = following


def bad_cursor(text: str) -> BadValue:
    """Return the refusal of an ``after`` that is no key of the listing."""
    return BadValue("after", text, "what an answer of this listing gave as its `next`")


def parse_number(text: str) -> int:
    """Return the number of a row that a key names. Raises BadValue unless it can be the number of a document."""
    if NUMBER.fullmatch(text) and int(text) <= LARGEST_NUMBER:
        return int(text)
    raise bad_cursor(text)


def parse_parts(text: str, number: int) -> tuple[str, ...]:
    """Return the parts of a key. Raises BadValue unless there are so many and each can be printed."""
    parts = tuple(text.split(SEPARATOR))
    if len(parts) != number or not text.isprintable():
        raise bad_cursor(text)
    return parts


def _parse(text: str, key: Sequence[ColumnElement[Any]]) -> list[Any]:
    parts = text.split(SEPARATOR)
    if len(parts) != len(key):
        raise bad_cursor(text)
    values: list[Any] = []
    for column, part in zip(key, parts, strict=True):
        values.append(literal(_value(text, part, column.type.python_type), column.type))
    return values


def _value(text: str, part: str, kind: type[Any]) -> str | int | date:
    """Return a part of a cursor as the value of a column of a kind. Raises BadValue, naming the whole cursor."""
    if kind is int and NUMBER.fullmatch(part) and int(part) <= LARGEST_NUMBER:
        return int(part)
    if kind is date and DAY.fullmatch(part):
        try:
            return date.fromisoformat(part)
        except ValueError:
            raise bad_cursor(text) from None
    if kind not in (int, date) and part.isprintable():
        return part
    raise bad_cursor(text)


def paged(query: Select[Any], key: Sequence[ColumnElement[Any]], page: PageRequest) -> Select[Any]:
    """Return ``query`` in the order of ``key``, after ``page.after``, limited to one row more than ``page.limit``.

    That row shows whether another page follows. ``key`` are columns that the query selects; together they identify a
    row. Raises BadValue for an ``after`` that is no key of this listing.
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
    """Return one page of ``rows``, all rows of a listing in order. Raises BadValue for an unknown ``after``."""
    if page.after is not None:
        keys = [key(row) for row in rows]
        if page.after not in keys:
            raise bad_cursor(page.after)
        rows = rows[keys.index(page.after) + 1 :]
    return _cut(rows, page, key)


def cut_in_order(rows: Iterable[T], key: Callable[[T], str], order: Callable[[str], Any], page: PageRequest) -> Page[T]:
    """Return one page of ``rows``, all rows of a listing, in the order that ``order`` gives to their keys.

    For rows that end while somebody reads: ``page.after`` may be a row that is gone. ``order`` raises BadValue for what
    is no key of this listing.
    """
    following = sorted(rows, key=lambda row: order(key(row)))
    if page.after is not None:
        before = order(page.after)
        following = [row for row in following if order(key(row)) > before]
    return _cut(following, page, key)


def _cut(rows: Sequence[T], page: PageRequest, key: Callable[[T], str]) -> Page[T]:
    if page.limit is None or len(rows) <= page.limit:
        return Page(rows, None)
    return Page(rows[: page.limit], key(rows[page.limit - 1]))
