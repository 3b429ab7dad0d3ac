"""The list of what stays open when a day is closed, and why: documents that wait for somebody, and breaks."""

from typing import Any, Final, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import format_money
from settlement.banking import deposits
from settlement.closing.canonical import canonical
from settlement.closing.day import Day
from settlement.documents.charges import BILL_UNPAID
from settlement.documents.custody import TRANSFER
from settlement.documents.ledger import OUTBOX_OPEN
from settlement.documents.load_outs import CLAIM, UNCOLLECTED
from settlement.documents.lots import GONE, IN_POOL
from settlement.documents.reconciliation import BREAK_LISTED
from settlement.tables.base import proposal
from settlement.tables.charges import fee_bill
from settlement.tables.custody import transfer
from settlement.tables.ledger import outbox
from settlement.tables.load_outs import claim, load_out
from settlement.tables.lots import lot
from settlement.tables.reconciliation import recon_break

NAME: Final = "left_open"


class Open(NamedTuple):
    """One thing that stays open: its kind and number, its state, and why."""

    kind: str
    subject: str
    state: str
    why: str


async def facts(connection: AsyncConnection, day: Day) -> bytes:  # noqa: ARG001
    """Return what is open now."""
    return canonical([found._asdict() for found in await listing(connection)])


async def work(connection: AsyncConnection, day: Day, kept: bytes) -> bytes:  # noqa: ARG001
    """Return what was open."""
    return kept


async def listing(connection: AsyncConnection) -> list[Open]:
    """Return what is open now, kind by kind and in the order of the numbers."""

    async def rows(query: Select[Any]) -> list[Any]:
        return list(await connection.execute(query))

    found = [
        Open("proposal", str(row.proposal_id), row.status, f"{row.kind} of {row.proposed_by} waits for another person")
        for row in await rows(select(proposal).where(proposal.c.status == "PROPOSED").order_by(proposal.c.proposal_id))
    ]
    sent = select(outbox).where(outbox.c.status.in_(OUTBOX_OPEN)).order_by(outbox.c.number)
    found += [Open("outbox", row.reference, row.status, "the engine has not answered") for row in await rows(sent)]
    differing = select(recon_break).where(recon_break.c.status.in_(BREAK_LISTED)).order_by(recon_break.c.break_id)
    found += [
        Open("break", str(row.break_id), row.status, f"{row.kind} {row.subject}: {row.explanation or 'not explained'}")
        for row in await rows(differing)
    ]
    waiting = select(load_out).where(load_out.c.status.in_(UNCOLLECTED)).order_by(load_out.c.load_out_no)
    found += [
        Open("load_out", str(row.load_out_no), row.status, f"waits for its collector until {row.until_day}")
        for row in await rows(waiting)
    ]
    disputed = select(claim).where(claim.c.status.in_(CLAIM.open)).order_by(claim.c.claim_no)
    found += [Open("claim", str(row.claim_no), row.status, row.reason) for row in await rows(disputed)]
    moving = select(transfer).where(transfer.c.status.in_(TRANSFER.open)).order_by(transfer.c.transfer_no)
    found += [
        Open("transfer", str(row.transfer_no), row.status, f"from {row.from_warehouse} to {row.to_warehouse}")
        for row in await rows(moving)
    ]
    unpaid = select(fee_bill).where(fee_bill.c.status.in_(BILL_UNPAID)).order_by(fee_bill.c.bill_no)
    found += [
        Open("fee", str(row.bill_no), row.status, f"{row.account} owes {format_money(row.amount_fen)} CNY")
        for row in await rows(unpaid)
    ]
    found += [
        Open(
            "payment", str(row.item_no), "SUSPENSE", f"{format_money(row.amount_fen)} CNY of {row.day} have no account"
        )
        for row in await deposits.suspense(connection)
    ]
    coming = lot.c.state.not_in((*IN_POOL, *GONE))
    counted = select(lot.c.state, func.count().label("lots")).where(coming).group_by(lot.c.state)
    found += [
        Open("lots", row.state, row.state, f"{row.lots} lots are on their way in or out")
        for row in await rows(counted.order_by(lot.c.state))
    ]
    return found
