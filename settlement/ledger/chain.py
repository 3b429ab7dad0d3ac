"""The chain of the ledger: each entry holds a SHA-256 over itself, its lines and the hash of the entry before it.

Triggers prevent changes of entries, but not the addition of an entry that balances. A copy of the chain's end, kept
elsewhere (``goldx audit verify`` prints it), proves that no entry was added, changed or left out.
"""

from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.tables.ledger import ledger_entry, posting

GENESIS: Final = bytes(32)
"""Hash before the first entry."""


class LedgerHead(NamedTuple):
    """The end of the chain: the sequence of the last entry, and its hash."""

    sequence: int
    hash: bytes


class BrokenLedger(Exception):
    """Raised when the ledger was changed after it was written; ``sequence`` is the first entry that does not fit."""

    def __init__(self, sequence: int, why: str) -> None:
        super().__init__(f"ledger entry {sequence}: {why}")
        self.sequence = sequence


def link(previous: bytes, sequence: int, kind: str, at: int, reference: str | None, lines: str) -> bytes:
    """Return the hash of an entry; ``lines`` are ``LINE:ACCOUNT:AMOUNT``, in their order, with commas between them."""
    return sha256(previous + f"{sequence}|{kind}|{at}|{reference or ''}|{lines}".encode()).digest()


async def head(connection: AsyncConnection) -> LedgerHead:
    """Return the end of the chain; (0, GENESIS) for an empty ledger."""
    newest = select(ledger_entry.c.sequence, ledger_entry.c.hash).order_by(ledger_entry.c.sequence.desc()).limit(1)
    row = (await connection.execute(newest)).first()
    return LedgerHead(row.sequence, row.hash or GENESIS) if row else LedgerHead(0, GENESIS)


async def verify(connection: AsyncConnection, anchor: LedgerHead | None = None) -> LedgerHead:
    """Read the whole ledger and return the end of its chain.

    ``anchor`` is an earlier end that was kept elsewhere; it must still be in the chain. Raises BrokenLedger.
    """
    line = func.concat_ws(":", posting.c.line, posting.c.account_id, posting.c.amount)
    lines = func.string_agg(line, aggregate_order_by(literal(","), posting.c.line)).label("lines")
    query = select(ledger_entry, lines).outerjoin(posting, posting.c.sequence == ledger_entry.c.sequence)
    query = query.group_by(ledger_entry.c.sequence).order_by(ledger_entry.c.sequence)
    end = LedgerHead(0, GENESIS)
    async for row in await connection.stream(query):
        if row.hash != link(end.hash, row.sequence, row.kind, row.at, row.reference, row.lines or ""):
            raise BrokenLedger(row.sequence, "it is not what was posted, or an entry before it is missing or was added")
        end = LedgerHead(row.sequence, row.hash)
        if anchor is not None and anchor.sequence == end.sequence and anchor.hash != end.hash:
            raise BrokenLedger(row.sequence, "it is not the entry of the anchor")
    if anchor is not None and anchor.sequence > end.sequence:
        raise BrokenLedger(end.sequence, f"it is the last one, and the anchor is entry {anchor.sequence}")
    return end
