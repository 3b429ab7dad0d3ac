"""Fee income paid out: from the ledger's ``fee_income`` to the venue's own trading account, by two people.

Fees of the present trading day stay: its trades may still be annulled, and then their fees go back.

From there it pays for claims and short weight, or goes to the bank by a cash-out like any member's money.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, BadValue, format_money
from settlement.base import audit, proposals
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.base.sub_accounts import check_trading_account
from settlement.base.texts import printable
from settlement.documents.ledger import FEE_PAYOUT
from settlement.ledger import balances, outbox
from settlement.ledger.busts import standing
from settlement.ledger.holdings import OVER_SHORT_ACCOUNT
from settlement.tables.base import trading_day
from settlement.tables.ledger import fee_payout, trade


async def propose(connection: AsyncConnection, by: str, amount_fen: int, why: str) -> int:
    """Propose to pay fee income out to the venue's account; return the proposal's number.

    Raises BadValue, and Refused (INSUFFICIENT_FEES) for more than the fees earned before the present trading day and
    not yet paid out.
    """
    if amount_fen <= 0:
        raise BadValue("amount", format_money(amount_fen), "CNY, more than zero")
    printable("reason", why, 200)
    await audit.lock(connection)
    await check_trading_account(connection, OVER_SHORT_ACCOUNT)
    await _check_earned(connection, amount_fen)
    row = {
        "account": OVER_SHORT_ACCOUNT,
        "amount_fen": amount_fen,
        "why": why,
        "status": FEE_PAYOUT.steps["propose"].after,
    }
    added = await connection.execute(insert(fee_payout).values(row).returning(fee_payout.c.payout_no))
    summary = {"account": OVER_SHORT_ACCOUNT, "amount": format_money(amount_fen), "reason": why}
    return await proposals.propose(connection, by, "fee_payout", [int(added.scalar_one())], summary)


async def _check_earned(connection: AsyncConnection, amount_fen: int = 0) -> None:
    under_way = select(func.sum(fee_payout.c.amount_fen)).where(fee_payout.c.status.in_(FEE_PAYOUT.open))
    wanted = int(await connection.scalar(under_way) or 0) + amount_fen
    today = await _earned_today(connection)
    earned = await balances.of_kind(connection, "fee_income", CASH) - today
    if wanted > earned:
        text = f"fees of {format_money(earned)} CNY are available; with this, {format_money(wanted)} would be paid out"
        if today:
            text += f"; {format_money(today)} are of this trading day, and its trades may still be annulled"
        raise Refused("INSUFFICIENT_FEES", text)


async def _earned_today(connection: AsyncConnection) -> int:
    """Return the fees of the trades of the present trading day that stand. O(these trades)."""
    began = select(func.coalesce(func.max(trading_day.c.sequence), 0)).scalar_subquery()
    fees = select(func.sum(trade.c.buy_fee + trade.c.sell_fee))
    return int(await connection.scalar(fees.where(trade.c.sequence > began, standing())) or 0)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Queue the movement for the engine. Raises Refused (INSUFFICIENT_FEES) as ``propose`` does."""
    rows = await advance(connection, fee_payout, FEE_PAYOUT, by, "approve", subjects)
    await _check_earned(connection)
    moves = [(number, ((row.account, CASH, row.amount_fen),)) for number, row in rows.items()]
    await outbox.put(connection, "fee_payout", by, moves)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Close the payouts; no money moves."""
    await advance(connection, fee_payout, FEE_PAYOUT, by, "decline", subjects)


async def done(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Complete the payouts: the venue's account has the money."""
    await advance(connection, fee_payout, FEE_PAYOUT, by, "complete", subjects)


async def refused(connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None:
    """Close the payouts: the engine has refused."""
    for number, reason in reasons.items():
        await advance(connection, fee_payout, FEE_PAYOUT, by, "refuse", [number], {"reason": reason})
