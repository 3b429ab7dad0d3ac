"""Fees computed again: of trades from the rates of their instrument, of accruals from the tariff, of bills from both.

=============  ==============================================================================================
kind           the two sides that differ
=============  ==============================================================================================
TRADE_FEE      a side's fee of a trade, and what the rate of its instrument allows; or both fees, and the ledger
ACCRUAL        an accrued fee, and its quantity at the rate of the tariff on its day
BILL           a bill, and the fees that are on it
=============  ==============================================================================================

An order carries the rounding error of its fees from one trade to the next, so the fee of one trade is its rate rounded
down or up to the fen; that the fees of all trades add up is compared as FEES. In the uncross of an auction one side is
charged as maker and the other as taker; in a trade without orders both as taker. Trades before the first recorded rates
of their instrument are not compared.
"""

from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.terms import BUY, SELL
from goldx.protocol.units import BASIS_POINTS, CASH, half_up
from settlement.charges.accruals import UFEN
from settlement.charges.tariff import FIGURES
from settlement.reconciliation.breaks import MOST_NAMED, Break, further
from settlement.reconciliation.since import Since
from settlement.tables.charges import fee_accrual, fee_bill, tariff
from settlement.tables.ledger import fee_rate

_TRADES: Final = text("""
WITH allowed AS (
    SELECT t.sequence, t.trade_id, t.amount, t.buy_fee, t.sell_fee, t.taker_side, t.kind, rate.maker_fee_bp,
           rate.taker_fee_bp,
           t.amount * rate.maker_fee_bp / 10000 AS least_maker, (t.amount * rate.maker_fee_bp + 9999) / 10000 AS maker,
           t.amount * rate.taker_fee_bp / 10000 AS least_taker, (t.amount * rate.taker_fee_bp + 9999) / 10000 AS taker
    FROM trade t CROSS JOIN LATERAL (
        SELECT r.maker_fee_bp, r.taker_fee_bp FROM fee_rate r
        WHERE r.symbol = t.symbol AND r.sequence < t.sequence ORDER BY r.sequence DESC LIMIT 1
    ) AS rate
    WHERE t.sequence > :proved
)
SELECT trade_id, amount, buy_fee, sell_fee, taker_side, kind, maker_fee_bp, taker_fee_bp, count(*) OVER () AS differing
FROM allowed WHERE NOT (
    kind IS NOT NULL AND buy_fee BETWEEN least_taker AND taker AND sell_fee BETWEEN least_taker AND taker
    OR kind IS NULL AND coalesce(taker_side, :sell) = :sell
        AND buy_fee BETWEEN least_maker AND maker AND sell_fee BETWEEN least_taker AND taker
    OR kind IS NULL AND coalesce(taker_side, :buy) = :buy
        AND buy_fee BETWEEN least_taker AND taker AND sell_fee BETWEEN least_maker AND maker
) ORDER BY sequence LIMIT :most
""")

_LEDGER: Final = text("""
SELECT t.trade_id, sequence, coalesce(t.buy_fee + t.sell_fee, 0) AS charged, coalesce(f.amount, 0)::bigint AS posted,
       count(*) OVER () AS differing
FROM (SELECT * FROM trade WHERE sequence > :proved) t FULL JOIN (
    SELECT p.sequence, sum(p.amount) AS amount FROM ledger_account a JOIN posting p USING (account_id)
    JOIN ledger_entry e USING (sequence)
    WHERE a.kind = 'fee_income' AND e.kind = 'trade' AND p.sequence > :proved AND e.sequence > :proved
    GROUP BY p.sequence
) AS f USING (sequence)
WHERE coalesce(t.buy_fee + t.sell_fee, 0) <> coalesce(f.amount, 0) ORDER BY sequence LIMIT :most
""")

