"""Two-way prices for old gold, posted by the venue and its members per form of gold.

Per form: bid and ask in fen per fine gram, an adjustment of the form to the bid, and the payable ratio, the part of the
screened fine gold that is paid for (domain sheet 3.2). A member's own price goes before the venue's.
"""

from typing import Any, Final, NamedTuple

from sqlalchemy import Row, insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.terms import FORMS
from goldx.protocol.units import FINENESS_ONE, BadValue, format_money, format_price
from settlement.base import audit, working_days
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.tables.base import member
from settlement.tables.recycling import posted_price

VENUE: Final = "VENUE"
"""Poster of the price that counts where a member has posted none."""

MOST_ADJUSTMENT: Final = 10**7
"""The largest adjustment up or down, in fen per fine gram."""


class PostedPrice(NamedTuple):
    """A price: ``bid``, ``ask`` and ``adjustment`` in fen per fine gram, ``payable_e5`` in parts per 100,000."""

    poster: str
    form: str
    bid: int
    ask: int
    adjustment: int
    payable_e5: int


async def post(connection: AsyncConnection, by: str, price: PostedPrice) -> int:
    """Post a price, which counts from now on, and return its number. Raises BadValue."""
    if price.poster != VENUE:
        found = await connection.scalar(select(member.c.member).where(member.c.member == price.poster))
        if found is None:
            raise BadValue("poster", price.poster, f"{VENUE} or the code of a member")
    if price.form not in FORMS:
        raise BadValue("form", price.form, "one of " + ", ".join(FORMS))
    if not 0 < price.bid <= price.ask:
        raise BadValue("bid", format_price(price.bid), f"more than zero and at most the ask, {format_price(price.ask)}")
    if abs(price.adjustment) > MOST_ADJUSTMENT:
        limit = format_money(MOST_ADJUSTMENT)
        raise BadValue("adjustment", format_money(price.adjustment), f"CNY per fine gram from -{limit} to {limit}")
    if price.bid + price.adjustment <= 0:
        raise BadValue("adjustment", price.adjustment, "such that something is left of the bid")
    if not 0 < price.payable_e5 <= FINENESS_ONE:
        raise BadValue("payable_e5", price.payable_e5, f"from 1 to {FINENESS_ONE} parts per 100,000")
    added = insert(posted_price).values(**price._asdict(), at=now_ms(), by=by).returning(posted_price.c.price_no)
    number = int((await connection.execute(added)).scalar_one())
    await audit.record(connection, audit.Act(by, "two_way_price.post", f"two_way_price:{number}", price._asdict()))
    return number


async def current(connection: AsyncConnection, member_code: str, form: str) -> Row[Any]:
    """Return the price that a member's counter pays for a form: its own newest of today, else the venue's.

    Raises Refused (NO_PRICE) where neither is of today.
    """
    for poster in (member_code, VENUE):
        query = select(posted_price).where(posted_price.c.poster == poster, posted_price.c.form == form)
        row = (await connection.execute(query.order_by(posted_price.c.price_no.desc()).limit(1))).first()
        if row is not None and working_days.day_of(row.at) == working_days.today():
            return row
    raise Refused("NO_PRICE", f"neither {member_code} nor the venue has posted a price for {form} today")


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the newest price of each poster and form, by poster and form."""
    columns = posted_price.c
    every = select(posted_price).ext(distinct_on(columns.poster, columns.form))
    newest = every.order_by(columns.poster, columns.form, columns.price_no.desc()).subquery()
    return await fetch(connection, select(newest), (newest.c.poster, newest.c.form), page)
