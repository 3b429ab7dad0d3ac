"""Withdrawals that members ask for: checked, accepted by one person, approved by another, paid to the member alone.

A member names a withdrawal by a reference of its own. Asked for again under it, nothing happens twice, so a member that
got no answer asks again. What it may ask for is what the engine would let it withdraw, within the limits of a payment
and of a trading day, to an account at a bank that is registered in its name. The engine decides in the end. An accepted
withdrawal is money out with a payee (``settlement.banking.payouts``). Until it is in a payment file the member can
cancel it; money that the engine has taken out by then is given back, by a proposal for a second person.
"""

import secrets
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, MAX_MONEY_FEN, BadValue, format_money
from settlement.banking import payees, payouts, withdrawal_limits, withdrawal_states
from settlement.base import audit, proposals, standings, trading_days
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import advance, allow
from settlement.base.sub_accounts import check_trading_account
from settlement.base.texts import printable
from settlement.documents.banking import CANCELLABLE, WITHDRAWAL, WITHDRAWAL_SEEN
from settlement.documents.ledger import BANK_REFERENCE_USED, CASH_UNDER_WAY
from settlement.ledger import arrears, cash, holdings, stops
from settlement.tables.ledger import cash_transfer, engine_holding
from settlement.tables.withdrawals import withdrawal

LONGEST_REFERENCE: Final = 64


class AskedWithdrawal(NamedTuple):
    """A member's request: its own reference, the trading account, the amount and the account at a bank."""

    client_ref: str
    account: str
    amount_fen: int
    payee_no: int


class Withdrawable(NamedTuple):
    """The money of an account in fen: available for orders, withdrawable now, and asked for already."""

    available_fen: int
    withdrawable_fen: int
    asked_fen: int


async def ask(connection: AsyncConnection, member: str, key_id: str, request: AskedWithdrawal) -> int:
    """Record a member's request and return its number; one that was made before under its reference is the same.

    Raises BadValue, and Refused: REFERENCE_REUSED, ARREAR, PAYEE_WAITS, OVER_LIMIT, NOT_WITHDRAWABLE.
    """
    printable("client_ref", request.client_ref, LONGEST_REFERENCE)
    if not 0 < request.amount_fen <= MAX_MONEY_FEN:
        allowed = f"more than zero, up to {format_money(MAX_MONEY_FEN)}"
        raise BadValue("amount", format_money(request.amount_fen), allowed)
    await audit.lock(connection)
    mine = (withdrawal.c.member == member, withdrawal.c.client_ref == request.client_ref)
    before = (await connection.execute(select(withdrawal).where(*mine))).first()
    if before is not None:
        if AskedWithdrawal(*(getattr(before, name) for name in AskedWithdrawal._fields)) != request:
            text = f"withdrawal {before.withdrawal_no} was asked for under {request.client_ref}, and is another one"
            raise Refused("REFERENCE_REUSED", text)
        return int(before.withdrawal_no)
    await _check_account(connection, member, request.account)
    return await _record(connection, member, request, actor(member), key_id)


async def pay(connection: AsyncConnection, by: str, account: str, amount_fen: int, payee_no: int) -> int:
    """Ask for a withdrawal in the member's place and accept it; return the number of the proposal.

    The same rules hold as for what the member asks for. Raises BadValue, and Refused as ``ask`` and ``accept`` do.
    """
    if not 0 < amount_fen <= MAX_MONEY_FEN:
        raise BadValue("amount", format_money(amount_fen), f"more than zero, up to {format_money(MAX_MONEY_FEN)}")
    await audit.lock(connection)
    member = await check_trading_account(connection, account)
    request = AskedWithdrawal(f"venue-{secrets.token_hex(7)}", account, amount_fen, payee_no)
    return await accept(connection, by, await _record(connection, member, request, by, by))


