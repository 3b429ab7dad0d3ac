"""Columns and rules of the tables of settlement.

Units: money fen, gold fine mg, weights as read from a scale in 0.01 g (``_cg``), fineness in parts per 100,000
(``_e5``), replicate results in parts per million (``_ppm``), times ms since the epoch (``_at``). Everything is BIGINT
with a CHECK, and no float anywhere; balances and holdings, which are sums, are wider (``Sum``).

Rules that no CHECK can express (postings sum to zero, histories are append-only) are triggers in the migrations.
"""

from collections.abc import Iterable
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    Identity,
    MetaData,
    Numeric,
    Text,
    TypeDecorator,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Sum(TypeDecorator[int]):
    """A whole number that is a sum: 38 digits, more than all events of a stream can add up to.

    A ledger whose balance could overflow would stop for ever at that event.
    """

    impl = Numeric(38, 0)
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Return the number in the form that the driver takes."""
        return None if value is None else Decimal(value)

    def process_result_value(self, value: Decimal | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return the number as a whole one."""
        return None if value is None else int(value)


def total(name: str, *, default: int | None = None) -> Column[int]:
    """Return a column of sums; 0 is a valid default."""
    return Column(name, Sum, nullable=False, server_default=None if default is None else text(str(default)))


def integer(name: str, *, null: bool = False, default: int | None = None) -> Column[int]:
    """Return a column of whole numbers; 0 is a valid default."""
    return Column(name, BigInteger, nullable=null, server_default=None if default is None else text(str(default)))


def string(name: str, *, null: bool = False, default: str | None = None) -> Column[str]:
    """Return a column of texts of any length."""
    return Column(name, Text, nullable=null, server_default=default)


def number(name: str) -> Column[int]:
    """Return a primary key that the database numbers."""
    return Column(name, BigInteger, Identity(always=True), primary_key=True)


def is_in(column: str, words: Iterable[str]) -> str:
    """Return the SQL condition that a column holds one of some words."""
    return f"{column} IN ({', '.join(repr(word) for word in words)})"


def not_in(column: str, words: Iterable[str]) -> str:
    """Return the SQL condition that a column holds none of some words."""
    return is_in(f"{column} NOT", words)


def folded(column: str) -> str:
    """Return the SQL of the form in which a typed number is compared (``settlement.base.spelling``)."""
    return f"folded({column})"


def one_of(column: str, words: Iterable[str]) -> CheckConstraint:
    """Return the rule that a column holds one of some words."""
    return CheckConstraint(is_in(column, words), name=f"{column}_known")
