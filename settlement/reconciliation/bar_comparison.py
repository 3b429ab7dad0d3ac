"""The bars of a statement or a count held against the register of their warehouse, all of them in one query.

They come from a file or from people, so they go in as one JSON document, each under its folded key. A full outer join
by maker, number and year finds a bar that either side lacks. Only bars with a difference come back: what differs is
decided in SQL, and here the texts are chosen in which people read it. The kinds are those of
``settlement.reconciliation.warehouse_statement``.
"""

import json
from collections.abc import Iterable, Sequence
from math import isqrt
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.base.arithmetic import format_cg
from settlement.base.spelling import fold
from settlement.documents.lots import AT_WAREHOUSE, GONE
from settlement.lots import scales, warehouses
from settlement.reconciliation.breaks import Break, difference_of
from settlement.reconciliation.statement_file import StatementBar
from settlement.reconciliation.warehouse_register import REGISTER, parameters

_DIFFERING: Final = text(
    REGISTER
    + f"""
, line AS (
    SELECT * FROM jsonb_to_recordset(CAST(CAST(:lines AS text) AS jsonb)) AS given (
        place bigint, line bigint, refiner text, serial text, year bigint, gross_cg bigint, fineness_e5 bigint,
        status text, seal text, customs text, owner text
    )
), bar AS (
    SELECT min(place) AS place, count(*) AS times, array_agg(line ORDER BY place) AS lines
    FROM line GROUP BY refiner, serial, year
), pair AS (
    SELECT s.place, b.times, b.lines, s.refiner AS key_refiner, s.serial AS key_serial, s.year AS key_year,
        s.gross_cg AS stated_cg, s.fineness_e5 AS stated_e5, s.status AS stated_status, s.seal AS stated_seal,
        s.customs AS stated_customs, s.owner AS stated_owner, r.*, {scales.tolerance_sql("r.weight_cg")} AS tolerance_cg
    FROM register r FULL JOIN (bar b JOIN line s USING (place))
        ON folded(r.refiner) = s.refiner AND folded(r.serial) = s.serial AND r.year = s.year
), judged AS (
    SELECT p.*, CAST(:customs AS text) AS customs,
        p.lot_id IS NULL AS strange, p.place IS NULL AS missing, p.times > 1 AS twice,
        p.gross_cg IS NOT NULL AND abs(p.stated_cg - p.weight_cg) > p.tolerance_cg AS weight_differs,
        p.fineness_e5 IS NOT NULL AND p.stated_e5 <> p.fineness_e5 AS fineness_differs,
        p.stated_status <> p.status AS status_differs, folded(p.stated_seal) <> folded(p.seal) AS seal_differs,
        p.lot_id IS NOT NULL AND p.stated_customs <> :customs AS customs_differs,
        folded(p.stated_owner) NOT IN (folded(p.owner), folded(coalesce(a.member, p.owner))) AS owner_differs
    FROM pair p LEFT JOIN trading_account a ON a.account = p.owner
), differing AS (
    SELECT * FROM judged WHERE strange OR missing OR twice OR weight_differs OR fineness_differs OR status_differs
        OR seal_differs OR customs_differs OR owner_differs
), other AS (
    SELECT DISTINCT ON (d.place) d.place, l.lot_id AS other_lot, l.state AS other_state, l.warehouse AS other_place,
        l.symbol AS other_symbol
    FROM differing d JOIN lot l ON folded(l.refiner) = d.key_refiner AND folded(l.serial) = d.key_serial
        AND l.year = d.key_year
    WHERE d.strange ORDER BY d.place, l.state = ANY (:gone), l.lot_id DESC
), total AS (
    SELECT (SELECT count(*) FROM register) AS all_lots,
        CAST((SELECT coalesce(sum(weight_cg), 0) FROM register) AS bigint) AS all_cg,
        count(*) AS within, CAST(coalesce(sum(weight_cg), 0) AS bigint) AS within_cg,
        CAST(coalesce(sum(stated_cg), 0) AS bigint) AS within_stated_cg,
        CAST(coalesce(sum(tolerance_cg * tolerance_cg), 0) AS bigint) AS squares
    FROM judged WHERE times = 1 AND gross_cg IS NOT NULL AND NOT weight_differs
)
SELECT t.*, d.*, o.other_lot, o.other_state, o.other_place, o.other_symbol
FROM total t LEFT JOIN differing d ON true LEFT JOIN other o ON o.place = d.place
ORDER BY d.place, d.lot_id
"""
)
"""Rows in the order of the statement, then the lots that it lacks; one row with the totals alone if nothing differs.

``other`` is the lot of the mark of a bar that the register does not have in this warehouse: the one that is here or
expected, else the newest that has left. ``within`` are the bars that stand there once and weigh what they should.
"""


class ComparedBars(NamedTuple):
    """The number of the register's lots in a warehouse, their gross weight in 0.01 g, and the breaks."""

    lots: int
    gross_cg: int
    breaks: tuple[Break, ...]


async def compare(connection: AsyncConnection, place: str, lines: Sequence[StatementBar]) -> ComparedBars:
    """Compare bars that are said to lie in warehouse ``place``. Raises BadValue for an unknown warehouse."""
    given = {"customs": await warehouses.customs_of(connection, place), "gone": list(GONE), "lines": _given(lines)}
    rows = (await connection.execute(_DIFFERING, {**parameters(place), **given})).all()
    found = [one for row in rows if row.strange is not None for one in _breaks(place, row)]
    return ComparedBars(rows[0].all_lots, rows[0].all_cg, (*found, *_drift(place, rows[0])))


