"""Lots step by step, from pre-advice to the register, and back."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from api.settlement_routes.access import Clerk, Reader, Strict, Transaction, new_router
from goldx.protocol.units import format_weight
from settlement.base.arithmetic import parse_decimal, parse_scale_weight
from settlement.intake import intake, melting
from settlement.intake.bar_list import BarKey, Declared
from settlement.intake.intake import Gross
from settlement.intake.melting import Melted
from settlement.lots import provenance, sampling, scales
from settlement.lots.provenance import Record
from settlement.lots.sampling import Drawn

router = new_router()
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Origin(Strict):
    """Where gold comes from; what is missing may follow, but before the lot is registered."""

    origin: str
    country: str | None = Field(default=None, examples=["CN"])
    licence: str | None = None
    tax_proof: str | None = None
    seller_check: str | None = None
    documents: list[str] = Field(default=[])
    conflict_area: bool = False

    def record(self) -> Record:
        """As settlement takes it."""
        papers = (self.country, self.licence, self.tax_proof, self.seller_check)
        return Record(self.origin, *papers, tuple(self.documents), self.conflict_area)


class Advice(Strict):
    refiner: str
    serial: str
    year: int = Field(default=0, ge=0, le=2_999)
    symbol: str
    form: str
    account: str
    warehouse: str
    gross: str = Field(description="declared grams", examples=["1000.05"])
    fineness_permille: str = Field(examples=["999.50"])
    provenance: Origin


class Seal(Strict):
    seal: str


class Weighing(Strict):
    scale: str
    grams: str = Field(description="as the balance shows them, with all decimals", examples=["1000.05"])


class Screening(Strict):
    points: list[str] = Field(
        description="whole per mille: one mean, or three points or more", examples=[["751", "752"]]
    )
    instrument: str = "XRF"


class Melt(Weighing):
    again: bool = Field(default=False, description="a sampled or assayed lot once more")


class Combination(Weighing):
    lots: list[int]
    refiner: str = Field(description="mark of the new lot")
    serial: str


class Sample(Strict):
    party: str = Field(description="A, B or UMPIRE")
    seal: str
    grams: str


class Lots(Strict):
    lots: list[int]


class Said(Strict):
    reason: str


class Hold(Said):
    authority: str = Field(description="whose hold it is, or the number of its order")


class Hands(Strict):
    collector: str


class Explanation(Strict):
    text: str


class DueDiligence(Strict):
    due_diligence: str


@router.post("/lots")
async def pre_advise(by: Clerk, connection: Transaction, advice: Advice) -> dict[str, int]:
    """Advises one lot that is to come."""
    weight = parse_scale_weight("gross", advice.gross)
    permille = parse_decimal("fineness_permille", advice.fineness_permille, 2, 1, 100_000, "per mille")
    key = BarKey(advice.refiner, advice.serial, advice.year)
    where = (advice.symbol, advice.form, advice.account, advice.warehouse)
    row = Declared(1, key, *where, weight, permille, advice.provenance.record())
    return {"lot": (await intake.pre_advise(connection, by, [row]))[0]}


@router.post("/lots/{number}/arrive")
async def arrive(by: Clerk, connection: Transaction, number: Number, seal: Seal) -> dict[str, str]:
    """It has come, under that seal."""
    await intake.arrive(connection, by, {number: seal.seal})
    return {"state": "ARRIVED"}


@router.post("/lots/{number}/weigh")
async def weigh(by: Clerk, connection: Transaction, number: Number, weighing: Weighing) -> dict[str, str]:
    """Its gross weight."""
    await intake.weigh(connection, by, {number: Gross(weighing.scale, scales.parse_weight("grams", weighing.grams))})
    return {"state": "WEIGHED"}


@router.post("/lots/{number}/screen")
async def screen(by: Clerk, connection: Transaction, number: Number, screening: Screening) -> dict[str, str]:
    """X-ray screening; never final."""
    points = [100 * parse_decimal("points", point, 0, 1, 1_000, "whole per mille") for point in screening.points]
    await intake.screen(connection, by, {number: points}, screening.instrument)
    return {"state": "SCREENED"}


@router.post("/lots/{number}/melt")
async def melt(by: Clerk, connection: Transaction, number: Number, melted: Melt) -> dict[str, Any]:
    """Melts it by itself; answers with the melt's alarms."""
    found = Melted(melted.scale, scales.parse_weight("grams", melted.grams))
    await melting.melt_each(connection, by, {number: found}, "remelt" if melted.again else "melt")
    return {"state": "MELTED", "alarms": await _alarms(connection, number)}


