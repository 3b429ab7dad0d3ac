"""Alarms of the X-ray screening: the assay of a lot is far from what its surface showed.

A screening never sets a fineness (domain sheet 3.4), but it was made on the metal that came in. If the finding differs
from it by more than ``LIMIT_E5``, a sample may have been exchanged, a number mistyped, or the lot be plated or filled.
Until a person who has neither screened nor assayed the lot has explained the difference, it is not registered, and not
melted with others. The explanation is an event in the lot's history and applies to that finding only.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.assays import assay
from settlement.base.arithmetic import format_fineness
from settlement.base.database import among
from settlement.base.refusal import Refused
from settlement.base.texts import printable
from settlement.lots import lots
from settlement.tables.lots import custody_event

LIMIT_E5: Final[Mapping[str, int]] = {
    "SCRAP_JEWEL": 10_000,
    "KARAT_ALLOY": 5_000,
    "DORE": 3_000,
    "GRAIN": 1_000,
    "NONAPPROVED_BAR": 1_000,
}
"""The largest difference of screening and finding, in e5: 100 per mille for mixed scrap, 10 for bars (our figures)."""
STEP: Final = "explain_screening"


class Alarm(NamedTuple):
    """A screening and a finding that differ too much, both in e5, and the number of the finding.

    ``people`` are all persons who have screened or assayed the lot, or made the finding.
    """

    screened_e5: int
    found_e5: int
    people: frozenset[str]
    finding_no: int

    def __str__(self) -> str:
        apart = format_fineness(abs(self.screened_e5 - self.found_e5))
        shown = f"{format_fineness(self.screened_e5)} by X-ray, {format_fineness(self.found_e5)} per mille by assay"
        return f"{shown} are {apart} apart"


async def alarms(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, Alarm]:
    """Return the unexplained alarms of lots, by lot."""
    known = await lots.find(connection, lot_ids)
    findings = await assay.findings(connection, lot_ids)
    found = {}
    for lot_id, entries in (await assay.of_lots(connection, lot_ids)).items():
        screenings = [entry for entry in entries if entry.method == "XRF"]
        final = findings.get(lot_id)
        if final is None or not screenings:
            continue
        newest = screenings[-1]
        if abs(newest.reported_e5 - final.final_e5) > LIMIT_E5[known[lot_id].form]:
            made_by = frozenset((final.by, *(entry.by for entry in entries)))
            found[lot_id] = Alarm(newest.reported_e5, final.final_e5, made_by, final.finding_no)
    explained = await _explained(connection, list(found))
    return {lot_id: alarm for lot_id, alarm in found.items() if (lot_id, alarm.finding_no) not in explained}


async def _explained(connection: AsyncConnection, lot_ids: Sequence[int]) -> set[tuple[int, int]]:
    """Return (lot, finding) of each difference that somebody has explained."""
    query = select(custody_event.c.lot_id, custody_event.c.detail).where(
        among(custody_event.c.lot_id, lot_ids), custody_event.c.step == STEP
    )
    return {(row.lot_id, int(row.detail["finding"])) for row in await connection.execute(query)}


async def unexplained(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, str]:
    """Return by lot why it may not proceed."""
    found = await alarms(connection, lot_ids)
    return {lot_id: f"{alarm}, and nobody has explained it" for lot_id, alarm in found.items()}


async def explain(connection: AsyncConnection, by: str, lot_id: int, explanation: str) -> None:
    """Record the explanation of a lot's alarm.

    Raises BadValue; Refused: ILLEGAL_STEP for a lot without an open alarm, SAME_PERSON for a person who screened or
    assayed it.
    """
    printable("explanation", explanation, 200)
    await lots.find(connection, [lot_id], lock=True)
    alarm = (await alarms(connection, [lot_id])).get(lot_id)
    if alarm is None:
        raise Refused("ILLEGAL_STEP", f"lot {lot_id} has no unexplained alarm of its screening")
    if by in alarm.people:
        text = f"{by} has screened or assayed lot {lot_id}; another person must explain the difference"
        raise Refused("SAME_PERSON", text)
    detail = {
        "finding": alarm.finding_no,
        "xrf_permille": format_fineness(alarm.screened_e5),
        "final_permille": format_fineness(alarm.found_e5),
        "explanation": explanation,
    }
    await lots.record_event(connection, by, STEP, [lot_id], detail)
