"""Results of an inventory count: the entries of its two counters, each on their own.

A counter enters every bar that is there, with its weight and seal where they were looked at, and may say of a bar on
the list that it is not there. A later entry about a bar takes the place of the one before; nothing is deleted. A
counter signs when done; an entry after it makes the signature void.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.database import now_ms
from settlement.base.refusal import Refused
from settlement.base.spelling import same
from settlement.base.texts import mark, printable
from settlement.documents.counts import COUNT_OPEN
from settlement.intake.bar_rows import BarKey
from settlement.lots import scales
from settlement.reconciliation import count_sessions
from settlement.reconciliation.count_sessions import FULL
from settlement.tables.counts import count_again, count_lot, count_result, count_signature

TYPED: Final = "TYPED"
LIST: Final = "LIST"
SCAN: Final = "SCAN"
LONGEST_CONDITION: Final = 200


class CountResult(NamedTuple):
    """A counter's entry about one bar; weight and seal are None where they were not looked at."""

    key: BarKey
    found: bool = True
    gross_cg: int | None = None
    seal: str | None = None
    condition: str = ""


def round_of(row: Row[Any]) -> int:
    """Return the round that a count is in. Raises Refused (ILLEGAL_STEP) for one that is not open."""
    if row.status not in COUNT_OPEN:
        raise Refused("ILLEGAL_STEP", f"count {row.count_no} is {row.status}; it must be {' or '.join(COUNT_OPEN)}")
    return 2 if row.status == "RECOUNTING" else 1


def counters_of(row: Row[Any]) -> tuple[str, str]:
    """Return the two counters of a count."""
    return row.first_counter, row.second_counter


async def _open_for(connection: AsyncConnection, by: str, number: int) -> tuple[Row[Any], int]:
    """Return a count and its round, for one of its counters. Raises BadValue, Refused (ILLEGAL_STEP, NOT_A_COUNTER)."""
    await audit.lock(connection)
    row = await count_sessions.find(connection, number)
    turn = round_of(row)
    if by not in counters_of(row):
        text = f"count {number} is counted by {' and '.join(counters_of(row))}; {by} enters nothing"
        raise Refused("NOT_A_COUNTER", text)
    return row, turn


async def listed(connection: AsyncConnection, number: int, turn: int) -> dict[BarKey, int | None]:
    """Return the lots of the bars on the list of a round, by ``BarKey.compared``."""
    table = count_lot if turn == 1 else count_again
    query = select(table).where(table.c.count_no == number).order_by(table.c.line)
    rows = await connection.execute(query)
    return {BarKey(row.refiner, row.serial, row.year).compared: row.lot_id for row in rows}


async def enter(
    connection: AsyncConnection, by: str, number: int, results: Sequence[CountResult], source: str = TYPED
) -> int:
    """Record what a counter found in the present round and return how many bars that were.

    Raises BadValue, also for a bar that is not on the list of a partial count or of the second round, and for one that
    is missing and not on the list; Refused: ILLEGAL_STEP, NOT_A_COUNTER.
    """
    row, turn = await _open_for(connection, by, number)
    expected = await listed(connection, number, turn)
    closed_list = row.extent != FULL or turn == 2
    rows = []
    for one in results:
        on_list = one.key.compared in expected
        if not on_list and (closed_list or not one.found):
            raise BadValue("bar", str(one.key), f"one on the list of count {number}")
        if not one.found and (one.gross_cg is not None or one.seal is not None):
            raise BadValue("bar", str(one.key), "without weight and seal, as it is not there")
        rows.append(
            {
                "count_no": number,
                "round": turn,
                "counter": by,
                "refiner": mark("refiner", one.key.refiner),
                "serial": mark("serial", one.key.serial),
                "year": one.key.year,
                "found": one.found,
                "gross_cg": one.gross_cg,
                "seal": None if one.seal is None else mark("seal", one.seal),
                "condition": printable("condition", one.condition, LONGEST_CONDITION, 0),
                "source": source,
                "at": now_ms(),
            }
        )
    if not rows:
        raise BadValue("results", 0, "at least one bar")
    await connection.execute(insert(count_result), rows)
    detail = {"round": turn, "bars": len(rows), "source": source}
    await audit.record(connection, audit.Act(by, "inventory_count.enter", f"inventory_count:{number}", detail))
    return len(rows)


