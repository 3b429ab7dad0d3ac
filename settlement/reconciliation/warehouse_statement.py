"""A warehouse's statement of its bars, compared with the register bar by bar (domain sheet 8.1 to 8.3).

====================  =========================================================================================
kind of break         difference
====================  =========================================================================================
MISSING_AT_WAREHOUSE  the register has the lot there, the statement has not
TIMING                the register has the lot there under a transfer to another warehouse, the statement has not
UNKNOWN_AT_WAREHOUSE  the statement has a bar that the register does not know, expects, or has handed out (with its lot)
LOCATION_DIFF         the register has the bar in another warehouse
DUPLICATE_SERIAL      the statement has one bar more than once
WEIGHT_DIFF           gross weight, by more than two readings of one balance may differ
WEIGHT_DRIFT          gross weight of all bars within their tolerance, if together they are too light or heavy
FINENESS_DIFF         fineness; it comes from one certificate, so there is no tolerance
OWNER_DIFF            the owner of the bar: the account or its member
STATUS_DIFF           free, receipted, pledged, frozen, waiting for its collector
SEAL_DIFF             the seal
CUSTOMS_DIFF          bonded or domestic
====================  =========================================================================================
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from math import isqrt
from typing import Any, NamedTuple

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.arithmetic import format_cg
from settlement.base.database import trial
from settlement.base.spelling import fold, same
from settlement.documents.custody import RECEIPT_LIVE
from settlement.documents.load_outs import LOAD_OUT
from settlement.documents.lots import AT_WAREHOUSE, GONE, PROMISED
from settlement.intake import files, pre_advice
from settlement.intake.bar_rows import BarKey
from settlement.lots import scales, warehouses
from settlement.reconciliation import breaks, statement_order, warehouse_keys
from settlement.reconciliation.breaks import Break, statement_scope
from settlement.reconciliation.statement_file import STATUSES, StatementBar
from settlement.tables.custody import receipt
from settlement.tables.ledger import trading_account
from settlement.tables.load_outs import load_out, load_out_lot
from settlement.tables.lots import custody_event, lot, lot_lock


class StatementComparison(NamedTuple):
    """A comparison: bars of the statement, lots of the register, both gross weights in 0.01 g, and the breaks.

    ``second``: a second person has entered the statement; ``signed_by``: the number of the warehouse's key that it is
    signed with. In both cases the breaks that it does not show have ended.
    """

    run_id: int | None
    bars: int
    lots: int
    gross_cg: int
    lots_gross_cg: int
    breaks: tuple[Break, ...]
    second: bool = False
    signed_by: int | None = None

    @property
    def ends_breaks(self) -> bool:
        """Return whether it is proved that the statement is the warehouse's."""
        return self.second or self.signed_by is not None


class _WarehouseRegister(NamedTuple):
    """The register's records of one warehouse: customs status, lots, and by lot seals, locks and owners.

    ``members``: the member by account.
    """

    customs: str
    lots: Mapping[BarKey, Row[Any]]
    seals: Mapping[int, str]
    locks: Mapping[int, set[str]]
    owners: Mapping[int, str]
    members: Mapping[str, str | None]

    @classmethod
    async def read(cls, connection: AsyncConnection, place: str) -> "_WarehouseRegister":
        """Read them. Raises BadValue for an unknown warehouse."""
        customs = await warehouses.customs_of(connection, place)
        lots = await _lots_at(connection, place)
        seals, locks = await _seals(connection, place), await _locks(connection, place)
        accounts = await connection.execute(select(trading_account.c.account, trading_account.c.member))
        members = {row[0]: row[1] for row in accounts}
        return cls(customs, lots, seals, locks, await _owners(connection, place), members)

    def line(self, line: int | None, key: BarKey) -> StatementBar:
        """Return the line that the statement should have about a lot."""
        row = self.lots[key]
        fineness = row.fineness_e5 or row.declared_fineness_e5
        status = _expected_status(row, self.locks.get(row.lot_id, set()))
        typed = BarKey(row.refiner, row.serial, row.year)
        seal, owner = self.seals.get(row.lot_id), self.owners.get(row.lot_id, row.account)
        return StatementBar(line, typed, _weight(row), fineness, status, seal, self.customs, owner)

    def is_owner(self, name: str, account: str) -> bool:
        """Return whether a name in a statement is an account or its member."""
        return any(same(name, code) for code in (account, self.members.get(account)) if code)


