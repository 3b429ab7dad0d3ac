"""The balances of the ledger's accounts."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.tables.ledger import ledger_account


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, name: str | None = None) -> Page[Row[Any]]:
    """Return the accounts of the ledger with their balances, by kind, name and asset.

    ``name``: those of one trading account. The venue's own accounts have their kind as their name.
    """
    columns = ledger_account.c
    query = select(ledger_account)
    if name is not None:
        query = query.where(columns.name == name)
    return await fetch(connection, query, (columns.kind, columns.name, columns.asset), page)
