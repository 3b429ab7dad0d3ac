"""Reconciliation: ledger (A), warehouse (B) and engine (C) at one sequence, to the milligram and the fen.

All three are read in one REPEATABLE READ snapshot, in which the ledger's postings, the receipts and every holding that
the engine has published are those of the same sequence. A difference is a break (``settlement.reconciliation.breaks``).

=================  =========================================================================================
kind               the two sides that differ
=================  =========================================================================================
HOLDING            ledger and engine, for one account and asset
POSTINGS           a ledger balance and the sum of its postings
POOL_LEDGER        fine gold of the lots under live receipts, and the ledger's vault, for one class
POOL_ENGINE        fine gold of the lots under live receipts, and all holdings of the engine, for one class
RECEIPT            a lot and its receipt: fine gold, or a live receipt without its lot in the vault, or the reverse
CERTIFICATE        a lot and its certificate (0 if there is none), or a certificate and its own replicates
STATUS_DIFF        gold in the sub-account of what is pledged or held, and the live documents; or a named lot's lock
CUSTOMS_DIFF       fine gold of a class that lies in warehouses of the other customs status
TRADES             entries of trades in the ledger, and the register of trades (``settlement.reconciliation.trades``)
FEES               fee income, and the fees of all trades with the bills that were paid
TRADE_FEE          a trade's fees, and its instrument's rates or the ledger (``settlement.reconciliation.fees``)
ACCRUAL            an accrued fee, and the tariff in force
BILL               a bill, and the fees that are on it
CASH_DOCUMENTS     money at the escrow bank, and documents of money and claims; what an account owes, and its claims
UNIDENTIFIED       money or metal of an account that was moved without a document, and the corrections of it
HISTORY            the present state and the acts recorded about it, or a document and what was sent and posted for it
DAY_END            ledger and engine at the end of a day, taken over by two people; no run finds it, a run can end it
=================  =========================================================================================
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Row, and_, any_, case, func, literal, or_, outerjoin, select, true
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from goldx.protocol.units import CASH
from settlement.assays.certificates import recompute
from settlement.base.database import among, one_at_a_time
from settlement.base.paging import LARGEST_NUMBER
from settlement.base.refusal import Refused
from settlement.base.sub_accounts import HOLD, PLEDGE, SUFFIXES
from settlement.documents.charges import FEE_BILL
from settlement.documents.custody import BOUND, ENCUMBRANCE_OPEN, RECEIPT_LIVE
from settlement.documents.kinds import TRADE, TRADE_BUST
from settlement.documents.ledger import CASH_DONE, FEE_PAYOUT
from settlement.documents.lots import IN_POOL
from settlement.ledger.posting import RECEIVABLE
from settlement.lots.customs import DOMESTIC
from settlement.reconciliation import (
    day_end,
    documents,
    fees,
    histories,
    holdings,
    pairs,
    receivables,
    titles,
    unidentified,
)
from settlement.reconciliation import trades as trades_of_ledger
from settlement.reconciliation.break_areas import BOOKS
from settlement.reconciliation.breaks import Break, newest_step, record_run, venue_account
from settlement.reconciliation.comparison import Comparison
from settlement.reconciliation.since import RecordEnds, Since, marks
from settlement.tables.assays import certificate
from settlement.tables.charges import fee_bill
from settlement.tables.closing import balance_at_end
from settlement.tables.custody import ENCUMBRANCE_KINDS, encumbrance, receipt
from settlement.tables.ledger import (
    cash_transfer,
    engine_holding,
    fee_payout,
    ledger_account,
    ledger_entry,
    posting,
    progress,
    trade,
    trade_bust,
)
from settlement.tables.lots import grade_customs, lot, lot_lock, warehouse
from settlement.tables.reconciliation import recon_run

_RUN_LOCK: Final = 0x5EC0
"""Advisory lock of the run of the books that goes on."""


class RunReport(NamedTuple):
    """One run: the number of figures compared, the sequence at which they were read, and the breaks."""

    run_id: int
    sequence: int
    checked: int
    breaks: tuple[Break, ...]


class Run(NamedTuple):
    """A run with what was compared, None for everything, and where the records ended in its snapshot."""

    report: RunReport
    since: Since | None
    marks: RecordEnds


ReportDone = Callable[[int, int], Awaitable[None]]
FindProof = Callable[[AsyncConnection], Awaitable[Since | None]]


async def reconcile(engine: AsyncEngine, by: str) -> RunReport:
    """Compare everything, store the run and its breaks, and return the report. Raises Refused as ``run`` does."""
    return (await run(engine, by)).report


async def run(
    engine: AsyncEngine,
    by: str,
    find_proof: FindProof | None = None,
    report_done: ReportDone | None = None,
    wait_seconds: float = 0,
) -> Run:
    """Compare everything, or what was written since a proof, and store the run and its breaks.

    ``find_proof`` returns, in the run's snapshot, what was written since, or None. If not everything is compared, the
    breaks that are known stay. ``report_done`` gets how many of how many comparisons are done. One run goes on at a
    time, so that breaks are not judged by what was read before another run was stored: raises Refused
    (RECONCILIATION_RUNNING) if another one still goes on after ``wait_seconds``.
    """
    busy = Refused("RECONCILIATION_RUNNING", "another reconciliation of the books is running; try again later")
    async with one_at_a_time(engine, _RUN_LOCK, busy, wait_seconds):
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            last_step = await newest_step(connection)
            since = None if find_proof is None else await find_proof(connection)
            found = await compare(connection, since, report_done)
            at = await marks(connection)
        proved = None if since is None else since.sequence
        counted = (found.checked, found.breaks, found.sequence)
        async with engine.begin() as connection:
            run_id = await record_run(connection, by, BOOKS, *counted, proved=proved, last_step=last_step)
            await day_end.end_corrected(connection, by, run_id, found.breaks, last_step)
    return Run(RunReport(run_id, found.sequence, found.checked, tuple(found.breaks)), since, at)


async def last_run(
    connection: AsyncConnection, *, whole: bool = False, newest: int = LARGEST_NUMBER
) -> Row[Any] | None:
    """Return the newest run up to a number, or the newest one that compared everything."""
    query = select(recon_run).where(recon_run.c.scope == BOOKS, recon_run.c.run_id <= newest)
    if whole:
        query = query.where(recon_run.c.since.is_(None))
    return (await connection.execute(query.order_by(recon_run.c.run_id.desc()).limit(1))).first()


async def compare(
    connection: AsyncConnection, since: Since | None = None, report_done: ReportDone | None = None
) -> Comparison:
    """Compare everything, or what was written since a proof, in the caller's snapshot, and change nothing."""
    sequence = await connection.scalar(select(func.coalesce(func.max(progress.c.sequence), 0)))
    comparison = Comparison(int(sequence or 0), since)
    for done, check in enumerate(_CHECKS, 1):
        await check(connection, comparison)
        if report_done is not None:
            await report_done(done, len(_CHECKS))
    return comparison


