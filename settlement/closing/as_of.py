"""Settlement's records as they were when a step of a close read them: how far each had come, and what stood there.

What the day's events do not determine is read from records that only grow: the audit log, the custody events, the
changes of breaks and of rows, runs, records of days. A step keeps how far each of them had come, by their numbers and
never by a clock. So it is computed again from the same records later, whatever has been added, and a record that was
altered gives other bytes.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import msgspec
from sqlalchemy import Row, Table, Text, and_, case, cast, exists, func, literal, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import audit, working_days
from settlement.base.database import trial
from settlement.base.paging import LARGEST_NUMBER
from settlement.closing.canonical import canonical
from settlement.documents.kinds import PROPOSED
from settlement.documents.lots import GONE
from settlement.documents.machine import Machine
from settlement.tables.base import audit_log, proposal
from settlement.tables.changes import row_change

_NEWEST: Final = text("""
SELECT (SELECT coalesce(max(number), 0) FROM audit_log) AS acts,
    (SELECT coalesce(max(event_id), 0) FROM custody_event) AS events,
    (SELECT coalesce(max(change_no), 0) FROM row_change) AS rows,
    (SELECT coalesce(max(change_no), 0) FROM break_state) AS breaks,
    (SELECT coalesce(max(run_id), 0) FROM recon_run) AS runs,
    (SELECT coalesce(max(record_no), 0) FROM day_record) AS records,
    (SELECT coalesce(max(accrual_no), 0) FROM fee_accrual) AS accruals
