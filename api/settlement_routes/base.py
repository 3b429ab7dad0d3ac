"""Proposals, which wait for a second person, and the audit log."""

from typing import Any

from api.listing import ThePage, listed
from api.settlement_routes.access import Clerk, Number, Reader, Transaction, new_router
from api.settlement_routes.rows import Projection
from settlement.base import audit, proposals
from settlement.service import movements

router = new_router()

PROPOSAL = Projection(" ".join(proposals.Proposal._fields))
ENTRY = Projection("number at actor action subject detail hash")


@router.get("/proposals")
async def get_proposals(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the proposals that wait for a second person, oldest first."""
    return listed("proposals", PROPOSAL, await proposals.waiting(connection, page))


@router.post("/proposals/{number}/approve")
async def approve(by: Clerk, connection: Transaction, number: Number) -> dict[str, Any]:
    """Approve another person's proposal; what it is about goes to the engine."""
    return PROPOSAL(await movements.approve(connection, by, number))


@router.post("/proposals/{number}/decline")
async def decline(by: Clerk, connection: Transaction, number: Number) -> dict[str, Any]:
    """End a proposal without effect."""
    return PROPOSAL(await movements.decline(connection, by, number))


@router.get("/audit")
async def get_audit(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the entries of the audit log by number."""
    return listed("entries", ENTRY, await audit.listing(connection, page))