async def compare(connection: AsyncConnection, place: str, lines: Sequence[StatementBar]) -> StatementComparison:
    """Compare a statement of warehouse ``place`` with the register. Raises BadValue for an unknown warehouse."""
    register = await _WarehouseRegister.read(connection, place)
    stated: dict[BarKey, list[StatementBar]] = {}
    for line in lines:
        stated.setdefault(line.key.compared, []).append(line)
    strange = [key for key in stated if key not in register.lots]
    others = {**await pre_advice.find_gone(connection, strange), **await pre_advice.find_by_key(connection, strange)}
    found: list[Break] = []
    single: list[tuple[Row[Any], StatementBar]] = []
    for key, several in stated.items():
        row = register.lots.get(key)
        subject = _subject(place, key, row)
        if len(several) > 1:
            # The break names the mark and no lot, as it is not known which of the lines is the lot.
            found.append(Break("DUPLICATE_SERIAL", subject, "", 1, len(several), "count", _lines(several)))
        if row is not None:
            right = register.line(several[0].line, key)
            found += _differences(subject, row, several[0], right)
            found += _owner_difference(register, subject, row, several[0], right)
            if len(several) == 1:
                single.append((row, several[0]))
        else:
            found.append(_not_here(subject, several[0], others.get(key)))
    for key, row in register.lots.items():
        if key not in stated:
            found.append(_missing(_subject(place, key, row), row, register.locks.get(row.lot_id, set())))
    found += _drift(place, single)
    weights = (sum(line.gross_cg for line in lines), sum(map(_weight, register.lots.values())))
    return StatementComparison(None, len(lines), len(register.lots), *weights, tuple(found))


def _subject(place: str, key: BarKey, row: Row[Any] | None) -> str:
    """Return the subject of a bar's breaks, which does not depend on the spelling in a statement."""
    if row is None:
        parts = [_capitals(key.refiner), _capitals(key.serial)]
    else:
        # Without the quotes, bar "1" of mark "HX A" and bar "A 1" of mark "HX" would have the same text.
        parts = [
            json.dumps(part, ensure_ascii=False) if " " in part or '"' in part else part
            for part in (row.refiner, row.serial)
        ]
    return " ".join((place, *parts, *([str(key.year)] if key.year else [])))


def _capitals(folded: str) -> str:
    """Return a folded text in capital letters, unless that would make it another number."""
    return folded.upper() if fold(folded.upper()) == folded else folded


async def expected(connection: AsyncConnection, place: str) -> list[StatementBar]:
    """Return the lines that a warehouse's statement should have. Raises BadValue for an unknown warehouse."""
    register = await _WarehouseRegister.read(connection, place)
    return [register.line(number, key) for number, key in enumerate(register.lots, 1)]


def _not_here(subject: str, line: StatementBar, other: Row[Any] | None) -> Break:
    """Return the break of a bar that the register does not have in this warehouse; ``other``: the lot of that mark."""
    gross_mg = line.gross_cg * 10
    if other is not None and other.state in AT_WAREHOUSE:
        note = f"lot {other.lot_id} is {other.state} in {other.warehouse}"
        return Break("LOCATION_DIFF", subject, other.symbol, 0, gross_mg, "gross_mg", note, other.lot_id)
    notes, number = [_lines([line])], None
    if other is not None:
        where = "last in" if other.state in GONE else "in"
        notes.append(f"lot {other.lot_id} is {other.state} {where} {other.warehouse}")
        number = other.lot_id
    note = ": ".join(filter(None, notes))
    return Break("UNKNOWN_AT_WAREHOUSE", subject, "", 0, gross_mg, "gross_mg", note, number)


def _lines(bars: Sequence[StatementBar]) -> str:
    """Return the text that names the lines of bars; empty for bars that were counted."""
    numbers = [str(bar.line) for bar in bars if bar.line is not None]
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" if numbers else ""


def _missing(subject: str, row: Row[Any], locks: set[str]) -> Break:
    """Return the break of a lot that the statement lacks."""
    away = "TRANSFER" in locks
    note = f"lot {row.lot_id} is " + ("to travel or on its way" if away else row.state)
    kind = "TIMING" if away else "MISSING_AT_WAREHOUSE"
    return Break(kind, subject, row.symbol, _weight(row) * 10, 0, "gross_mg", note, row.lot_id)


def _weight(row: Row[Any]) -> int:
    return int(row.melt_cg or row.gross_cg or row.declared_gross_cg)


