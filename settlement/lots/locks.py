"""Locks on lots: the metal of a locked lot cannot be given to anybody.

==============  ==========================================  =================================================
lock            laid by                                     lifted by
==============  ==========================================  =================================================
``FREEZE``      one of the staff who doubts lot or papers   another of the staff
``PLEDGE``      a pledge that names the lot                 the pledge's release
``LEGAL_HOLD``  an order of an authority                    the order's lifting
``TRANSFER``    a transfer to another warehouse             its arrival or cancellation
``CANCEL``      a proposal to cancel the receipt            the decision on it
``CLAIM``       a quality claim about a lot that has left   the decision on it
``DEAL``        a proposed deal that names the lot          its end, or the trade, which moves the title
==============  ==========================================  =================================================

A locked lot stays in the pool: its receipt is live and its gold counts. It cannot be allocated to a load-out, moved,
pledged again or lose its receipt. ``FREEZE`` and ``LEGAL_HOLD`` may be laid over any other lock, and on a lot in a
load-out, which can then not be approved, signed, handed over or cancelled, and does not expire. A trigger of the
database refuses to allocate a locked lot, and to hand out one that is frozen or held.

A deal that is accepted moves the title, whatever else lies on its lots: nothing can call an acceptance back. So a
``FREEZE`` over a ``DEAL`` stays on the lot under its new holder, and a ``LEGAL_HOLD``, which is against the seller, is
not laid over one: an operator first ends the deal, as orders are cancelled before their gold is held.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.documents.lots import HANDED_OUT, LOCKABLE, STOPPABLE
from settlement.lots import lots
from settlement.tables.custody import transfer
from settlement.tables.lots import LOCK_KINDS, lot, lot_lock

OVER_OTHERS = ("FREEZE", "LEGAL_HOLD")


def is_held(lot_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that the lot with a number is frozen or held."""
    return exists().where(lot_lock.c.lot_id == lot_id, lot_lock.c.lifted_at.is_(None), lot_lock.c.kind.in_(OVER_OTHERS))


def is_free() -> ColumnElement[bool]:
    """Return the condition that no lock lies on a row of ``lot``."""
    return ~exists().where(lot_lock.c.lot_id == lot.c.lot_id, lot_lock.c.lifted_at.is_(None))


