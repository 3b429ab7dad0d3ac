"""Lots from pre-advice to the register and back, one by one or by a bar list, and the files that were read."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Response
from pydantic import Field

from api.listing import ThePage, listed
from api.settlement_routes.access import (
    Clerk,
    File,
    LotNumber,
    LotsRequest,
    Number,
    OneOf,
    Reader,
    ReasonRequest,
    Strict,
    TheReading,
    Transaction,
    new_router,
    read_as,
)
from api.settlement_routes.lots import ProvenanceRequest
from api.settlement_routes.rows import PROBLEM, Projection
from settlement.base.arithmetic import parse_padded_decimal, parse_scale_weight
from settlement.documents.lots import LOT
from settlement.intake import files, imports, intake, melting, pre_advice, screening_alarms, weight_corrections
from settlement.intake.bar_list import Declared
from settlement.intake.bar_rows import BarKey
from settlement.intake.melting import MeltWeight
from settlement.lots import scales
from settlement.lots.scales import GrossWeight

router = new_router()

MELT = Projection(
    "melt_no lot_id form scale rule alarms explanation explained_by at by",
    parents="parents_mg",
    child="child_mg",
    loss="loss_mg",
    fine_parents="fine_parents_mg",
    fine_child="fine_child_mg",
    fine_loss="fine_loss_mg",
)
FILE = Projection("file_no kind about name rows result taken_at taken_by sha256")
PREVIEW = Projection("sha256 format dialect rows gross_cg known_as waiting")
IMPORTED = Projection("file lots waiting")
ListKind = Annotated[str, OneOf(imports.KINDS)]


class PreAdviceRequest(Strict):
    refiner: str
    serial: str
    year: int = Field(default=0, ge=0, le=2_999)
    symbol: str
    form: str
    account: str
    warehouse: str
    gross: str = Field(description="declared grams", examples=["1000.05"])
    fineness_permille: str = Field(examples=["999.50"])
    provenance: ProvenanceRequest
    other_years: bool = Field(default=False, description="a known number with another year, or none, is another bar")


class ArrivalRequest(Strict):
    seal: str


class WeighingRequest(Strict):
    scale: str
    grams: str = Field(description="as the balance shows them, with all decimals", examples=["1000.05"])


class ScreeningRequest(Strict):
    points: list[str] = Field(
        description="whole per mille: one mean, or three points or more", examples=[["751", "752"]]
    )
    instrument: str = "XRF"


class MeltRequest(WeighingRequest):
    again: bool = Field(default=False, description="a sampled or assayed lot once more")


class CombinationRequest(WeighingRequest):
    lots: list[LotNumber]
    refiner: str = Field(description="mark of the new lot")
    serial: str


class WeightCorrectionRequest(Strict):
    scale: str
    grams: str = Field(description="as the balance shows it", examples=["1000.05"])
    reason: str


class MeltExplanationRequest(Strict):
    text: str


class QuarantineRequest(ReasonRequest):
    authority: str = Field(description="who orders the hold, or the number of the order")


class ReturnRequest(Strict):
    collector: str


@router.post("/lots")
async def pre_advise(by: Clerk, connection: Transaction, request: PreAdviceRequest) -> dict[str, int]:
    """Advise one expected lot."""
    weight = parse_scale_weight("gross", request.gross)
    permille = parse_padded_decimal("fineness_permille", request.fineness_permille, 2, 1, 100_000, "per mille")
    key = BarKey(request.refiner, request.serial, request.year)
    where = (request.symbol, request.form, request.account, request.warehouse)
    row = Declared(1, key, *where, weight, permille, request.provenance.record())
    numbers = await pre_advice.pre_advise(connection, by, [row], other_years=request.other_years)
    return {"lot": numbers[0]}


@router.post("/lots/{number}/arrive")
async def arrive(by: Clerk, connection: Transaction, number: Number, request: ArrivalRequest) -> dict[str, str]:
    """Record that it has come, under that seal."""
    await intake.arrive(connection, by, {number: request.seal})
    return {"state": LOT.steps["arrive"].after}


@router.post("/lots/{number}/weigh")
async def weigh(by: Clerk, connection: Transaction, number: Number, request: WeighingRequest) -> dict[str, str]:
    """Record its gross weight."""
    await intake.weigh(
        connection, by, {number: GrossWeight(request.scale, scales.parse_shown_weight("grams", request.grams))}
    )
    return {"state": LOT.steps["weigh"].after}


@router.post("/lots/{number}/screen")
async def screen(by: Clerk, connection: Transaction, number: Number, request: ScreeningRequest) -> dict[str, str]:
    """Record its X-ray screening; never final."""
    points = [100 * parse_padded_decimal("points", point, 0, 1, 1_000, "whole per mille") for point in request.points]
    await intake.screen(connection, by, {number: points}, request.instrument)
    return {"state": LOT.steps["screen"].after}


@router.post("/lots/{number}/melt")
async def melt(by: Clerk, connection: Transaction, number: Number, request: MeltRequest) -> dict[str, Any]:
    """Melt it by itself; answer with the melt's alarms."""
    melted = MeltWeight(request.scale, scales.parse_shown_weight("grams", request.grams))
    step = "remelt" if request.again else "melt"
    await melting.melt_each(connection, by, {number: melted}, step)
    made = await melting.newest(connection, number)
    return {"state": LOT.steps[step].after, "melt": made.melt_no, "alarms": made.alarms}


