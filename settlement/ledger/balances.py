"""The balances of the ledger's accounts."""

from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import MAX_SUM, format_amount
from settlement.base.filters import check_known
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.tables.ledger import ACCOUNT_KINDS, ledger_account

OWED: Final = ("member", "fee_income")
"""The kinds of accounts whose balances the venue owes; their counterparts are at the bank or in the vaults."""


async def of_kind(connection: AsyncConnection, kind: str, asset: str) -> int:
    """Return the sum of the balances of an asset on all accounts of a kind."""
    columns = ledger_account.c
    total = select(func.sum(columns.balance)).where(columns.kind == kind, columns.asset == asset)
    return int(await connection.scalar(total) or 0)


async def check_room(connection: AsyncConnection, asset: str, coming: int) -> None:
    """Raise Refused (SUM_TOO_LARGE) if all accounts together would have more than MAX_SUM of an asset.

    ``coming`` is the amount on its way to them, in fen or fine mg.
    """
    owed = sum([await of_kind(connection, kind, asset) for kind in OWED])
    if owed + coming > MAX_SUM:
        shown = format_amount(owed + coming, asset)
        text = (
            f"all accounts together would have {shown} of {asset}; at most {format_amount(MAX_SUM, asset)} are allowed"
        )
        raise Refused("SUM_TOO_LARGE", text)


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, name: str | None = None) -> Page[Row[Any]]:
    """Return the accounts of the ledger with their balances, by kind, name and asset.

    ``name``: those of one trading account. The venue's own accounts have their kind as their name. Raises BadValue for
    an unknown one.
    """
    columns = ledger_account.c
    query = select(ledger_account)
    if name is not None:
        if name not in ACCOUNT_KINDS:
            await check_known(connection, account=name)
        query = query.where(columns.name == name)
    return await fetch(connection, query, (columns.kind, columns.name, columns.asset), page)
