"""Whether a warehouse's statement may be taken in now, and whether two people have entered it.

Statements of a warehouse are taken in by the order of their days; future days, and days before the newest statement,
are refused. The first entry of a statement opens breaks; the same file from a second person ends those that it does not
show.
"""

from datetime import date
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base.refusal import Refused
from settlement.base.working_days import today
from settlement.intake import files
from settlement.tables.intake import file

KIND: Final = "statement"
SECOND: Final = "again"


def about(place: str, day: date, *, second: bool = False) -> str:
    """Return the subject of a statement's file: the warehouse, the day, and whether it is the second entry."""
    return " ".join((place, day.isoformat(), *([SECOND] if second else [])))


async def is_second(connection: AsyncConnection, by: str, place: str, day: date, data: bytes) -> bool:
    """Return whether this is the second person's entry of a statement.

    Raises BadValue for a future day, and Refused: FILE_KNOWN if the same person, or two people, have entered it, and
    STATEMENT_OLDER if a newer one, or another one of that day, was taken in meanwhile.
    """
    if day > today():
        raise BadValue("day", day.isoformat(), f"the day of the statement, until today, {today()}")
    first = await files.known(connection, KIND, data, about(place, day))
    if first is not None:
        await files.check_new(connection, KIND, data, about(place, day, second=True))
        if first.taken_by == by:
            await files.check_new(connection, KIND, data, about(place, day))
    stated = func.split_part(file.c.about, " ", 2)
    of_place = (file.c.kind == KIND) & (func.split_part(file.c.about, " ", 1) == place)
    # A statement of a future day, taken in by an earlier version, must not block those until then.
    query = select(file.c.file_no, stated.label("day")).where(of_place, stated <= today().isoformat())
    query = query.order_by(stated.desc(), file.c.file_no.desc())
    newest = (await connection.execute(query.limit(1))).first()
    if newest is not None and (newest.day > day.isoformat() or (first is not None and newest.file_no != first.file_no)):
        why = f"file {newest.file_no}, the statement of {newest.day}, was taken in after it"
        if newest.day > day.isoformat():
            why = f"file {newest.file_no} is the statement of {newest.day}, which is newer than {day}"
        raise Refused("STATEMENT_OLDER", f"{why}: ask {place} for one of today")
    return first is not None