async def _lots_at(connection: AsyncConnection, place: str) -> dict[BarKey, Row[Any]]:
    query = select(lot).where(lot.c.warehouse == place, lot.c.state.in_(AT_WAREHOUSE)).order_by(lot.c.lot_id)
    return {BarKey(row.refiner, row.serial, row.year).compared: row for row in await connection.execute(query)}


async def _locks(connection: AsyncConnection, place: str) -> dict[int, set[str]]:
    """Return the kinds of the locks that lie on each lot."""
    query = select(lot_lock.c.lot_id, lot_lock.c.kind).join(lot, lot.c.lot_id == lot_lock.c.lot_id)
    found: dict[int, set[str]] = {}
    for row in await connection.execute(query.where(lot.c.warehouse == place, lot_lock.c.lifted_at.is_(None))):
        found.setdefault(row.lot_id, set()).add(row.kind)
    return found


async def _owners(connection: AsyncConnection, place: str) -> dict[int, str]:
    """Return the owner's account by lot: that of its live receipt, or of the load-out to which it is promised.

    A lot with neither belongs to its depositor.
    """
    joined = receipt.join(lot, lot.c.lot_id == receipt.c.lot_id)
    query = select(receipt.c.lot_id, receipt.c.account).select_from(joined)
    query = query.where(lot.c.warehouse == place, receipt.c.status == RECEIPT_LIVE)
    found = {row[0]: row[1] for row in await connection.execute(query)}
    joined = load_out_lot.join(lot, lot.c.lot_id == load_out_lot.c.lot_id)
    joined = joined.join(load_out, load_out.c.load_out_no == load_out_lot.c.load_out_no)
    query = select(load_out_lot.c.lot_id, load_out.c.account).select_from(joined)
    query = query.where(lot.c.warehouse == place, lot.c.state.in_(PROMISED), load_out.c.status.not_in(LOAD_OUT.final))
    return {**found, **{row[0]: row[1] for row in await connection.execute(query)}}


async def _seals(connection: AsyncConnection, place: str) -> dict[int, str]:
    """Return the newest seal in the history of each lot."""
    seal = custody_event.c.detail["seal"].astext
    query = select(custody_event.c.lot_id, seal).join(lot, lot.c.lot_id == custody_event.c.lot_id)
    query = query.where(lot.c.warehouse == place, seal.is_not(None)).order_by(custody_event.c.event_id)
    return {row[0]: row[1] for row in await connection.execute(query)}


def _expected_status(row: Row[Any], locks: set[str]) -> str:
    """Return the status that the statement should give for a lot, by its state and its locks."""
    if locks & {"FREEZE", "LEGAL_HOLD"}:
        return "FROZEN"
    if "PLEDGE" in locks:
        return "PLEDGED"
    if row.state in PROMISED:
        return "LOAD_OUT"
    return str(row.state) if row.state in STATUSES else "UNREGISTERED"


def _differences(subject: str, row: Row[Any], stated: StatementBar, right: StatementBar) -> list[Break]:
    """Return where a line differs from what the register says of the lot, ``right``."""
    found = []
    name = f"lot {row.lot_id}"
    if row.gross_cg is not None and abs(stated.gross_cg - right.gross_cg) > scales.tolerance_cg(right.gross_cg):
        weights = (right.gross_cg * 10, stated.gross_cg * 10, "gross_mg")
        found.append(Break("WEIGHT_DIFF", subject, row.symbol, *weights, name, row.lot_id))
    if row.fineness_e5 is not None and stated.fineness_e5 != row.fineness_e5:
        fineness = (row.fineness_e5, stated.fineness_e5, "fineness_e5")
        found.append(Break("FINENESS_DIFF", subject, row.symbol, *fineness, name, row.lot_id))
    for kind, there, here in (
        ("STATUS_DIFF", stated.status, right.status),
        ("SEAL_DIFF", stated.seal, stated.seal if same(stated.seal or "", right.seal or "") else right.seal),
        ("CUSTOMS_DIFF", stated.customs, right.customs),
    ):
        if there is not None and here is not None and there != here:
            note = f"{name}: {here} in the register, {there} there"
            found.append(Break(kind, subject, row.symbol, 1, 0, "match", note, row.lot_id))
    return found


