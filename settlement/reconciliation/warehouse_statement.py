"""A warehouse's statement of its bars, compared with the register bar by bar (domain sheet 8.1 to 8.3).

====================  =========================================================================================
kind of break         difference
====================  =========================================================================================
MISSING_AT_WAREHOUSE  the register has the lot there, the statement has not
TIMING                the register has the lot there under an agreed transfer, the statement has not
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

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit
from settlement.base.database import trial
from settlement.intake import files
from settlement.reconciliation import bar_comparison, breaks, statement_order, warehouse_keys
from settlement.reconciliation.breaks import Break, statement_scope
from settlement.reconciliation.statement_file import StatementBar


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


async def compare(connection: AsyncConnection, place: str, lines: Sequence[StatementBar]) -> StatementComparison:
    """Compare a statement of warehouse ``place`` with the register. Raises BadValue for an unknown warehouse."""
    found = await bar_comparison.compare(connection, place, lines)
    weights = (sum(line.gross_cg for line in lines), found.gross_cg)
    return StatementComparison(None, len(lines), found.lots, *weights, found.breaks)


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
