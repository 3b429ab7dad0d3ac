"""Checks of the filters of listings. An unknown name is refused: an empty list would look like an answer."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.tables.base import member
from settlement.tables.ledger import instrument, trading_account
from settlement.tables.lots import warehouse

_KNOWN: Final[Mapping[str, tuple[tuple[Select[Any], ...], str]]] = {
    "member": ((select(member.c.member), select(trading_account.c.member)), "the code of a member"),
    "account": ((select(trading_account.c.account),), "a trading account"),
    "symbol": ((select(instrument.c.symbol),), "the code of a class"),
    "warehouse": ((select(warehouse.c.warehouse),), "the code of a warehouse"),
}
"""By the name of a filter: the values that are known, and what they are."""


async def check_known(connection: AsyncConnection, **wanted: str | None) -> None:
    """Raise BadValue for a member, account, symbol or warehouse that does not exist; None filters nothing.

    With a member, an account has to be one of that member's, so nobody learns which accounts others have.
    """
    of_member = wanted.get("member")
    for name, value in wanted.items():
        if value is None:
            continue
        known, allowed = _KNOWN[name]
        found = [query.where(query.selected_columns[0] == value).limit(1) for query in known]
        if name == "account" and of_member is not None:
            found = [query.where(trading_account.c.member == of_member) for query in found]
            allowed = f"{allowed} of {of_member}"
        for query in found:
            if await connection.scalar(query) is not None:
                break
        else:
            raise BadValue(name, value, allowed)
