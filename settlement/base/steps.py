"""Taking the steps that the state machines allow (``settlement.documents``).

All code that changes a document's state asks its machine here, and a step that the machine does not allow is refused
with the reason. If a step takes two people, the first one has proposed it, or is recorded in the document.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, Table, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, registry
from settlement.base.database import among
from settlement.base.refusal import Refused
from settlement.documents.kinds import APPROVED
from settlement.documents.machine import ENGINE, PROPOSAL, Machine, Step
from settlement.tables.base import proposal

SERVICE: Final = "settlement"
"""The actor of steps that follow from an event or from the calendar: the service itself."""


def allow(machine: Machine, name: str, number: int, state: str) -> Step:
    """Return the step, if a document in that state may take it. Raises Refused (ILLEGAL_STEP) with the reason."""
    step = machine.steps[name]
    if state not in step.before:
        allowed = " or ".join(step.before)
        text = f"{machine.kind} {number} is {state}; to {name.replace('_', ' ')} it must be {allowed}"
        raise Refused("ILLEGAL_STEP", text)
    return step


def check_another(machine: Machine, name: str, number: int, by: str, first: str) -> None:
    """Raise Refused (SAME_PERSON) if ``by`` is recorded in the document as the first of a step's two people."""
    if by == first:
        done = machine.steps[name].first.replace("_", " ")
        text = f"{machine.kind} {number} is {done} {by}; to {name.replace('_', ' ')} it takes another person"
        raise Refused("SAME_PERSON", text)


async def authorize(
    connection: AsyncConnection, machine: Machine, name: str, by: str, numbers: Sequence[int], agreed: str | None = None
) -> None:
    """Raise Refused where ``by`` may not take a step (NOT_PERMITTED), or no second person agreed to it (TWO_PEOPLE).

    A step that is proposed needs a proposal of kind ``agreed`` (by default the machine's) about these documents that
    ``by`` has approved; the database keeps anybody from approving their own. A step of two people that the service
    takes on the engine's event had its two people before it went to the engine.
    """
    step = machine.steps[name]
    if by == SERVICE and ENGINE in step.roles:
        return
    if not await registry.staff_permissions(connection, by) & set(step.roles):
        raise Refused("NOT_PERMITTED", f"{by} may not {name} a {machine.kind}: that takes {' or '.join(step.roles)}")
    if step.people == 2 and step.first == PROPOSAL:
        approved = select(proposal.c.proposal_id).where(
            proposal.c.kind == (agreed or machine.kind),
            proposal.c.status == APPROVED,
            proposal.c.decided_by == by,
            proposal.c.subjects.op("@>")(literal(list(numbers), proposal.c.subjects.type)),
        )
        if await connection.scalar(approved.limit(1)) is None:
            raise Refused("TWO_PEOPLE", f"to {name} a {machine.kind}, one person proposes and another approves")


async def load(
    connection: AsyncConnection, table: Table, machine: Machine, numbers: Sequence[int], *, lock: bool = True
) -> dict[int, Row[Any]]:
    """Return documents by number and lock them until the transaction ends. Raises BadValue for an unknown number.

    Without ``lock`` they are only read.
    """
    (key,) = table.primary_key.columns
    query = select(table).where(among(key, numbers)).order_by(key)
    if lock:
        await audit.lock(connection)
        query = query.with_for_update(key_share=True)
    rows = {getattr(row, key.name): row for row in await connection.execute(query)}
    for number in numbers:
        if number not in rows:
            raise BadValue(machine.kind, number, f"the number of a {machine.kind.replace('_', ' ')}")
    return rows


async def advance(
    connection: AsyncConnection,
    table: Table,
    machine: Machine,
    by: str,
    name: str,
    numbers: Sequence[int],
    values: Mapping[str, Any] | None = None,
    agreed: str | None = None,
) -> dict[int, Row[Any]]:
    """Take one step with all of these documents, or with none; return their rows as they were before.

    ``table`` has one number as its key and a ``status``. ``values`` are further columns that all of them get;
    ``agreed`` is the kind of proposal behind a step of two people if it is not the machine's. Raises BadValue for an
    unknown document, Refused where the machine does not allow the step, or not to this person.
    """
    (key,) = table.primary_key.columns
    await authorize(connection, machine, name, by, numbers, agreed)
    rows = await load(connection, table, machine, numbers)
    for number, row in rows.items():
        step = allow(machine, name, number, row.status)
        if step.first != PROPOSAL:
            check_another(machine, name, number, by, getattr(row, step.first))
    after = machine.steps[name].after
    await connection.execute(update(table).where(among(key, numbers)).values(status=after, **(values or {})))
    acts = [audit.Act(by, f"{machine.kind}.{name}", f"{machine.kind}:{number}", values) for number in numbers]
    await audit.record_all(connection, acts)
    return rows
