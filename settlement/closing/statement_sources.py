"""The sources of the statements of a day: balances, holdings, movements and lots."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.database import among
from settlement.base.sub_accounts import PLEDGE, is_trading_account, owner_of
from settlement.charges import tariff
from settlement.closing import invoices, taken_over, tax_profiles
from settlement.closing.day import Day, Held, balances_at, holdings_at
from settlement.documents.custody import RECEIPT_ISSUED
from settlement.documents.kinds import TRADE
from settlement.ledger.posting import MEMBER, RECEIVABLE
from settlement.tables.base import member
from settlement.tables.ledger import cash_transfer, ledger_account, ledger_entry, posting, trading_account

_LOTS: Final = text("""
WITH step AS (
    SELECT r.lot_id, o.sequence, CASE o.kind WHEN 'receipt' THEN 1 ELSE 0 END AS alive
    FROM outbox o JOIN receipt r ON r.receipt_no = o.subject
    WHERE o.kind IN ('receipt', 'receipt_cancel') AND o.status = 'DONE' AND o.sequence <= :last
    UNION ALL
    SELECT l.lot_id, o.sequence, CASE o.kind WHEN 'load_out_cancel' THEN 1 ELSE 0 END
    FROM outbox o JOIN load_out_lot l ON l.load_out_no = o.subject
    WHERE o.kind IN ('load_out', 'load_out_cancel') AND o.status = 'DONE' AND o.sequence <= :last
), newest AS (
    SELECT DISTINCT ON (lot_id) lot_id, alive, sum(alive) OVER (PARTITION BY lot_id) AS count
    FROM step ORDER BY lot_id, sequence DESC
), titles AS (
    SELECT DISTINCT ON (receipt_no) receipt_no, m.to_account
    FROM lot_reservation m CROSS JOIN unnest(m.receipts) AS receipt_no JOIN trade t ON t.trade_id = m.trade_id
    LEFT JOIN trade_bust b ON b.trade_id = m.trade_id AND m.purpose = 'BUST'
    WHERE m.status = 'MOVED' AND coalesce(b.sequence, t.sequence) <= :last
    ORDER BY receipt_no, coalesce(b.sequence, t.sequence) DESC
), receipts AS (
    SELECT receipt_no, lot_id, coalesce(titles.to_account, issued_to, account) AS account, symbol, fine_mg,
           row_number() OVER (PARTITION BY lot_id ORDER BY receipt_no) AS n
    FROM receipt LEFT JOIN titles USING (receipt_no) WHERE status = ANY (:issued)
)
SELECT r.account, r.receipt_no AS receipt, r.lot_id AS lot, l.refiner, l.serial, l.year, l.form, r.symbol,
       (SELECT e.warehouse FROM custody_event e WHERE e.lot_id = r.lot_id AND e.at <= :at
        ORDER BY e.event_id DESC LIMIT 1) AS warehouse, r.fine_mg
