"""Reconciliation: ledger (A), warehouse (B) and engine (C) at one sequence, to the milligram and the fen.

All three are read in one REPEATABLE READ snapshot, in which the ledger's postings, the receipts and the engine's last
word on every holding stand at the same sequence. A difference is a *break*: it keeps its number, owner and age from
run to run until it is gone.

=================  =========================================================================================
kind               what disagrees
=================  =========================================================================================
HOLDING            ledger and engine, for one account and asset
POSTINGS           a ledger balance and the sum of its postings
POOL_LEDGER        fine gold of the lots under live receipts, and the ledger's vault, for one class
POOL_ENGINE        fine gold of the lots under live receipts, and all holdings of the engine, for one class
RECEIPT            a lot and its receipt: fine gold, or a live receipt without its lot in the vault, or the reverse
CERTIFICATE        a lot and its certificate, or a certificate and its own replicates
STATUS_DIFF        gold in the sub-account of what is pledged or held, and the live documents; or a named lot's lock
CUSTOMS_DIFF       fine gold of a class that lies in warehouses of the other customs status
TRADES             entries of trades in the ledger, and the register of trades (numbers of them)
FEES               fee income, and the fees of all trades with the bills that were paid
CASH_DOCUMENTS     money at the escrow bank, and the documents of money in and out
UNIDENTIFIED       money or metal that came or went by no document
=================  =========================================================================================
"""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.protocol.units import CASH, BadValue, format_amount, format_weight
from settlement.assays.certificates import recompute
from settlement.base import audit
from settlement.base.arithmetic import format_fineness
from settlement.base.database import now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.sub_accounts import HOLD, PLEDGE, SUFFIXES, sub_account
from settlement.documents.custody import BOUND
from settlement.documents.lots import IN_POOL
from settlement.lots.customs import DOMESTIC
from settlement.tables.assays import certificate
from settlement.tables.charges import fee_bill
from settlement.tables.custody import encumbrance, receipt
from settlement.tables.ledger import (
    cash_transfer,
    engine_holding,
    ledger_account,
    ledger_entry,
    posting,
    progress,
    trade,
)
from settlement.tables.lots import grade_customs, lot, lot_lock, warehouse
from settlement.tables.reconciliation import recon_break, recon_run

BOOKS = "books"
"""Scope of the runs that compare ledger, receipts and engine; a warehouse's statement has a scope of its own."""


class Break(NamedTuple):
    """A difference: ``expected`` by the first named side, ``found`` on the other.

    ``unit``: ``amount`` (fen for CNY, fine mg for gold), ``gross_mg``, ``fineness_e5``, ``count``, or ``match`` where
    something is not a number: then ``note`` says what.
    """

    kind: str
    subject: str
    asset: str
    expected: int
    found: int
    unit: str = "amount"
    note: str = ""


def shown(unit: str, asset: str, number: int) -> str:
    """A figure of a break for people."""
    if unit == "amount":
        return format_amount(number, asset)
    if unit == "gross_mg":
        return f"{format_weight(number)} g gross"
    if unit == "fineness_e5":
        return f"{format_fineness(number)} per mille"
    return str(number) if unit == "count" else ("as in the register" if number else "otherwise")


AGEING = ((5, "notice to the regulator"), (3, "risk"), (2, "head of operations"), (1, "its owner"), (0, "matching"))
"""Whose a break is by its age in days (domain sheet 8.4)."""


def age(opened_at: int, now: int) -> tuple[int, str]:
    """Days since a break opened, and whose it is by now."""
    days = max(now - opened_at, 0) // 86_400_000
    return days, next(who for least, who in AGEING if days >= least)


class Report(NamedTuple):
    """One run: how many figures were compared, at which sequence, and what disagrees."""

    run_id: int
    sequence: int
    checked: int
    breaks: tuple[Break, ...]


class _Findings:
    """Counts what is compared and keeps what differs."""

    def __init__(self) -> None:
        self.checked = 0
        self.breaks: list[Break] = []

    def compare(self, kind: str, subject: str, asset: str, expected: int, found: int) -> None:
        self.checked += 1
        if expected != found:
            self.breaks.append(Break(kind, subject, asset, expected, found))


