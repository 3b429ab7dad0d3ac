"""Where the gold of a lot comes from: the record of it, whether it is complete, and how risky it is.

Domain sheet 3.6. A record is never changed: a better one is added, and the newest counts. A record must have:

==================  ================================================================================
origin              required
==================  ================================================================================
every               country, check of the seller's identity, at least one document
``MINE``            also the mine's licence and the proof of tax and royalty
==================  ================================================================================

Rule PROVENANCE_RISK_1 grades a complete or incomplete record alike; the first that applies counts:

==========  ==========================================================================================
``HIGH``    from a conflict-affected or high-risk area; recycled gold that came already melted (``DORE``,
            ``GRAIN``), as nobody can see any more what it was;  "mined" gold of 995 per mille or more,
            as that has been refined before
``MEDIUM``  mined; recycled; industrial; any other origin outside China
``LOW``     a bank or a manufacturer in China
==========  ==========================================================================================

An incomplete record blocks the melt with others and the registration. A ``HIGH`` one blocks registration until
enhanced due diligence is recorded by one person and accepted by another.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pycountry
from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, bulk, proposals
from settlement.base.database import among, now_ms
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.base.texts import printable
from settlement.documents.lots import PROVENANCE, PROVENANCE_CLOSED
from settlement.lots import lots
from settlement.tables.lots import GRADES, ORIGINS, provenance

RULE = "PROVENANCE_RISK_1"
_MELTED_FORMS = ("DORE", "GRAIN")
_REFINED_FROM_E5 = 99_500
MAX_DOCUMENTS = 20


class ProvenanceRecord(NamedTuple):
    """The record of a lot; texts are numbers or names of papers, ``country`` a code of two letters (ISO 3166)."""

    origin: str
    country: str | None = None
    licence: str | None = None
    tax_proof: str | None = None
    seller_check: str | None = None
    documents: tuple[str, ...] = ()
    conflict_area: bool = False


def check(record: ProvenanceRecord) -> ProvenanceRecord:
    """Return the record if it is well formed. Raises BadValue; a record that lacks something is well formed."""
    if record.origin not in ORIGINS:
        raise BadValue("origin", record.origin, "one of " + ", ".join(ORIGINS))
    if record.country is not None and not _is_country(record.country):
        raise BadValue("country", record.country, "the two capital letters of a country in ISO 3166-1, such as CN")
    if len(record.documents) > MAX_DOCUMENTS:
        raise BadValue("documents", len(record.documents), f"at most {MAX_DOCUMENTS}")
    texts = {name: getattr(record, name) for name in ("licence", "tax_proof", "seller_check")}
    for name, text in (*texts.items(), *(("documents", document) for document in record.documents)):
        if text is not None:
            printable(name, text, 64)
    return record


def _is_country(code: str) -> bool:
    """``pycountry`` itself does not tell capitals from small letters."""
    found = pycountry.countries.get(alpha_2=code)
    return found is not None and found.alpha_2 == code


def missing(record: ProvenanceRecord) -> list[str]:
    """Return the fields that the record lacks to be complete."""
    required = ["country", "seller_check", "documents"]
    if record.origin == "MINE":
        required += ["licence", "tax_proof"]
    return [name for name in required if not getattr(record, name)]


def grade(record: ProvenanceRecord, form: str, fineness_e5: int) -> tuple[str, list[str]]:
    """Return the grade by rule PROVENANCE_RISK_1, and the reasons for it."""
    high = []
    if record.conflict_area:
        high.append("conflict-affected or high-risk area")
    if record.origin.startswith("RECYCLED") and form in _MELTED_FORMS:
        high.append("recycled gold that came melted")
    if record.origin == "MINE" and fineness_e5 >= _REFINED_FROM_E5:
        high.append("declared as mined, but of refined gold's fineness")
    if high:
        return "HIGH", high
    if record.origin not in ("BANK", "MANUFACTURING"):
        return "MEDIUM", [f"origin {record.origin}"]
    if record.country != "CN":
        return "MEDIUM", ["outside China"]
    return "LOW", [f"origin {record.origin}"]


async def write(connection: AsyncConnection, by: str, records: Mapping[int, ProvenanceRecord]) -> None:
    """Add a record to each of these lots, or to none. Raises BadValue, Refused for a lot that is registered or gone."""
    found = await lots.find(connection, list(records), lock=True)
    rows = []
    for lot_id, record in records.items():
        row = found[lot_id]
        if row.state in PROVENANCE_CLOSED:
            raise Refused("ILLEGAL_STEP", f"lot {lot_id} is {row.state}: its provenance is closed")
        fineness = row.fineness_e5 or row.declared_fineness_e5
        risk, reasons = grade(check(record), row.form, fineness)
        rows.append(
            {
                **record._asdict(),
                "lot_id": lot_id,
                "documents": list(record.documents),
                "missing": missing(record),
                "grade": risk,
                "reasons": reasons,
                "rule": RULE,
                "status": PROVENANCE.steps["record"].after,
                "at": now_ms(),
                "by": by,
            }
        )
    await bulk.insert(connection, provenance, rows)
    acts = [
        audit.Act(by, "provenance.record", f"lot:{row['lot_id']}", {"grade": row["grade"], "missing": row["missing"]})
        for row in rows
    ]
    await audit.record_all(connection, acts)


async def of_lots(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Return the newest record of each lot that has one."""
    query = select(provenance).where(among(provenance.c.lot_id, lot_ids)).order_by(provenance.c.provenance_no)
    return {row.lot_id: row for row in await connection.execute(query)}