_ACCRUALS: Final = text("""
WITH figure AS (
    SELECT name, value FROM unnest(CAST(:names AS text[]), CAST(:figures AS bigint[])) AS given (name, value)
), right_rate AS (
    SELECT a.accrual_no, a.account, a.kind, a.day, a.quantity, a.rate, a.amount_ufen,
           CASE WHEN a.kind = 'UMPIRE' THEN a.rate ELSE coalesce((
               SELECT r.value FROM tariff r WHERE r.name = a.kind AND r.status = 'AGREED' AND r.from_day <= a.day
               ORDER BY r.from_day DESC LIMIT 1
           ), figure.value) END AS agreed,
           CASE WHEN a.kind IN ('LOAD_IN', 'LOAD_OUT', 'UMPIRE') THEN 1000000
                WHEN a.kind = 'FREIGHT_INSURANCE' THEN 1000 ELSE 1 END AS ufen
    FROM fee_accrual a LEFT JOIN figure ON figure.name = a.kind
    WHERE CAST(:accruals AS bigint[]) IS NULL OR a.accrual_no = ANY (:accruals)
)
SELECT accrual_no, account, kind, day, quantity, rate, amount_ufen, agreed, quantity * agreed * ufen AS right_ufen,
       count(*) OVER () AS differing
FROM right_rate WHERE rate IS DISTINCT FROM agreed OR amount_ufen IS DISTINCT FROM quantity * agreed * ufen
ORDER BY accrual_no LIMIT :most
""")

_BILLS: Final = text("""
SELECT b.bill_no, b.account, b.status, b.exact_ufen, coalesce(f.ufen, 0)::bigint AS ufen, count(*) OVER () AS differing
FROM fee_bill b LEFT JOIN (
    SELECT bill_no, sum(amount_ufen) AS ufen FROM fee_accrual
    WHERE CAST(:bills AS bigint[]) IS NULL OR bill_no = ANY (:bills) GROUP BY bill_no
) AS f USING (bill_no)
WHERE (CAST(:bills AS bigint[]) IS NULL OR b.bill_no = ANY (:bills))
    AND coalesce(f.ufen, 0) <> CASE WHEN b.status = 'REPLACED' THEN 0 ELSE b.exact_ufen END
ORDER BY b.bill_no LIMIT :most
""")

_BILLS_OF: Final = text(
    "SELECT DISTINCT bill_no FROM fee_accrual WHERE accrual_no = ANY (:accruals) AND bill_no IS NOT NULL"
)
_MOVED: Final = text("""
SELECT bill_no FROM fee_bill WHERE account IN (
    SELECT account FROM fee_accrual WHERE accrual_no IN (
        SELECT key::bigint FROM row_change
        WHERE of_table = :of_table AND key = ANY (:keys) AND 'bill_no' = ANY (columns) GROUP BY key HAVING count(*) > 1
    )
)
""")
"""The bills of the accounts of fees that have gone from one bill to another; the record does not say from which."""
_COUNTED: Final = text(
    "SELECT (SELECT count(*) FROM trade WHERE sequence > :proved) "
    "+ coalesce(cardinality(CAST(:accruals AS bigint[])), (SELECT count(*) FROM fee_accrual)) "
    "+ coalesce(cardinality(CAST(:bills AS bigint[])), (SELECT count(*) FROM fee_bill))"
)


async def compare(connection: AsyncConnection, since: Since | None = None) -> tuple[int, list[Break]]:
    """Return the number of figures that were computed again, and the breaks, in the caller's snapshot.

    With a proof only trades, accrued fees and bills that were written since; a tariff that was written since concerns
    all accrued fees, a rate of an instrument all trades after its event.
    """
    proved = {"proved": 0 if since is None else _trades_after(since)}
    accruals, bills = await _written(connection, since)
    most = {"most": MOST_NAMED}
    trades = (await connection.execute(_TRADES, {**most, **proved, "buy": BUY, "sell": SELL})).all()
    found = [each for row in trades for each in _sides(row)] + further("TRADE_FEE", "trades", trades)
    posted = (await connection.execute(_LEDGER, {**most, **proved})).all()
    found += further("TRADE_FEE", "trades in the ledger", posted)
    for row in posted:
        subject = f"entry:{row.sequence}" if row.trade_id is None else f"trade:{row.trade_id} in the ledger"
        found.append(Break("TRADE_FEE", subject, CASH, row.charged, row.posted))
    figures = {"names": list(FIGURES), "figures": [figure.value for figure in FIGURES.values()]}
    accrued = (await connection.execute(_ACCRUALS, {**most, **figures, "accruals": accruals})).all()
    found += [*map(_accrual, accrued), *further("ACCRUAL", "accruals", accrued)]
    billed = (await connection.execute(_BILLS, {**most, "bills": bills})).all()
    found += [*map(_bill, billed), *further("BILL", "bills", billed)]
    counted = await connection.scalar(_COUNTED, {**proved, "accruals": accruals, "bills": bills})
    return int(counted or 0), found


