"""Certificates: all the facts behind a lot's fine gold, fixed in one text whose SHA-256 anybody can check.

A certificate holds the raw replicates of every laboratory and the name of every rule that rounded or decided, so that
its figures can be computed again from itself alone (``recompute``) and compared with the register.
"""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.assays import assay, laboratories
from settlement.base import bulk
from settlement.base.arithmetic import FINE_RULE, FINENESS_RULES, fine_weight, report
from settlement.base.database import among, now_ms
from settlement.lots import provenance, sampling
from settlement.lots.splitting import MEAN_RULE, UMPIRE_RULES, SplitDecision, agree, umpire, within
from settlement.tables.assays import assay as assays
from settlement.tables.assays import certificate
from settlement.tables.lots import custody_event, lot

FORMAT: Final = 1
_NUMBER_LOCK = 0xCE27
"""Advisory lock: certificates are numbered without gaps."""


class Certificate(NamedTuple):
    """A certificate of the register; ``hash`` is the SHA-256 of its text."""

    number: int
    lot_id: int
    text: str
    hash: bytes

    @property
    def content(self) -> dict[str, Any]:
        """Return the fields of the certificate's text."""
        found: dict[str, Any] = json.loads(self.text)
        return found


class CertificateVerdict(NamedTuple):
    """The answer about a certificate: VALID with the lot's state now, UNKNOWN, or DIFFERENT (another hash)."""

    status: str
    lot_state: str | None = None
    issued_at: int | None = None


def parse_hash(text: str) -> bytes:
    """Return the SHA-256 that a QR code gives in hexadecimal digits. Raises BadValue."""
    if re.fullmatch(r"[0-9a-f]{64}", text) is None:
        raise BadValue("sha256", text, "64 hexadecimal digits in lower case")
    return bytes.fromhex(text)


def written(content: Mapping[str, Any]) -> str:
    """Return the text that is hashed: JSON with sorted keys."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


async def issue(connection: AsyncConnection, by: str, rows: Sequence[Row[Any]]) -> dict[int, dict[str, Any]]:
    """Write the certificates of assayed lots; return their contents by lot."""
    if not rows:
        return {}
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _NUMBER_LOCK})
    last = int(await connection.scalar(select(func.coalesce(func.max(certificate.c.certificate_no), 0))) or 0)
    found = await _Sources.read(connection, [row.lot_id for row in rows])
    contents = {
        row.lot_id: {
            "format": FORMAT,
            "certificate": last + count,
            **found.content(row),
            "issued_at": now_ms(),
            "by": by,
        }
        for count, row in enumerate(rows, 1)
    }
    values = [
        {
            "certificate_no": content["certificate"],
            "lot_id": number,
            "content": written(content),
            "hash": sha256(written(content).encode()).digest(),
        }
        for number, content in contents.items()
    ]
    await bulk.insert(connection, certificate, values)
    return contents


class _Sources(NamedTuple):
    """The register's records about some lots, read in few statements."""

    findings: Mapping[int, Row[Any]]
    assays: Mapping[int, Sequence[Row[Any]]]
    samples: Mapping[int, Mapping[str, Row[Any]]]
    provenances: Mapping[int, Row[Any]]
    events: Mapping[int, Mapping[str, Row[Any]]]
    laboratories: Mapping[str, Row[Any]]

    @classmethod
    async def read(cls, connection: AsyncConnection, numbers: Sequence[int]) -> "_Sources":
        events: dict[int, dict[str, Row[Any]]] = {number: {} for number in numbers}
        query = select(custody_event).where(among(custody_event.c.lot_id, numbers)).order_by(custody_event.c.event_id)
        for event in await connection.execute(query):
            events[event.lot_id][event.step] = event
        return cls(
            await assay.findings(connection, numbers),
            await assay.of_lots(connection, numbers),
            await sampling.of_lots(connection, numbers),
            await provenance.of_lots(connection, numbers),
            events,
            {row.laboratory: row for row in await laboratories.listing(connection)},
        )

    def content(self, row: Row[Any]) -> dict[str, Any]:
        number = row.lot_id
        final = self.findings[number]
        weight_cg = row.melt_cg if row.melt_cg is not None else row.gross_cg
        fine = fine_weight(weight_cg, final.final_e5)
        events, origin = self.events[number], self.provenances.get(number)
        weighed = events.get("remelt") or events.get("melt") or events.get("cast")
        weighed = weighed or events.get("correct_weight") or events["weigh"]
        first = events.get("arrive") or events["cast"]
        return {
            "lot": number,
            "refiner": row.refiner,
            "serial": row.serial,
            "year": row.year,
            "form": row.form,
            "class": row.symbol,
            "warehouse": row.warehouse,
            "received_at": first.at,
            "weight_cg": weight_cg,
            "weight": "melt" if row.melt_cg is not None else "gross",
            "scale": weighed.detail["scale"],
            "parents": weighed.detail.get("parents", []),
            "samples": [
                {"party": party, "seal": found.seal, "weight_cg": found.weight_cg}
                for party, found in self.samples[number].items()
            ],
            "assays": [self._assay(found, number) for found in self.assays[number] if found.assay_id in final.assays],
            "finding": {
                "rule": final.rule,
                "fineness_e5": final.final_e5,
                "split_limit_e5": final.split_limit_e5,
                "umpire_paid_by": final.umpire_paid_by,
            },
            "fine": {"rule": FINE_RULE, "fine_mg": fine.mg, "residue_1e7": fine.residue_1e7},
            "provenance": None
            if origin is None
            else {"origin": origin.origin, "country": origin.country, "grade": origin.grade, "rule": origin.rule},
        }

    def _assay(self, row: Row[Any], number: int) -> dict[str, Any]:
        laboratory = self.laboratories[row.laboratory]
        samples = self.samples[number].values()
        taken = next(found for found in samples if found.sample_no == row.sample_no)
        return {
            "assay": row.assay_id,
            "party": taken.party,
            "sample_seal": taken.seal,
            "laboratory": row.laboratory,
            "laboratory_name": laboratory.name,
            "laboratory_name_zh": laboratory.name_zh,
            "accreditations": laboratory.accreditations,
            "accreditation_no": laboratory.accreditation_no,
            "method": row.method,
            "standard": row.standard,
            "replicates_ppm": list(row.replicates_ppm),
            "rule": row.rule,
            "reported_e5": row.reported_e5,
            "at": row.at,
        }