def inherited(parents: Sequence[Row[Any]]) -> ProvenanceRecord:
    """Return the record of a melt's child: the riskiest parent's origin, with all parents' records as documents."""
    worst = max(parents, key=lambda row: (GRADES.index(row.grade), row.lot_id))
    documents = [f"provenance {row.provenance_no} of lot {row.lot_id}" for row in parents][:MAX_DOCUMENTS]
    return ProvenanceRecord(
        worst.origin,
        worst.country,
        worst.licence,
        worst.tax_proof,
        worst.seller_check,
        tuple(documents),
        any(row.conflict_area for row in parents),
    )


async def obstacles(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, str]:
    """Return the lots that may not be registered yet, and why."""
    found = await of_lots(connection, lot_ids)
    why = {}
    for lot_id in lot_ids:
        row = found.get(lot_id)
        if row is None:
            why[lot_id] = "it has no provenance"
        elif row.missing:
            why[lot_id] = "its provenance lacks " + ", ".join(row.missing)
        elif row.grade == "HIGH" and row.status != "ACCEPTED":
            reasons = "; ".join(row.reasons)
            why[lot_id] = f"its provenance is of HIGH risk ({reasons}) and no due diligence is accepted"
    return why


async def propose_acceptance(connection: AsyncConnection, by: str, lot_id: int, due_diligence: str) -> int:
    """Propose to accept a HIGH risk on the enhanced due diligence of a number; return the proposal's number."""
    printable("due_diligence", due_diligence, 64)
    await lots.find(connection, [lot_id])
    row = (await of_lots(connection, [lot_id])).get(lot_id)
    if row is None or row.missing or row.grade != "HIGH":
        raise Refused("ILLEGAL_STEP", f"lot {lot_id}: only a complete provenance of HIGH risk needs to be accepted")
    number = row.provenance_no
    await advance(connection, provenance, PROVENANCE, by, "propose", [number], {"due_diligence": due_diligence})
    summary = {"lot": lot_id, "reasons": row.reasons, "due_diligence": due_diligence}
    return await proposals.propose(connection, by, "provenance", [number], summary)


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Accept the risk."""
    await advance(connection, provenance, PROVENANCE, by, "accept", subjects)


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Decline to accept the risk; the lot cannot be registered."""
    await connection.execute(
        update(provenance).where(among(provenance.c.provenance_no, subjects)).values(due_diligence=None)
    )
    await advance(connection, provenance, PROVENANCE, by, "decline", subjects)
