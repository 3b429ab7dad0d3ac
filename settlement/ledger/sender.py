"""The sender of the outbox: it appends the waiting items to the journal, and the claims that the engine lacks."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.protocol.claim_commands import AccountClaim
from goldx.protocol.commands import AnyCommand, HoldingAdjust, HoldingSettle, Leg
from goldx.streams.chains import FrameWriter
from goldx.streams.entries import parse_entry_id
from goldx.streams.journal import Journal
from settlement.base import sub_accounts
from settlement.base.database import among, now_ms
from settlement.base.sub_accounts import Legs
from settlement.documents.kinds import MOVEMENTS
from settlement.documents.ledger import OUTBOX, OUTBOX_UNSENT
from settlement.ledger import cash, payment_claims
from settlement.ledger.outbox import legs_of
from settlement.tables.ledger import outbox, trading_account

_PENDING, _SENDING, _SENT = (OUTBOX.steps[step].after for step in ("queue", "begin", "arrive"))
_PER_FRAME: Final = 500
_SENDER_LOCK: Final = 0x5E4D
"""Advisory lock: one service sends at a time, should two be running."""


def _command(reference: str, legs: Legs, by: str, *, deposit: bool, claim: str) -> HoldingAdjust | HoldingSettle:
    if len(legs) == 1:
        return HoldingAdjust(*legs[0], reference=reference, by=by, deposit=deposit, claim=claim)
    return HoldingSettle(reference=reference, legs=tuple(Leg(*leg) for leg in legs), by=by, deposit=deposit)


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
        self._claims: tuple[AccountClaim, ...] = ()
        """The commands about claims that were sent and are not answered yet."""

    async def flush(self) -> int:
        """Send the waiting items and return how many. Call it only when the event stream has been read to its end."""
        async with self._engine.begin() as guard:
            if not await guard.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _SENDER_LOCK}):
                return 0
            await self._recover()
            await self._send_claims()
            return await self._send()

    async def send(self, command: AnyCommand) -> None:
        """Append one command that is in no outbox, since it may come twice. Raises redis' errors."""
        await self._append((command,))

    async def _append(self, commands: tuple[AnyCommand, ...]) -> None:
        await self._journal.append_raw(self._frames.make(commands))
        self._frames.arrived()

    async def _send_claims(self) -> None:
        """Append what the engine has to be told of claims, once in this run: each command is answered by an event.

        They precede the money that collects them.
        """
        async with self._engine.connect() as connection:
            wanted = await payment_claims.wanted(connection)
        if new := tuple(command for command in wanted if command not in self._claims):
            await self._append(new)
        self._claims = wanted

    async def _send(self) -> int:
        """Number the next frame, record it and the journal's end before it on its items, and append it."""
        columns = (outbox.c.reference, outbox.c.kind, outbox.c.subject, outbox.c.legs, outbox.c.by)
        query = select(*columns).where(outbox.c.status == _PENDING)
        async with self._engine.connect() as connection:
            waiting = (await connection.execute(query.order_by(outbox.c.number).limit(_PER_FRAME))).all()
        if not waiting:
            return 0
        items = [row.reference for row in waiting]
        commands = await self._commands(waiting)
        end = await self._journal.end()
        frame = self._frames.make(commands)
        numbered = {"writer": self._frames.writer, "frame": self._frames.number}
        await self._mark(items, status=_SENDING, journal_end=str(end), **numbered)
        await self._journal.append_raw(frame)
        self._frames.arrived()
        await self._mark(items, status=_SENT, sent_at=now_ms())
        return len(items)

    async def _commands(self, waiting: Sequence[Any]) -> tuple[AnyCommand, ...]:
        """Return one command per item, after those that open the sub-accounts it needs."""
        named = {str(account) for row in waiting for account, _, _ in row.legs}
        query = select(trading_account.c.account).where(among(trading_account.c.account, named))
        async with self._engine.connect() as connection:
            opened = set((await connection.execute(query)).scalars())
            moved = [row.subject for row in waiting if row.kind == "cash"]
            back = await cash.coming_back(connection, moved)
            claims = await payment_claims.collecting(connection, moved)
        commands: list[AnyCommand] = []
        for row in waiting:
            legs = legs_of(row.legs)
            openings = sub_accounts.openings(legs, opened, row.by)
            opened.update(opening.account for opening in openings)
            new = MOVEMENTS[row.kind].is_deposit and not (row.kind == "cash" and row.subject in back)
            deposit = new and any(amount > 0 for _, _, amount in legs)
            claim = claims.get(row.subject, "") if row.kind == "cash" else ""
            commands += [*openings, _command(row.reference, legs, row.by, deposit=deposit, claim=claim)]
        return tuple(commands)

    async def _recover(self) -> None:
        sending = select(outbox).where(outbox.c.status == _SENDING).order_by(outbox.c.number)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(sending)).all()
        for (writer, frame, end), group in groupby(rows, key=lambda row: (row.writer, row.frame, row.journal_end)):
            found = await self._journal.find(writer, frame, parse_entry_id(end.encode()))
            items = [row.reference for row in group]
            await self._mark(items, status=_PENDING if found is None else _SENT, sent_at=found and found.ms)

    async def _mark(self, references: list[str], **values: object) -> None:
        still_open = outbox.c.status.in_(OUTBOX_UNSENT)
        async with self._engine.begin() as connection:
            await connection.execute(
                update(outbox).where(among(outbox.c.reference, references), still_open).values(**values)
            )
