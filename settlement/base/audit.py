"""The audit log: who did what, in entries chained by SHA-256.

The hash of an entry covers its own content and the hash before it, so that no entry can be changed, removed or slipped
in without breaking the chain from there on. With the newest number and hash kept elsewhere (``goldx audit
verify`` prints them) it can be proved later that nothing was cut off either.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base import bulk
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.tables.base import CHAIN_LOCK, audit_log

GENESIS = bytes(32)
"""Hash before the first entry."""


class Act(NamedTuple):
    """One act of a person or of the service; ``detail`` is any JSON value."""

    actor: str
    action: str
    subject: str
    detail: object = None


class AuditHead(NamedTuple):
    """The end of the chain."""

    number: int
    hash: bytes


class BrokenChain(Exception):
    """The log was changed after it was written; ``number`` is the first entry that does not fit the chain."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"audit entry {number}: {why}")
        self.number = number


def _link(previous: bytes, number: int, at: int, actor: str, action: str, subject: str, detail: str) -> bytes:
    content = json.dumps([number, at, actor, action, subject, detail], ensure_ascii=False, separators=(",", ":"))
    return sha256(previous + content.encode()).digest()


async def head(connection: AsyncConnection) -> AuditHead:
    """Return the newest entry's number and hash; (0, GENESIS) for an empty log."""
    newest = select(audit_log.c.number, audit_log.c.hash).order_by(audit_log.c.number.desc()).limit(1)
    row = (await connection.execute(newest)).first()
    return AuditHead(row.number, row.hash) if row else AuditHead(0, GENESIS)


async def lock(connection: AsyncConnection) -> None:
    """Wait for every other transaction that changes documents, and keep the others waiting to the end of this one.

    Every act ends with an entry here, and entries are chained, so transactions run one after the other in any case. A
    transaction that locks documents calls this first, and then locks them in the order of their numbers. So
    transactions cannot deadlock, and rows read after this call are unchanged when they are written.
    """
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": CHAIN_LOCK})


async def record(connection: AsyncConnection, *acts: Act) -> None:
    """Append entries in the caller's transaction, so that an act and its entry happen together or not at all."""
    await record_all(connection, acts)


async def record_all(connection: AsyncConnection, acts: Sequence[Act]) -> None:
    """Append many entries at once, like ``record``."""
    if not acts:
        return
    await lock(connection)
    number, previous = await head(connection)
    at = now_ms()
    rows = []
    for act in acts:
        number += 1
        detail = json.dumps(act.detail, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        linked = _link(previous, number, at, act.actor, act.action, act.subject, detail)
        rows.append(
            {
                "number": number,
                "at": at,
                "actor": act.actor,
                "action": act.action,
                "subject": act.subject,
                "detail": detail,
                "previous": previous,
                "hash": linked,
            }
        )
        previous = linked
    await bulk.insert(connection, audit_log, rows)


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the entries of the log by number."""
    return await fetch(connection, select(audit_log), (audit_log.c.number,), page)


async def verify(connection: AsyncConnection, anchor: AuditHead | None = None) -> AuditHead:
    """Read the whole chain and return its end.

    ``anchor`` is an earlier end that was kept elsewhere; it must still be in the chain. Raises BrokenChain.
    """
    end = AuditHead(0, GENESIS)
    result = await connection.stream(select(audit_log).order_by(audit_log.c.number))
    async for row in result:
        if row.number != end.number + 1:
            raise BrokenChain(end.number + 1, "it is missing")
        if row.previous != end.hash:
            raise BrokenChain(row.number, "it does not follow the entry before it")
        if row.hash != _link(row.previous, row.number, row.at, row.actor, row.action, row.subject, row.detail):
            raise BrokenChain(row.number, "its content was changed")
        end = AuditHead(row.number, row.hash)
        if anchor is not None and anchor.number == end.number and anchor.hash != end.hash:
            raise BrokenChain(row.number, "it is not the entry of the anchor")
    if anchor is not None and anchor.number > end.number:
        raise BrokenChain(end.number + 1, f"it is missing, and the anchor is entry {anchor.number}")
    return end
