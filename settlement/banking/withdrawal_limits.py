"""The limits of withdrawals: of a payment, of an account's trading day, and the time before a new payee is used.

The operator proposes limits, for one account or for all that have none of their own; another person approves them. The
newest agreed ones hold.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import MAX_MONEY_FEN, BadValue, format_money
from settlement.base import audit, proposals
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.steps import advance
from settlement.base.sub_accounts import check_trading_account, is_trading_account
from settlement.documents.banking import WITHDRAWAL_LIMIT
from settlement.tables.ledger import trading_account
from settlement.tables.withdrawals import withdrawal_limit

LONGEST_WAIT: Final = 24 * 365
"""Hours."""


class Limits(NamedTuple):
    """The largest payment and the most of a trading day, in fen, and the hours before a new payee is used."""

    per_payment_fen: int
    per_day_fen: int
    wait_hours: int


DEFAULT: Final = Limits(500_000_000, 2_000_000_000, 24)
"""Until others are agreed; a house rule."""


async def of(connection: AsyncConnection, account: str | None = None) -> Limits:
    """Return the limits that hold for an account, or for those that have none of their own."""
    columns = withdrawal_limit.c
    query = select(*(columns[name] for name in Limits._fields)).where(columns.status == "AGREED")
    query = query.where(or_(columns.account == account, columns.account.is_(None)))
    row = (await connection.execute(query.order_by(columns.account.is_(None), columns.limit_no.desc()))).first()
    return DEFAULT if row is None else Limits(*row)


async def wait_hours(connection: AsyncConnection, member: str) -> int:
    """Return the hours before a new payee of a member is used: the most that the limits of its accounts have."""
    query = select(trading_account.c.account).where(trading_account.c.member == member, is_trading_account())
    accounts: list[str | None] = list(await connection.scalars(query))
    return max([(await of(connection, account)).wait_hours for account in accounts or [None]])


async def propose(connection: AsyncConnection, by: str, limits: Limits, account: str | None = None) -> int:
    """Propose limits and return the proposal's number. Raises BadValue."""
    for field, fen in zip(Limits._fields, limits[:2], strict=False):
        if not 0 <= fen <= MAX_MONEY_FEN:
            raise BadValue(field.removesuffix("_fen"), format_money(fen), f"0.00 to {format_money(MAX_MONEY_FEN)}")
    if limits.per_payment_fen > limits.per_day_fen:
        allowed = f"at most the limit of a day, {format_money(limits.per_day_fen)}"
        raise BadValue("per_payment", format_money(limits.per_payment_fen), allowed)
    if not 0 <= limits.wait_hours <= LONGEST_WAIT:
        raise BadValue("wait_hours", limits.wait_hours, f"0 to {LONGEST_WAIT}")
    await audit.lock(connection)
    if account is not None:
        await check_trading_account(connection, account)
    row = {**limits._asdict(), "account": account, "status": WITHDRAWAL_LIMIT.steps["propose"].after}
    added = await connection.execute(insert(withdrawal_limit).values(row).returning(withdrawal_limit.c.limit_no))
    before = await of(connection, account)
    summary = {"account": account or "all others", "wait_hours": f"{before.wait_hours} to {limits.wait_hours}"}
    for field in ("per_payment_fen", "per_day_fen"):
        old, new = (format_money(getattr(one, field)) for one in (before, limits))
        summary[field.removesuffix("_fen")] = f"{old} to {new}"
    return await proposals.propose(connection, by, WITHDRAWAL_LIMIT.kind, [int(added.scalar_one())], summary)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Let the limits hold from now on."""
    await advance(connection, withdrawal_limit, WITHDRAWAL_LIMIT, by, "approve", subjects)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Drop the limits, which never hold."""
    await advance(connection, withdrawal_limit, WITHDRAWAL_LIMIT, by, "decline", subjects)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return all limits that were ever proposed, by number; of the agreed ones of an account the newest holds."""
    return await fetch(connection, select(withdrawal_limit), (withdrawal_limit.c.limit_no,), page)
