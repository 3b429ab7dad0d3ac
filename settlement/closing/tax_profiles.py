"""The buyer that a member's invoices name: title, tax number, kind of invoice, and whether one a day or one a month.

A change holds from the present trading day on, so the invoices of a day that is over do not depend on when they are
made. A member without any gets ordinary invoices by the month in its own name.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, trading_days
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.texts import printable
from settlement.tables.base import member
from settlement.tables.papers import INVOICE_KINDS, INVOICE_PERIODS, tax_profile

_TAX_NUMBER: Final = re.compile("[0-9A-Z]{15,20}")


class Buyer(NamedTuple):
    """The buyer as an invoice names it, with the kind of invoice and how often there is one."""

    title: str
    tax_number: str
    kind: str
    period: str


async def add(connection: AsyncConnection, by: str, code: str, buyer: Buyer) -> date:
    """Record the buyer that a member's invoices name from the present trading day on, and return that day.

    Raises BadValue for an unknown member, and for a special invoice without a tax number.
    """
    if await connection.scalar(select(member.c.member).where(member.c.member == code)) is None:
        raise BadValue("member", code, "a registered member")
    printable("title", buyer.title, 100)
    if buyer.tax_number and _TAX_NUMBER.fullmatch(buyer.tax_number) is None:
        raise BadValue("tax_number", buyer.tax_number, "15 to 20 digits and capital letters")
    for field, value, words in (("kind", buyer.kind, INVOICE_KINDS), ("period", buyer.period, INVOICE_PERIODS)):
        if value not in words:
            raise BadValue(field, value, "one of " + ", ".join(words))
    if buyer.kind == "SPECIAL" and not buyer.tax_number:
        raise BadValue("tax_number", "", "the buyer's, for a special invoice")
    day = await trading_days.present(connection)
    values = {"member": code, **buyer._asdict(), "from_day": day, "by": by, "at": now_ms()}
    await connection.execute(insert(tax_profile).values(values))
    detail = {**buyer._asdict(), "from_day": day.isoformat()}
    await audit.record(connection, audit.Act(by, "tax_profile.add", code, detail))
    return day


async def on(connection: AsyncConnection, day: date) -> Mapping[str, Buyer]:
    """Return the buyer of every member on a trading day."""
    columns = tax_profile.c
    query = select(tax_profile).ext(distinct_on(columns.member)).where(columns.from_day <= day)
    rows = await connection.execute(query.order_by(columns.member, columns.profile_no.desc()))
    found = {row.member: Buyer(row.title, row.tax_number, row.kind, row.period) for row in rows}
    names = select(member.c.member, member.c.name, member.c.name_zh)
    return {
        row.member: found.get(row.member, Buyer(row.name_zh or row.name, "", "ORDINARY", "MONTH"))
        for row in await connection.execute(names)
    }


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the buyers that were recorded, oldest first."""
    return await fetch(connection, select(tax_profile), (tax_profile.c.profile_no,), page)
