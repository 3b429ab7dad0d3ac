"""Virtual accounts: numbers under the venue's account at a bank, each of a trading account until its end.

Two people end one from a day on. A payment to it of that day or a later one waits in suspense, whatever else it names.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, Select, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, proposals
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.spelling import fold
from settlement.base.steps import advance
from settlement.base.sub_accounts import check_trading_account
from settlement.base.texts import printable
from settlement.base.working_days import today
from settlement.documents.banking import VIRTUAL_ACCOUNT_END
from settlement.tables.banking import virtual_account, virtual_account_end

_ENDED = (virtual_account_end.c.number == virtual_account.c.number) & (virtual_account_end.c.status == "ENDED")


async def add(connection: AsyncConnection, by: str, number: str, account: str) -> None:
    """Assign a virtual account to a trading account. Raises BadValue."""
    plain = printable("number", "".join(number.split()), 34, 4)
    await audit.lock(connection)
    await check_trading_account(connection, account)
    values = {"number": plain, "account": account, "added_at": now_ms(), "added_by": by}
    try:
        await connection.execute(insert(virtual_account).values(values))
    except IntegrityError as error:
        raise BadValue("number", number, "a virtual account that is nobody's yet") from error
    await audit.record(
        connection, audit.Act(by, "virtual_account.add", f"virtual_account:{plain}", {"account": account})
    )


def _query() -> Select[Any]:
    ended_from = virtual_account_end.c.from_day.label("ended_from")
    return select(virtual_account, ended_from).outerjoin(virtual_account_end, _ENDED)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the virtual accounts by number; ``ended_from`` is the day of its end, None of one that goes on."""
    return await fetch(connection, _query(), (virtual_account.c.number,), page)


async def propose_end(connection: AsyncConnection, by: str, number: str, from_day: date, reason: str) -> int:
    """Propose to end a virtual account from a day on, today or later; return the proposal's number.

    Raises BadValue for an unknown number and a day that is over, and Refused: ILLEGAL_STEP for one that has an end,
    PROPOSED_ALREADY while an end of it waits.
    """
    printable("reason", reason, 200)
    if from_day < today():
        raise BadValue("from_day", from_day.isoformat(), f"a day from today, {today()}, on")
    await audit.lock(connection)
    wanted = _query().where(func.folded(virtual_account.c.number) == fold("".join(number.split())))
    row = (await connection.execute(wanted)).first()
    if row is None:
        raise BadValue("number", number, "a virtual account, as `goldx clerk bank virtual-accounts` lists them")
    if row.ended_from is not None:
        raise Refused("ILLEGAL_STEP", f"virtual account {row.number} has an end already, {row.ended_from}")
    values = {
        "number": row.number,
        "from_day": from_day,
        "reason": reason,
        "status": VIRTUAL_ACCOUNT_END.steps["propose"].after,
    }
    try:
        added = insert(virtual_account_end).values(values).returning(virtual_account_end.c.end_no)
        end_no = int((await connection.execute(added)).scalar_one())
    except IntegrityError as error:
        raise Refused("PROPOSED_ALREADY", f"an end of virtual account {row.number} waits for another person") from error
    summary = {"end": end_no, **values, "from_day": from_day.isoformat(), "account": row.account}
    del summary["status"]
    return await proposals.propose(connection, by, VIRTUAL_ACCOUNT_END.kind, [end_no], summary)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """End the virtual account from the day that was proposed."""
    await advance(connection, virtual_account_end, VIRTUAL_ACCOUNT_END, by, "approve", subjects)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Let the virtual account go on."""
    await advance(connection, virtual_account_end, VIRTUAL_ACCOUNT_END, by, "decline", subjects)