def _of_account(kind: str) -> Callable[[Row[Any]], Break]:
    """Return the function that makes a break of a pair of an account and asset."""
    return lambda row: Break(kind, row.account, row.asset, int(row.expected), int(row.found), account=row.account)


def _of_class(kind: str) -> Callable[[Row[Any]], Break]:
    """Return the function that makes a break of a pair of a class."""
    return lambda row: Break(kind, row.asset, row.asset, int(row.expected), int(row.found))


async def _check_holdings(connection: AsyncConnection, comparison: Comparison) -> None:
    await comparison.compare_pairs(connection, holdings.both(), _of_account("HOLDING"), "account", "asset")


async def _check_postings(connection: AsyncConnection, comparison: Comparison) -> None:
    """Compare each balance with its postings, or with the balance at the end of a proved day and those after it."""
    since = select(posting.c.account_id, posting.c.amount).where(posting.c.sequence > comparison.proved)
    # The offset keeps the database from reading all postings for the sake of their order by account.
    recent = since.offset(0).subquery()
    sums = select(recent.c.account_id, func.sum(recent.c.amount).label("total")).group_by(recent.c.account_id)
    part = sums.subquery()
    columns, kept = ledger_account.c, balance_at_end.c
    newest = select(kept.balance).where(kept.account_id == columns.account_id, kept.sequence <= comparison.proved)
    before = newest.order_by(kept.sequence.desc()).limit(1).lateral("before")
    posted = func.coalesce(part.c.total, 0) + func.coalesce(before.c.balance, 0)
    query = select(columns.account_id, columns.kind, columns.name, columns.asset)
    query = query.add_columns(posted.label("expected"), columns.balance.label("found"))
    query = query.outerjoin(part, columns.account_id == part.c.account_id).outerjoin(before, true())

    def found(row: Row[Any]) -> Break:
        account = row.name if row.kind in ("member", RECEIVABLE) else venue_account(row.kind)
        subject = receivables.subject_of(account) if row.kind == RECEIVABLE else account
        return Break("POSTINGS", subject, row.asset, int(row.expected), int(row.found), account=account)

    await comparison.compare_pairs(connection, query, found, "account_id")


