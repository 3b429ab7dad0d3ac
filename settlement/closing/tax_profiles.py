"""Whom invoices name: of the buyer title, tax number, kind of invoice, and whether one a day or one a month.

The seller is the venue, whose name and tax number are recorded in the same way.

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
from settlement.charges.accruals import VENUE
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


async def add_seller(connection: AsyncConnection, by: str, title: str, tax_number: str) -> date:
    """Record the venue as invoices name it from the present trading day on, and return that day. Raises BadValue."""
    if not tax_number:
        raise BadValue("tax_number", "", "the venue's: 15 to 20 digits and capital letters")
    return await add(connection, by, VENUE, Buyer(title, tax_number, "SPECIAL", "DAY"))


async def seller(connection: AsyncConnection, day: date) -> dict[str, str] | None:
    """Return name and tax number of the venue as invoices name it on a trading day; None if they do not."""
    columns = tax_profile.c
    query = select(columns.title, columns.tax_number).where(columns.member == VENUE, columns.from_day <= day)
    row = (await connection.execute(query.order_by(columns.profile_no.desc()).limit(1))).first()
    return None if row is None else {"title": row.title, "tax_number": row.tax_number}


async def issuer(connection: AsyncConnection, day: date) -> str | None:
    """Return the name of the venue as statements and bulletins of a trading day have it; None if none was recorded."""
    found = await seller(connection, day)
    return None if found is None else found["title"]


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
