"""Whether a warehouse's statement may be taken in now, and whether two people have entered it.

Statements of a warehouse are taken in by the order of their days; future days, and days before the newest statement,
are refused. The first entry of a statement opens breaks; the same file from a second person ends those that it does not
show. A file that the warehouse has signed does so with one entry; one such file is taken in for each day.
"""

from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base.refusal import Refused
from settlement.base.working_days import today
from settlement.intake import files
from settlement.tables.intake import file

KIND: Final = "statement"
SECOND: Final = "again"
SIGNED: Final = "signed"


def about(place: str, day: date, entry: str = "") -> str:
    """Return the subject of a statement's file: the warehouse, the day, and SECOND or SIGNED for such an entry."""
    return " ".join((place, day.isoformat(), *([entry] if entry else [])))


async def is_second(connection: AsyncConnection, by: str, place: str, day: date, data: bytes) -> bool:
    """Return whether this is the second person's entry of a statement.

    Raises BadValue for a future day, and Refused: FILE_KNOWN if the same person, or two people, have entered it, or it
    was taken in under a signature, and STATEMENT_OLDER if a newer one, or another one of that day, was taken in
    meanwhile.
    """
    first = await _first_entry(connection, place, day, data)
    if first is not None and first.taken_by == by:
        await files.check_new(connection, KIND, data, about(place, day))
    await _check_newest(connection, place, day, first)
    return first is not None


async def check_signed(connection: AsyncConnection, place: str, day: date, data: bytes) -> None:
    """Check that a signed statement may be taken in.

    Raises as ``is_second``, and STATEMENT_OLDER if another signed statement of that day was taken in: the signatures do
    not say which of the two is right.
    """
    first = await _first_entry(connection, place, day, data)
    await _check_newest(connection, place, day, first)
    query = select(file.c.file_no).where(file.c.kind == KIND, file.c.about == about(place, day, SIGNED)).limit(1)
    if (other := await connection.scalar(query)) is not None:
        why = f"file {other} is a signed statement of {place} for {day} already"
        raise Refused("STATEMENT_OLDER", f"{why}: another one of that day is entered by two people")


async def _first_entry(connection: AsyncConnection, place: str, day: date, data: bytes) -> Row[Any] | None:
    """Return the first entry of a statement, None if it has not been entered.

    Raises BadValue for a future day, and Refused (FILE_KNOWN) if a second person or a signature has proved it already.
    """
    if day > today():
        raise BadValue("day", day.isoformat(), f"the day of the statement, until today, {today()}")
    for entry in (SECOND, SIGNED):
        await files.check_new(connection, KIND, data, about(place, day, entry))
    return await files.known(connection, KIND, data, about(place, day))


def _word(number: int) -> ColumnElement[str]:
    return func.split_part(file.c.about, " ", number)


async def _check_newest(connection: AsyncConnection, place: str, day: date, first: Row[Any] | None) -> None:
    """Raise Refused (STATEMENT_OLDER) where a newer statement, or another one of that day, came after ``first``."""
    stated = _word(2)
    # A statement of a future day, taken in by an earlier version, must not block those until then.
    query = select(file.c.file_no, stated.label("day"))
    query = query.where(file.c.kind == KIND, _word(1) == place, stated <= today().isoformat())
    query = query.order_by(stated.desc(), file.c.file_no.desc())
    newest = (await connection.execute(query.limit(1))).first()
    if newest is not None and (newest.day > day.isoformat() or (first is not None and newest.file_no != first.file_no)):
        why = f"file {newest.file_no}, the statement of {newest.day}, was taken in after it"
        if newest.day > day.isoformat():
            why = f"file {newest.file_no} is the statement of {newest.day}, which is newer than {day}"
        raise Refused("STATEMENT_OLDER", f"{why}: ask {place} for one of today")