async def _record(connection: AsyncConnection, member: str, request: AskedWithdrawal, by: str, asked_by: str) -> int:
    """Record a withdrawal that is asked for, if payee, limits and money allow it, and return its number."""
    await payees.usable(connection, member, request.payee_no)
    await arrears.check_none(connection, request.account)
    day = await trading_days.present(connection)
    await _check_limits(connection, request, day)
    await _check_withdrawable(connection, request)
    more = {
        "member": member,
        "day": day,
        "status": WITHDRAWAL.steps["ask"].after,
        "asked_at": now_ms(),
        "asked_by": asked_by,
    }
    added = insert(withdrawal).values(**request._asdict(), **more).returning(withdrawal.c.withdrawal_no)
    number = int((await connection.execute(added)).scalar_one())
    detail = {**request._asdict(), "amount_fen": format_money(request.amount_fen), "key": asked_by}
    await audit.record(connection, audit.Act(by, "withdrawal.ask", f"withdrawal:{number}", detail))
    return number


def actor(member: str) -> str:
    """Return the name that the audit log has for a member."""
    return f"member {member}"


async def _check_account(connection: AsyncConnection, member: str, account: str) -> None:
    """Raise BadValue for an account that is not one of the member's, as for one that there is not."""
    allowed = "a trading account of yours"
    try:
        owner = await check_trading_account(connection, account)
    except BadValue as error:
        raise BadValue("account", account, allowed) from error
    if owner != member:
        raise BadValue("account", account, allowed)


async def _check_limits(connection: AsyncConnection, request: AskedWithdrawal, day: Any) -> None:
    """Raise Refused (OVER_LIMIT) for more than a payment, or a trading day of the account, may be."""
    limits = await withdrawal_limits.of(connection, request.account)
    if request.amount_fen > limits.per_payment_fen:
        text = f"a withdrawal of {request.account} may be up to {format_money(limits.per_payment_fen)} CNY"
        raise Refused("OVER_LIMIT", f"{text}, not {format_money(request.amount_fen)}")
    counted = (
        select(func.coalesce(func.sum(withdrawal.c.amount_fen), 0))
        .outerjoin(cash_transfer, cash_transfer.c.cash_id == withdrawal.c.cash_id)
        .where(
            withdrawal.c.account == request.account,
            withdrawal.c.day == day,
            withdrawal.c.status.in_(WITHDRAWAL.after("ask", "accept")),
            or_(cash_transfer.c.status.is_(None), cash_transfer.c.status.in_(BANK_REFERENCE_USED)),
        )
    )
    asked = int(await connection.scalar(counted) or 0)
    if asked + request.amount_fen > limits.per_day_fen:
        text = f"account {request.account} may withdraw up to {format_money(limits.per_day_fen)} CNY on a trading day"
        raise Refused("OVER_LIMIT", f"{text}; {format_money(asked)} of {day} are asked for already")


async def withdrawable(connection: AsyncConnection, account: str) -> Withdrawable:
    """Return what an account could withdraw by what the engine has published, before what is asked for already."""
    held = select(engine_holding).where(engine_holding.c.account == account, engine_holding.c.asset == CASH)
    row = (await connection.execute(held)).first()
    available = 0 if row is None else row.total - row.reserved - row.locked
    free = await holdings.unbound(connection, account, CASH) - await holdings.promised(connection, account, CASH)
    waiting = (
        select(func.coalesce(func.sum(withdrawal.c.amount_fen), 0))
        .outerjoin(cash_transfer, cash_transfer.c.cash_id == withdrawal.c.cash_id)
        .where(
            withdrawal.c.account == account,
            withdrawal.c.status.in_(WITHDRAWAL.after("ask", "accept")),
            or_(cash_transfer.c.status.is_(None), cash_transfer.c.status.in_(CASH_UNDER_WAY)),
        )
    )
    return Withdrawable(int(available), max(int(free), 0), int(await connection.scalar(waiting) or 0))


async def withdrawable_of(connection: AsyncConnection, member: str, account: str) -> Withdrawable:
    """Return what one of a member's accounts could withdraw. Raises BadValue for an account that is not its own."""
    await _check_account(connection, member, account)
    return await withdrawable(connection, account)


async def _check_withdrawable(connection: AsyncConnection, request: AskedWithdrawal) -> None:
    found = await withdrawable(connection, request.account)
    if request.amount_fen > found.withdrawable_fen - found.asked_fen:
        available, free, asked = map(format_money, found)
        text = f"account {request.account} has {available} CNY available and {free} withdrawable"
        text += f", of which {asked} are asked for already" if found.asked_fen else ""
        raise Refused("NOT_WITHDRAWABLE", f"{text}; {format_money(request.amount_fen)} cannot be withdrawn")


