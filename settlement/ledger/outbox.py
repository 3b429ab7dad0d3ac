"""The outbox: changes of holdings that wait in SQL, are sent to the engine by the journal, and come back as events.

An item is written in the same transaction as the decision behind it, so that neither exists without the other. Its
``reference`` is unique and the engine applies a reference once, so nothing can happen twice however it is sent.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH
from settlement.base import bulk
from settlement.base.database import among, now_ms
from settlement.base.sub_accounts import Legs
from settlement.documents.kinds import MOVEMENTS
from settlement.documents.ledger import OUTBOX
from settlement.tables.ledger import outbox


class OutboxItem(NamedTuple):
    """One change of holdings for the engine to make; ``subject`` is the number of the document behind it."""

    reference: str
    kind: str
    subject: int
    legs: Legs
    status: str


def reference_of(kind: str, subject: int, refused: int = 0) -> str:
    """Return the reference of a document's item, such as ``cash:17`` or ``load_out:3``.

    ``refused``: the number of the document's items that the engine has refused before. The engine applies a reference
    once, so each further attempt gets a new one: ``receipt_cancel:3:2``.
    """
    return f"{kind}:{subject}:{refused + 1}" if refused else f"{kind}:{subject}"


async def put(connection: AsyncConnection, kind: str, by: str, moves: Iterable[tuple[int, Legs]]) -> None:
    """Queue one item per (subject, legs) in the caller's transaction.

    Raises ValueError for legs that a document of this kind cannot have (``settlement.documents.kinds``).
    """
    moving = list(moves)
    rows = []
    refused = await _refused(connection, kind, [subject for subject, _ in moving])
    for subject, legs in moving:
        _check_net(kind, legs)
        rows.append(
            {
                "reference": reference_of(kind, subject, refused.get(subject, 0)),
                "kind": kind,
                "subject": subject,
                "by": by,
                "legs": [list(leg) for leg in legs],
                "created_at": now_ms(),
            }
        )
    await bulk.insert(connection, outbox, rows)


async def _refused(connection: AsyncConnection, kind: str, subjects: Sequence[int]) -> dict[int, int]:
    """Return how many items of each of these documents the engine has refused."""
    query = select(outbox.c.subject, func.count()).where(
        outbox.c.kind == kind, outbox.c.status.in_(OUTBOX.after("refuse"))
    )
    counts = await connection.execute(query.where(among(outbox.c.subject, subjects)).group_by(outbox.c.subject))
    return {row[0]: int(row[1]) for row in counts}


def _check_net(kind: str, legs: Legs) -> None:
    """Raise ValueError where the net change of all holdings is not as the kind allows."""
    movement = MOVEMENTS[kind]
    net: defaultdict[str, int] = defaultdict(int)
    for _, asset, amount in legs:
        net[asset] += amount
    for asset, amount in net.items():
        allowed = movement.cash if asset == CASH else movement.gold
        if not allowed.allows(amount):
            raise ValueError(f"a {kind} changes all holdings of {asset} by {amount}; allowed is {allowed.value}")


async def find(connection: AsyncConnection, references: Sequence[str]) -> dict[str, OutboxItem]:
    """Return the outbox's items among these references."""
    if not references:
        return {}
    columns = (outbox.c.reference, outbox.c.kind, outbox.c.subject, outbox.c.legs, outbox.c.status)
    rows = await connection.execute(select(*columns).where(among(outbox.c.reference, references)))
    return {row.reference: OutboxItem(row[0], row[1], row[2], legs_of(row[3]), row[4]) for row in rows}


async def close(
    connection: AsyncConnection, outcomes: Sequence[tuple[str, int]], refusals: dict[str, tuple[int, str]]
) -> None:
    """Record answers of the engine: (reference, sequence) of each done item, (sequence, reason) of refused ones."""
    rows = [
        {"reference": ref, "status": OUTBOX.steps["complete"].after, "sequence": sequence, "reason": None}
        for ref, sequence in outcomes
    ]
    rows += [
        {"reference": ref, "status": OUTBOX.steps["refuse"].after, "sequence": sequence, "reason": reason}
        for ref, (sequence, reason) in refusals.items()
    ]
    await bulk.update(connection, outbox, rows)


def legs_of(stored: list[list[str | int]]) -> Legs:
    """Return the legs of an item as its row holds them."""
    return tuple((str(account), str(asset), int(amount)) for account, asset, amount in stored)