def _owner_difference(
    register: _WarehouseRegister, subject: str, row: Row[Any], stated: StatementBar, right: StatementBar
) -> list[Break]:
    """Return the break of a bar for which the statement names another owner."""
    if stated.owner is None or right.owner is None or register.is_owner(stated.owner, right.owner):
        return []
    note = f"lot {row.lot_id}: {right.owner} in the register, {stated.owner} there"
    return [Break("OWNER_DIFF", subject, row.symbol, 1, 0, "match", note, row.lot_id)]


def _drift(place: str, bars: Sequence[tuple[Row[Any], StatementBar]]) -> list[Break]:
    """Return the break of bars that each differ within the tolerance, and together by more than chance explains.

    Chance errors mostly cancel out. If each error is spread evenly over its tolerance, their sum seldom exceeds three
    standard deviations, the root of three times the sum of the squares of the tolerances.
    """
    weighed = [(_weight(row), line.gross_cg) for row, line in bars if row.gross_cg is not None]
    within = [(right, there) for right, there in weighed if abs(there - right) <= scales.tolerance_cg(right)]
    allowed = isqrt(3 * sum(scales.tolerance_cg(right) ** 2 for right, _ in within))
    expected, there = sum(right for right, _ in within), sum(there for _, there in within)
    if abs(there - expected) <= allowed:
        return []
    much = f"{format_cg(abs(there - expected))} g too {'light' if there < expected else 'heavy'}"
    chance = f"up to {format_cg(allowed)} g may be chance"
    note = f"{len(within)} bars, each within its tolerance, are {much} together; {chance}"
    return [Break("WEIGHT_DRIFT", place, "", expected * 10, there * 10, "gross_mg", note)]


async def _check(
    connection: AsyncConnection,
    place: str,
    day: date,
    data: bytes,
    lines: Sequence[StatementBar],
    signature: bytes | None,
) -> int | None:
    """Return the number of the key that a statement is signed with, None for one without a signature.

    Raises BadValue if the file itself names another day, or a signed one names none, as a signature proves only the
    contents of the file. Raises what ``warehouse_keys.signer`` raises.
    """
    days = {line.day for line in lines}
    if others := sorted(str(other) for other in days - {day, None}):
        raise BadValue("day", day.isoformat(), f"the day that the file says it is of, {', '.join(others)}")
    if signature is None:
        return None
    number = await warehouse_keys.signer(connection, place, data, signature)
    if days != {day}:
        why = "what the column `day` of a signed file says in every row, as the signature proves nothing else"
        raise BadValue("day", day.isoformat(), why)
    return number


async def take_in(
    connection: AsyncConnection,
    by: str,
    place: str,
    day: date,
    name: str,
    data: bytes,
    lines: Sequence[StatementBar],
    signature: bytes | None = None,
) -> StatementComparison:
    """Compare a statement, record the differences as breaks of this warehouse, and keep the file unchanged.

    Breaks that it does not show end when the warehouse's key has signed the file, or a second person takes in the same
    one. Raises what ``_check``, ``statement_order.is_second`` and ``statement_order.check_signed`` raise.
    """
    await audit.lock(connection)
    signed_by = await _check(connection, place, day, data, lines, signature)
    if signed_by is None:
        second = await statement_order.is_second(connection, by, place, day, data)
        entry = statement_order.SECOND if second else ""
    else:
        await statement_order.check_signed(connection, place, day, data)
        second, entry = False, statement_order.SIGNED
    outcome = (await compare(connection, place, lines))._replace(second=second, signed_by=signed_by)
    checked = outcome.bars + outcome.lots
    scope = statement_scope(place)
    run_id = await breaks.record_run(connection, by, scope, checked, outcome.breaks, corrects=outcome.ends_breaks)
    result = {"run": run_id, "warehouse": place, "day": day.isoformat(), "breaks": len(outcome.breaks)}
    if signature is not None:
        result |= {"signed_by": signed_by, "signature": signature.hex()}
    about = statement_order.about(place, day, entry)
    await files.keep(connection, by, statement_order.KIND, name, data, len(lines), result, about)
    return outcome._replace(run_id=run_id)


async def preview(
    connection: AsyncConnection,
    by: str,
    place: str,
    day: date,
    name: str,
    data: bytes,
    lines: Sequence[StatementBar],
    signature: bytes | None = None,
) -> StatementComparison:
    """Do what ``take_in`` does and take it back. Raises what it raises."""
    async with trial(connection):
        outcome = await take_in(connection, by, place, day, name, data, lines, signature)
    return outcome._replace(run_id=None)
