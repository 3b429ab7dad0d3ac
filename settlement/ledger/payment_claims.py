"""Claims on accounts that could not give back what the bank has taken back: made, told to the engine, and ended.

A claim is made when the engine refuses to take the money out. It is in force from the engine's event on
(``account.claim_changed``): the account buys nothing, and the ledger has what left the bank as a ``receivable`` of the
venue. It ends when the money is collected, with the entry of that money, or when nothing is owed any more.

The engine gets a claim by a command that may come twice. So settlement sends what the engine should have as long as it
does not have it, and again after an outage.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, insert, null, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.claim_commands import AccountClaim
from goldx.protocol.claim_events import AccountClaimChanged
from goldx.protocol.units import format_money
from settlement.base import audit
from settlement.base.database import among, now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import SERVICE
from settlement.documents.kinds import PAYMENT_CLAIM
from settlement.ledger import arrears
from settlement.tables.banking import bank_match, payment_claim, undone_attempt
from settlement.tables.ledger import cash_transfer

OPEN: Final[ColumnElement[bool]] = payment_claim.c.ended.is_(None)
IN_FORCE: Final[ColumnElement[bool]] = and_(payment_claim.c.began.is_not(None), OPEN)


def reference_of(claim_no: int) -> str:
    """Return the name that the engine and the ledger have for a claim, such as ``payment_claim:3``."""
    return f"{PAYMENT_CLAIM}:{claim_no}"


def attempts() -> Select[Any]:
    """Return the query of the money out that was proposed for open claims: ``cash_id``, ``claim_no``, ``began``."""
    columns = (payment_claim.c.claim_no, payment_claim.c.began)
    of_payments = select(bank_match.c.cash_id, *columns).join(
        payment_claim, and_(payment_claim.c.item_no == bank_match.c.item_no, OPEN)
    )
    of_payments = of_payments.where(bank_match.c.how == "RETURN", bank_match.c.cash_id.is_not(None))
    of_money = select(undone_attempt.c.cash_id, *columns).join(
        payment_claim, and_(payment_claim.c.undone_no == undone_attempt.c.undone_no, OPEN)
    )
    return select(union_all(of_payments, of_money).subquery("attempt"))


async def make(connection: AsyncConnection, cash_ids: Sequence[int]) -> None:
    """Make a claim for each of these that is owed money which the engine has refused to take out, if there is none."""
    nothing = null().cast(payment_claim.c.item_no.type)
    of_payments = select(cash_transfer.c.cash_id, bank_match.c.item_no, nothing.label("undone_no"))
    of_payments = of_payments.join(bank_match, bank_match.c.cash_id == cash_transfer.c.cash_id)
    of_payments = of_payments.where(bank_match.c.how == "RETURN")
    of_money = select(cash_transfer.c.cash_id, nothing, undone_attempt.c.undone_no)
    of_money = of_money.join(undone_attempt, undone_attempt.c.cash_id == cash_transfer.c.cash_id)
    cause = union_all(of_payments, of_money).subquery("cause")
    known = select(payment_claim.c.claim_no).where(
        OPEN,
        or_(payment_claim.c.item_no == cause.c.item_no, payment_claim.c.undone_no == cause.c.undone_no),
    )
    query = select(cause.c.item_no, cause.c.undone_no, cash_transfer.c.account, cash_transfer.c.amount)
    query = query.join(cash_transfer, cash_transfer.c.cash_id == cause.c.cash_id)
    query = query.where(among(cash_transfer.c.cash_id, cash_ids), cash_transfer.c.amount < 0, ~known.exists())
    for row in await connection.execute(query.order_by(cash_transfer.c.cash_id)):
        values = {"account": row.account, "amount_fen": -row.amount, "item_no": row.item_no, "undone_no": row.undone_no}
        made = insert(payment_claim).values(**values, at=now_ms()).returning(payment_claim.c.claim_no)
        number = int((await connection.execute(made)).scalar_one())
        detail = {"account": row.account, "amount": format_money(-row.amount), "payment": row.item_no}
        await audit.record(connection, audit.Act(SERVICE, "payment_claim.make", reference_of(number), detail))


async def wanted(connection: AsyncConnection) -> tuple[AccountClaim, ...]:
    """Return what the engine has to be told of claims: those that it does not have yet, and those that are over."""
    found = list(await connection.execute(select(payment_claim).where(OPEN).order_by(payment_claim.c.claim_no)))
    if not found:
        return ()
    taken_back = {row.item_no for row in await connection.execute(arrears.returns())}
    undone = {row.undone_no for row in await connection.execute(arrears.undone())}
    commands = []
    for row in found:
        owed = row.item_no in taken_back if row.undone_no is None else row.undone_no in undone
        if not owed or row.began is None:
            amount = row.amount_fen if owed else 0
            commands.append(AccountClaim(row.account, amount, reference_of(row.claim_no), SERVICE))
    return tuple(commands)


async def collecting(connection: AsyncConnection, cash_ids: Sequence[int]) -> dict[int, str]:
    """Return which of these transfers collect a claim, each with the claim's reference."""
    wanted = set(cash_ids)
    rows = await connection.execute(attempts()) if wanted else ()
    return {row.cash_id: reference_of(row.claim_no) for row in rows if row.cash_id in wanted}


