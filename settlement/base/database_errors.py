"""The meaning of an error of the database: an outage, or an answer to the request.

The SQLSTATE of PostgreSQL's error tells which. A caller's mistake is not an outage: a caller that is told to try again
later would do so for ever.
"""

from enum import Enum
from typing import Final

from asyncpg import InterfaceError, InternalClientError, PostgresError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection


class Meaning(Enum):
    """The meaning of an error of the database, with the matching HTTP status."""

    UNKNOWN = 404
    """A named object does not exist."""
    CONFLICT = 409
    """An existing object, or its state, does not allow the change."""
    BAD_VALUE = 422
    """The database cannot store a value."""
    MISTAKE = 500
    """The program has sent a wrong statement."""
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
"""Prefixes of SQLSTATEs, of which the first match counts: connection, serialization and deadlock, resources, locks,
operator intervention; data; integrity.
"""


def meaning_of(error: BaseException) -> Meaning:
    """Return the meaning of an error of SQLAlchemy or of its driver."""
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
    """Return the text of an error for the caller: it names the rule or the value, and no content of rows."""
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