def _trades_after(since: Since) -> int:
    """Return the sequence after which trades are to be compared."""
    rates = (int(key.rpartition(":")[2]) for key in since.changed.get(fee_rate.name, ()))
    return min((since.sequence, *rates))


async def _written(connection: AsyncConnection, since: Since | None) -> tuple[list[int] | None, list[int] | None]:
    """Return the accrued fees and the bills that are to be computed again; None: all."""
    if since is None or tariff.name in since.changed:
        return None, None
    accruals = sorted(since.numbers(fee_accrual.name))
    bills = since.numbers(fee_bill.name)
    if accruals:
        bills.update(await connection.scalars(_BILLS_OF, {"accruals": accruals}))
        moved = {"of_table": fee_accrual.name, "keys": [str(number) for number in accruals]}
        bills.update(await connection.scalars(_MOVED, moved))
    return accruals, sorted(bills)


def _sides(row: Row[Any]) -> list[Break]:
    """Return the breaks of a trade, one for each side with a wrong fee; the expected fee is rounded half up.

    Where either side may have been the maker, it is the one with which the fewest fees are wrong, then by the least.
    """
    maker, taker = row.maker_fee_bp, row.taker_fee_bp
    allowed = [(taker, taker)] if row.kind is not None else []
    if row.kind is None and row.taker_side != BUY:
        allowed.append((maker, taker))
    if row.kind is None and row.taker_side != SELL:
        allowed.append((taker, maker))
    found = [_wrong(row, rates) for rates in allowed]
    return min(found, key=lambda wrong: (len(wrong), sum(abs(each.found - each.expected) for each in wrong)))


def _wrong(row: Row[Any], rates: tuple[int, int]) -> list[Break]:
    """Return the breaks of a trade of which the buyer pays the first rate and the seller the second."""
    found = []
    for side, fee, rate in zip(("buy", "sell"), (row.buy_fee, row.sell_fee), rates, strict=True):
        exact = row.amount * rate
        if not exact // BASIS_POINTS <= fee <= -(-exact // BASIS_POINTS):
            expected, note = half_up(exact, BASIS_POINTS), f"{fee} fen on {row.amount} fen, at {rate} bp"
            found.append(Break("TRADE_FEE", f"trade:{row.trade_id} {side}", CASH, expected, fee, note=note))
    return found


def _accrual(row: Row[Any]) -> Break:
    expected, found = (half_up(int(ufen), UFEN) for ufen in (row.right_ufen, row.amount_ufen))
    note = f"{row.account} {row.kind} of {row.day}: {row.right_ufen} millionths of a fen at rate {row.agreed}, "
    note += f"{row.amount_ufen} accrued at rate {row.rate}"
    return Break("ACCRUAL", f"accrual:{row.accrual_no}", CASH, expected, found, note=note)


def _bill(row: Row[Any]) -> Break:
    expected, found = half_up(row.ufen, UFEN), 0 if row.status == "REPLACED" else half_up(row.exact_ufen, UFEN)
    note = f"{row.account}, {row.status}: {row.ufen} millionths of a fen accrued, {row.exact_ufen} on the bill"
    return Break("BILL", f"bill:{row.bill_no}", CASH, expected, found, note=note)
