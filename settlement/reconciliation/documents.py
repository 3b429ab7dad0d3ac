"""Movements compared document by document: the document, its item in the outbox, and the ledger's postings.

Two mistakes can cancel out in the sums of all documents. So each document's holdings and amounts are compared with the
legs of its item in the outbox, and each item with the postings of its entry.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, Table, or_, select, union
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH
from settlement.base.database import among
from settlement.base.sub_accounts import HOLD, PLEDGE, Legs, sub_account
from settlement.documents.custody import RECEIPT_LIVE
from settlement.documents.kinds import KINDS, MOVEMENTS
from settlement.documents.ledger import OUTBOX_DONE
from settlement.documents.machines import MACHINES
from settlement.ledger.holdings import OVER_SHORT_ACCOUNT
from settlement.ledger.outbox import reference_of
from settlement.reconciliation.histories import Facts
from settlement.reconciliation.since import Since
from settlement.tables.custody import receipt
from settlement.tables.ledger import (
    cash_transfer,
    ledger_account,
    ledger_entry,
    outbox,
    posting,
)
from settlement.tables.load_outs import load_out
from settlement.tables.schema import metadata


def _cash(row: Row[Any]) -> Legs:
    return ((row.account, CASH, row.amount),)


def _receipt(row: Row[Any]) -> Legs:
    """Return the legs of its issue: a trade of named lots may have given it another holder since."""
    return ((row.issued_to or row.account, row.symbol, row.fine_mg),)


def _receipt_cancel(row: Row[Any]) -> Legs:
    return ((row.account, row.symbol, -row.fine_mg),)


def _fee(row: Row[Any]) -> Legs:
    return ((row.account, CASH, -row.amount_fen),)


def _correction(row: Row[Any]) -> Legs:
    asset, amount = (CASH, row.amount_fen) if row.symbol is None else (row.symbol, row.fine_mg)
    legs = ((row.from_account, asset, -amount), (row.to_account, asset, amount))
    return tuple(leg for leg in legs if leg[0])


def _fee_payout(row: Row[Any]) -> Legs:
    return ((row.account, CASH, row.amount_fen),)


def _load_out(row: Row[Any]) -> Legs:
    """Computes the legs again, by other code than that which made them."""
    if row.account == OVER_SHORT_ACCOUNT:
        return ((row.account, row.symbol, -row.allocated_mg),)
    legs = (
        (row.account, row.symbol, -row.ask_mg),
        (OVER_SHORT_ACCOUNT, row.symbol, row.ask_mg - row.allocated_mg),
        (row.account, CASH, -row.over_short_fen),
        (OVER_SHORT_ACCOUNT, CASH, row.over_short_fen),
    )
    return tuple(leg for leg in legs if leg[2])


def _load_out_cancel(row: Row[Any]) -> Legs:
    return ((row.account, row.symbol, row.allocated_mg),)


def _bound(purpose: str, direction: int) -> Callable[[Row[Any]], Legs]:
    def legs(row: Row[Any]) -> Legs:
        amount = direction * row.fine_mg
        return ((row.account, row.symbol, -amount), (sub_account(row.account, purpose), row.symbol, amount))

    return legs


class _Kind(NamedTuple):
    """How documents of a kind of movement are read.

    ``legs``: those that follow from a row. ``done``: the step of the document's machine after which the movement has
    been made; none if another movement follows it.
    """

    legs: Callable[[Row[Any]], Legs]
    done: str | None = None


_KINDS: Final[Mapping[str, _Kind]] = {
    "cash": _Kind(_cash, "complete"),
    "receipt": _Kind(_receipt),
    "receipt_cancel": _Kind(_receipt_cancel),
    "correction": _Kind(_correction, "complete"),
    "fee_payout": _Kind(_fee_payout, "complete"),
    "fee": _Kind(_fee, "pay"),
    "load_out": _Kind(_load_out),
    "load_out_cancel": _Kind(_load_out_cancel),
    "pledge": _Kind(_bound(PLEDGE, 1)),
    "pledge_release": _Kind(_bound(PLEDGE, -1)),
    "legal_hold": _Kind(_bound(HOLD, 1)),
    "legal_lift": _Kind(_bound(HOLD, -1)),
}
"""The legs are computed by other code than that which made them, so they are no part of ``settlement.documents.kinds``.
"""
TABLES: Final[Mapping[str, Table]] = {kind: metadata.tables[KINDS[kind].table] for kind in _KINDS}


async def compare(connection: AsyncConnection, facts: Facts, since: Since | None = None) -> None:
    """Compare documents, outbox and ledger, or what of them was written since a proof, in the caller's snapshot."""
    wanted = None if since is None else await _written_since(connection, since)
    items = {row.reference: row for row in await connection.execute(_items(wanted).order_by(outbox.c.number))}
    newest = {(item.kind, item.subject): item for item in items.values()}
    posted = await _posted(connection, since, [item.sequence for item in items.values() if item.sequence is not None])
    money: dict[int, Row[Any]] = {}
    for kind, table in TABLES.items():
        (key,) = table.primary_key.columns
        query = select(key, table)
        if wanted is not None:
            query = query.where(among(key, wanted[kind]))
        rows = {row[0]: row for row in await connection.execute(query)}
        if table is cash_transfer:
            money = rows
        how = _KINDS[kind]
        done = None if how.done is None else MACHINES[kind].steps[how.done].after
        sent = {item.subject for item in items.values() if item.kind == kind}
        made = {number for number, row in rows.items() if done is not None and row.status == done}
        for number in sorted(sent | made):
            reference = reference_of(kind, number)
            item = newest.get((kind, number))
            document = rows.get(number)
            stated = None if document is None else _written(how.legs(document))
            sent_legs = None if item is None else _written(item.legs)
            texts = (_said(sent_legs, "nothing sent"), _said(stated, "no document"))
            facts.same(f"{reference} amounts", sent_legs, stated, cash_id=_money(kind, number, money), said=texts)
    for reference, item in items.items():
        entry = _written(item.legs) if item.status == OUTBOX_DONE else None
        made_of = _written(posted.pop(reference, ())) or None
        texts = (_said(made_of, "nothing"), _said(entry, "nothing"))
        facts.same(f"{reference} posted", made_of, entry, cash_id=_money(item.kind, item.subject, money), said=texts)
    for reference in sorted(posted):
        made_of = _written(posted[reference])
        facts.same(f"{reference} posted", made_of, None, said=(_said(made_of, "nothing"), "no document"))
    await _origins(connection, facts, items.keys(), None if wanted is None else wanted["receipt"])