async def _check_pools(connection: AsyncConnection, comparison: Comparison) -> None:
    held, columns, engine = lot.c, ledger_account.c, engine_holding.c
    lots = select(held.symbol.label("asset"), func.sum(held.fine_mg).label("figure"))
    lots = lots.where(held.state.in_(IN_POOL)).group_by(held.symbol)
    vaults = select(columns.asset, (-columns.balance).label("figure")).where(columns.kind == "vault")
    totals = select(engine.asset, func.sum(engine.total).label("figure")).where(engine.asset != CASH)
    for kind, other in (("POOL_LEDGER", vaults), ("POOL_ENGINE", totals.group_by(engine.asset))):
        await comparison.compare_pairs(connection, pairs.joined(lots, other, "asset"), _of_class(kind), "asset")


async def _check_receipts(connection: AsyncConnection, comparison: Comparison) -> None:
    live = select(receipt.c.lot_id, receipt.c.fine_mg).where(receipt.c.status == RECEIPT_LIVE).subquery("live")
    held = select(lot.c.lot_id, lot.c.symbol, lot.c.fine_mg).where(lot.c.state.in_(IN_POOL)).subquery("held")
    fine, received = func.coalesce(held.c.fine_mg, 0), func.coalesce(live.c.fine_mg, 0)
    lot_id, symbol = func.coalesce(held.c.lot_id, live.c.lot_id), func.coalesce(held.c.symbol, "")
    both = outerjoin(held, live, held.c.lot_id == live.c.lot_id, full=True)
    query = select(lot_id.label("lot_id"), symbol.label("asset"), fine.label("expected"), received.label("found"))

    def found(row: Row[Any]) -> Break:
        return Break("RECEIPT", f"lot:{row.lot_id}", row.asset, row.expected, row.found, lot_id=row.lot_id)

    await comparison.compare_pairs(connection, query.select_from(both), found, "lot_id")