FROM newest JOIN receipts r ON r.lot_id = newest.lot_id AND r.n = newest.count JOIN lot l ON l.lot_id = r.lot_id
WHERE newest.alive = 1 ORDER BY r.account, r.symbol, r.lot_id
""")


class Sources(NamedTuple):
    """Everything that the statements of a day are made from, by account where nothing else is said."""

    day: Day
    ended_at: int
    days_to_object: int
    """Working days after which a statement counts as accepted."""
    accounts: Mapping[str, Row[Any]]
    members: Mapping[str, tuple[str, str]]
    """Name and Chinese name by the code of the member."""
    opening: Mapping[tuple[str, str], int]
    """Balances by account and asset, those of sub-accounts too."""
    closing: Mapping[tuple[str, str], int]
    owed_before: Mapping[str, int]
    """The amounts owed to the venue at the beginning, in fen, of the accounts that owed something."""
    owed: Mapping[str, int]
    held_before: Mapping[tuple[str, str], Held]
    held: Mapping[tuple[str, str], Held]
    active: Sequence[str]
    """The accounts that had something at either end of the day, or that something moved."""
    movements: Mapping[str, Sequence[Mapping[str, Any]]]
    claims: Mapping[str, Sequence[Mapping[str, Any]]]
    """The entries that changed what an account owes the venue."""
    lots: Mapping[str, Sequence[Mapping[str, Any]]]
    differences: Mapping[str, Sequence[Mapping[str, Any]]]
    """The differences between engine and ledger at the end of the day that were taken over into the next one."""
    issuer: str | None
    """The name of the venue as its papers have it, None where none was recorded."""
    corrections: Mapping[str, Sequence[Mapping[str, Any]]]
    """The corrections of invoices of the day by the code of the member."""


async def read(connection: AsyncConnection, day: Day, ended_at: int) -> Sources:
    """Read what the statements of a day are made from, except for the trades. ``ended_at``: when the day ended."""
    accounts = select(trading_account).where(is_trading_account()).order_by(trading_account.c.account)
    members = select(member.c.member, member.c.name, member.c.name_zh)
    before = Day(day.day, day.first, day.first - 1)
    known = {row.account: row for row in await connection.execute(accounts)}
    opening, owed_before = await _balances(connection, before.last)
    closing, owed = await _balances(connection, day.last)
    claims = await _claims(connection, day)
    differences = await _differences(connection, day)
    corrections, corrected = await _corrections(connection, day)
    had = {owner_of(name) for balances in (opening, closing) for (name, _), balance in balances.items() if balance}
    return Sources(
        day,
        ended_at,
        (await tariff.on(connection, day.day))["STATEMENT_DAYS"],
        known,
        {row[0]: (row[1], row[2]) for row in await connection.execute(members)},
        opening,
        closing,
        owed_before,
        owed,
        {(held.account, held.asset): held for held in await holdings_at(connection, before)},
        {(held.account, held.asset): held for held in await holdings_at(connection, day)},
        sorted(
            (
                had
                | owed_before.keys()
                | claims.keys()
                | differences.keys()
                | corrected
                | await _touched(connection, day)
            )
            & known.keys()
        ),
        await _movements(connection, day),
        claims,
        await _lots(connection, day, ended_at),
        differences,
        await tax_profiles.issuer(connection, day.day),
        corrections,
    )


async def _differences(connection: AsyncConnection, day: Day) -> dict[str, list[Mapping[str, Any]]]:
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await taken_over.of_day(connection, day.day):
        found[owner_of(row.difference.account)].append(row.listed())
    return dict(found)


async def _corrections(connection: AsyncConnection, day: Day) -> tuple[dict[str, list[Mapping[str, Any]]], set[str]]:
    """Return the corrections of invoices of a day by member, and the accounts that they are about."""
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    accounts: set[str] = set()
    for row in await invoices.corrections_of(connection, day.day):
        content = msgspec.json.decode(row.content)
        names = ("invoice", "corrects", "replaces", "net_fen", "tax_fen", "amount_fen", "reason", "remaining_fen")
        found[row.member].append({name: content[name] for name in names if name in content})
        accounts |= {line["account"] for line in content["lines"]}
    return dict(found), accounts


async def _balances(connection: AsyncConnection, sequence: int) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    """Return the balances of the accounts after an event, and what those owe that owe something."""
    found = await balances_at(connection, sequence)
    balances = {(row.name, row.asset): row.balance for row in found if row.kind == MEMBER}
    return balances, {row.name: -row.balance for row in found if row.kind == RECEIVABLE and row.balance}


async def _claims(connection: AsyncConnection, day: Day) -> dict[str, list[Mapping[str, Any]]]:
    """Return the entries of the day that changed what accounts owe the venue; an amount above zero is owed more."""
    query = select(ledger_entry, ledger_account.c.name, posting.c.amount)
    query = query.join(posting, posting.c.sequence == ledger_entry.c.sequence)
    query = query.join(ledger_account, ledger_account.c.account_id == posting.c.account_id)
    within = ledger_entry.c.sequence.between(day.first, day.last)
    query = query.where(within, posting.c.sequence.between(day.first, day.last), ledger_account.c.kind == RECEIVABLE)
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await connection.execute(query.order_by(posting.c.sequence)):
        record = {"sequence": row.sequence, "at": row.at, "kind": row.kind, "document": row.reference or ""}
        found[row.name].append({**record, "amount": -row.amount})
    return dict(found)


async def _touched(connection: AsyncConnection, day: Day) -> set[str]:
    """Return the accounts with postings of the day."""
    query = select(ledger_account.c.name).join(posting, posting.c.account_id == ledger_account.c.account_id)
    query = query.where(ledger_account.c.kind == "member", posting.c.sequence.between(day.first, day.last))
    return {owner_of(name) for name in await connection.scalars(query.distinct())}


async def _movements(connection: AsyncConnection, day: Day) -> dict[str, list[Mapping[str, Any]]]:
    """Return the entries of the ledger that are not trades: one record for each entry, account and asset."""
    query = select(ledger_entry, ledger_account.c.name, ledger_account.c.asset, posting.c.amount)
    query = query.join(posting, posting.c.sequence == ledger_entry.c.sequence)
    query = query.join(ledger_account, ledger_account.c.account_id == posting.c.account_id)
    within = ledger_entry.c.sequence.between(day.first, day.last)
    # The database does not see that the sequences of the postings are those of the entries.
    query = query.where(within, posting.c.sequence.between(day.first, day.last))
    query = query.where(ledger_entry.c.kind != TRADE, ledger_account.c.kind == "member")
    rows = list(await connection.execute(query.order_by(posting.c.sequence, posting.c.line)))
    references = await _bank_references(connection, rows)
    found: defaultdict[str, dict[tuple[int, str], dict[str, Any]]] = defaultdict(dict)
    for row in rows:
        account = owner_of(row.name)
        record = found[account].setdefault(
            (row.sequence, row.asset),
            {
                "sequence": row.sequence,
                "at": row.at,
                "kind": row.kind,
                "document": row.reference or "",
                "asset": row.asset,
                "amount": 0,
                "pledged": 0,
                "held": 0,
                "bank_reference": references.get(row.reference or "", ""),
            },
        )
        record[_part(row.name)] += row.amount
    return {account: list(records.values()) for account, records in found.items()}


def _part(account: str) -> str:
    """Return the part of a holding that an account is: free to its owner, pledged, or held by an authority."""
    if account == owner_of(account):
        return "amount"
    return "pledged" if account.endswith(f".{PLEDGE}") else "held"


async def _bank_references(connection: AsyncConnection, rows: Iterable[Row[Any]]) -> dict[str, str]:
    wanted = {int(row.reference.split(":")[1]): row.reference for row in rows if row.kind == "cash"}
    if not wanted:
        return {}
    query = select(cash_transfer.c.cash_id, cash_transfer.c.bank_reference)
    found = await connection.execute(query.where(among(cash_transfer.c.cash_id, wanted)))
    return {wanted[row.cash_id]: row.bank_reference for row in found}


async def _lots(connection: AsyncConnection, day: Day, ended_at: int) -> dict[str, list[Mapping[str, Any]]]:
    """Return the lots under live receipts at the end of the day, by the account that then held each receipt."""
    found: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in await connection.execute(_LOTS, {"last": day.last, "at": ended_at, "issued": list(RECEIPT_ISSUED)}):
        record = dict(row._mapping)
        found[record.pop("account")].append(record)
    return found