async def on_lots(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return the locks that lie on these lots now, by lot, oldest first."""
    live = select(lot_lock).where(among(lot_lock.c.lot_id, lot_ids), lot_lock.c.lifted_at.is_(None))
    found: dict[int, list[Row[Any]]] = {}
    for row in await connection.execute(live.order_by(lot_lock.c.lock_id)):
        found.setdefault(row.lot_id, []).append(row)
    return found


async def check_free(connection: AsyncConnection, lot_ids: Sequence[int]) -> None:
    """Refuse (LOCKED), naming the first lot that a lock lies on."""
    for lot_id, (first, *_) in (await on_lots(connection, lot_ids)).items():
        paper = "" if first.subject is None else f" {first.subject}"
        raise Refused("LOCKED", f"lot {lot_id} is under {first.kind}{paper}: {first.reason}")


async def check_not_held(connection: AsyncConnection, lot_ids: Sequence[int], but: str | None = None) -> None:
    """Refuse (LOCKED), naming the first lot that is frozen or held; ``but``: a kind of lock that does not count."""
    for lot_id, found in (await on_lots(connection, lot_ids)).items():
        for row in found:
            if row.kind in OVER_OTHERS and row.kind != but:
                raise Refused("LOCKED", f"lot {lot_id} is under {row.kind}: {row.reason}")


async def lay(
    connection: AsyncConnection, by: str, kind: str, lot_ids: Sequence[int], reason: str, subject: int | None = None
) -> None:
    """Lock all of these lots, or none; ``subject`` is the number of the document behind it.

    Raises BadValue for an unknown lot, Refused for one that is not in the warehouse and free for it (ILLEGAL_STEP) or
    that another lock forbids it (LOCKED).
    """
    if not lot_ids:
        return
    lockable = HANDED_OUT if kind == "CLAIM" else STOPPABLE if kind in OVER_OTHERS else LOCKABLE
    for row in (await lots.find(connection, lot_ids, lock=True)).values():
        if row.state not in lockable:
            allowed = " or ".join(lockable)
            raise Refused("ILLEGAL_STEP", f"lot {row.lot_id} is {row.state}; to lock it, it must be {allowed}")
    if kind in OVER_OTHERS:
        same = [row for rows in (await on_lots(connection, lot_ids)).values() for row in rows if row.kind == kind]
        if same:
            raise Refused("LOCKED", f"lot {same[0].lot_id} is under {kind} already: {same[0].reason}")
        if kind == "LEGAL_HOLD":
            await _check_not_in_deal(connection, lot_ids)
    else:
        await check_free(connection, lot_ids)
    at = now_ms()
    rows = [
        {"lot_id": lot_id, "kind": kind, "subject": subject, "reason": reason, "by": by, "at": at}
        for lot_id in dict.fromkeys(lot_ids)
    ]
    await connection.execute(insert(lot_lock), rows)
    await lots.record_event(connection, by, f"lock_{kind.lower()}", lot_ids, {"reason": reason, "document": subject})


async def _check_not_in_deal(connection: AsyncConnection, lot_ids: Sequence[int]) -> None:
    """Refuse (LOCKED), naming the first lot that a deal may yet give to somebody else."""
    for lot_id, found in (await on_lots(connection, lot_ids)).items():
        for row in found:
            if row.kind == "DEAL":
                ends = "an operator ends the deal first, with market.cancel_orders or member.kill"
                raise Refused("LOCKED", f"lot {lot_id} is named in a deal ({row.reason}); {ends}")


async def lift(connection: AsyncConnection, by: str, kind: str, subject: int) -> None:
    """Lift the locks that a document has laid."""
    live = update(lot_lock).where(
        lot_lock.c.kind == kind, lot_lock.c.subject == subject, lot_lock.c.lifted_at.is_(None)
    )
    lifted = await connection.execute(live.values(lifted_by=by, lifted_at=now_ms()).returning(lot_lock.c.lot_id))
    ids = sorted(lifted.scalars())
    await lots.record_event(connection, by, f"unlock_{kind.lower()}", ids, {"document": subject})


async def freeze(
    connection: AsyncConnection, by: str, lot_ids: Sequence[int], reason: str, transfer_no: int | None = None
) -> None:
    """Freeze lots at once, on one person's decision, for doubt about metal, seal or papers. No gold moves.

    ``transfer_no`` is the transfer that gave rise to the doubt.
    """
    if not lot_ids:
        raise BadValue("lots", list(lot_ids), "at least one lot")
    printable("reason", reason, 200)
    await lay(connection, by, "FREEZE", lot_ids, reason, transfer_no)


async def add_doubt(connection: AsyncConnection, by: str, lot_id: int, doubt: str, transfer_no: int) -> None:
    """Add a doubt about a transfer to the existing freeze of a lot."""
    frozen = (lot_lock.c.lot_id == lot_id, lot_lock.c.kind == "FREEZE", lot_lock.c.lifted_at.is_(None))
    live = update(lot_lock).where(*frozen)
    await connection.execute(live.values(reason=lot_lock.c.reason + f"; {doubt}", subject=transfer_no))
    await lots.record_event(connection, by, "lock_freeze", [lot_id], {"reason": doubt, "document": transfer_no})


async def unfreeze(connection: AsyncConnection, by: str, lot_ids: Sequence[int], reason: str) -> None:
    """End the freeze of lots.

    Raises Refused for a lot that is not frozen, and (SAME_PERSON) for the person who froze it, or who shipped or
    received the transfer in doubt.
    """
    printable("reason", reason, 200)
    await lots.find(connection, lot_ids, lock=True)
    found = await on_lots(connection, lot_ids)
    for lot_id in lot_ids:
        frozen = next((row for row in found.get(lot_id, []) if row.kind == "FREEZE"), None)
        if frozen is None:
            raise Refused("ILLEGAL_STEP", f"lot {lot_id} is not frozen")
        if frozen.by == by:
            raise Refused("SAME_PERSON", f"{by} has frozen lot {lot_id}; another person must end it")
        await _check_not_of_transfer(connection, by, lot_id, frozen.subject)
    live = update(lot_lock).where(among(lot_lock.c.lot_id, lot_ids), lot_lock.c.kind == "FREEZE")
    await connection.execute(live.where(lot_lock.c.lifted_at.is_(None)).values(lifted_by=by, lifted_at=now_ms()))
    await lots.record_event(connection, by, "unlock_freeze", lot_ids, {"reason": reason})


async def _check_not_of_transfer(connection: AsyncConnection, by: str, lot_id: int, transfer_no: int | None) -> None:
    """Raise Refused (SAME_PERSON) for a person who shipped or received the transfer in doubt, if any."""
    people = select(transfer.c.shipped_by, transfer.c.received_by).where(transfer.c.transfer_no == transfer_no)
    row = (await connection.execute(people)).first()
    if row is not None and by in row:
        did = "shipped" if by == row.shipped_by else "received"
        text = f"{by} has {did} lot {lot_id} in transfer {transfer_no}; another person must end the freeze"
        raise Refused("SAME_PERSON", text)


async def listing(connection: AsyncConnection, page: PageRequest = ALL, *, kind: str | None = None) -> Page[Row[Any]]:
    """Return the locks that lie on lots now, by number; of one ``kind`` if it is given. Raises BadValue."""
    if kind is not None and kind not in LOCK_KINDS:
        raise BadValue("kind", kind, "one of " + ", ".join(LOCK_KINDS))
    query = select(lot_lock).where(lot_lock.c.lifted_at.is_(None))
    if kind is not None:
        query = query.where(lot_lock.c.kind == kind)
    return await fetch(connection, query, (lot_lock.c.lock_id,), page)
