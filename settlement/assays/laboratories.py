"""The laboratories: their accreditations, and the bias of their results."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from math import isqrt
from typing import Any, NamedTuple

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, parse_identifier
from settlement.base import audit
from settlement.base.database import among
from settlement.base.paging import ALL, Page, PageRequest, cut, fetch
from settlement.base.refusal import Refused
from settlement.base.statistics import is_biased
from settlement.base.texts import printable
from settlement.base.working_days import today
from settlement.tables.assays import ACCREDITATIONS, assay, finding, laboratory

BIAS_SIGMAS = 2
LEAST_RESULTS = 5
"""The fewest results that a laboratory is flagged for bias by."""


class Bias(NamedTuple):
    """A laboratory's mean difference from the findings of exchanged assays: hundredths of e5, rounded half away."""

    laboratory: str
    results: int
    mean_difference_e7: int
    deviation_e7: int
    flagged: bool


async def add(
    connection: AsyncConnection,
    by: str,
    code: str,
    name: str,
    accreditations: Sequence[str],
    number: str,
    valid: tuple[date, date],
    name_zh: str = "",
) -> None:
    """Register a laboratory with its accreditation. Raises BadValue."""
    for field, text in (("name", name), ("accreditation_no", number)):
        printable(field, text, 64)
    row = {"laboratory": parse_identifier(code, "laboratory"), "name": name, "name_zh": name_zh}
    values = {**row, **_accreditation(accreditations, number, valid)}
    added = insert_or(laboratory).values(values).on_conflict_do_nothing().returning(laboratory.c.laboratory)
    if (await connection.execute(added)).first() is None:
        raise BadValue("laboratory", f"{code}, {number}", "a code and a number of an accreditation that are not taken")
    await audit.record(connection, audit.Act(by, "laboratory.add", code, _shown(values)))


async def renew(
    connection: AsyncConnection,
    by: str,
    code: str,
    accreditations: Sequence[str],
    number: str,
    valid: tuple[date, date],
) -> None:
    """Record a new accreditation in place of the old one. Raises BadValue."""
    values = _accreditation(accreditations, number, valid)
    changed = update(laboratory).where(laboratory.c.laboratory == code).values(values)
    try:
        done = (await connection.execute(changed.returning(laboratory.c.laboratory))).first()
    except IntegrityError as error:
        allowed = "the number of an accreditation that no other laboratory has"
        raise BadValue("accreditation_no", number, allowed) from error
    if done is None:
        raise BadValue("laboratory", code, "a registered laboratory")
    await audit.record(connection, audit.Act(by, "laboratory.renew", code, _shown(values)))


def _accreditation(accreditations: Sequence[str], number: str, valid: tuple[date, date]) -> dict[str, Any]:
    if not accreditations or not set(accreditations) <= set(ACCREDITATIONS):
        raise BadValue("accreditation", list(accreditations), "at least one of " + ", ".join(ACCREDITATIONS))
    if valid[0] > valid[1]:
        raise BadValue("valid_until", valid[1].isoformat(), f"not before {valid[0].isoformat()}")
    return {
        "accreditations": sorted(set(accreditations)),
        "accreditation_no": number,
        "valid_from": valid[0],
        "valid_until": valid[1],
    }


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


async def check(connection: AsyncConnection, codes: Iterable[str]) -> dict[str, Row[Any]]:
    """Return laboratories by code.

    Raises BadValue for an unknown one, Refused (NOT_ACCREDITED) for one whose accreditation is not valid today.
    """
    query = select(laboratory).where(among(laboratory.c.laboratory, set(codes)))
    found = {row.laboratory: row for row in await connection.execute(query)}
    day = today()
    for code in sorted(set(codes)):
        row = found.get(code)
        if row is None:
            raise BadValue("laboratory", code, "a registered laboratory")
        if not row.valid_from <= day <= row.valid_until:
            text = f"laboratory {code} is accredited from {row.valid_from} to {row.valid_until}, not today"
            raise Refused("NOT_ACCREDITED", text)
    return found


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return laboratories by code."""
    return await fetch(connection, select(laboratory), (laboratory.c.laboratory,), page)


async def biases(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Bias]:
    """Return each laboratory's bias against the findings of exchanged assays, by code.

    ``flagged``: at least LEAST_RESULTS, and their mean is more than two standard errors from zero.
    """
    query = (
        select(assay.c.laboratory, assay.c.reported_e5 - finding.c.final_e5)
        .join(finding, assay.c.assay_id == finding.c.assays.any_())
        .where(finding.c.split_limit_e5.is_not(None))
        .order_by(assay.c.laboratory, assay.c.assay_id)
    )
    differences: defaultdict[str, list[int]] = defaultdict(list)
    for code, difference in await connection.execute(query):
        differences[code].append(difference)
    return cut([_bias(code, found) for code, found in differences.items()], lambda bias: bias.laboratory, page)


def _bias(code: str, found: list[int]) -> Bias:
    n, total, squares = len(found), sum(found), sum(x * x for x in found)
    mean = (200 * abs(total) + n) // (2 * n) * (1 if total >= 0 else -1)
    spread = isqrt((n * squares - total**2) * 10_000 // (n * (n - 1))) if n > 1 else 0
    return Bias(code, n, mean, spread, n >= LEAST_RESULTS and is_biased(found, BIAS_SIGMAS))
