"""The outbox: changes of holdings that wait in SQL, are sent to the engine by the journal, and come back as events.

An item is written in the same transaction as the decision behind it, so that neither exists without the other. Its
``reference`` is unique and the engine applies a reference once, so nothing can happen twice however it is sent.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.protocol.commands import AnyCommand, HoldingAdjust, HoldingSettle, Leg
from goldx.protocol.units import CASH
from goldx.streams.chains import FrameWriter
from goldx.streams.entries import parse_entry_id
from goldx.streams.journal import Journal
from settlement.base import sub_accounts
from settlement.base.database import among, now_ms
from settlement.base.sub_accounts import Legs
from settlement.documents.kinds import MOVEMENTS
from settlement.documents.ledger import OUTBOX_UNSENT
from settlement.tables.ledger import outbox, trading_account

_PER_FRAME = 500
_SENDER_LOCK = 0x5E4D
"""Advisory lock: one service sends at a time, should two be running."""


class Item(NamedTuple):
    """One change of holdings for the engine to make; ``subject`` is the number of the document behind it."""

    reference: str
    kind: str
    subject: int
    legs: Legs
    status: str


def reference_of(kind: str, subject: int, refused: int = 0) -> str:
    """Return the reference of a document's item, such as ``cash:17`` or ``load_out:3``.

    ``refused``: how many items of the document the engine has refused before. It applies a reference once, so the next
    attempt has one of its own: ``receipt_cancel:3:2``.
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
    await connection.execute(insert(outbox), rows)


async def _refused(connection: AsyncConnection, kind: str, subjects: Sequence[int]) -> dict[int, int]:
    """Return how many items of each of these documents the engine has refused."""
    query = select(outbox.c.subject, func.count()).where(outbox.c.kind == kind, outbox.c.status == "REFUSED")
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


async def find(connection: AsyncConnection, references: Sequence[str]) -> dict[str, Item]:
    """Return the outbox's items among these references."""
    if not references:
        return {}
    columns = (outbox.c.reference, outbox.c.kind, outbox.c.subject, outbox.c.legs, outbox.c.status)
    rows = await connection.execute(select(*columns).where(among(outbox.c.reference, references)))
    return {row.reference: Item(row[0], row[1], row[2], _legs(row[3]), row[4]) for row in rows}


async def close(
    connection: AsyncConnection, outcomes: Sequence[tuple[str, int]], refusals: dict[str, tuple[int, str]]
) -> None:
    """Record answers of the engine: (reference, sequence) of each done item, (sequence, reason) of refused ones."""
    rows = [{"ref": ref, "seq": seq, "state": "DONE", "new_reason": None} for ref, seq in outcomes]
    rows += [
        {"ref": ref, "seq": seq, "state": "REFUSED", "new_reason": reason} for ref, (seq, reason) in refusals.items()
    ]
    closing = update(outbox).where(outbox.c.reference == bindparam("ref"))
    closing = closing.values(status=bindparam("state"), sequence=bindparam("seq"), reason=bindparam("new_reason"))
    if rows:
        await connection.execute(closing, rows)


def _legs(stored: list[list[str | int]]) -> Legs:
    return tuple((str(account), str(asset), int(amount)) for account, asset, amount in stored)


def _command(reference: str, legs: Legs, by: str) -> HoldingAdjust | HoldingSettle:
    if len(legs) == 1:
        return HoldingAdjust(*legs[0], reference=reference, by=by)
    return HoldingSettle(reference=reference, legs=tuple(Leg(*leg) for leg in legs), by=by)


class Sender:
    """Appends waiting items to the journal, oldest first.

    One run of the service is one writer; an append of unknown outcome ends the run, and the next has another number.

    An item is PENDING, then SENDING under the number of a frame that is about to be appended, then SENT. Where the
    append's outcome is unknown (a lost connection, a kill), the frame is looked for in the journal.
    """

    def __init__(self, engine: AsyncEngine, journal: Journal, run: int) -> None:
        self._engine = engine
        self._journal = journal
        self._frames = FrameWriter(f"settlement.{run}")

    async def flush(self) -> int:
        """Send the waiting items and return how many. Call it only when the event stream has been read to its end."""
        async with self._engine.begin() as guard:
            if not await guard.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _SENDER_LOCK}):
                return 0
            await self._recover()
            return await self._send()

    async def _send(self) -> int:
        """Number the next frame, record it and the journal's end before it on its items, and append it."""
        query = select(outbox.c.reference, outbox.c.legs, outbox.c.by).where(outbox.c.status == "PENDING")
        async with self._engine.connect() as connection:
            waiting = (await connection.execute(query.order_by(outbox.c.number).limit(_PER_FRAME))).all()
        if not waiting:
            return 0
        items = [row.reference for row in waiting]
        commands = await self._commands(waiting)
        end = await self._journal.end()
        frame = self._frames.make(commands)
        numbered = {"writer": self._frames.writer, "frame": self._frames.number}
        await self._mark(items, status="SENDING", journal_end=str(end), **numbered)
        await self._journal.append_raw(frame)
        self._frames.arrived()
        await self._mark(items, status="SENT", sent_at=now_ms())
        return len(items)

    async def _commands(self, waiting: Sequence[Any]) -> tuple[AnyCommand, ...]:
        """Return one command per item, after those that open the sub-accounts it needs."""
        named = {str(account) for row in waiting for account, _, _ in row.legs}
        query = select(trading_account.c.account).where(among(trading_account.c.account, named))
        async with self._engine.connect() as connection:
            opened = set((await connection.execute(query)).scalars())
        commands: list[AnyCommand] = []
        for row in waiting:
            legs = _legs(row.legs)
            openings = sub_accounts.openings(legs, opened, row.by)
            opened.update(opening.account for opening in openings)
            commands += [*openings, _command(row.reference, legs, row.by)]
        return tuple(commands)

    async def _recover(self) -> None:
        sending = select(outbox).where(outbox.c.status == "SENDING").order_by(outbox.c.number)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(sending)).all()
        for (writer, frame, end), group in groupby(rows, key=lambda row: (row.writer, row.frame, row.journal_end)):
            found = await self._journal.find(writer, frame, parse_entry_id(end.encode()))
            items = [row.reference for row in group]
            await self._mark(items, status="PENDING" if found is None else "SENT", sent_at=found and found.ms)

    async def _mark(self, references: list[str], **values: object) -> None:
        still_open = outbox.c.status.in_(OUTBOX_UNSENT)
        async with self._engine.begin() as connection:
            await connection.execute(
                update(outbox).where(among(outbox.c.reference, references), still_open).values(**values)
            )
