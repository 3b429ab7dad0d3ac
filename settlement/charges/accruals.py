"""The costs of custody, accrued day by day and document by document, exactly.

==================  ===========================================================================  ==================
fee                 on                                                                           when
==================  ===========================================================================  ==================
STORAGE_OWN         own stock at the end of the day, fine weight                                 every calendar day
STORAGE_BOUGHT      bought title at the end of the day, fine weight                              every calendar day
STORAGE_LOAD_OUT    gold of a load-out, fine weight, for its last day                            load-out released
FREIGHT_INSURANCE   own stock that was sold; bought title that left; a load-out cancelled late   day; load-out
LOAD_IN             weight of lots without an earlier receipt, part of a kilogram as one, per    receipts approved
                    proposal and account
LOAD_OUT            weight of the lots, part of a kilogram as one, per sheet                     load-out released
OVERDUE             gold not collected in its window and not frozen or held, fine weight         every calendar day
UMPIRE              the umpire of a quality claim that was dismissed                             claim decided
==================  ===========================================================================  ==================

The rates are those of the tariff on that day (domain sheet 2.6). Every calendar day counts as one; there is no 30-day
month. A day is accrued once: by the close of its trading day with the stock at that day's end
(``settlement.closing.fees``), or, where no trading day was ever closed, after it is over with the stock that is held at
that moment; missed days are then caught up with the same stock. Accruals are kept in millionths of a fen (ufen), which
makes a fee per kilogram exact.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, exists, func, select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import CASH, BadValue
from settlement.base import audit, working_days
from settlement.base.database import among, now_ms
from settlement.base.filters import check_known
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.steps import SERVICE
from settlement.base.sub_accounts import owner_of
from settlement.charges import tariff
from settlement.documents.load_outs import UNCOLLECTED
from settlement.lots import locks
from settlement.tables.charges import accrual_day, fee_accrual
from settlement.tables.closing import business_day
from settlement.tables.ledger import ledger_account, stock
from settlement.tables.load_outs import load_out, load_out_lot

Key = tuple[str, str]
"""Trading account and class."""
UFEN: Final = 1_000_000
CG_PER_KG: Final = 100_000
VENUE: Final = "VENUE"
"""The venue's own account, which is charged nothing."""
CATCH_UP_DAYS: Final = 366
SOLD: Final = "sold"
"""Subject of freight and insurance of own stock that was sold."""


class Fee(NamedTuple):
    """One accrual. ``quantity`` is in mg, kg or pieces, by the fee; ``subject`` the document behind it, if any."""

    account: str
    symbol: str
    kind: str
    quantity: int
    rate: int
    amount_ufen: int
    subject: str = ""


def per_kg_day(mg: int, fen_per_kg: int) -> int:
    """Return a fee per kilogram for a weight in mg, exact, in ufen."""
    return mg * fen_per_kg


def per_gram(mg: int, fen_per_g: int) -> int:
    """Return a fee per gram for a weight in mg, exact, in ufen."""
    return mg * fen_per_g * 1_000


