"""The venue's own bank accounts, in which members' money lies in escrow."""

from typing import Any

from sqlalchemy import Row, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, BadValue
from settlement.banking import profiles
from settlement.base import audit
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.spelling import fold
from settlement.base.texts import printable
from settlement.tables.banking import bank_account


async def add(
    connection: AsyncConnection, by: str, account_number: str, bank: str, holder: str, profile: str | None = None
) -> int:
    """Add a bank account of the venue and return its number here.

    ``profile`` is how tables of its bank are read. Raises BadValue.
    """
    number = printable("account_number", "".join(account_number.split()), 34, 4)
    printable("bank", bank, 64)
    printable("holder", holder, 128)
    if profile is not None:
        profiles.find(profile)
    values = {
        "account_number": number,
        "bank": bank,
        "holder": holder,
        "currency": CASH,
        "profile": profile,
        "added_at": now_ms(),
        "added_by": by,
    }
    await audit.lock(connection)
    try:
        added = await connection.execute(insert(bank_account).values(values).returning(bank_account.c.account_id))
    except IntegrityError as error:
        raise BadValue("account_number", account_number, "an account that is not added yet") from error
    account_id = int(added.scalar_one())
    detail = {"account_number": number, "bank": bank, "holder": holder, "profile": profile}
    await audit.record(connection, audit.Act(by, "bank_account.add", f"bank_account:{account_id}", detail))
    return account_id


async def find(connection: AsyncConnection, stated: str, currency: str = CASH) -> Row[Any]:
    """Return the account that a file names; the name may have a bank and a stroke before the number, a currency after
    it.

    Raises BadValue for an account that is not the venue's.
    """
    plain = "".join(stated.split())
    spellings = [plain, plain.rpartition("/")[2]]
    spellings += [text.removesuffix(currency) for text in spellings if currency]
    folded = [fold(text) for text in spellings if text]
    query = select(bank_account).where(func.folded(bank_account.c.account_number).in_(folded))
    rows = list(await connection.execute(query))
    if len(rows) != 1:
        allowed = "a bank account of the venue, as `goldx clerk bank accounts` lists them"
        raise BadValue("bank account", stated, allowed)
    return rows[0]


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the accounts by number."""
    return await fetch(connection, select(bank_account), (bank_account.c.account_id,), page)


async def profile(connection: AsyncConnection, account: str | None) -> profiles.Profile | None:
    """Return the profile for tables of an account's bank; no account is needed if all of the venue's have one profile.

    None where it is not known. Raises BadValue for an unknown account.
    """
    if account is not None:
        found = (await find(connection, account)).profile
        return None if found is None else profiles.find(found)
    names = set(await connection.scalars(select(bank_account.c.profile)))
    name = names.pop() if len(names) == 1 else None
    return None if name is None else profiles.find(name)
