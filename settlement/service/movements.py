"""Decisions about proposals, and the engine's answers to what was approved.

Every kind of proposal (``settlement.documents.kinds``) goes the same way: proposed by one of the staff, approved by
another, sent to the engine if it moves holdings, and done or refused by the engine's event. The module of a kind does
for its own documents what each of these asks for.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final, Protocol, runtime_checkable

from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, proposals
from settlement.base.steps import SERVICE
from settlement.documents.kinds import APPROVED, DECLINED, KINDS
from settlement.ledger import outbox
from settlement.ledger.outbox import OutboxItem


@runtime_checkable
class ActsOnDecision(Protocol):
    """Acts on the decisions about a kind of proposal. ``subjects`` are the numbers of its documents."""

    async def approved(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None: ...
    async def declined(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None: ...


@runtime_checkable
class ActsOnMovement(ActsOnDecision, Protocol):
    """Acts on the engine's answers, too, for a kind that moves holdings."""

    async def done(self, connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None: ...
    async def refused(self, connection: AsyncConnection, by: str, reasons: Mapping[int, str]) -> None: ...


def _decision(name: str) -> ActsOnDecision:
    """Import the module or object that decides a kind. Raises TypeError if it lacks a method that the kind needs."""
    kind = KINDS[name]
    module, _, attribute = kind.decided_by.partition(":")
    found: Any = import_module(module)
    if attribute:
        found = getattr(found, attribute)
    if isinstance(found, type):
        found = found()
    if not isinstance(found, ActsOnDecision if kind.movement is None else ActsOnMovement):
        raise TypeError(f"{kind.decided_by} lacks a method that a decision about {name} needs")
    return found


DECISIONS: Final[Mapping[str, ActsOnDecision]] = {name: _decision(name) for name in KINDS}


def _movement(name: str) -> ActsOnMovement:
    found = DECISIONS[name]
    assert isinstance(found, ActsOnMovement)
    return found


async def approve(
    connection: AsyncConnection, by: str, proposal_id: int, kind: str | None = None
) -> proposals.Proposal:
    """Approve a proposal as the second person; a movement of holdings is queued for the engine.

    Raises BadValue for an unknown proposal or one that is not of ``kind``, Refused for one that is decided, for the
    first person (SAME_PERSON), and where the present state forbids it.
    """
    await _check_kind(connection, proposal_id, kind)
    decided = await proposals.decide(connection, by, proposal_id, APPROVED)
    await DECISIONS[decided.kind].approved(connection, by, decided.subjects)
    return decided


async def decline(
    connection: AsyncConnection, by: str, proposal_id: int, kind: str | None = None
) -> proposals.Proposal:
    """Decline a proposal, which its proposer may do, too.

    Raises BadValue for an unknown proposal or one that is not of ``kind``, Refused for one that is decided.
    """
    await _check_kind(connection, proposal_id, kind)
    decided = await proposals.decide(connection, by, proposal_id, DECLINED)
    await DECISIONS[decided.kind].declined(connection, by, decided.subjects)
    return decided


async def _check_kind(connection: AsyncConnection, proposal_id: int, kind: str | None) -> None:
    if kind is not None and (await proposals.find(connection, proposal_id)).kind != kind:
        raise BadValue("proposal", proposal_id, f"the number of a proposal of the kind {kind}")


async def close(
    connection: AsyncConnection,
    done: Sequence[tuple[OutboxItem, int]],
    refused: Mapping[str, tuple[OutboxItem, int, str]],
) -> None:
    """Record the engine's answers and act on them for the documents behind the outbox, in the ledger's transaction."""
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
        await _movement(kind).done(connection, SERVICE, subjects)
    reasons: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for item, _, reason in refused.values():
        reasons[item.kind][item.subject] = reason
    for kind, refusals in reasons.items():
        await _movement(kind).refused(connection, SERVICE, refusals)
    acts = [audit.Act(SERVICE, f"{item.kind}.done", item.reference, {"sequence": seq}) for item, seq in done]
    acts += [
        audit.Act(SERVICE, f"{item.kind}.refused", item.reference, {"sequence": seq, "reason": reason})
        for item, seq, reason in refused.values()
    ]
    await audit.record_all(connection, acts)
