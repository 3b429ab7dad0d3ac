"""Comparison of what was moved without a document with what was corrected of it, by account and by entry.

The subject of a break is the account, or ``entry:7`` of an entry between accounts, whose account is one that has got
too much by it. What each account has without a document is summed up over all entries; of the entries between accounts,
those after a proved day are compared.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Row, Select, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.ledger import undocumented
from settlement.reconciliation.breaks import Break, venue_account
from settlement.reconciliation.comparison import Comparison


async def compare(connection: AsyncConnection, comparison: Comparison) -> None:
    """Compare both and collect the breaks."""
    await comparison.compare_pairs(
        connection, _held_against_nothing(undocumented.by_account()), _found(_account), "kind", "account", "asset"
    )
    entries = _held_against_nothing(undocumented.open_entries(comparison.proved))
    await comparison.compare_pairs(
        connection, entries, _found(lambda row: f"entry:{row.sequence}"), "sequence", "asset"
    )


def _held_against_nothing(query: Select[Any]) -> Select[Any]:
    side = query.subquery("moved")
    return select(side, literal(0).label("expected"), side.c.figure.label("found"))


def _account(row: Row[Any]) -> str:
    return str(row.account) if row.kind == "member" else venue_account(row.kind)


def _found(subject: Callable[[Row[Any]], str]) -> Callable[[Row[Any]], Break]:
    """Return the function that makes a break of a row; ``subject`` names it."""
    return lambda row: Break("UNIDENTIFIED", subject(row), row.asset, 0, int(row.found), account=_account(row))
