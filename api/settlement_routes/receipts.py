"""Warehouse receipts."""

from pydantic import Field

from api.settlement_routes.access import Clerk, Strict, Transaction, new_router
from settlement.custody import receipts

router = new_router()


class ReceiptIssue(Strict):
    lots: list[int] | None = Field(default=None, description="Default: every registered lot without a receipt")


@router.post("/receipts")
async def propose_receipts(by: Clerk, connection: Transaction, issue: ReceiptIssue) -> dict[str, int]:
    """Proposes receipts for registered lots."""
    chosen = issue.lots if issue.lots is not None else await receipts.issuable(connection)
    return {"proposal": await receipts.propose_issue(connection, by, chosen)}