async def _check_encumbrances(connection: AsyncConnection, comparison: Comparison) -> None:
    """Compare the gold in sub-accounts with the live pledges and holds, and the lots that they name with the locks.

    Each lock of a pledge or hold has its document, which is open and names the lot.
    """
    live, lock = encumbrance.c.status.in_(BOUND), lot_lock.c
    names = (encumbrance.c.encumbrance_no, encumbrance.c.kind, func.unnest(encumbrance.c.lots).label("lot_id"))
    named = select(*names).where(live).subquery("named")
    same = and_(lock.lot_id == named.c.lot_id, lock.kind == named.c.kind, lock.subject == named.c.encumbrance_no)
    locked = case((lock.lock_id.is_(None), 0), else_=1)
    both = select(named, literal(1).label("expected"), locked.label("found"))
    both = both.select_from(named.outerjoin(lot_lock, and_(same, lock.lifted_at.is_(None))))

    def found(row: Row[Any]) -> Break:
        subject = f"{row.kind.lower()}:{row.encumbrance_no} lot:{row.lot_id}"
        return Break("STATUS_DIFF", subject, "", row.expected, row.found, lot_id=row.lot_id)

    await comparison.compare_pairs(connection, both, found, "encumbrance_no", "lot_id")
    # A lot may be locked before the grams are bound, and is free once the document has ended.
    open_for = and_(lock.lot_id == any_(encumbrance.c.lots), encumbrance.c.status.in_(ENCUMBRANCE_OPEN))
    of_lock = and_(encumbrance.c.encumbrance_no == lock.subject, encumbrance.c.kind == lock.kind, open_for)
    number = func.coalesce(lock.subject, 0).label("encumbrance_no")
    owed = case((encumbrance.c.encumbrance_no.is_(None), 0), else_=1).label("expected")
    locks = select(number, lock.kind, lock.lot_id, owed, literal(1).label("found"))
    locks = locks.select_from(lot_lock.outerjoin(encumbrance, of_lock))
    locks = locks.where(lock.kind.in_(ENCUMBRANCE_KINDS), lock.lifted_at.is_(None))
    await comparison.compare_pairs(connection, locks, found, "encumbrance_no", "lot_id")
    suffix = case((encumbrance.c.kind == "PLEDGE", f".{PLEDGE}"), else_=f".{HOLD}")
    each = select((encumbrance.c.account + suffix).label("account"), encumbrance.c.symbol, encumbrance.c.fine_mg)
    gold = each.where(live).subquery("gold").c
    bound = select(gold.account, gold.symbol.label("asset"), func.sum(gold.fine_mg).label("figure"))
    columns = ledger_account.c
    held = select(columns.name.label("account"), columns.asset, columns.balance.label("figure"))
    held = held.where(columns.kind == "member")
    held = held.where(or_(*(columns.name.endswith(suffix, autoescape=True) for suffix in SUFFIXES)))
    both = pairs.joined(bound.group_by(gold.account, gold.symbol), held, "account", "asset")
    await comparison.compare_pairs(connection, both, _of_account("STATUS_DIFF"), "account", "asset")


async def _check_customs(connection: AsyncConnection, comparison: Comparison) -> None:
    """Look for gold in the pool of a class that has the other customs status."""
    takes = func.coalesce(grade_customs.c.customs, DOMESTIC)
    joined = lot.join(warehouse, lot.c.warehouse == warehouse.c.warehouse)
    joined = joined.outerjoin(grade_customs, lot.c.symbol == grade_customs.c.symbol)
    stray = func.coalesce(func.sum(lot.c.fine_mg).filter(warehouse.c.customs != takes), 0)
    query = select(lot.c.symbol.label("asset"), literal(0).label("expected"), stray.label("found"))
    query = query.select_from(joined).where(lot.c.state.in_(IN_POOL)).group_by(lot.c.symbol)
    await comparison.compare_pairs(connection, query, _of_class("CUSTOMS_DIFF"), "asset")


async def _check_certificates(connection: AsyncConnection, comparison: Comparison) -> None:
    """Compare lots with their certificates, and certificates with their own replicates.

    One by one, as the rules by which laboratories round and an umpire decides are not in SQL: a second form of them
    could differ from the one that made the certificates. Since a proof only the lots that were written are read.
    """
    join = lot.outerjoin(certificate, lot.c.lot_id == certificate.c.lot_id)
    query = select(lot.c.lot_id, lot.c.symbol, lot.c.fine_mg, certificate.c.content).select_from(join)
    query = query.where(or_(certificate.c.lot_id.is_not(None), lot.c.fine_mg.is_not(None)))
    if comparison.since is not None:
        query = query.where(among(lot.c.lot_id, await comparison.since.lots(connection)))
    async for row in await connection.stream(query.order_by(lot.c.lot_id)):
        is_whole = row.content is not None and not recompute(row.content)
        stated = json.loads(row.content)["fine"]["fine_mg"] if is_whole else 0
        comparison.compare("CERTIFICATE", f"lot:{row.lot_id}", row.symbol or "", stated, row.fine_mg or 0, row.lot_id)


