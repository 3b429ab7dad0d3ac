"""Routes for proposals, documents of every kind, and the audit log."""

from typing import Annotated, Any

from pydantic import Field

from api.listing import ThePage, listed
from api.settlement_routes.access import AnyStaff, Clerk, Number, Reader, Transaction, new_router
from api.settlement_routes.rows import Projection
from settlement.base import audit, proposals
from settlement.documents.kinds import PROPOSED
from settlement.service import documents, movements, waiting

router = new_router()

DECIDED = Projection(" ".join(proposals.Proposal._fields))
DocumentKind = Annotated[str, Field(json_schema_extra={"enum": list(documents.TABLES)})]
"""The kinds of documents."""
SHOWN = Projection("proposal_id kind subjects summary status proposed_by decided_by lots accounts")
LISTED = Projection("number status says")
DOCUMENT = Projection("kind number status says lots proposals")
ENGINE_ANSWER = Projection("reference status reason sequence")
WAITING = Projection("kind subject what days command capacity")
ENTRY = Projection("number at actor action subject detail hash")


def _shown(found: documents.Shown) -> dict[str, Any]:
    return {**SHOWN(found), "answers": list(map(ENGINE_ANSWER, found.answers)), "finished": found.finished}


@router.get("/proposals")
async def get_proposals(_: Reader, connection: Transaction, page: ThePage, status: str = PROPOSED) -> dict[str, Any]:
    """List proposals with their lots and accounts, oldest first: those that wait, or those of another status."""
    return listed("proposals", _shown, await documents.proposals_with_lots(connection, page, status=status))


@router.get("/proposals/{number}")
async def get_proposal(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return a proposal with its lots and accounts, and the engine's answers; `finished`: there will be no more."""
    return _shown(await documents.show_proposal(connection, number))


@router.get("/waiting")
async def get_waiting(by: AnyStaff, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List all that waits for you: to approve, sign, deal with or answer, each with the command that goes on."""
    return listed("waiting", WAITING, await waiting.listing(connection, by, page))


@router.get("/documents")
async def get_documents(
    _: Reader, connection: Transaction, page: ThePage, kind: DocumentKind, status: str | None = None
) -> dict[str, Any]:
    """List the documents of a kind by number, each with its state and the reason of its end."""
    found = await documents.listing(connection, kind, page, status=status)
    return listed("documents", LISTED, found)


@router.get("/documents/{kind}/{number}")
async def get_document(_: Reader, connection: Transaction, kind: DocumentKind, number: Number) -> dict[str, Any]:
    """Return a document with its lots, the proposals about it, and the engine's answers."""
    found = await documents.show(connection, kind, number)
    return {**DOCUMENT(found), "answers": list(map(ENGINE_ANSWER, found.answers))}


@router.post("/proposals/{number}/approve")
async def approve(by: Clerk, connection: Transaction, number: Number) -> dict[str, Any]:
    """Approve another person's proposal; what it is about goes to the engine."""
    return DECIDED(await movements.approve(connection, by, number))


@router.post("/proposals/{number}/decline")
async def decline(by: Clerk, connection: Transaction, number: Number) -> dict[str, Any]:
    """End a proposal without effect."""
    return DECIDED(await movements.decline(connection, by, number))


@router.get("/audit")
async def get_audit(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the entries of the audit log by number."""
    return listed("entries", ENTRY, await audit.listing(connection, page))
