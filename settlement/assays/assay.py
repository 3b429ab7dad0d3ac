"""Assays: the results of laboratories, by standard and rule, and the finding, which is the fineness that counts.

The finding comes from one accredited laboratory, or from two that exchange their results
(``settlement.assays.two_parties``). A screening is never a finding.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.assays import laboratories
from settlement.base import bulk
from settlement.base.arithmetic import HIGH_PPM, format_fineness, half_even, report
from settlement.base.database import among, now_ms
from settlement.base.refusal import Refused
from settlement.base.spelling import same
from settlement.lots import acceptance, lots, sampling
from settlement.lots.splitting import SplitDecision
from settlement.tables.assays import assay, assay_exchange, finding

XRF_RULE: Final = "XRF_MEAN_WHOLE_PERMILLE_1"
"""GB/T 18043: a screening of the surface, the mean of three points or more, in whole per mille, half to even; it never
sets a fineness (domain sheet 3.4)."""
LEAST_POINTS: Final = 3
SINGLE_RULE: Final = "SINGLE_LABORATORY_1"
"""The finding is the reported fineness of the one laboratory."""

STANDARDS: Final[Mapping[str, tuple[int, int]]] = {
    "GB/T 9288-2019": (1, 1_000_000),
    "GB/T 15249.1-2009": (300_000, 999_000),
    "GB/T 28016-2011": (700_000, 999_500),
}
"""Standards of fire assay, with the range in ppm that each is valid for (domain sheet 3.4): cupellation, the referee
method of jewellery gold; crude gold of mines, smelters and recycling, 30.00 to 99.90%; gravimetry, 700.0 to 999.5."""
LEAST_REPLICATES, MOST_REPLICATES = 2, 4
MAX_SPREAD_PPM: Final = 500
MAX_SPREAD_HIGH_PPM: Final = 200
"""The largest spread of the replicates of one fire assay: 0.5 per mille, 0.2 from 990 per mille on (domain sheet 3.4,
there marked as general knowledge to be verified)."""


class Result(NamedTuple):
    """A laboratory's report: its code, replicates in ppm, the seal of the assayed sample, and the standard.

    If ``standard`` is None, it is the usual one of the form.
    """

    laboratory: str
    replicates_ppm: tuple[int, ...]
    seal: str
    standard: str | None = None


def usual_standard(form: str) -> str:
    """Return the standard by which a form is assayed unless another is named."""
    return "GB/T 15249.1-2009" if form == "DORE" else "GB/T 9288-2019"


def check_replicates(lot_id: int, replicates_ppm: Sequence[int], standard: str) -> None:
    """Check the replicates of one fire assay.

    Raises BadValue for too few or too many of them or an unknown standard, Refused for results outside the standard's
    range (OUTSIDE_STANDARD) or too far apart to be averaged (REPLICATES_DIFFER).
    """
    if not LEAST_REPLICATES <= len(replicates_ppm) <= MOST_REPLICATES:
        allowed = f"{LEAST_REPLICATES} to {MOST_REPLICATES} results of one fire assay"
        raise BadValue("replicates", len(replicates_ppm), allowed)
    if standard not in STANDARDS:
        raise BadValue("standard", standard, "one of " + ", ".join(STANDARDS))
    low, high = STANDARDS[standard]
    for ppm in replicates_ppm:
        if not low <= ppm <= high:
            shown = f"{ppm // 1_000}.{ppm % 1_000:03d}"
            span = f"{format_fineness(low // 10)} to {format_fineness(high // 10)}"
            text = f"lot {lot_id}: {shown} per mille is outside the range of {standard}, {span}"
            raise Refused("OUTSIDE_STANDARD", text)
    pure = sum(replicates_ppm) >= HIGH_PPM * len(replicates_ppm)
    limit = MAX_SPREAD_HIGH_PPM if pure else MAX_SPREAD_PPM
    spread = max(replicates_ppm) - min(replicates_ppm)
    if spread > limit:
        apart = f"{spread // 1_000}.{spread % 1_000:03d}"
        text = f"lot {lot_id}: replicates are {apart} per mille apart; at most 0.{limit // 100} is allowed"
        raise Refused("REPLICATES_DIFFER", text)


def screened(points_e5: Sequence[int]) -> int:
    """Return the mean in e5 by rule XRF_MEAN_WHOLE_PERMILLE_1; one point is the mean that the instrument printed.

    Raises BadValue for two points, or for a point that is not in whole per mille.
    """
    if len(points_e5) != 1 and len(points_e5) < LEAST_POINTS:
        raise BadValue("xrf_permille", len(points_e5), f"one mean, or {LEAST_POINTS} points or more")
    if any(point % 100 for point in points_e5):
        raise BadValue("xrf_permille", [format_fineness(p) for p in points_e5], "whole per mille")
    return half_even(sum(points_e5) // 100, len(points_e5)) * 100


async def record_screenings(
    connection: AsyncConnection, by: str, points_e5: Mapping[int, Sequence[int]], instrument: str
) -> dict[int, int]:
    """Record X-ray points by lot; return the mean of each, in e5."""
    means = {lot_id: screened(points) for lot_id, points in points_e5.items()}
    rows = [
        _row(lot_id, "XRF", instrument, [point * 10 for point in points], means[lot_id], XRF_RULE, by)
        for lot_id, points in points_e5.items()
    ]
    if rows:
        await bulk.insert(connection, assay, rows)
    return means


async def fire_assay(connection: AsyncConnection, by: str, results: Mapping[int, Result]) -> None:
    """Record one laboratory's results of sampled lots, all or none; each becomes the lot's finding.

    Raises BadValue and Refused for a laboratory that is unknown or not accredited, replicates that may not be averaged,
    and a lot whose assay is being exchanged between two laboratories (ASSAY_EXCHANGE).
    """
    found = await lots.find(connection, list(results), lock=True)
    for number in sorted(await assay_exchanges_of(connection, list(results))):
        raise Refused("ASSAY_EXCHANGE", f"lot {number} is assayed by two laboratories that exchange their results")
    rules = await rules_of(connection, list(found.values()))
    recorded = await record(connection, by, results, rules)
    await record_findings(
        connection,
        by,
        {number: ([assay_id], SplitDecision(e5, SINGLE_RULE), None) for number, (assay_id, e5) in recorded.items()},
    )
    details = {
        number: {"laboratory": results[number].laboratory, "reported_permille": format_fineness(e5)}
        for number, (_, e5) in recorded.items()
    }
    await lots.take(connection, by, "assay", list(results), details=details)


async def assay_exchanges_of(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, int]:
    """Return the number of each lot's exchange of assays that is not void, by lot."""
    columns = assay_exchange.c
    query = select(columns.lot_id, columns.assay_exchange_no).where(
        among(columns.lot_id, lot_ids), columns.status != "VOID"
    )
    return {row.lot_id: row.assay_exchange_no for row in await connection.execute(query)}