@router.post("/melts")
async def combine(by: Clerk, connection: Transaction, wish: Combination) -> dict[str, Any]:
    """Melts several lots into a new one."""
    found = Melted(wish.scale, scales.parse_weight("grams", wish.grams))
    number = await melting.combine(connection, by, wish.lots, BarKey(wish.refiner, wish.serial, 0), found)
    return {"lot": number, "alarms": await _alarms(connection, number)}


async def _alarms(connection: Transaction, number: int) -> list[str]:
    mine = [row.alarms for row in await melting.listing(connection) if row.lot_id == number]
    return list(mine[-1])


@router.get("/melts")
async def get_melts(_: Reader, connection: Transaction, alarmed: bool = False) -> dict[str, Any]:
    """Melts with what they lost, in grams; `alarmed`: those that wait for an explanation."""
    names = ("melt_no", "lot_id", "form", "scale", "rule", "alarms", "explanation", "explained_by", "at", "by")
    weights = ("parents_mg", "child_mg", "loss_mg", "fine_parents_mg", "fine_child_mg", "fine_loss_mg")
    return {
        "melts": [
            {name: getattr(row, name) for name in names}
            | {name[:-3]: None if (mg := getattr(row, name)) is None else format_weight(mg) for name in weights}
            for row in await melting.listing(connection, alarmed=alarmed)
        ]
    }


@router.post("/melts/{number}/explain")
async def explain(by: Clerk, connection: Transaction, number: Number, said: Explanation) -> dict[str, int]:
    """Explains the alarm of a melt that somebody else has made."""
    await melting.explain(connection, by, number, said.text)
    return {"melt": number}


@router.post("/lots/{number}/sample")
async def sample(by: Clerk, connection: Transaction, number: Number, samples: list[Sample]) -> dict[str, str]:
    """Draws its samples, each under a seal."""
    drawn = [Drawn(found.party, found.seal, parse_scale_weight("grams", found.grams)) for found in samples]
    await sampling.draw(connection, by, {number: drawn})
    return {"state": "SAMPLED"}


@router.post("/lots/{number}/provenance")
async def record_provenance(by: Clerk, connection: Transaction, number: Number, origin: Origin) -> dict[str, Any]:
    """Records where it comes from, in place of what was recorded before; answers with grade and what is missing."""
    await provenance.write(connection, by, {number: origin.record()})
    row = (await provenance.of_lots(connection, [number]))[number]
    return {"grade": row.grade, "reasons": row.reasons, "missing": row.missing, "rule": row.rule}


@router.post("/lots/{number}/provenance/accept")
async def accept_provenance(by: Clerk, connection: Transaction, number: Number, found: DueDiligence) -> dict[str, int]:
    """Proposes to accept a provenance of HIGH risk."""
    return {"proposal": await provenance.propose_acceptance(connection, by, number, found.due_diligence)}


@router.post("/certificates")
async def certify(by: Clerk, connection: Transaction, chosen: Lots) -> dict[str, Any]:
    """Issues the certificates of assayed lots."""
    await intake.certify(connection, by, chosen.lots)
    return {"lots": chosen.lots, "state": "CERTIFIED"}


@router.post("/lots/register")
async def register(by: Clerk, connection: Transaction, chosen: Lots) -> dict[str, Any]:
    """Enters certified lots into the register."""
    await intake.register(connection, by, chosen.lots)
    return {"lots": chosen.lots, "state": "REGISTERED"}


@router.post("/lots/{number}/cancel")
async def cancel(by: Clerk, connection: Transaction, number: Number, said: Said) -> dict[str, str]:
    """It was advised and does not come."""
    await intake.cancel(connection, by, number, said.reason)
    return {"state": "CANCELLED"}


@router.post("/lots/{number}/reject")
async def reject(by: Clerk, connection: Transaction, number: Number, said: Said) -> dict[str, str]:
    """Refuses it."""
    await intake.reject(connection, by, number, said.reason)
    return {"state": "REJECTED"}


@router.post("/lots/{number}/return")
async def give_back(by: Clerk, connection: Transaction, number: Number, hands: Hands) -> dict[str, int]:
    """Proposes to hand a rejected lot back."""
    return {"proposal": await intake.propose_return(connection, by, number, hands.collector)}


@router.post("/lots/{number}/quarantine")
async def quarantine(by: Clerk, connection: Transaction, number: Number, hold: Hold) -> dict[str, str]:
    """Holds it at once: money laundering, or the police."""
    await intake.quarantine(connection, by, number, hold.reason, hold.authority)
    return {"state": "QUARANTINED"}


@router.post("/lots/{number}/lift")
async def lift(by: Clerk, connection: Transaction, number: Number, said: Said) -> dict[str, int]:
    """Proposes to end its quarantine."""
    return {"proposal": await intake.propose_lift(connection, by, number, said.reason)}