def _money(kind: str, number: int, money: Collection[int]) -> int | None:
    """Return the number of a document of money, None for another document and for one that was deleted."""
    return number if kind == "cash" and number in money else None


async def _written_since(connection: AsyncConnection, since: Since) -> dict[str, set[int]]:
    """Return by kind of movement the documents of which they, an item or an entry was written since a proof."""
    wanted = {kind: since.numbers(table.name) for kind, table in TABLES.items()}
    entries = select(ledger_entry.c.reference).where(ledger_entry.c.sequence > since.sequence)
    entries = entries.where(ledger_entry.c.kind.in_(MOVEMENTS))
    references = set(await connection.scalars(entries)) | since.changed.get(outbox.name, frozenset())
    items = select(outbox.c.kind, outbox.c.subject).where(among(outbox.c.reference, references))
    for kind, subject in await connection.execute(items):
        wanted[kind].add(subject)
    came_back = since.numbers(load_out.name)
    if came_back:
        reissued = select(receipt.c.receipt_no).where(among(receipt.c.load_out_no, came_back))
        wanted["receipt"].update(await connection.scalars(reissued))
    return wanted


def _items(wanted: Mapping[str, Collection[int]] | None) -> Select[Any]:
    """Return the query of the items of documents: those of one document can be several."""
    query = select(outbox)
    if wanted is None:
        return query
    of_kinds = [(outbox.c.kind == kind) & among(outbox.c.subject, numbers) for kind, numbers in wanted.items()]
    return query.where(or_(*of_kinds))


async def _posted(
    connection: AsyncConnection, since: Since | None, of_items: Collection[int]
) -> dict[str, list[tuple[str, str, int]]]:
    """Return by document the postings of its entry to accounts of members; since a proof also those of these items."""
    columns = (ledger_entry.c.reference, ledger_account.c.name, ledger_account.c.asset, posting.c.amount)
    query = select(*columns).join(posting, posting.c.sequence == ledger_entry.c.sequence)
    query = query.join(ledger_account, ledger_account.c.account_id == posting.c.account_id)
    query = query.where(ledger_entry.c.kind.in_(MOVEMENTS), ledger_account.c.kind == "member")
    if since is not None:
        sequence = ledger_entry.c.sequence
        entries = select(sequence).where(ledger_entry.c.kind.in_(MOVEMENTS), sequence > since.sequence)
        query = query.where(posting.c.sequence.in_(union(entries, select(sequence).where(among(sequence, of_items)))))
    found: defaultdict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for row in await connection.execute(query):
        found[str(row.reference)].append((row.name, row.asset, row.amount))
    return found


def _written(legs: Iterable[Iterable[object]]) -> tuple[str, ...]:
    """Return legs in the form in which they are compared: sorted, each with account, asset and amount."""
    return tuple(sorted(" ".join(map(str, leg)) for leg in legs))


def _said(legs: tuple[str, ...] | None, otherwise: str) -> str:
    """Return legs as people read them; ``otherwise`` if there are none to compare."""
    return otherwise if legs is None else ", ".join(legs)


async def _origins(
    connection: AsyncConnection, facts: Facts, sent: Collection[str], wanted: Collection[int] | None
) -> None:
    """Compare the receipts of lots that came back from load-outs with the account of each load-out.

    Every other live receipt has an item.
    """
    columns = (receipt.c.receipt_no, receipt.c.account, receipt.c.issued_to, receipt.c.status)
    query = select(*columns, load_out.c.account.label("owner"))
    query = query.join_from(receipt, load_out, receipt.c.load_out_no == load_out.c.load_out_no, isouter=True)
    if wanted is not None:
        query = query.where(among(receipt.c.receipt_no, wanted))
    for row in await connection.execute(query.order_by(receipt.c.receipt_no)):
        if row.owner is not None:
            facts.same(f"receipt:{row.receipt_no} account", row.owner, row.issued_to or row.account)
        elif row.status == RECEIPT_LIVE and reference_of("receipt", row.receipt_no) not in sent:
            facts.same(f"receipt:{row.receipt_no} origin", 0, 1, said=("void", "live"))
