"""The proof of signed days: the records are those that were made, and a day computed anew has the same bytes."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base.database import trial
from settlement.base.refusal import Refused
from settlement.closing import signing
from settlement.closing.as_of import EVERYTHING
from settlement.closing.canonical import canonical, digest
from settlement.closing.close import input_hash, steps_of, summary
from settlement.closing.day import Day
from settlement.closing.steps import STEPS
from settlement.documents.closing import CAPACITIES, DONE
from settlement.tables.closing import day_record


def broken(day: date, why: str) -> Refused:
    """Return the refusal of a record that is not the one that was made."""
    return Refused("RECORD_BROKEN", f"the record of {day}: {why}")


async def find(connection: AsyncConnection, day: date) -> Row[Any]:
    """Return the record of a day. Raises BadValue for one without."""
    row = (await connection.execute(select(day_record).where(day_record.c.day == day))).first()
    if row is None:
        raise BadValue("day", day.isoformat(), "a trading day that settlement, warehouse and risk have signed")
    return row


async def verify(connection: AsyncConnection, day: date, anchor: bytes | None = None) -> bytes:
    """Check the chain of records up to a day, and that day's steps and signatures; return the hash of its record.

    ``anchor`` is that hash as it was printed or kept elsewhere. Raises Refused (RECORD_BROKEN) where anything was
    changed, and BadValue for a day without a record.
    """
    wanted = await find(connection, day)
    previous = signing.GENESIS
    chain = select(day_record).where(day_record.c.record_no <= wanted.record_no).order_by(day_record.c.record_no)
    for row in await connection.execute(chain):
        if row.previous != previous:
            raise broken(row.day, "it does not follow the record before it")
        if bytes.fromhex(digest(row.content)) != row.hash:
            raise broken(row.day, "its content was changed")
        previous = row.hash
    if anchor is not None and anchor != wanted.hash:
        raise broken(day, f"its hash is {wanted.hash.hex()}, not the one given")
    closed = await signing.find(connection, day)
    steps = await steps_of(connection, day)
    _check_steps(Day(day, closed.first_sequence, closed.last_sequence), closed, steps)
    signatures = await signing.signatures(connection, day)
    if unsigned := CAPACITIES.keys() - {signature.capacity for signature in signatures}:
        raise broken(day, f"{' and '.join(sorted(unsigned))} did not sign it")
    for signature in signatures:
        if signature.closing_hash != closed.closing_hash:
            raise broken(day, f"{signature.signed_by} has signed something else")
    if await signing.content(connection, closed, wanted.previous) != wanted.content:
        raise broken(day, "it is not made of the day's steps and signatures")
    return bytes(wanted.hash)


def _check_steps(day: Day, closed: Row[Any], steps: Sequence[Row[Any]]) -> None:
    """Raise Refused (RECORD_BROKEN) where a step's hashes are not those of its output and of what it was made from."""
    for row in steps:
        if (why := _changed(day, steps, row)) is not None:
            raise broken(day.day, why)
    if bytes.fromhex(digest(canonical(summary(day, steps)))) != closed.closing_hash:
        raise broken(day.day, "its steps are not those that were signed")


ANEW, PARTLY, KEPT = "ANEW", "PARTLY", "KEPT"
"""A step is computed from records alone; with facts that were kept; or its output is its kept facts."""


class Again(NamedTuple):
    """A step that was computed anew: the hashes of its output, recorded and computed; else why it was not computed.

    ``how``: ANEW, PARTLY or KEPT, and ``kept`` the facts that were taken as they were kept. That they are the ones of
    the close is proved by the hash of what the step was made from, which is signed.
    """

    step: str
    recorded: str
    computed: str | None
    why: str | None
    how: str
    kept: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Return whether the bytes are the same."""
        return self.recorded == self.computed


async def recompute(connection: AsyncConnection, day: date) -> list[Again]:
    """Compute every step of a closed day anew, from events, records and the facts that were kept; change nothing.

    A step whose output or facts are not those of its hashes is not computed.
    """
    closed = await signing.find(connection, day)
    known = {step.name: step for step in STEPS}
    found = []
    again = Day(day, closed.first_sequence, closed.last_sequence)
    async with trial(connection):
        steps = await steps_of(connection, day)
        for row in steps:
            if row.status != DONE:
                continue
            step = known.get(row.step)
            computed, why = None, _changed(again, steps, row)
            if step is None:
                why = "this program does not have the step"
            elif why is None:
                try:
                    computed = digest(await step.run(connection, again, row.facts))
                except Refused as error:
                    why = str(error)
            names = None if step is None else step.kept_facts
            kept = () if names is None or row.facts is None else tuple(names(row.facts))
            how = ANEW if not kept else KEPT if kept == EVERYTHING else PARTLY
            found.append(Again(row.step, row.output_hash.hex(), computed, why, how, kept))
    return found


def _changed(day: Day, steps: Sequence[Row[Any]], row: Row[Any]) -> str | None:
    """Return what of a step is not as its hashes say; None if all is."""
    if row.status != DONE or bytes.fromhex(digest(row.output)) != row.output_hash:
        return f"the output of the step {row.step} was changed"
    if bytes.fromhex(input_hash(day, steps, row.position, row.facts)) != row.input_hash:
        return f"what the step {row.step} was made from was changed"
    return None


async def archive(connection: AsyncConnection, day: date) -> bytes:
    """Return the record of a day as a file: the record, its hash, and the facts and outputs of its steps.

    It can be checked without the database: the hash of ``record`` is ``sha256``, and each step's hashes are in it.
    """
    row = await find(connection, day)
    steps = [
        {
            "step": step.step,
            "facts": None if step.facts is None else step.facts.decode(),
            "output": step.output.decode(),
        }
        for step in await steps_of(connection, day)
    ]
    return canonical({"record": row.content.decode(), "sha256": row.hash.hex(), "steps": steps})