def recompute(text: str) -> list[str]:
    """Return the figures of a certificate that do not follow from its own replicates, weight and rules."""
    content = json.loads(text)
    wrong = []
    reported: dict[str, int] = {}
    for found in content["assays"]:
        if found["rule"] not in FINENESS_RULES:
            wrong.append(f"assay {found['assay']}: {found['rule']} is not a rule of this version")
            continue
        e5 = report(found["rule"], found["replicates_ppm"])
        reported[found["party"]] = e5
        if e5 != found["reported_e5"]:
            wrong.append(f"assay {found['assay']}: {found['reported_e5']} is reported, its replicates give {e5}")
    finding, fine = content["finding"], content["fine"]
    decision = _decide(finding, reported)
    if decision != SplitDecision(finding["fineness_e5"], finding["rule"], finding["umpire_paid_by"]):
        wrong.append(f"finding: {finding} does not follow from the assays, which give {decision}")
    exact = fine_weight(content["weight_cg"], finding["fineness_e5"])
    if fine["rule"] != FINE_RULE or exact != (fine["fine_mg"], fine["residue_1e7"]):
        wrong.append(f"fine: {fine} does not follow from weight and fineness, which give {exact}")
    return wrong


def _decide(finding: Mapping[str, Any], reported: Mapping[str, int]) -> SplitDecision | None:
    """Return the decision of the rule about the reported results; None where the rule cannot have been used."""
    rule, limit = finding["rule"], finding["split_limit_e5"]
    if rule == assay.SINGLE_RULE and len(reported) == 1:
        return SplitDecision(next(iter(reported.values())), rule)
    if limit is None or not {"A", "B"} <= set(reported):
        return None
    a, b = reported["A"], reported["B"]
    if rule == MEAN_RULE and within(a, b, limit):
        return agree(a, b)
    if rule in UMPIRE_RULES and "UMPIRE" in reported and not within(a, b, limit):
        return umpire(a, b, reported["UMPIRE"], rule)
    return None


async def find(connection: AsyncConnection, number: int) -> Certificate:
    """Return a certificate by number. Raises BadValue if there is none."""
    row = (await connection.execute(select(certificate).where(certificate.c.certificate_no == number))).first()
    if row is None:
        raise BadValue("certificate", number, "the number of a certificate")
    return Certificate(row.certificate_no, row.lot_id, row.content, row.hash)


async def check(connection: AsyncConnection, number: int, hashed: bytes) -> CertificateVerdict:
    """Return whether a certificate of that number and hash is in the register."""
    query = select(certificate.c.hash, certificate.c.content, lot.c.state).join(
        lot, lot.c.lot_id == certificate.c.lot_id
    )
    row = (await connection.execute(query.where(certificate.c.certificate_no == number))).first()
    if row is None:
        return CertificateVerdict("UNKNOWN")
    if row.hash != hashed:
        return CertificateVerdict("DIFFERENT")
    return CertificateVerdict("VALID", row.state, json.loads(row.content)["issued_at"])


async def against_register(connection: AsyncConnection, found: Certificate) -> list[str]:
    """Return where a certificate differs from the register's assays and lot, or does not follow from itself."""
    wrong = recompute(found.text)
    content = found.content
    ids = [entry["assay"] for entry in content["assays"]]
    query = select(assays).where(among(assays.c.assay_id, ids))
    kept = {row.assay_id: list(row.replicates_ppm) for row in await connection.execute(query)}
    wrong += [
        f"assay {entry['assay']}: the register has replicates {kept.get(entry['assay'])}"
        for entry in content["assays"]
        if kept.get(entry["assay"]) != entry["replicates_ppm"]
    ]
    row = (await connection.execute(select(lot).where(lot.c.lot_id == found.lot_id))).one()
    figures = (content["finding"]["fineness_e5"], content["fine"]["fine_mg"], content["fine"]["residue_1e7"])
    if (row.fineness_e5, row.fine_mg, row.residue_1e7) != figures:
        wrong.append(f"lot {row.lot_id}: the register has {(row.fineness_e5, row.fine_mg, row.residue_1e7)}")
    return wrong


async def numbers(connection: AsyncConnection) -> list[int]:
    """Return the numbers of all certificates."""
    return list((await connection.execute(select(certificate.c.certificate_no).order_by(text("1")))).scalars())
