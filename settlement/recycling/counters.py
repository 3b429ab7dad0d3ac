"""The members' counters that buy old gold: for which account, and to which warehouse it goes."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, parse_identifier
from settlement.base import audit
from settlement.base.sub_accounts import check_trading_account
from settlement.base.texts import mark, printable
from settlement.lots import warehouses
from settlement.tables.base import member
from settlement.tables.recycling import counter


async def add(
    connection: AsyncConnection, by: str, code: str, member_code: str, account: str, place: str, name: str
) -> None:
    """Register a member's counter: it buys for ``account`` and delivers to warehouse ``place``. Raises BadValue."""
    if await connection.scalar(select(member.c.member).where(member.c.member == member_code)) is None:
        raise BadValue("member", member_code, "the code of a member")
    if await check_trading_account(connection, account) != member_code:
        raise BadValue("account", account, f"a trading account of {member_code}")
    await warehouses.customs_of(connection, place)
    row = {"counter": mark("counter", parse_identifier(code, "counter")), "member": member_code, "account": account}
    row |= {"warehouse": place, "name": printable("name", name, 64)}
    added = insert_or(counter).values(row).on_conflict_do_nothing().returning(counter.c.counter)
    if await connection.scalar(added) is None:
        raise BadValue("counter", code, "a code that is not taken")
    await audit.record(connection, audit.Act(by, "counter.add", code, row))


async def find(connection: AsyncConnection, code: str) -> Row[Any]:
    """Return a counter. Raises BadValue for an unknown code."""
    row = (await connection.execute(select(counter).where(counter.c.counter == code))).first()
    if row is None:
        raise BadValue("counter", code, "the code of a counter")
    return row
