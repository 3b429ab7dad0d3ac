"""Four eyes: one of the staff proposes, another decides."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, changes
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.steps import allow, check_another
from settlement.documents.kinds import APPROVED, DECLINED, PROPOSAL, PROPOSED
from settlement.tables.base import proposal


class Proposal(NamedTuple):
    """A proposal about the documents numbered ``subjects``; ``summary`` is shown to the person who decides it."""

    proposal_id: int
    kind: str
    subjects: tuple[int, ...]
    summary: Mapping[str, Any]
    status: str
    proposed_by: str
    decided_by: str | None = None


_COLUMNS = tuple(proposal.c[name] for name in Proposal._fields)


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal(
        row.proposal_id, row.kind, tuple(row.subjects), row.summary, row.status, row.proposed_by, row.decided_by
    )


async def propose(
    connection: AsyncConnection, by: str, kind: str, subjects: Sequence[int], summary: Mapping[str, Any]
) -> int:
    """Record a proposal and return its number."""
    row = {"kind": kind, "subjects": list(subjects), "summary": dict(summary), "status": PROPOSED}
    added = insert(proposal).values(**row, proposed_by=by, proposed_at=now_ms()).returning(proposal.c.proposal_id)
    number = int((await connection.execute(added)).scalar_one())
    await audit.record(connection, audit.Act(by, f"{kind}.propose", f"proposal:{number}", dict(summary)))
    return number


async def decide(connection: AsyncConnection, by: str, proposal_id: int, decision: str) -> Proposal:
    """Decide a proposal, APPROVED or DECLINED, once, and return it.

    Raises BadValue for an unknown one, Refused if it is decided already, would be approved by its proposer, or was
    changed by hand since it was proposed.
    """
    await audit.lock(connection)
    wanted = select(*_COLUMNS).where(proposal.c.proposal_id == proposal_id).with_for_update(key_share=True)
    row = (await connection.execute(wanted)).first()
    if row is None:
        raise BadValue("proposal", proposal_id, "the number of a proposal")
    allow(PROPOSAL, "approve" if decision == APPROVED else "decline", proposal_id, row.status)
    if decision == APPROVED:
        check_another(PROPOSAL, "approve", proposal_id, by, row.proposed_by)
        await changes.check_unchanged(connection, proposal_id, row.kind, row.subjects)
    values = {"status": decision, "decided_by": by, "decided_at": now_ms()}
    await connection.execute(update(proposal).where(proposal.c.proposal_id == proposal_id).values(values))
    subject = f"proposal:{proposal_id}"
    await audit.record(connection, audit.Act(by, f"{row.kind}.{decision.lower()}", subject, {"from": row.proposed_by}))
    return _proposal(row)._replace(status=decision, decided_by=by)


async def lapse(connection: AsyncConnection, by: str, kind: str, subjects: Sequence[int]) -> None:
    """End the waiting proposals of a kind about documents that have ended without a decision.

    The proposals count as declined, by ``by``.
    """
    about = proposal.c.subjects.op("&&")(literal(list(subjects), proposal.c.subjects.type))
    ending = update(proposal).where(proposal.c.kind == kind, proposal.c.status == PROPOSED, about)
    values = {"status": DECLINED, "decided_by": proposal.c.proposed_by, "decided_at": now_ms()}
    ended = await connection.execute(ending.values(values).returning(proposal.c.proposal_id))
    acts = [audit.Act(by, f"{kind}.lapsed", f"proposal:{number}") for number in sorted(ended.scalars())]
    await audit.record_all(connection, acts)


async def waiting(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Proposal]:
    """Return the proposals that nobody has decided yet, oldest first."""
    return await listing(connection, page, status=PROPOSED)


async def find(connection: AsyncConnection, proposal_id: int) -> Proposal:
    """Return a proposal. Raises BadValue for an unknown number."""
    row = (await connection.execute(select(*_COLUMNS).where(proposal.c.proposal_id == proposal_id))).first()
    if row is None:
        raise BadValue("proposal", proposal_id, "the number of a proposal")
    return _proposal(row)


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, status: str) -> Page[Proposal]:
    """Return the proposals of a status, oldest first. Raises BadValue for an unknown status."""
    if status not in PROPOSAL.states:
        raise BadValue("status", status, "one of " + ", ".join(PROPOSAL.states))
    query = select(*_COLUMNS).where(proposal.c.status == status)
    rows = await fetch(connection, query, (proposal.c.proposal_id,), page)
    return Page(map(_proposal, rows), rows.next)


async def newest(connection: AsyncConnection, kind: str, subjects: Sequence[int]) -> Proposal:
    """Return the newest approved proposal of a kind about these documents. Raises BadValue if there is none."""
    about = proposal.c.subjects.op("@>")(literal(list(subjects), proposal.c.subjects.type))
    query = select(*_COLUMNS).where(proposal.c.kind == kind, proposal.c.status == APPROVED, about)
    row = (await connection.execute(query.order_by(proposal.c.proposal_id.desc()).limit(1))).first()
    if row is None:
        raise BadValue("proposal", kind, "one that is approved")
    return _proposal(row)