""")
_LOTS: Final = """
SELECT DISTINCT ON (e.lot_id) e.lot_id, e.state, e.warehouse FROM custody_event e
WHERE e.event_id <= :events AND e.lot_id IN (
    SELECT lot_id FROM lot WHERE NOT state = ANY (:gone)
    UNION SELECT lot_id FROM custody_event WHERE event_id > :events
) ORDER BY e.lot_id, e.event_id DESC
"""
"""A lot that has gone and of which nothing happened since had gone then."""
_COUNTED: Final[Mapping[str, str]] = {
    column: f"SELECT {column}, count(*) AS lots FROM ({_LOTS}) l WHERE state = ANY (:states) GROUP BY 1 ORDER BY 1"
    for column in ("state", "warehouse")
}
_HELD: Final = text("""
SELECT DISTINCT lot_id FROM (
    SELECT DISTINCT ON (lot_id, replace(step, 'unlock_', 'lock_')) lot_id, step FROM custody_event
    WHERE event_id <= :events AND step = ANY (:steps)
    ORDER BY lot_id, replace(step, 'unlock_', 'lock_'), event_id DESC
) last WHERE NOT step LIKE 'un%'
""")
EVERYTHING: Final = ("everything",)
"""Stands for all facts of a step that computes nothing anew, as a program of before made it."""
_DECIDED: Final = ("approved", "declined", "lapsed")


class RecordPosition(NamedTuple):
    """How far the records had come: the newest act, custody event, change of a row and of a break, run, record of a
    day and accrued fee, and the day in Shanghai."""

    acts: int
    events: int
    rows: int
    breaks: int
    runs: int
    records: int
    accruals: int
    day: str

    @classmethod
    def latest(cls) -> Self:
        """Return the position that takes in all that there is now."""
        every = LARGEST_NUMBER
        return cls(every, every, every, every, every, every, every, working_days.today().isoformat())


async def now(connection: AsyncConnection) -> RecordPosition:
    """Return how far the records have come.

    It waits for the transactions that write them, so that none adds a lower number later, and then lets others go on.
    """
    async with trial(connection):
        await audit.lock(connection)
        newest = (await connection.execute(_NEWEST)).one()
    numbers = (newest.acts, newest.events, newest.rows, newest.breaks, newest.runs, newest.records, newest.accruals)
    return RecordPosition(*numbers, working_days.today().isoformat())


def without_position(facts: bytes) -> bytes:
    """Return a step's facts without the position that is among them.

    The hash of what a step was made from is that of these: a close that was killed reads the same records a little
    further on, and ends with the same bytes. A position that was altered gives another output, or the same one.
    """
    try:
        known = msgspec.json.decode(facts)
    except msgspec.DecodeError:
        return facts
    if not isinstance(known, dict) or "seen" not in known:
        return facts
    return canonical({name: value for name, value in known.items() if name != "seen"})


async def lots_by(
    connection: AsyncConnection, position: RecordPosition, column: str, states: Collection[str]
) -> Sequence[Row[Any]]:
    """Return how many lots were in these states, by ``state`` or ``warehouse``, from the custody events."""
    given = {"events": position.events, "gone": list(GONE), "states": list(states)}
    return (await connection.execute(text(_COUNTED[column]), given)).all()


async def held_lots(connection: AsyncConnection, position: RecordPosition, kinds: Collection[str]) -> set[int]:
    """Return the lots on which a lock of these kinds lay, from the custody events."""
    steps = [f"{word}_{kind.lower()}" for kind in kinds for word in ("lock", "unlock")]
    return set(await connection.scalars(_HELD, {"events": position.events, "steps": steps}))


async def documents(
    connection: AsyncConnection, position: RecordPosition, machine: Machine, table: Table, states: Collection[str]
) -> Sequence[Row[Any]]:
    """Return the documents that were in these states, by number, each with its state as ``then``, from the audit log.

    Only documents that are in these states now, or that an act since then was about, can have been.
    """
    (key,) = table.primary_key.columns
    subject = literal(f"{machine.kind}:") + cast(key, Text)
    steps = {f"{machine.kind}.{name}": step.after for name, step in machine.steps.items()}
    log = audit_log.c
    of_machine = log.action.in_(steps)
    later = select(log.subject).where(log.number > position.acts, of_machine)
    acts = select(log.action).where(log.subject == subject, log.number <= position.acts, of_machine)
    last = acts.order_by(log.number.desc()).limit(1).scalar_subquery()
    query = select(table, last.label("last_act")).where(or_(table.c.status.in_(states), subject.in_(later)))
    found = query.where(_existed(position, table.name, cast(key, Text))).subquery("document")
    first = next(step.after for step in machine.steps.values() if not step.before)
    then = case(steps, value=found.c.last_act, else_=first)
    wanted = select(found, then.label("then")).where(then.in_(states)).order_by(found.c[key.name])
    return (await connection.execute(wanted)).all()


def _existed(position: RecordPosition, table: str, key: Any) -> Any:
    """Return the condition that a row was there, from the record of changes of rows."""
    columns = row_change.c
    return exists().where(columns.of_table == table, columns.key == key, columns.change_no <= position.rows)


async def existing(connection: AsyncConnection, position: RecordPosition, table: str, keys: Sequence[str]) -> set[str]:
    """Return which rows of a table were there, from the record of changes of rows."""
    columns = row_change.c
    query = select(columns.key).where(columns.of_table == table, columns.key.in_(keys))
    return set(await connection.scalars(query.where(columns.change_no <= position.rows)))


async def proposals(connection: AsyncConnection, position: RecordPosition) -> Sequence[Row[Any]]:
    """Return the proposals that nobody had decided, by number, from the audit log."""
    subject, log = literal("proposal:") + cast(proposal.c.proposal_id, Text), audit_log.c
    word = func.split_part(log.action, ".", 2)
    later = select(log.subject).where(log.number > position.acts, log.subject.startswith("proposal:"))
    about = and_(log.subject == subject, log.number <= position.acts)
    query = select(proposal).where(or_(proposal.c.status == PROPOSED, subject.in_(later)))
    query = query.where(exists().where(about, word == "propose"), ~exists().where(about, word.in_(_DECIDED)))
    return (await connection.execute(query.order_by(proposal.c.proposal_id))).all()