def whole_kilograms(weight_cg: int) -> int:
    """Return a weight in kilograms, a part of one counted as one."""
    return -(-weight_cg // CG_PER_KG)


async def accrue(connection: AsyncConnection, day: date) -> int:
    """Accrue the fees of a day that is over and return how many there are; none for a day that is accrued already.

    Raises BadValue for a day that is not over.
    """
    if day >= working_days.today():
        raise BadValue("day", day.isoformat(), f"a day before {working_days.today().isoformat()}")
    await audit.lock(connection)
    marked = insert_or(accrual_day).values(day=day, at=now_ms()).on_conflict_do_nothing().returning(accrual_day.c.day)
    if (await connection.execute(marked)).first() is None:
        return 0
    rates = await tariff.on(connection, day)
    found = [*await _storage(connection, rates), *await _sold(connection, rates)]
    found += await overdue(connection, rates, day)
    return await _write(connection, day, found, whole_day=True)


async def write_day(connection: AsyncConnection, day: date, found: Sequence[Fee]) -> None:
    """Record the fees of a day that the close of a trading day has computed, unless the day is accrued already."""
    if await accrued(connection, [day]):
        return
    await audit.lock(connection)
    marked = insert_or(accrual_day).values(day=day, at=now_ms()).on_conflict_do_nothing().returning(accrual_day.c.day)
    if (await connection.execute(marked)).first() is not None:
        await _write(connection, day, found, whole_day=True)


async def accrued(connection: AsyncConnection, days: Sequence[date]) -> set[date]:
    """Return which of these days are accrued."""
    query = select(accrual_day.c.day).where(among(accrual_day.c.day, days))
    return set((await connection.execute(query)).scalars())


async def catch_up(connection: AsyncConnection) -> int:
    """Accrue every day since the last one that was accrued, or yesterday alone; return how many fees there are.

    Once a trading day was closed, its close and those of the days after it accrue, and this does nothing.
    """
    if await connection.scalar(select(business_day.c.day).limit(1)) is not None:
        return 0
    yesterday = working_days.today() - timedelta(days=1)
    last = await connection.scalar(select(func.max(accrual_day.c.day)))
    first = yesterday if last is None else max(last + timedelta(days=1), yesterday - timedelta(days=CATCH_UP_DAYS))
    days = [first + timedelta(days=number) for number in range((yesterday - first).days + 1)]
    return sum([await accrue(connection, day) for day in days])


async def _storage(connection: AsyncConnection, rates: Mapping[str, int]) -> list[Fee]:
    columns = ledger_account.c
    held = select(columns.name, columns.asset, columns.balance)
    held = held.where(columns.kind == "member", columns.asset != CASH, columns.balance > 0)
    totals: dict[Key, int] = {}
    for name, asset, balance in await connection.execute(held):
        key = (owner_of(name), asset)
        totals[key] = totals.get(key, 0) + balance
    own = {(row.account, row.symbol): row.own_mg for row in await connection.execute(select(stock))}
    return storage(rates, totals, own)


def storage(rates: Mapping[str, int], totals: Mapping[Key, int], own: Mapping[Key, int]) -> list[Fee]:
    """Return the storage of a day from the gold of accounts in mg, sub-accounts included, and the own stock in it."""
    found = []
    for (account, symbol), total in sorted(totals.items()):
        part = min(own.get((account, symbol), 0), total)
        for kind, mg in (("STORAGE_OWN", part), ("STORAGE_BOUGHT", total - part)):
            found.append(Fee(account, symbol, kind, mg, rates[kind], per_kg_day(mg, rates[kind])))
    return found


def sold(rates: Mapping[str, int], sold_mg: Mapping[Key, int]) -> list[Fee]:
    """Return freight and insurance of own stock that was sold and not charged yet, in mg (domain sheet 2.6).

    A sale that was annulled after it was charged counts against the next ones.
    """
    rate = rates["FREIGHT_INSURANCE"]
    return [
        Fee(account, symbol, "FREIGHT_INSURANCE", mg, rate, per_gram(mg, rate), SOLD)
        for (account, symbol), mg in sorted(sold_mg.items())
        if mg > 0
    ]


async def charged_as_sold(
    connection: AsyncConnection, before: date | None = None, until: int | None = None
) -> dict[Key, int]:
    """Return the own stock that was charged as sold, in mg, by account and class.

    ``before``: for days before one. ``until``: by the accruals up to a number.
    """
    columns = fee_accrual.c
    sums = select(columns.account, columns.symbol, func.sum(columns.quantity))
    sums = sums.where(columns.kind == "FREIGHT_INSURANCE", columns.subject == SOLD)
    if before is not None:
        sums = sums.where(columns.day < before)
    if until is not None:
        sums = sums.where(columns.accrual_no <= until)
    rows = await connection.execute(sums.group_by(columns.account, columns.symbol))
    return {(row[0], row[1]): int(row[2]) for row in rows}


async def _sold(connection: AsyncConnection, rates: Mapping[str, int]) -> list[Fee]:
    """Return freight and insurance of own stock sold since the last day that was accrued (domain sheet 2.6)."""
    charged = select(func.coalesce(func.sum(fee_accrual.c.quantity), 0)).where(
        fee_accrual.c.account == stock.c.account,
        fee_accrual.c.symbol == stock.c.symbol,
        fee_accrual.c.kind == "FREIGHT_INSURANCE",
        fee_accrual.c.subject == SOLD,
    )
    uncharged = stock.c.own_sold_mg - charged.scalar_subquery()
    query = select(stock.c.account, stock.c.symbol, uncharged.label("mg")).where(stock.c.own_sold_mg > 0)
    rows = await connection.execute(query.order_by(stock.c.account, stock.c.symbol))
    return sold(rates, {(row.account, row.symbol): int(row.mg) for row in rows})


async def overdue(connection: AsyncConnection, rates: Mapping[str, int], day: date) -> list[Fee]:
    """Return the fees of a day for gold that still waits for its collector after its window."""
    held = exists().where(load_out_lot.c.load_out_no == load_out.c.load_out_no, locks.is_held(load_out_lot.c.lot_id))
    late = select(load_out).where(load_out.c.status.in_(UNCOLLECTED), load_out.c.until_day < day, ~held)
    rate = rates["OVERDUE"]
    return [
        Fee(
            row.account,
            row.symbol,
            "OVERDUE",
            row.allocated_mg,
            rate,
            per_kg_day(row.allocated_mg, rate),
            f"load_out:{row.load_out_no}",
        )
        for row in await connection.execute(late.order_by(load_out.c.load_out_no))
    ]


async def charge_load_in(connection: AsyncConnection, weights_cg: Mapping[tuple[str, str], int], subject: str) -> None:
    """Charge the taking in of lots; weights in 0.01 g by account and class."""
    rate = (await tariff.on(connection, working_days.today()))["LOAD_IN"]
    kilograms = {key: whole_kilograms(cg) for key, cg in weights_cg.items()}
    found = [Fee(*key, "LOAD_IN", kg, rate, kg * rate * UFEN, subject) for key, kg in sorted(kilograms.items())]
    await _write(connection, working_days.today(), found)


async def charge_load_out(connection: AsyncConnection, sheet: Row[Any], weight_cg: int) -> None:
    """Charge a released load-out: handling, its last day of storage, freight and insurance of bought title."""
    rates = await tariff.on(connection, working_days.today())
    who, subject = (sheet.account, sheet.symbol), f"load_out:{sheet.load_out_no}"
    kg, bought = whole_kilograms(weight_cg), sheet.ask_mg - sheet.own_mg
    handling, storage, freight = rates["LOAD_OUT"], rates["STORAGE_LOAD_OUT"], rates["FREIGHT_INSURANCE"]
    last_day = per_kg_day(sheet.allocated_mg, storage)
    found = [
        Fee(*who, "LOAD_OUT", kg, handling, kg * handling * UFEN, subject),
        Fee(*who, "STORAGE_LOAD_OUT", sheet.allocated_mg, storage, last_day, subject),
        Fee(*who, "FREIGHT_INSURANCE", bought, freight, per_gram(bought, freight), subject),
    ]
    await _write(connection, working_days.today(), found)


async def charge_late_cancel(connection: AsyncConnection, sheet: Row[Any]) -> None:
    """Charge only freight and insurance of a load-out that was cancelled after its day or has expired."""
    rate = (await tariff.on(connection, working_days.today()))["FREIGHT_INSURANCE"]
    subject = f"load_out_cancel:{sheet.load_out_no}"
    who = (sheet.account, sheet.symbol, "FREIGHT_INSURANCE")
    fee = Fee(*who, sheet.ask_mg, rate, per_gram(sheet.ask_mg, rate), subject)
    await _write(connection, working_days.today(), [fee])


async def charge_umpire(connection: AsyncConnection, account: str, symbol: str, fee_fen: int, claim_no: int) -> None:
    """Charge the umpire of a claim that was dismissed."""
    fee = Fee(account, symbol, "UMPIRE", 1, fee_fen, fee_fen * UFEN, f"claim:{claim_no}")
    await _write(connection, working_days.today(), [fee])


def is_charged(fee: Fee) -> bool:
    """Return whether a fee is recorded: it is more than nothing, and not of the venue's own account."""
    return fee.amount_ufen > 0 and fee.account != VENUE


async def _write(connection: AsyncConnection, day: date, found: Iterable[Fee], *, whole_day: bool = False) -> int:
    """Record fees, at most once a day for a document, and log the new number of that day's fees in the audit log.

    With ``whole_day`` the day is accrued, which is logged also if it has no fees.
    """
    rows = [{"day": day, **fee._asdict()} for fee in found if is_charged(fee)]
    if rows:
        await connection.execute(insert_or(fee_accrual).on_conflict_do_nothing(), rows)
    if rows or whole_day:
        count, total = (await totals(connection, [day]))[day]
        detail = {"fees": count, "ufen": total}
        await audit.record(connection, audit.Act(SERVICE, "fees.accrue", f"day:{day.isoformat()}", detail))
    return len(rows)


async def totals(connection: AsyncConnection, days: Sequence[date]) -> dict[date, tuple[int, int]]:
    """Return by day the number of fees accrued, and their sum in ufen."""
    columns = fee_accrual.c
    sums = select(columns.day, func.count(), func.sum(columns.amount_ufen)).where(among(columns.day, days))
    found = {row[0]: (int(row[1]), int(row[2])) for row in await connection.execute(sums.group_by(columns.day))}
    return {day: found.get(day, (0, 0)) for day in days}


async def listing(connection: AsyncConnection, account: str, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the fees that an account was charged, oldest first. Raises BadValue for an unknown account."""
    await check_known(connection, account=account)
    query = select(fee_accrual).where(fee_accrual.c.account == account)
    return await fetch(connection, query, (fee_accrual.c.accrual_no,), page)