async def _check_trades(connection: AsyncConnection, comparison: Comparison) -> None:
    for subject, kind, table in (("trades", TRADE, trade), ("busts", TRADE_BUST, trade_bust)):
        posted = select(func.count()).where(ledger_entry.c.kind == kind, ledger_entry.c.sequence > comparison.proved)
        entries = await connection.scalar(posted)
        rows = select(func.count()).select_from(table).where(table.c.sequence > comparison.proved)
        comparison.compare("TRADES", subject, "", int(entries or 0), int(await connection.scalar(rows) or 0))
    checked, found = await trades_of_ledger.compare(connection, comparison.proved)
    comparison.checked += checked
    comparison.breaks += found
    behind = select(func.count()).where(
        ledger_entry.c.sequence > select(func.coalesce(func.max(progress.c.sequence), 0)).scalar_subquery()
    )
    comparison.compare("TRADES", "entries after the sequence reached", "", 0, int(await connection.scalar(behind) or 0))


async def trade_fees(connection: AsyncConnection, after: int = 0, until: int | None = None) -> int:
    """Return the fees in fen of the trades that stand, less those of earlier ones that were annulled since.

    Only trades and annulments after one event and up to another are counted.
    """

    def within(column: Column[int]) -> ColumnElement[bool]:
        return and_(column > after, *(() if until is None else (column <= until,)))

    total = func.coalesce(func.sum(trade.c.buy_fee + trade.c.sell_fee), 0)
    charged = await connection.scalar(select(total).where(within(trade.c.sequence)))
    annulled = select(total).join(trade_bust, trade_bust.c.trade_id == trade.c.trade_id)
    return int(charged or 0) - int(await connection.scalar(annulled.where(within(trade_bust.c.sequence))) or 0)


async def _check_fees(connection: AsyncConnection, comparison: Comparison) -> None:
    known = 0 if comparison.since is None else comparison.since.trade_fees_fen
    charged = known + await trade_fees(connection, comparison.proved)
    paid = select(func.coalesce(func.sum(fee_bill.c.amount_fen), 0)).where(
        fee_bill.c.status == FEE_BILL.steps["pay"].after
    )
    billed = await connection.scalar(paid)
    payouts = select(func.coalesce(func.sum(fee_payout.c.amount_fen), 0)).where(
        fee_payout.c.status == FEE_PAYOUT.steps["complete"].after
    )
    earned = charged + int(billed or 0) - int(await connection.scalar(payouts) or 0)
    comparison.compare("FEES", "fee_income", CASH, earned, await _balance(connection, "fee_income"))


async def _check_rates(connection: AsyncConnection, comparison: Comparison) -> None:
    """Compute the fees of trades, accruals and bills again."""
    checked, found = await fees.compare(connection, comparison.since)
    comparison.checked += checked
    comparison.breaks += found


async def _check_cash(connection: AsyncConnection, comparison: Comparison) -> None:
    total = func.coalesce(func.sum(cash_transfer.c.amount), 0)
    documents = await connection.scalar(select(total).where(cash_transfer.c.status == CASH_DONE))
    booked = int(documents or 0) - await receivables.compare(connection, comparison)
    comparison.compare("CASH_DOCUMENTS", "bank_escrow", CASH, booked, -await _balance(connection, "bank_escrow"))


async def _check_histories(connection: AsyncConnection, comparison: Comparison) -> None:
    facts = histories.Facts()
    await histories.compare(connection, facts, comparison.since)
    await documents.compare(connection, facts, comparison.since)
    await titles.compare(connection, facts, comparison.since)
    comparison.checked += facts.checked
    comparison.breaks += facts.breaks


async def _balance(connection: AsyncConnection, kind: str) -> int:
    total = select(func.coalesce(func.sum(ledger_account.c.balance), 0)).where(ledger_account.c.kind == kind)
    return int(await connection.scalar(total) or 0)


_CHECKS: Final[tuple[Callable[[AsyncConnection, Comparison], Awaitable[None]], ...]] = (
    _check_holdings,
    _check_postings,
    _check_pools,
    _check_receipts,
    _check_encumbrances,
    _check_customs,
    _check_certificates,
    _check_trades,
    _check_fees,
    _check_rates,
    _check_cash,
    unidentified.compare,
    _check_histories,
)