async def of_counter(connection: AsyncConnection, number: int, turn: int, counter: str) -> dict[BarKey, CountResult]:
    """Return what holds of a counter's entries in a round, by ``BarKey.compared``: the newest about each bar."""
    query = select(count_result).where(
        count_result.c.count_no == number, count_result.c.round == turn, count_result.c.counter == counter
    )
    found = {}
    for row in await connection.execute(query.order_by(count_result.c.result_no)):
        key = BarKey(row.refiner, row.serial, row.year)
        found[key.compared] = CountResult(key, row.found, row.gross_cg, row.seal, row.condition)
    return found


async def sign(connection: AsyncConnection, by: str, number: int) -> None:
    """Sign, as a counter, all that one has entered in this round. Raises as ``enter``, and COUNT_UNFINISHED."""
    _, turn = await _open_for(connection, by, number)
    last = await _last_result(connection, number, turn, by)
    entered = await of_counter(connection, number, turn, by)
    bars = await count_sessions.lines(connection, number)
    keys = [BarKey(bar.refiner, bar.serial, bar.year) for bar in bars]
    if turn == 2 and (waiting := [key for key in keys if key.compared not in entered]):
        raise Refused("COUNT_UNFINISHED", f"{by} has not counted {some(waiting)} again")
    values = {"count_no": number, "round": turn, "counter": by, "last_result": last, "at": now_ms()}
    await connection.execute(insert(count_signature).values(values))
    detail = {"round": turn, "bars": len(entered), "last_result": last}
    await audit.record(connection, audit.Act(by, "inventory_count.sign", f"inventory_count:{number}", detail))


async def _last_result(connection: AsyncConnection, number: int, turn: int, counter: str) -> int:
    newest = select(func.max(count_result.c.result_no)).where(
        count_result.c.count_no == number, count_result.c.round == turn, count_result.c.counter == counter
    )
    return int(await connection.scalar(newest) or 0)


async def check_signed(connection: AsyncConnection, row: Row[Any], turn: int) -> dict[str, int]:
    """Return when each counter has signed the round. Raises Refused (COUNT_UNFINISHED) where one has not."""
    signed = await signed_of(connection, row, turn)
    for counter in counters_of(row):
        if counter not in signed:
            raise Refused("COUNT_UNFINISHED", f"{counter} has not signed what was entered in round {turn}")
    return signed


async def signed_of(connection: AsyncConnection, row: Row[Any], turn: int) -> dict[str, int]:
    """Return the counters who have signed all that they entered in a round, and when."""
    signed = {}
    for counter in counters_of(row):
        query = select(count_signature.c.at).where(
            count_signature.c.count_no == row.count_no,
            count_signature.c.round == turn,
            count_signature.c.counter == counter,
            count_signature.c.last_result == await _last_result(connection, row.count_no, turn, counter),
        )
        at = await connection.scalar(query.order_by(count_signature.c.signature_no.desc()).limit(1))
        if at is not None:
            signed[counter] = int(at)
    return signed


def differ(one: CountResult | None, other: CountResult | None) -> bool:
    """Return whether two counters say different things about a bar; what one has not looked at is no difference."""
    found = one is not None and one.found
    if found != (other is not None and other.found):
        return True
    if one is None or other is None or not found:
        return False
    if one.gross_cg is not None and other.gross_cg is not None:
        heavier = max(one.gross_cg, other.gross_cg)
        if abs(one.gross_cg - other.gross_cg) > scales.tolerance_cg(heavier):
            return True
    return one.seal is not None and other.seal is not None and not same(one.seal, other.seal)


def agreed(one: CountResult | None, other: CountResult | None) -> CountResult | None:
    """Return what two counters who do not differ found of a bar; None for one that is not there.

    The first counter's weight and seal go before the second's.
    """
    if one is None or other is None or not one.found:
        return None
    gross = other.gross_cg if one.gross_cg is None else one.gross_cg
    condition = "; ".join(dict.fromkeys(filter(None, (one.condition, other.condition))))
    return CountResult(one.key, True, gross, other.seal if one.seal is None else one.seal, condition)


def some(keys: Sequence[BarKey]) -> str:
    """Return the first of some bars as they are named in a sentence."""
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(map(str, keys[:3])) + more


def compared(first: Mapping[BarKey, CountResult], second: Mapping[BarKey, CountResult]) -> list[BarKey]:
    """Return the bars about which two counters differ, by ``BarKey.compared``, in the order of their entries."""
    return [key for key in {**first, **second} if differ(first.get(key), second.get(key))]