async def is_in_force(connection: AsyncConnection, item_no: int | None, undone_no: int | None) -> bool:
    """Return whether the ledger has a claim for a payment that took money back, or for money that is to be undone."""
    causes = ((payment_claim.c.item_no, item_no), (payment_claim.c.undone_no, undone_no))
    given = [column == number for column, number in causes if number is not None]
    return bool(given) and await connection.scalar(select(payment_claim.c.claim_no).where(IN_FORCE, *given)) is not None


async def check_none_coming(connection: AsyncConnection, cash_ids: Sequence[int]) -> None:
    """Raise Refused (ILLEGAL_STEP) if one of these takes out what a claim is about that the engine has not answered.

    Until then the claim may be sent once more. After the money that collects it, it would be set again.
    """
    rows = await connection.execute(attempts())
    coming = {row.cash_id: row.claim_no for row in rows if row.began is None}
    for number in cash_ids:
        if number in coming:
            text = f"the engine has not answered {reference_of(coming[number])} of cash {number} yet"
            raise Refused("ILLEGAL_STEP", f"{text}; money is taken out for a claim in force")


async def leaving(connection: AsyncConnection) -> int:
    """Return the money (fen) that the ledger will post out of the bank once the engine has the newest claims."""
    coming = select(func.sum(payment_claim.c.amount_fen)).where(OPEN, payment_claim.c.began.is_(None))
    return int(await connection.scalar(coming) or 0)


async def follow(connection: AsyncConnection, events: Sequence[AccountClaimChanged]) -> None:
    """Note from which event on claims are in force, and with which they ended. A claim that nobody knows is no claim.

    What the ledger has of such a one is a break (``settlement.reconciliation.three_way``). A claim that the engine has
    set again after its end is in force again, so that it is ended once more.
    """
    columns = payment_claim.c
    for event in events:
        kind, _, number = event.reference.partition(":")
        if kind != PAYMENT_CLAIM or not number.isdecimal():
            continue
        begun: dict[str, int | None] = {"began": event.sequence, "ended": None}
        step, values = ("begin", begun) if event.amount else ("end", {"ended": event.sequence})
        pending = ~IN_FORCE if event.amount else OPEN
        changing = update(payment_claim).where(columns.claim_no == int(number), columns.account == event.account)
        changed = await connection.execute(changing.where(pending).values(values).returning(columns.claim_no))
        if changed.first() is not None:
            detail = {"sequence": event.sequence, "owed": format_money(event.owed)}
            await audit.record(connection, audit.Act(SERVICE, f"payment_claim.{step}", event.reference, detail))