def _given(lines: Iterable[StatementBar]) -> str:
    """Return the lines as JSON, in their order, each with its folded key."""
    values = []
    for place, line in enumerate(lines):
        refiner, serial, year = line.key.compared
        value = {"place": place, "line": line.line, "refiner": refiner, "serial": serial, "year": year}
        names = ("gross_cg", "fineness_e5", "status", "seal", "customs", "owner")
        values.append({**value, **{name: getattr(line, name) for name in names}})
    return json.dumps(values, ensure_ascii=False)


def _breaks(place: str, row: Row[Any]) -> list[Break]:
    """Return the breaks of a bar in which something differs."""
    subject = _subject(place, row)
    # The break names the mark and no lot, as it is not known which of the lines is the lot.
    twice = [Break("DUPLICATE_SERIAL", subject, "", 1, row.times, "count", _lines(row.lines))] if row.twice else []
    if row.strange:
        return [*twice, _not_here(subject, row)]
    return [_missing(subject, row)] if row.missing else [*twice, *_differences(subject, row)]


def _subject(place: str, row: Row[Any]) -> str:
    """Return the subject of a bar's breaks, which does not depend on the spelling in a statement."""
    if row.strange:
        parts, year = [_capitals(row.key_refiner), _capitals(row.key_serial)], row.key_year
    else:
        # Without the quotes, bar "1" of mark "HX A" and bar "A 1" of mark "HX" would have the same text.
        parts = [
            json.dumps(part, ensure_ascii=False) if " " in part or '"' in part else part
            for part in (row.refiner, row.serial)
        ]
        year = row.year
    return " ".join((place, *parts, *([str(year)] if year else [])))


def _capitals(folded: str) -> str:
    """Return a folded text in capital letters, unless that would make it another number."""
    return folded.upper() if fold(folded.upper()) == folded else folded


def _not_here(subject: str, row: Row[Any]) -> Break:
    """Return the break of a bar that the register does not have in this warehouse."""
    gross_mg, number = row.stated_cg * 10, row.other_lot
    if row.other_state in AT_WAREHOUSE:
        note = f"lot {number} is {row.other_state} in {row.other_place}"
        return Break("LOCATION_DIFF", subject, row.other_symbol, 0, gross_mg, "gross_mg", note, number)
    notes = [_lines(row.lines[:1])]
    if number is not None:
        where = "last in" if row.other_state in GONE else "in"
        notes.append(f"lot {number} is {row.other_state} {where} {row.other_place}")
    note = ": ".join(filter(None, notes))
    return Break("UNKNOWN_AT_WAREHOUSE", subject, "", 0, gross_mg, "gross_mg", note, number)


def _lines(lines: Sequence[int | None]) -> str:
    """Return the text that names lines of a statement; empty for bars that were counted."""
    numbers = [str(line) for line in lines if line is not None]
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" if numbers else ""


def _missing(subject: str, row: Row[Any]) -> Break:
    """Return the break of a lot that the statement lacks."""
    note = f"lot {row.lot_id} is " + ("to travel or on its way" if row.travels else row.state)
    kind = "TIMING" if row.travels else "MISSING_AT_WAREHOUSE"
    return Break(kind, subject, row.symbol, row.weight_cg * 10, 0, "gross_mg", note, row.lot_id)


def _differences(subject: str, row: Row[Any]) -> list[Break]:
    """Return where the first line about a lot differs from the register."""
    found = []
    name = f"lot {row.lot_id}"
    if row.weight_differs:
        weights = (row.weight_cg * 10, row.stated_cg * 10, "gross_mg")
        found.append(Break("WEIGHT_DIFF", subject, row.symbol, *weights, name, row.lot_id))
    if row.fineness_differs:
        fineness = (row.fineness_e5, row.stated_e5, "fineness_e5")
        found.append(Break("FINENESS_DIFF", subject, row.symbol, *fineness, name, row.lot_id))
    for kind, differs, here, there in (
        ("STATUS_DIFF", row.status_differs, row.status, row.stated_status),
        ("SEAL_DIFF", row.seal_differs, row.seal, row.stated_seal),
        ("CUSTOMS_DIFF", row.customs_differs, row.customs, row.stated_customs),
        ("OWNER_DIFF", row.owner_differs, row.owner, row.stated_owner),
    ):
        if differs:
            note = f"{name}: {here} in the register, {there} there"
            difference = difference_of(here, there)
            found.append(Break(kind, subject, row.symbol, 1, 0, "match", note, row.lot_id, difference=difference))
    return found


def _drift(place: str, row: Row[Any]) -> list[Break]:
    """Return the break of bars that each differ within the tolerance, and together by more than chance explains.

    Chance errors mostly cancel out. If each error is spread evenly over its tolerance, their sum seldom exceeds three
    standard deviations, the root of three times the sum of the squares of the tolerances.
    """
    allowed = isqrt(3 * row.squares)
    expected, there = row.within_cg, row.within_stated_cg
    if abs(there - expected) <= allowed:
        return []
    much = f"{format_cg(abs(there - expected))} g too {'light' if there < expected else 'heavy'}"
    chance = f"up to {format_cg(allowed)} g may be chance"
    note = f"{row.within} bars, each within its tolerance, are {much} together; {chance}"
    return [Break("WEIGHT_DRIFT", place, "", expected * 10, there * 10, "gross_mg", note)]