async def cancel(connection: AsyncConnection, member: str, number: int) -> Row[Any]:
    """Cancel a member's withdrawal that is in no payment file, and return it. Raises BadValue, Refused (ILLEGAL_STEP).

    While the engine takes the money out it cannot be cancelled, a moment later it can.
    """
    await audit.lock(connection)
    found = await withdrawal_states.find(connection, number, member)
    if found.state in WITHDRAWAL.after("cancel"):
        return found
    if found.state not in CANCELLABLE:
        text = f"withdrawal {number} is {found.state}; to cancel it must be {' or '.join(CANCELLABLE)}"
        raise Refused("ILLEGAL_STEP", text)
    allow(WITHDRAWAL, "cancel", number, found.status)
    if found.state == WITHDRAWAL.steps["accept"].after:
        await cash.lapsed(connection, found.cash_id)
        await proposals.lapse(connection, actor(member), "cash", [found.cash_id])
    await connection.execute(
        update(withdrawal).where(withdrawal.c.withdrawal_no == number).values(status=WITHDRAWAL.steps["cancel"].after)
    )
    await audit.record(connection, audit.Act(actor(member), "withdrawal.cancel", f"withdrawal:{number}"))
    return await withdrawal_states.find(connection, number, member)


async def accept(connection: AsyncConnection, by: str, number: int) -> int:
    """Check a withdrawal as the first person and propose its payment; return the proposal's number.

    Raises BadValue, and Refused: ILLEGAL_STEP, NOT_ACTIVE, and what ``settlement.banking.payouts.order`` raises.
    """
    await audit.lock(connection)
    found = await withdrawal_states.find(connection, number)
    allow(WITHDRAWAL, "accept", number, found.status)
    await standings.require_active(connection, "member", found.member)
    payee = await payees.usable(connection, found.member, found.payee_no)
    to = payouts.Payee(payee.name, payee.account_number, payee.bank)
    more = {"withdrawal": str(number), "member": found.member}
    proposal = await payouts.order(connection, by, found.account, found.amount_fen, to, more)
    ((cash_id,),) = [(await proposals.find(connection, proposal)).subjects]
    await advance(connection, withdrawal, WITHDRAWAL, by, "accept", [number], {"cash_id": cash_id})
    return proposal


async def decline(connection: AsyncConnection, by: str, number: int, reason: str) -> None:
    """Decline a withdrawal that nobody has accepted. Raises BadValue, Refused (ILLEGAL_STEP)."""
    values = {"reason": printable("reason", reason, 200)}
    await audit.lock(connection)
    await advance(connection, withdrawal, WITHDRAWAL, by, "decline", [number], values)


async def give_back(connection: AsyncConnection, by: str, number: int) -> int:
    """Propose the money of a withdrawal back to its account; return the proposal's number.

    The withdrawal is cancelled, or may not be paid any more and is cancelled by this. Raises BadValue, and Refused
    (ILLEGAL_STEP) where no money is out, or a proposal to give it back waits or is done.
    """
    await audit.lock(connection)
    found = await withdrawal_states.find(connection, number)
    if (
        found.state in WITHDRAWAL_SEEN.before("stop")
        and (stop := (await stops.of(connection, [found.cash_id])).get(found.cash_id)) is not None
    ):
        await advance(connection, withdrawal, WITHDRAWAL, by, "stop", [number], {"reason": str(stop)})
        found = await withdrawal_states.find(connection, number)
    if not found.owed:
        raise Refused("ILLEGAL_STEP", f"withdrawal {number} is {found.state}, and no money of it is to be given back")
    reference = f"{found.end_to_end} cancelled"
    proposal = await cash.propose(connection, by, found.account, found.amount_fen, reference)
    ((back,),) = [(await proposals.find(connection, proposal)).subjects]
    await connection.execute(update(withdrawal).where(withdrawal.c.withdrawal_no == number).values(back_cash_id=back))
    return proposal
