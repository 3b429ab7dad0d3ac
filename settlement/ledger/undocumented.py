"""Queries of what was moved without a document and is not corrected, by account and by entry.

An entry without a document stands against ``suspense``, as do the corrections that take back what came without one, or
give back what went. Each account has to come out at nothing by itself: what two accounts have got and lost without a
document cancels out in ``suspense``.

An entry without a line of ``suspense`` has moved something from one account to another. It is corrected by entries the
other way, whose documents name it.
"""

from typing import Any

from sqlalchemy import Select, case, func, literal, select, true, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH
from settlement.documents.kinds import UNIDENTIFIED
from settlement.documents.ledger import CORRECTION
from settlement.tables.ledger import correction, ledger_account, ledger_entry, posting

SUSPENSE = "suspense"


def by_account() -> Select[Any]:
    """Return the query of what each account has by entries against ``suspense``, more than zero where it has too much.

    Its columns are the ``kind`` and the ``account`` of the ledger, the ``asset`` and the ``figure``, in fen or fine mg.
    """
    columns, held, line, other = ledger_account.c, ledger_account.alias("held"), posting.c, posting.alias("other_line")
    # The offsets keep the database at the few entries of suspense: it would read all postings for a join.
    entries = select(line.sequence).where(line.account_id == columns.account_id).offset(0).lateral("entries")
    lines = select(other.c.account_id, other.c.amount).where(other.c.sequence == entries.c.sequence)
    of_entry = lines.offset(0).lateral("of_entry")
    joined = ledger_account.join(entries, true()).join(of_entry, true())
    joined = joined.join(held, (held.c.account_id == of_entry.c.account_id) & (held.c.asset == columns.asset))
    keys = (held.c.kind, held.c.name.label("account"), held.c.asset)
    query = select(*keys, func.sum(of_entry.c.amount).label("figure")).select_from(joined)
    query = query.where(columns.kind == SUSPENSE, held.c.kind != SUSPENSE)
    return query.group_by(held.c.kind, held.c.name, held.c.asset)


async def of_account(connection: AsyncConnection, account: str, asset: str) -> int:
    """Return what a trading account has got, or below zero lost, of an asset without a document, in fen or fine mg."""
    there = by_account().subquery("there").c
    query = select(there.figure).where(there.kind == "member", there.account == account, there.asset == asset)
    return int(await connection.scalar(query) or 0)


def by_entry(after: int = 0, *, only: int | None = None, under_way: bool = False) -> Select[Any]:
    """Return the query of what each account still has by entries between accounts after a sequence, or by one entry.

    Its columns are the ``sequence`` of the entry, ``kind``, ``account`` and ``asset``, ``moved``, what the entry moved,
    and ``figure``, what of it is not corrected. ``under_way``: corrections that are not done yet count, too.
    """
    columns, line = ledger_account.c, posting.c
    entries = select(ledger_entry.c.sequence, columns.asset).select_from(ledger_entry)
    entries = entries.join(posting, line.sequence == ledger_entry.c.sequence)
    entries = entries.join(ledger_account, columns.account_id == line.account_id)
    entries = entries.where(ledger_entry.c.kind == UNIDENTIFIED, ledger_entry.c.sequence > after, line.sequence > after)
    if only is not None:
        entries = entries.where(ledger_entry.c.sequence == only)
    entries = entries.group_by(ledger_entry.c.sequence, columns.asset)
    between = entries.having(func.count().filter(columns.kind == SUSPENSE) == 0).subquery("between")
    made = select(between.c.sequence, columns.kind, columns.name.label("account"), columns.asset)
    made = made.add_columns(line.amount.label("moved"), line.amount.label("amount")).select_from(between)
    made = made.join(posting, line.sequence == between.c.sequence)
    made = made.join(ledger_account, (columns.account_id == line.account_id) & (columns.asset == between.c.asset))
    states = [CORRECTION.steps["complete"].after, *(CORRECTION.open if under_way else ())]
    asset = func.coalesce(correction.c.symbol, CASH)
    amount = func.coalesce(correction.c.amount_fen, correction.c.fine_mg)
    parts = [made]
    for account, sign in ((correction.c.from_account, -1), (correction.c.to_account, 1)):
        part = select(between.c.sequence, literal("member").label("kind"), account.label("account"), between.c.asset)
        part = part.add_columns(literal(0).label("moved"), (amount * sign).label("amount")).select_from(between)
        part = part.join(correction, (correction.c.entry == between.c.sequence) & (asset == between.c.asset))
        parts.append(part.where(correction.c.status.in_(states)))
    each = union_all(*parts).subquery("each_line").c
    sums = (func.sum(each.moved).label("moved"), func.sum(each.amount).label("figure"))
    keys = (each.sequence, each.kind, each.account, each.asset)
    return select(*keys, *sums).group_by(*keys)


def open_entries(after: int = 0) -> Select[Any]:
    """Return the query of the entries between accounts after a sequence, each with what of it is not corrected.

    Its columns are ``sequence``, ``asset``, ``figure``, the sum of what accounts have too much, and the ``kind`` and
    the ``account`` of the ledger that has it, of several the first.
    """
    each = by_entry(after).subquery("of_account").c
    too_much = each.figure > 0
    figure = func.coalesce(func.sum(each.figure).filter(too_much), 0).label("figure")
    kind, account = (
        func.min(case((too_much, column))).label(name)
        for name, column in (("kind", each.kind), ("account", each.account))
    )
    return select(each.sequence, each.asset, figure, kind, account).group_by(each.sequence, each.asset)


async def of_entry(connection: AsyncConnection, entry: int, asset: str) -> dict[str, tuple[int, int]]:
    """Return by trading account what an entry between accounts has moved of an asset, and what of it stands.

    Corrections that are under way count as done. Empty if it is no such entry.
    """
    each = by_entry(only=entry, under_way=True).subquery("of_account").c
    query = select(each.account, each.moved, each.figure).where(each.asset == asset)
    return {row.account: (int(row.moved), int(row.figure)) for row in await connection.execute(query)}