async def rules_of(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[int, str]:
    """Return the rule by which the class of each lot has replicates reported."""
    terms = await acceptance.terms(connection)
    return {row.lot_id: terms[row.symbol].fineness_rule for row in rows}


async def record(
    connection: AsyncConnection, by: str, results: Mapping[int, Result], rules: Mapping[int, str], party: str = "A"
) -> dict[int, tuple[int, int]]:
    """Record results of a party's samples; return by lot the number of the assay and the reported fineness in e5.

    Raises Refused: NO_SAMPLE, WRONG_SEAL if the report is about a sample with another seal, and as
    ``check_replicates``.
    """
    await laboratories.check(connection, {result.laboratory for result in results.values()})
    found = await lots.find(connection, list(results))
    samples = await sampling.of_lots(connection, list(results))
    rows = []
    for lot_id, result in results.items():
        if party not in samples[lot_id]:
            raise Refused("NO_SAMPLE", f"lot {lot_id} is {found[lot_id].state} and has no sample of party {party}")
        if not same(result.seal, drawn := samples[lot_id][party].seal):
            text = f"lot {lot_id}: the sample of party {party} is under seal {drawn}; the report is about {result.seal}"
            raise Refused("WRONG_SEAL", text)
        standard = result.standard or usual_standard(found[lot_id].form)
        check_replicates(lot_id, result.replicates_ppm, standard)
        rule = rules[lot_id]
        e5 = report(rule, list(result.replicates_ppm))
        row = _row(lot_id, "FIRE_ASSAY", result.laboratory, list(result.replicates_ppm), e5, rule, by)
        rows.append({**row, "standard": standard, "sample_no": samples[lot_id][party].sample_no})
    if not rows:
        return {}
    added = insert(assay).returning(assay.c.assay_id, sort_by_parameter_order=True)
    ids = (await connection.execute(added, rows)).scalars().all()
    return {row["lot_id"]: (int(number), row["reported_e5"]) for number, row in zip(ids, rows, strict=True)}


def _row(lot_id: int, method: str, laboratory: str, ppm: list[int], e5: int, rule: str, by: str) -> dict[str, Any]:
    return {
        "lot_id": lot_id,
        "method": method,
        "laboratory": laboratory,
        "replicates_ppm": ppm,
        "reported_e5": e5,
        "rule": rule,
        "at": now_ms(),
        "by": by,
    }


async def record_findings(
    connection: AsyncConnection, by: str, decided: Mapping[int, tuple[Sequence[int], SplitDecision, int | None]]
) -> None:
    """Record findings by lot: numbers of the assays, decision, splitting limit if results were exchanged."""
    rows = [
        {
            "lot_id": lot_id,
            "assays": list(assays),
            "final_e5": decision.final_e5,
            "rule": decision.rule,
            "split_limit_e5": limit,
            "umpire_paid_by": decision.umpire_paid_by,
            "at": now_ms(),
            "by": by,
        }
        for lot_id, (assays, decision, limit) in decided.items()
    ]
    if rows:
        await bulk.insert(connection, finding, rows)


async def findings(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return the newest finding of each lot that has one."""
    query = select(finding).where(among(finding.c.lot_id, lot_ids)).order_by(finding.c.finding_no)
    return {row.lot_id: row for row in await connection.execute(query)}


async def of_lots(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """Return all assays and screenings of lots, oldest first."""
    found: dict[int, list[Row[Any]]] = {lot_id: [] for lot_id in lot_ids}
    for row in await connection.execute(select(assay).where(among(assay.c.lot_id, lot_ids)).order_by(assay.c.assay_id)):
        found[row.lot_id].append(row)
    return found
