"""Assays and certificates: what a lot's fineness is, by which rule, and how anybody can compute it again."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from settlement.arithmetic import FINE_RULE, FINENESS_RULE, HIGH_PPM, fine_weight, reported_fineness
from settlement.database import among, now_ms
from settlement.refusal import Refused
from settlement.schema import assay, certificate

XRF_RULE = "XRF_SCREENING_WHOLE_PERMILLE"
"""GB/T 18043: a screening of the surface, in whole per mille; it never sets a fineness (domain sheet 3.4)."""

MAX_SPREAD_PPM = 500
MAX_SPREAD_HIGH_PPM = 200
"""How far replicates of one fire assay may lie apart: 0.5 per mille, 0.2 from 990 per mille on (domain sheet 3.4,
there marked as general knowledge to be verified)."""


def check_replicates(lot_id: int, replicates_ppm: Sequence[int]) -> None:
    """Refuses (REPLICATES_DIFFER) results too far apart to be averaged: the lot must be assayed again."""
    high = sum(replicates_ppm) >= HIGH_PPM * len(replicates_ppm)
    limit = MAX_SPREAD_HIGH_PPM if high else MAX_SPREAD_PPM
    spread = max(replicates_ppm) - min(replicates_ppm)
    if spread > limit:
        text = (
            f"lot {lot_id}: replicates are {spread / 1_000:.3f} per mille apart; at most {limit / 1_000:.1f} is allowed"
        )
        raise Refused("REPLICATES_DIFFER", text)


async def record_screening(
    connection: AsyncConnection, by: str, results_e5: Mapping[int, int], laboratory: str = "warehouse"
) -> None:
    """X-ray results by lot."""
    rows = [_row(lot_id, "XRF", laboratory, [e5 * 10], e5, XRF_RULE, by) for lot_id, e5 in results_e5.items()]
    await connection.execute(insert(assay), rows)


async def record_fire_assay(
    connection: AsyncConnection, by: str, results: Mapping[int, tuple[str, Sequence[int]]]
) -> dict[int, int]:
    """Fire assays, lot -> (laboratory, replicates in ppm); returns the reported fineness by lot, in e5."""
    rows = []
    for lot_id, (laboratory, replicates) in results.items():
        check_replicates(lot_id, replicates)
        e5 = reported_fineness(list(replicates))
        rows.append(_row(lot_id, "FIRE_ASSAY", laboratory, list(replicates), e5, FINENESS_RULE, by))
    await connection.execute(insert(assay), rows)
    return {row["lot_id"]: row["reported_e5"] for row in rows}


def _row(lot_id: int, method: str, laboratory: str, ppm: list[int], e5: int, rule: str, by: str) -> dict[str, Any]:
    return {
        **{"lot_id": lot_id, "method": method, "laboratory": laboratory, "replicates_ppm": ppm},
        **{"reported_e5": e5, "rule": rule, "at": now_ms(), "by": by},
    }


async def final_assays(connection: AsyncConnection, lot_ids: Sequence[int]) -> dict[int, Row[Any]]:
    """The newest fire assay of each lot; a screening is never one."""
    query = select(assay).where(among(assay.c.lot_id, lot_ids), assay.c.method == "FIRE_ASSAY")
    return {row.lot_id: row for row in await connection.execute(query.order_by(assay.c.assay_id))}


def certify(lot: Row[Any], final: Row[Any]) -> dict[str, Any]:
    """What a certificate says: everything that its figures follow from, and the figures."""
    weight_cg = lot.melt_cg if lot.melt_cg is not None else lot.gross_cg
    fine = fine_weight(weight_cg, final.reported_e5)
    return {
        **{"lot": lot.lot_id, "refiner": lot.refiner, "serial": lot.serial, "year": lot.year, "form": lot.form},
        **{"weight_cg": weight_cg, "weight": "melt" if lot.melt_cg is not None else "gross"},
        **{"method": final.method, "laboratory": final.laboratory, "replicates_ppm": list(final.replicates_ppm)},
        **{"fineness_rule": final.rule, "fineness_e5": final.reported_e5},
        **{"fine_rule": FINE_RULE, "fine_mg": fine.mg, "residue_1e7": fine.residue_1e7},
    }


def written(content: Mapping[str, Any]) -> str:
    """The text that is hashed: JSON with sorted keys."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def recomputes(text: str) -> bool:
    """Whether a certificate's figures follow from its own raw replicates and weight."""
    content = json.loads(text)
    if content["fineness_rule"] != FINENESS_RULE or content["fine_rule"] != FINE_RULE:
        return False
    fine = fine_weight(content["weight_cg"], content["fineness_e5"])
    right = reported_fineness(content["replicates_ppm"]) == content["fineness_e5"]
    return right and fine == (content["fine_mg"], content["residue_1e7"])


async def issue_certificates(connection: AsyncConnection, contents: Mapping[int, tuple[int, str]]) -> None:
    """Writes certificates, lot -> (number of the assay, text)."""
    rows = [
        {"lot_id": lot_id, "assay_id": assay_id, "content": text, "hash": sha256(text.encode()).digest()}
        for lot_id, (assay_id, text) in contents.items()
    ]
    await connection.execute(insert(certificate), rows)