@router.post("/melts")
async def combine(by: Clerk, connection: Transaction, request: CombinationRequest) -> dict[str, Any]:
    """Melt several lots into a new one."""
    melted = MeltWeight(request.scale, scales.parse_shown_weight("grams", request.grams))
    key = BarKey(request.refiner, request.serial, 0)
    number = await melting.combine(connection, by, request.lots, key, melted)
    made = await melting.newest(connection, number)
    return {"lot": number, "melt": made.melt_no, "alarms": made.alarms}


@router.get("/melts")
async def get_melts(_: Reader, connection: Transaction, page: ThePage, alarmed: bool = False) -> dict[str, Any]:
    """List melts by number with what they lost, in grams; `alarmed`: those that wait for an explanation."""
    return listed("melts", MELT, await melting.listing(connection, page, alarmed=alarmed))


@router.post("/melts/{number}/explain")
async def explain(
    by: Clerk, connection: Transaction, number: Number, request: MeltExplanationRequest
) -> dict[str, int]:
    """Explain the alarm of a melt that somebody else has made."""
    await melting.explain(connection, by, number, request.text)
    return {"melt": number}


@router.post("/certificates")
async def certify(by: Clerk, connection: Transaction, request: LotsRequest) -> dict[str, Any]:
    """Issue the certificates of assayed lots."""
    await intake.certify(connection, by, request.lots)
    return {"lots": request.lots, "state": LOT.steps["certify"].after}


@router.post("/lots/register")
async def register(by: Clerk, connection: Transaction, request: LotsRequest) -> dict[str, Any]:
    """Enter certified lots into the register."""
    await intake.register(connection, by, request.lots)
    return {"lots": request.lots, "state": LOT.steps["register"].after}


@router.post("/lots/{number}/cancel")
async def cancel(by: Clerk, connection: Transaction, number: Number, request: ReasonRequest) -> dict[str, str]:
    """Cancel the advice of a lot that does not come."""
    await intake.cancel(connection, by, number, request.reason)
    return {"state": LOT.steps["cancel"].after}


@router.post("/lots/{number}/reject")
async def reject(by: Clerk, connection: Transaction, number: Number, request: ReasonRequest) -> dict[str, str]:
    """Refuse a lot that is not registered yet."""
    await intake.reject(connection, by, number, request.reason)
    return {"state": LOT.steps["reject"].after}


@router.post("/lots/{number}/return")
async def return_lot(by: Clerk, connection: Transaction, number: Number, request: ReturnRequest) -> dict[str, int]:
    """Propose to hand a rejected lot back."""
    return {"proposal": await intake.propose_return(connection, by, number, request.collector)}


@router.post("/lots/{number}/screening/explain")
async def explain_screening(
    by: Clerk, connection: Transaction, number: Number, request: MeltExplanationRequest
) -> dict[str, int]:
    """Explain the difference between X-ray and assay of a lot that other people have screened and assayed."""
    await screening_alarms.explain(connection, by, number, request.text)
    return {"lot": number}


@router.post("/lots/{number}/weight-corrections")
async def correct_weight(
    by: Clerk, connection: Transaction, number: Number, request: WeightCorrectionRequest
) -> dict[str, int]:
    """Propose another gross weight for a lot that is neither melted nor certified."""
    found = GrossWeight(request.scale, scales.parse_shown_weight("grams", request.grams))
    return {"proposal": await weight_corrections.propose(connection, by, number, found, request.reason)}


@router.post("/lots/{number}/quarantine")
async def quarantine(by: Clerk, connection: Transaction, number: Number, request: QuarantineRequest) -> dict[str, str]:
    """Hold a lot at once, for suspected laundering or the police. A lot in the market keeps its state and is frozen."""
    return {"hold": await intake.quarantine(connection, by, number, request.reason, request.authority)}


@router.post("/lots/{number}/lift")
async def lift(by: Clerk, connection: Transaction, number: Number, request: ReasonRequest) -> dict[str, int]:
    """Propose to end the quarantine of a lot."""
    return {"proposal": await intake.propose_lift(connection, by, number, request.reason)}


@router.post("/bar-lists/{kind}/preview")
async def preview_bars(
    by: Reader, connection: Transaction, kind: ListKind, file: File, reading: TheReading, name: str = "upload"
) -> dict[str, Any]:
    """Return what taking the file in would come to, with every problem by row and how it was read; changes nothing."""
    found = await imports.preview(connection, by, kind, name, file, reading)
    return {**PREVIEW(found), "problems": list(map(PROBLEM, found.problems)), "as_read": read_as(found.as_read)}


@router.post("/bar-lists/{kind}")
async def import_bars(
    by: Clerk, connection: Transaction, kind: ListKind, file: File, reading: TheReading, name: str = "upload"
) -> dict[str, Any]:
    """Take in a bar list (columns: docs/settlement.md), all or none, and keep the file under `name`.

    `declared`: the lots are advised; `measured`: they arrive, are certified from the measurements and registered,
    except for those that must wait as certified, each with the reason.
    """
    return IMPORTED(await imports.take_in(connection, by, kind, name, file, reading))


@router.get("/files")
async def get_files(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the files that were taken in, by number."""
    return listed("files", FILE, await files.listing(connection, page))


@router.get("/files/{number}/content", response_class=Response)
async def get_content(_: Reader, connection: Transaction, number: Number) -> Response:
    """Return a file as it came."""
    row = await files.original(connection, number)
    disposition = f"attachment; filename*=UTF-8''{quote(row.name, safe='')}"
    return Response(bytes(row.content), 200, {"Content-Disposition": disposition}, "application/octet-stream")