async def reconcile(engine: AsyncEngine, by: str) -> Report:
    """Compares everything, stores run and breaks, and returns the report."""
    findings = _Findings()
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        sequence = await connection.scalar(select(func.coalesce(func.max(progress.c.sequence), 0)))
        for check in _CHECKS:
            await check(connection, findings)
    async with engine.begin() as connection:
        run_id = await note_run(connection, by, BOOKS, findings.checked, findings.breaks, int(sequence or 0))
    return Report(run_id, int(sequence or 0), findings.checked, tuple(findings.breaks))


async def note_run(
    connection: AsyncConnection, by: str, scope: str, checked: int, breaks: Sequence[Break], sequence: int | None = None
) -> int:
    """Stores a run and its breaks; returns its number. ``sequence``: where the books stood, if not where they stand.

    Breaks of the same scope that the run did not find again are corrected.
    """
    if sequence is None:
        sequence = int(await connection.scalar(select(func.coalesce(func.max(progress.c.sequence), 0))) or 0)
    counts = {"checked": checked, "breaks": len(breaks)}
    run = {"at": now_ms(), "sequence": sequence, "by": by, "scope": scope}
    added = insert(recon_run).values(**run, **counts).returning(recon_run.c.run_id)
    run_id = int((await connection.execute(added)).scalar_one())
    await _store(connection, by, run_id, scope, breaks)
    noted = {**counts, "at": sequence, "scope": scope}
    await audit.record(connection, audit.Act(by, "reconcile", f"recon_run:{run_id}", noted))
    return run_id


async def _check_holdings(connection: AsyncConnection, findings: _Findings) -> None:
    columns = ledger_account.c
    query = select(columns.name, columns.asset, columns.balance).where(columns.kind == "member")
    ledger = {(row[0], row[1]): row[2] for row in await connection.execute(query)}
    held = select(engine_holding.c.account, engine_holding.c.asset, engine_holding.c.total)
    engine = {(row[0], row[1]): row[2] for row in await connection.execute(held)}
    for account, asset in sorted(ledger.keys() | engine.keys()):
        key = (account, asset)
        findings.compare("HOLDING", account, asset, ledger.get(key, 0), engine.get(key, 0))


async def _check_postings(connection: AsyncConnection, findings: _Findings) -> None:
    sums = select(posting.c.account_id, func.sum(posting.c.amount).label("total")).group_by(posting.c.account_id)
    part = sums.subquery()
    columns = ledger_account.c
    query = select(columns.kind, columns.name, columns.asset, columns.balance, part.c.total)
    query = query.outerjoin(part, columns.account_id == part.c.account_id).order_by(columns.account_id)
    for kind, name, asset, balance, total in await connection.execute(query):
        findings.compare("POSTINGS", name if kind == "member" else kind, asset, int(total or 0), balance)


async def _check_pools(connection: AsyncConnection, findings: _Findings) -> None:
    lots = select(lot.c.symbol, func.sum(lot.c.fine_mg)).where(lot.c.state.in_(IN_POOL)).group_by(lot.c.symbol)
    warehouse = {symbol: int(total) for symbol, total in await connection.execute(lots)}
    columns = ledger_account.c
    vaults = select(columns.asset, columns.balance).where(columns.kind == "vault")
    ledger = {asset: -balance for asset, balance in await connection.execute(vaults)}
    held = select(engine_holding.c.asset, func.sum(engine_holding.c.total)).where(engine_holding.c.asset != CASH)
    engine = {asset: int(total) for asset, total in await connection.execute(held.group_by(engine_holding.c.asset))}
    for symbol in sorted(warehouse.keys() | ledger.keys() | engine.keys()):
        fine = warehouse.get(symbol, 0)
        findings.compare("POOL_LEDGER", symbol, symbol, fine, ledger.get(symbol, 0))
        findings.compare("POOL_ENGINE", symbol, symbol, fine, engine.get(symbol, 0))


