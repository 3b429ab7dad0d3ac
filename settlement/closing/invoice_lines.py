"""The lines of an invoice: trading fees by class, and the fees of custody of bills that were paid, each with its tax.

Fees of annulled trades are left out.

Fees are prices with tax in them: of each line net = amount / (1 + rate), rounded half up to the fen, and the tax is the
rest. The lines of a bill sum to the bill, which is rounded once: each line is the rounded sum of all lines up to it,
less what the lines before it are.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BASIS_POINTS, half_up
from settlement.base.database import among
from settlement.charges.accruals import UFEN
from settlement.documents.ledger import OUTBOX_DONE
from settlement.ledger.busts import standing
from settlement.tables.charges import fee_accrual, fee_bill
from settlement.tables.ledger import outbox, trade, trading_account
from settlement.tables.load_outs import load_out

TRADING: Final = "TRADING"
"""The fee of trades, the base of which is their amount in fen."""
TRANSPORT: Final = ("FREIGHT_INSURANCE",)
"""The fees that are transport by the tax law; the others are services (domain sheet 5.7)."""
LOAD_OUT: Final = "load_out:"

Lines = list[dict[str, Any]]


async def of_range(
    connection: AsyncConnection, members: Mapping[str, int], last: int, rates: Mapping[str, int]
) -> dict[str, Lines]:
    """Return by member the lines of all fees from an event, which ``members`` gives for each, up to ``last``.

    ``rates`` are the figures of the tariff.
    """
    found: defaultdict[str, Lines] = defaultdict(list)
    for lines in (await _trading(connection, members, last), await _custody(connection, members, last)):
        for code, line in lines:
            bp = rates["VAT_TRANSPORT" if line["fee"] in TRANSPORT else "VAT_SERVICES"]
            found[code].append({**line, **taxed(line["amount_fen"], bp)})
    return found


def taxed(amount_fen: int, bp: int) -> dict[str, int]:
    """Return the net amount and the tax in an amount with tax, at a rate in basis points."""
    net = half_up(amount_fen * BASIS_POINTS, BASIS_POINTS + bp)
    return {"rate_bp": bp, "net_fen": net, "tax_fen": amount_fen - net}


async def _trading(
    connection: AsyncConnection, members: Mapping[str, int], last: int
) -> list[tuple[str, dict[str, Any]]]:
    columns, first = trade.c, min(members.values(), default=last)
    within = columns.sequence.between(first, last) & standing()
    sides = [
        select(account.label("account"), columns.symbol, columns.sequence, columns.amount, fee.label("fee")).where(
            within, fee > 0
        )
        for account, fee in ((columns.buy_account, columns.buy_fee), (columns.sell_account, columns.sell_fee))
    ]
    side = union_all(*sides).subquery()
    found: list[tuple[str, dict[str, Any]]] = []
    for start, codes in _by_start(members):
        query = select(
            trading_account.c.member,
            side.c.account,
            side.c.symbol,
            func.sum(side.c.amount).label("base"),
            func.sum(side.c.fee).label("fee"),
        ).join(side, side.c.account == trading_account.c.account)
        query = query.where(among(trading_account.c.member, codes), side.c.sequence >= start)
        query = query.group_by(trading_account.c.member, side.c.account, side.c.symbol)
        for row in await connection.execute(query.order_by(side.c.account, side.c.symbol)):
            line = {"account": row.account, "fee": TRADING, "symbol": row.symbol, "base": int(row.base), "rate": None}
            found.append((row.member, {**line, "document": "", "use": None, "amount_fen": int(row.fee)}))
    return found


def _by_start(members: Mapping[str, int]) -> list[tuple[int, list[str]]]:
    """Return the members whose fees begin with the same event."""
    pairs = sorted((start, code) for code, start in members.items())
    return [(start, [code for _, code in group]) for start, group in groupby(pairs, key=lambda pair: pair[0])]


async def _custody(
    connection: AsyncConnection, members: Mapping[str, int], last: int
) -> list[tuple[str, dict[str, Any]]]:
    """Return the lines of the bills that were paid."""
    first = min(members.values(), default=last)
    paid = select(fee_bill.c.bill_no, fee_bill.c.account, trading_account.c.member, outbox.c.sequence)
    paid = paid.join(outbox, (outbox.c.subject == fee_bill.c.bill_no) & (outbox.c.kind == "fee"))
    paid = paid.join(trading_account, trading_account.c.account == fee_bill.c.account)
    paid = paid.where(outbox.c.status == OUTBOX_DONE, outbox.c.sequence.between(first, last))
    bills = [
        row
        for row in await connection.execute(paid.order_by(fee_bill.c.account, fee_bill.c.bill_no))
        if row.member in members and row.sequence >= members[row.member]
    ]
    columns = fee_accrual.c
    sums = select(
        columns.bill_no,
        columns.kind,
        columns.symbol,
        columns.subject,
        columns.rate,
        func.sum(columns.quantity).label("base"),
        func.sum(columns.amount_ufen).label("ufen"),
    ).where(among(columns.bill_no, [row.bill_no for row in bills]))
    key = (columns.bill_no, columns.kind, columns.symbol, columns.subject, columns.rate)
    by_bill: defaultdict[int, list[Any]] = defaultdict(list)
    for row in await connection.execute(sums.group_by(*key).order_by(*key)):
        by_bill[row.bill_no].append(row)
    uses = await _uses(connection, [row.subject for rows in by_bill.values() for row in rows])
    found = []
    for bill in bills:
        whole = before = 0
        for row in by_bill[bill.bill_no]:
            whole += int(row.ufen)
            amount = half_up(whole, UFEN) - before
            before += amount
            line = {"account": bill.account, "fee": row.kind, "symbol": row.symbol, "base": int(row.base)}
            line |= {"rate": row.rate, "document": row.subject or f"fee:{bill.bill_no}", "use": uses.get(row.subject)}
            if amount:
                found.append((bill.member, {**line, "amount_fen": amount}))
    return found


async def _uses(connection: AsyncConnection, subjects: Sequence[str]) -> dict[str, str]:
    """Return the declared use of each load-out that some fees are about."""
    numbers = {int(subject.removeprefix(LOAD_OUT)) for subject in subjects if subject.startswith(LOAD_OUT)}
    query = select(load_out.c.load_out_no, load_out.c.declared_use).where(among(load_out.c.load_out_no, numbers))
    return {f"{LOAD_OUT}{row.load_out_no}": row.declared_use for row in await connection.execute(query)}
