"""State machines of settlement's documents, as tables: read by people, drawn by ``goldx clerk states``, obeyed by code.

A machine says, for each step, in which states it may be taken, where it leads, who may take it and whether that needs
two people. Nothing else decides it: the functions that take steps ask the table, and a step that it does not allow is
refused with the reason. Of two people the first has proposed it, or stands in the document itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Table, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, registry
from settlement.base.database import among
from settlement.base.refusal import Refused
from settlement.tables.base import proposal

ACTOR: Final = "settlement"
"""Who does what follows from an event or from the calendar: the service itself."""
CLERK: Final = "settle"
"""Role of a step: a member of staff who holds this permission."""
EXCHANGE: Final = "exchange"
"""Role of a step: settlement itself, on the engine's event or because a day has come."""
AS_BEFORE: Final = "as before"
"""State after a step that ends a hold: the one in which the hold began."""
START: Final = "(none)"
"""Drawn where a document begins."""
PROPOSAL: Final = "proposal"
"""Where the first of two people stands if not in a column of the document."""


class Step(NamedTuple):
    """``before``: states in which it may be taken (none: it makes the document); ``after``: where it leads.

    ``first``, of a step of two people: the column that names the first of them, of this document or of the one behind
    the step, else a proposal.
    """

    before: tuple[str, ...]
    after: str
    roles: tuple[str, ...] = (CLERK,)
    people: int = 1
    first: str = PROPOSAL


class Machine(NamedTuple):
    """The steps of one kind of document, in the order in which its life usually takes them."""

    kind: str
    steps: Mapping[str, Step]

    @property
    def states(self) -> tuple[str, ...]:
        """Every state, in the order in which the table first reaches it."""
        return tuple(dict.fromkeys(step.after for step in self.steps.values() if step.after != AS_BEFORE))

    def allow(self, name: str, number: int, state: str) -> Step:
        """The step, if a document in that state may take it. Raises Refused (ILLEGAL_STEP) with the reason."""
        step = self.steps[name]
        if state not in step.before:
            allowed = " or ".join(step.before)
            text = f"{self.kind} {number} is {state}; to {name.replace('_', ' ')} it must be {allowed}"
            raise Refused("ILLEGAL_STEP", text)
        return step

    def another(self, name: str, number: int, by: str, first: str) -> None:
        """Raises Refused (SAME_PERSON) if ``by`` is who stands in the document as the first of a step's two people."""
        if by == first:
            done = self.steps[name].first.replace("_", " ")
            text = f"{self.kind} {number} is {done} {by}; to {name.replace('_', ' ')} it takes another person"
            raise Refused("SAME_PERSON", text)

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Step, from, to, role, people: what ``goldx clerk states`` prints."""
        return [
            (name, ", ".join(step.before) or START, step.after, " or ".join(step.roles), str(step.people))
            for name, step in self.steps.items()
        ]

    def edges(self) -> Iterator[tuple[str, str, str]]:
        """(from, to, label) of each arrow; a step that ends a hold leads back to every state that can be held."""
        held = [state for step in self.steps.values() for state in step.before if step.after in self._holds()]
        for name, step in self.steps.items():
            label = name + (" (two people)" if step.people == 2 else "")
            for before in step.before or (START,):
                for after in held if step.after == AS_BEFORE else (step.after,):
                    yield before, after, label

    def _holds(self) -> set[str]:
        return {state for step in self.steps.values() if step.after == AS_BEFORE for state in step.before}

    def dot(self) -> str:
        """The machine for Graphviz."""
        lines = [f'  "{before}" -> "{after}" [label="{label}"];' for before, after, label in self.edges()]
        return "\n".join((f'digraph "{self.kind}" {{', "  rankdir=LR;", "  node [shape=box];", *lines, "}"))

    def mermaid(self) -> str:
        """The machine for Mermaid."""
        shown = {START: "[*]"}
        lines = [f"  {shown.get(before, before)} --> {after}: {label}" for before, after, label in self.edges()]
        return "\n".join(("stateDiagram-v2", *lines))


async def authorize(
    connection: AsyncConnection, machine: Machine, name: str, by: str, numbers: Sequence[int], agreed: str | None = None
) -> None:
    """Raises Refused where ``by`` may not take a step (NOT_PERMITTED), or no second person agreed to it (TWO_PEOPLE).

    For a step that is proposed there must be a proposal of kind ``agreed`` (usual: the machine's) about these documents
    that ``by`` has approved; the database keeps anybody from approving their own. A step of two people that settlement
    takes on the engine's event had its two people before it went to the engine.
    """
    step = machine.steps[name]
    if by == ACTOR and EXCHANGE in step.roles:
        return
    if not await registry.staff_permissions(connection, by) & set(step.roles):
        raise Refused("NOT_PERMITTED", f"{by} may not {name} a {machine.kind}: that takes {' or '.join(step.roles)}")
    if step.people == 2 and step.first == PROPOSAL:
        told = select(proposal.c.proposal_id).where(
            proposal.c.kind == (agreed or machine.kind),
            proposal.c.status == "APPROVED",
            proposal.c.decided_by == by,
            proposal.c.subjects.op("@>")(literal(list(numbers), proposal.c.subjects.type)),
        )
        if await connection.scalar(told.limit(1)) is None:
            raise Refused("TWO_PEOPLE", f"to {name} a {machine.kind}, one person proposes and another approves")


async def load(
    connection: AsyncConnection, table: Table, machine: Machine, numbers: Sequence[int]
) -> dict[int, Row[Any]]:
    """Documents by number, locked until the transaction ends. Raises BadValue naming one that does not exist."""
    (key,) = table.primary_key.columns
    query = select(table).where(among(key, numbers)).order_by(key).with_for_update()
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
    """Takes one step with documents of a table that has one number as its key and a ``status``: all or none.

    ``values`` are further columns that all of them get; ``agreed`` is the kind of proposal behind a step of two people
    if it is not the machine's. Returns the rows as they were. Raises BadValue for an unknown document, Refused where
    the machine does not allow the step, or not to this person.
    """
    (key,) = table.primary_key.columns
    await authorize(connection, machine, name, by, numbers, agreed)
    rows = await load(connection, table, machine, numbers)
    for number, row in rows.items():
        step = machine.allow(name, number, row.status)
        if step.first != PROPOSAL:
            machine.another(name, number, by, getattr(row, step.first))
    after = machine.steps[name].after
    await connection.execute(update(table).where(among(key, numbers)).values(status=after, **(values or {})))
    acts = [audit.Act(by, f"{machine.kind}.{name}", f"{machine.kind}:{number}", values) for number in numbers]
    await audit.record_all(connection, acts)
    return rows