async def _check_receipts(connection: AsyncConnection, findings: _Findings) -> None:
    live = select(receipt.c.lot_id, receipt.c.fine_mg).where(receipt.c.status == "LIVE")
    receipts = {row.lot_id: row.fine_mg for row in await connection.execute(live)}
    held = select(lot.c.lot_id, lot.c.symbol, lot.c.fine_mg).where(lot.c.state.in_(IN_POOL))
    lots = {row.lot_id: (row.symbol, row.fine_mg) for row in await connection.execute(held)}
    for lot_id in sorted(lots.keys() | receipts.keys()):
        symbol, fine = lots.get(lot_id, ("", 0))
        findings.compare("RECEIPT", f"lot:{lot_id}", symbol, fine, receipts.get(lot_id, 0))


async def _check_encumbrances(connection: AsyncConnection, findings: _Findings) -> None:
    """Gold in sub-accounts is what live pledges and holds say, and the lots they name are locked."""
    live = select(encumbrance).where(encumbrance.c.status.in_(BOUND))
    locked = select(lot_lock.c.lot_id, lot_lock.c.kind, lot_lock.c.subject).where(lot_lock.c.lifted_at.is_(None))
    locks = {tuple(row) for row in await connection.execute(locked)}
    bound: defaultdict[tuple[str, str], int] = defaultdict(int)
    for row in await connection.execute(live.order_by(encumbrance.c.encumbrance_no)):
        purpose = PLEDGE if row.kind == "PLEDGE" else HOLD
        bound[sub_account(row.account, purpose), row.symbol] += row.fine_mg
        for lot_id in row.lots:
            there = (lot_id, row.kind, row.encumbrance_no) in locks
            subject = f"{row.kind.lower()}:{row.encumbrance_no} lot:{lot_id}"
            findings.compare("STATUS_DIFF", subject, "", 1, int(there))
    columns = ledger_account.c
    query = select(columns.name, columns.asset, columns.balance).where(columns.kind == "member")
    query = query.where(or_(*(columns.name.endswith(suffix, autoescape=True) for suffix in SUFFIXES)))
    held = {(row[0], row[1]): row[2] for row in await connection.execute(query)}
    for account, asset in sorted(bound.keys() | held.keys()):
        key = (account, asset)
        findings.compare("STATUS_DIFF", account, asset, bound.get(key, 0), held.get(key, 0))


async def _check_customs(connection: AsyncConnection, findings: _Findings) -> None:
    """Bonded and domestic metal never net: no class has gold of the other status in its pool."""
    takes = func.coalesce(grade_customs.c.customs, DOMESTIC)
    joined = lot.join(warehouse, lot.c.warehouse == warehouse.c.warehouse)
    joined = joined.outerjoin(grade_customs, lot.c.symbol == grade_customs.c.symbol)
    stray = func.coalesce(func.sum(lot.c.fine_mg).filter(warehouse.c.customs != takes), 0)
    query = select(lot.c.symbol, stray).select_from(joined).where(lot.c.state.in_(IN_POOL))
    for symbol, fine in await connection.execute(query.group_by(lot.c.symbol).order_by(lot.c.symbol)):
        findings.compare("CUSTOMS_DIFF", symbol, symbol, 0, int(fine))


async def _check_certificates(connection: AsyncConnection, findings: _Findings) -> None:
    """A lot's fine gold must be its certificate's, and the certificate must follow from its own replicates."""
    join = lot.join(certificate, lot.c.lot_id == certificate.c.lot_id)
    query = select(lot.c.lot_id, lot.c.symbol, lot.c.fine_mg, certificate.c.content).select_from(join)
    async for row in await connection.stream(query.order_by(lot.c.lot_id)):
        stated = 0 if recompute(row.content) else json.loads(row.content)["fine"]["fine_mg"]
        findings.compare("CERTIFICATE", f"lot:{row.lot_id}", row.symbol, stated, row.fine_mg or 0)


