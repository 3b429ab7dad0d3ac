"""What a class accepts, balances, laboratories, assays and their exchange."""

from datetime import date
from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from api.settlement_routes.access import Clerk, Reader, Strict, Transaction, new_router
from goldx.protocol.units import format_weight, parse_weight
from settlement.assays import assay, certificates, laboratories, two_parties
from settlement.assays.assay import Result
from settlement.base.arithmetic import FINENESS_RULES, format_cg, format_fineness, parse_decimal, parse_scale_weight
from settlement.intake.bar_list import MAX_PPM
from settlement.lots import acceptance, scales
from settlement.lots.acceptance import Wish
from settlement.lots.splitting import UMPIRE_RULES

router = new_router()
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Acceptance(Strict):
    symbol: str
    forms: list[str]
    warehouses: list[str] = Field(default=[], description="default: every warehouse")
    minimum_lot: str = Field(default="0", description="fine grams")
    fineness_rule: str = FINENESS_RULES[0]
    umpire_rule: str = UMPIRE_RULES[0]


class Scale(Strict):
    scale: str
    warehouse: str
    resolution: str = Field(description="grams", examples=["0.01"])
    capacity: str = Field(description="grams", examples=["10000.00"])
    calibration: str
    valid_until: date


class Laboratory(Strict):
    laboratory: str
    name: str
    name_zh: str = ""
    accreditations: list[str] = Field(examples=[["CMA", "CNAS"]])
    accreditation_no: str
    valid_from: date
    valid_until: date


class Report(Strict):
    laboratory: str
    replicates: list[str] = Field(description="per mille, at most 3 decimals; two to four", examples=[["999.512"]])
    standard: str | None = Field(default=None, description="default: the usual one of the form")

    def result(self) -> Result:
        """As settlement takes it."""
        return Result(self.laboratory, _ppm(self.replicates), self.standard)


class Opening(Strict):
    laboratory_a: str
    laboratory_b: str


class Commitment(Strict):
    party: str = Field(description="A or B")
    commitment: str = Field(description="SHA-256 of lot|value|nonce, 64 hexadecimal digits")


class Reveal(Strict):
    party: str = Field(description="A or B")
    replicates: list[str]
    nonce: str
    standard: str | None = None


class Said(Strict):
    reason: str


def _ppm(replicates: list[str]) -> tuple[int, ...]:
    return tuple(parse_decimal("replicates", text, 3, 1, MAX_PPM, "per mille") for text in replicates)


@router.get("/acceptance")
async def get_acceptance(_: Reader, connection: Transaction) -> dict[str, Any]:
    """The terms of every class: band, forms, warehouses (none: every one), smallest lot, rules."""
    return {
        "classes": [
            {
                **terms._asdict(),
                **{"min_fineness": format_fineness(terms.min_fineness), "min_fine": format_weight(terms.min_fine_mg)},
                "max_fineness": format_fineness(terms.max_fineness),
            }
            for terms in (await acceptance.terms(connection)).values()
        ]
    }


@router.post("/acceptance")
async def propose_acceptance(by: Clerk, connection: Transaction, wish: Acceptance) -> dict[str, int]:
    """Proposes what a class accepts from now on."""
    least = parse_weight(wish.minimum_lot, "minimum_lot")
    rules = (wish.fineness_rule, wish.umpire_rule)
    terms = Wish(tuple(wish.forms), tuple(wish.warehouses), least, *rules)
    return {"proposal": await acceptance.propose(connection, by, wish.symbol, terms)}


@router.get("/scales")
async def get_scales(_: Reader, connection: Transaction) -> dict[str, Any]:
    """The balances; weights in grams."""
    return {
        "scales": [
            {
                **dict(row._mapping),
                **{"resolution": format_cg(row.resolution_cg), "capacity": format_cg(row.capacity_cg)},
            }
            for row in await scales.listing(connection)
        ]
    }


@router.post("/scales")
async def add_scale(by: Clerk, connection: Transaction, scale: Scale) -> Scale:
    """Registers a balance."""
    step = parse_scale_weight("resolution", scale.resolution)
    most = parse_scale_weight("capacity", scale.capacity)
    kept = (scale.calibration, scale.valid_until)
    await scales.add(connection, by, scale.scale, scale.warehouse, step, most, *kept)
    return scale


@router.get("/laboratories")
async def get_laboratories(_: Reader, connection: Transaction) -> dict[str, Any]:
    """The laboratories, and how each stands to the finals of exchanged assays (1e-7 of fineness)."""
    return {
        "laboratories": [dict(row._mapping) for row in await laboratories.listing(connection)],
        "biases": [found._asdict() for found in await laboratories.biases(connection)],
    }


@router.post("/laboratories")
async def add_laboratory(by: Clerk, connection: Transaction, found: Laboratory) -> Laboratory:
    """Registers a laboratory."""
    valid = (found.valid_from, found.valid_until)
    kept = (found.accreditations, found.accreditation_no, valid, found.name_zh)
    await laboratories.add(connection, by, found.laboratory, found.name, *kept)
    return found


@router.post("/lots/{number}/assay")
async def record(by: Clerk, connection: Transaction, number: Number, report: Report) -> dict[str, str]:
    """The fire assay of a sampled lot by one laboratory that both parties take."""
    await assay.fire_assay(connection, by, {number: report.result()})
    return await _final(connection, number)


@router.post("/lots/{number}/exchange")
async def open_exchange(by: Clerk, connection: Transaction, number: Number, wish: Opening) -> dict[str, int]:
    """Opens the exchange of two laboratories' results of a sampled lot."""
    return {"exchange": await two_parties.begin(connection, by, number, wish.laboratory_a, wish.laboratory_b)}


@router.get("/exchanges")
async def get_exchanges(_: Reader, connection: Transaction, status: str | None = None) -> dict[str, Any]:
    """Exchanges by number."""
    return {"exchanges": [dict(row._mapping) for row in await two_parties.listing(connection, status=status)]}


@router.post("/exchanges/{number}/commit")
async def commit(by: Clerk, connection: Transaction, number: Number, made: Commitment) -> dict[str, str]:
    """A party's commitment."""
    hashed = certificates.parse_hash(made.commitment)
    return {"status": await two_parties.commit(connection, by, number, made.party, hashed)}


@router.post("/exchanges/{number}/reveal")
async def reveal(by: Clerk, connection: Transaction, number: Number, shown: Reveal) -> dict[str, str]:
    """What a party has committed to, when both have."""
    what = (shown.party, _ppm(shown.replicates), shown.nonce, shown.standard)
    return {"status": await two_parties.reveal(connection, by, number, *what)}


@router.post("/exchanges/{number}/umpire")
async def umpire(by: Clerk, connection: Transaction, number: Number, report: Report) -> dict[str, str | None]:
    """The umpire's result, which decides."""
    decision = await two_parties.report(connection, by, number, report.result())
    final = format_fineness(decision.final_e5)
    return {"final_permille": final, "rule": decision.rule, "umpire_paid_by": decision.umpire_paid_by}


@router.post("/exchanges/{number}/void")
async def void(by: Clerk, connection: Transaction, number: Number, said: Said) -> dict[str, str]:
    """Ends an exchange that comes to nothing."""
    await two_parties.void(connection, by, number, said.reason)
    return {"status": "VOID"}


async def _final(connection: Transaction, number: int) -> dict[str, str]:
    found = (await assay.findings(connection, [number]))[number]
    return {"final_permille": format_fineness(found.final_e5), "rule": found.rule}
