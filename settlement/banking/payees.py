"""Members' own accounts at banks, to which their withdrawals are paid.

An account is proposed by one person and approved by another; its holder must have the member's name in the register.
After the approval a set time passes before it is first used, so that the member notices a change that it did not ask
for. One person can end it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.banking import payouts, withdrawal_limits, withdrawal_states
from settlement.base import audit, proposals, standings
from settlement.base.database import among, now_ms
from settlement.base.filters import check_known
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.base.texts import printable
from settlement.documents.banking import PAYEE_ACCOUNT, PAYEE_LIVE, WITHDRAWAL_UNSENT
from settlement.tables.withdrawals import payee_account

HOUR_MS: Final = 3_600_000


async def propose(connection: AsyncConnection, by: str, member: str, payee: payouts.Payee) -> int:
    """Propose an account of a member at a bank and return the proposal's number.

    Raises BadValue, and Refused: NOT_ACTIVE, and PAYEE_DIFFERS where the holder has not the member's name.
    """
    row = {
        "member": member,
        "name": printable("name", payee.name, 140),
        "account_number": printable("account_number", "".join(payee.account.split()), 34, 4),
        "bank": printable("bank", payee.bank, 140),
        "status": PAYEE_ACCOUNT.steps["propose"].after,
    }
    await audit.lock(connection)
    await standings.require_active(connection, "member", member)
    await payouts.check_name(connection, member, payee.name)
    try:
        added = await connection.execute(insert(payee_account).values(row).returning(payee_account.c.payee_no))
    except IntegrityError as error:
        raise BadValue("account_number", payee.account, f"an account that {member} does not have yet") from error
    number = int(added.scalar_one())
    return await proposals.propose(connection, by, PAYEE_ACCOUNT.kind, [number], {"payee": number, **row})


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Let the accounts be paid to, after the set time. Raises Refused where the member has another name by now."""
    members = select(payee_account.c.payee_no, payee_account.c.member).where(among(payee_account.c.payee_no, subjects))
    for number, member in (await connection.execute(members)).all():
        hours = await withdrawal_limits.wait_hours(connection, member)
        values = {"usable_at": now_ms() + hours * HOUR_MS}
        rows = await advance(connection, payee_account, PAYEE_ACCOUNT, by, "approve", [number], values)
        await payouts.check_name(connection, member, rows[number].name)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Decline the accounts, which may be proposed again."""
    await advance(connection, payee_account, PAYEE_ACCOUNT, by, "decline", subjects)


async def end(connection: AsyncConnection, by: str, number: int, reason: str) -> list[int]:
    """End an account: nothing more is paid to it. Return the withdrawals to it that are stopped by this.

    These are in no payment file yet. Raises BadValue, and Refused if it is not live.
    """
    values = {"end_reason": printable("reason", reason, 200)}
    await advance(connection, payee_account, PAYEE_ACCOUNT, by, "end", [number], values)
    waiting = withdrawal_states.query().subquery()
    query = select(waiting.c.withdrawal_no).where(waiting.c.payee_no == number, waiting.c.state.in_(WITHDRAWAL_UNSENT))
    return list(await connection.scalars(query.order_by(waiting.c.withdrawal_no)))


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, member: str | None = None) -> Page[Row[Any]]:
    """Return the accounts at banks by number, the ended and declined ones too; ``member``: those of one.

    Raises BadValue for an unknown member.
    """
    await check_known(connection, member=member)
    query = select(payee_account)
    if member is not None:
        query = query.where(payee_account.c.member == member)
    return await fetch(connection, query, (payee_account.c.payee_no,), page)


async def usable(connection: AsyncConnection, member: str, number: int) -> Row[Any]:
    """Return a live account of a member. Raises BadValue for another, Refused (PAYEE_WAITS) before its first use."""
    query = select(payee_account).where(payee_account.c.payee_no == number, payee_account.c.member == member)
    row = (await connection.execute(query)).first()
    if row is None or row.status != PAYEE_LIVE:
        raise BadValue("payee", number, f"the number of a live account of {member} at a bank")
    if row.usable_at > now_ms():
        since = datetime.fromtimestamp(row.usable_at // 1_000, payouts.SHANGHAI)
        raise Refused(
            "PAYEE_WAITS", f"account {row.account_number} is new: it is paid to from {since:%Y-%m-%d %H:%M} on"
        )
    return row
