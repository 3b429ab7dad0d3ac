"""What moves money or metal outside the market, and who must agree to it.

Every kind goes the same way: proposed by one of the staff, approved by another, sent to the engine, and done or refused
by the engine's event. The module of a kind supplies what each of these means for its own documents.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import audit, proposals
from settlement.base.states import ACTOR
from settlement.charges import fees, tariff
from settlement.custody import encumbrances, receipt_cancels, receipts, transfers
from settlement.custody.encumbrances import LEGAL_HOLD, PLEDGE
from settlement.intake import intake
from settlement.ledger import cash, outbox
from settlement.ledger.outbox import Item
from settlement.load_outs import application, cancels, claims, handing_over
from settlement.lots import acceptance, provenance


class Decision(Protocol):
    """What a module of a kind offers. ``subjects`` are the numbers of its documents."""

    async def approved(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None: ...
    async def declined(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None: ...


class Movement(Decision, Protocol):
    """What the engine has a word in: the module also says what its answer means."""

    async def done(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None: ...
    async def refused(self, connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None: ...


MOVEMENTS: Mapping[str, Movement] = {
    "cash": cash,
    "receipt": receipts,
    "receipt_cancel": receipt_cancels,
    "pledge": encumbrances.Placing(PLEDGE),
    "pledge_release": encumbrances.Releasing(PLEDGE),
    "legal_hold": encumbrances.Placing(LEGAL_HOLD),
    "legal_lift": encumbrances.Releasing(LEGAL_HOLD),
    "load_out": application,
    "load_out_cancel": cancels,
    "fee": fees,
}
DECISIONS: Mapping[str, Decision] = {
    **MOVEMENTS,
    "transfer": transfers,
    "pickup_code": handing_over,
    "claim": claims,
    "tariff": tariff,
    "acceptance": acceptance,
    "provenance": provenance,
    "lot_lift": intake.Lift(),
    "lot_return": intake.Return(),
}


async def approve(connection: AsyncConnection, by: str, proposal_id: int) -> proposals.Proposal:
    """The second person agrees: what moves holdings goes to the engine.

    Raises BadValue for an unknown proposal, Refused for one that is decided, for the first person (SAME_PERSON), and
    where the present state forbids it.
    """
    decided = await proposals.decide(connection, by, proposal_id, "APPROVED")
    await DECISIONS[decided.kind].approved(connection, by, decided.subjects)
    return decided


async def decline(connection: AsyncConnection, by: str, proposal_id: int) -> proposals.Proposal:
    """Ends a proposal without effect; who proposed may do so too. Raises BadValue."""
    decided = await proposals.decide(connection, by, proposal_id, "DECLINED")
    await DECISIONS[decided.kind].declined(connection, by, decided.subjects)
    return decided


async def close(
    connection: AsyncConnection, done: Sequence[tuple[Item, int]], refused: Mapping[str, tuple[Item, int, str]]
) -> None:
    """What the engine's events mean for the documents behind the outbox. In the ledger's transaction."""
    if not done and not refused:
        return
    await outbox.close(
        connection,
        [(item.reference, sequence) for item, sequence in done],
        {reference: (sequence, reason) for reference, (_, sequence, reason) in refused.items()},
    )
    finished: defaultdict[str, list[int]] = defaultdict(list)
    for item, _ in done:
        finished[item.kind].append(item.subject)
    for kind, subjects in finished.items():
        await MOVEMENTS[kind].done(connection, ACTOR, subjects)
    reasons: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for item, _, reason in refused.values():
        reasons[item.kind][item.subject] = reason
    for kind, why in reasons.items():
        await MOVEMENTS[kind].refused(connection, ACTOR, why)
    acts = [audit.Act(ACTOR, f"{item.kind}.done", item.reference, {"sequence": seq}) for item, seq in done]
    acts += [
        audit.Act(ACTOR, f"{item.kind}.refused", item.reference, {"sequence": seq, "reason": reason})
        for item, seq, reason in refused.values()
    ]
    await audit.record_all(connection, acts)
