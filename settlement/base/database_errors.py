"""The meaning of an error of the database: away, or an answer about what was asked.

PostgreSQL says it by the SQLSTATE of its error. A caller's mistake is not an outage: whoever is told to try again later
would do so for ever.
"""

from enum import Enum
from typing import Final

from asyncpg import InterfaceError, InternalClientError, PostgresError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection


class Meaning(Enum):
    """The meaning of an error of the database, with the HTTP status that says the same."""

    UNKNOWN = 404
    """Something that was named is not there."""
    CONFLICT = 409
    """Something that is there already, or its state, does not allow it."""
    BAD_VALUE = 422
    """A value is not one that the database can keep."""
    MISTAKE = 500
    """The program has asked for what it should not."""
    AWAY = 503
    """The server is away, starting, or has given way to another transaction: waiting helps."""


_BY_STATE: Final = (
    *((state, Meaning.AWAY) for state in ("08", "40", "53", "55P03", "57")),
    ("22", Meaning.BAD_VALUE),
    ("23502", Meaning.BAD_VALUE),
    ("23514", Meaning.BAD_VALUE),
    ("23503", Meaning.UNKNOWN),
    ("23", Meaning.CONFLICT),
)
"""The first of these beginnings that a SQLSTATE has counts: connection, serialization and deadlock, resources, locks,
operator intervention; data; integrity."""


def meaning_of(error: BaseException) -> Meaning:
    """Return what an error of SQLAlchemy or of its driver means."""
    if isinstance(error, NoFreeConnection):
        return Meaning.AWAY
    if isinstance(error, DBAPIError):
        cause = error.orig and error.orig.__cause__
        if error.connection_invalidated:
            return Meaning.AWAY
        return Meaning.MISTAKE if cause is None else meaning_of(cause)
    if isinstance(error, UnicodeEncodeError):
        return Meaning.BAD_VALUE
    if isinstance(error, PostgresError):
        state = str(error.sqlstate or "")
        return next((meaning for start, meaning in _BY_STATE if state.startswith(start)), Meaning.MISTAKE)
    if isinstance(error, InterfaceError | InternalClientError):
        # The driver raises these for a connection that the server has ended, and, as ValueErrors, for bad arguments.
        return Meaning.BAD_VALUE if isinstance(error, ValueError) else Meaning.AWAY
    return Meaning.AWAY if isinstance(error, OSError) else Meaning.MISTAKE


def describe(error: SQLAlchemyError) -> str:
    """Return what an error says to the person who has asked: the rule or the value, and no row's content."""
    cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig is not None else None
    meaning = meaning_of(error)
    rule = getattr(cause, "constraint_name", None)
    named = f" ({rule})" if rule else ""
    return {
        Meaning.UNKNOWN: f"something that was named is not there{named}",
        Meaning.CONFLICT: f"it is there already, or what is there does not allow it{named}: {_first_line(cause)}",
        Meaning.BAD_VALUE: f"a value cannot be kept{named}: {_first_line(cause)}",
        Meaning.MISTAKE: "the database has refused what the program asked for",
        Meaning.AWAY: "the database is not reachable",
    }[meaning]


def _first_line(cause: BaseException | None) -> str:
    return str(cause).partition("\n")[0].encode(errors="backslashreplace").decode()