async def _check_trades(connection: AsyncConnection, findings: _Findings) -> None:
    entries = await connection.scalar(select(func.count()).where(ledger_entry.c.kind == "trade"))
    trades = await connection.scalar(select(func.count()).select_from(trade))
    findings.compare("TRADES", "trades", "", int(entries or 0), int(trades or 0))


async def _check_fees(connection: AsyncConnection, findings: _Findings) -> None:
    fees = await connection.scalar(select(func.coalesce(func.sum(trade.c.buy_fee + trade.c.sell_fee), 0)))
    paid = select(func.coalesce(func.sum(fee_bill.c.amount_fen), 0)).where(fee_bill.c.status == "DONE")
    billed = await connection.scalar(paid)
    income = await _balance(connection, "fee_income")
    findings.compare("FEES", "fee_income", CASH, int(fees or 0) + int(billed or 0), income)


async def _check_cash(connection: AsyncConnection, findings: _Findings) -> None:
    total = func.coalesce(func.sum(cash_transfer.c.amount), 0)
    documents = await connection.scalar(select(total).where(cash_transfer.c.status == "DONE"))
    findings.compare(
        "CASH_DOCUMENTS", "bank_escrow", CASH, int(documents or 0), -await _balance(connection, "bank_escrow")
    )


async def _check_unidentified(connection: AsyncConnection, findings: _Findings) -> None:
    columns = ledger_account.c
    query = select(columns.asset, columns.balance).where(columns.kind == "suspense").order_by(columns.asset)
    for asset, balance in await connection.execute(query):
        findings.compare("UNIDENTIFIED", "suspense", asset, 0, balance)


async def _balance(connection: AsyncConnection, kind: str) -> int:
    total = select(func.coalesce(func.sum(ledger_account.c.balance), 0)).where(ledger_account.c.kind == kind)
    return int(await connection.scalar(total) or 0)


_CHECKS: tuple[Callable[[AsyncConnection, _Findings], Awaitable[None]], ...] = (
    *(_check_holdings, _check_postings, _check_pools, _check_receipts, _check_encumbrances, _check_customs),
    _check_certificates,
    *(_check_trades, _check_fees, _check_cash, _check_unidentified),
)


async def _store(connection: AsyncConnection, by: str, run_id: int, scope: str, breaks: Sequence[Break]) -> None:
    """New breaks open with ``by`` as their owner, known ones go on, those that are gone are CORRECTED."""
    now = now_ms()
    rows = [
        {
            **found._asdict(),
            **{"owner": by, "status": "OPEN", "opened_at": now, "first_run": run_id, "last_run": run_id},
            "scope": scope,
        }
        for found in breaks
    ]
    if rows:
        statement = upsert(recon_break)
        still = {name: statement.excluded[name] for name in ("expected", "found", "unit", "note", "last_run")}
        keys, live = ["kind", "subject", "asset"], text("status <> 'CORRECTED'")
        await connection.execute(
            statement.on_conflict_do_update(index_elements=keys, index_where=live, set_=still), rows
        )
    gone = update(recon_break).where(recon_break.c.status != "CORRECTED", recon_break.c.last_run < run_id)
    gone = gone.where(recon_break.c.scope == scope)
    await connection.execute(gone.values(status="CORRECTED", closed_at=now))


async def open_breaks(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the breaks that are not corrected, oldest first."""
    query = select(recon_break).where(recon_break.c.status != "CORRECTED")
    return await fetch(connection, query, (recon_break.c.break_id,), page)


async def explain(connection: AsyncConnection, by: str, break_id: int, owner: str, explanation: str) -> None:
    """Names who deals with a break and what is known of it. Raises BadValue if there is no such open break."""
    live = update(recon_break).where(recon_break.c.break_id == break_id, recon_break.c.status != "CORRECTED")
    values = {"owner": owner, "explanation": explanation, "status": "EXPLAINED"}
    if (await connection.execute(live.values(values).returning(recon_break.c.break_id))).first() is None:
        raise BadValue("break", break_id, "the number of a break that is not corrected")
    await audit.record(connection, audit.Act(by, "break.explain", f"break:{break_id}", values))
