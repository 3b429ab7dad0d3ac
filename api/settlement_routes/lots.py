"""Warehouses, terms of acceptance, balances, and lots with their records and locks."""

from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import Field

from api.listing import ThePage, listed
from api.settlement_routes.access import (
    Clerk,
    Gone,
    LotsAndReasonRequest,
    Number,
    Reader,
    Strict,
    Transaction,
    new_router,
)
from api.settlement_routes.rows import Projection
from goldx.protocol.units import parse_weight
from settlement.base.arithmetic import FINENESS_RULES, parse_scale_weight
from settlement.documents.machines import MACHINES
from settlement.lots import acceptance, customs, locks, lots, provenance, sampling, scales, warehouses
from settlement.lots.acceptance import Rule
from settlement.lots.provenance import ProvenanceRecord
from settlement.lots.sampling import SealedSample
from settlement.lots.splitting import UMPIRE_RULES

router = new_router()

LOT = Projection(
    "lot_id refiner serial year symbol form account warehouse state held_state",
    declared_gross="declared_gross_cg",
    declared_fineness_permille="declared_fineness_e5",
    gross="gross_cg",
    melt="melt_cg",
    fineness_permille="fineness_e5",
    fine="fine_mg",
)
STEP = Projection("step state at by warehouse detail")
EVENT = Projection("event_id lot_id step state at by warehouse detail")
CLASS = Projection(
    "symbol forms warehouses min_fine_mg fineness_rule umpire_rule",
    min_fineness="min_fineness",
    max_fineness="max_fineness",
    min_fine="min_fine_mg",
)
SCALE = Projection(
    "scale warehouse resolution_cg capacity_cg calibration calibrated_until",
    resolution="resolution_cg",
    capacity="capacity_cg",
)
LOCK = Projection("lock_id lot_id kind subject reason by at")
PROVENANCE = Projection("grade reasons missing rule")


class WarehouseRequest(Strict):
    warehouse: str
    name: str
    city: str
    customs: str = "DOMESTIC"


class AcceptanceRequest(Strict):
    symbol: str
    forms: list[str]
    warehouses: list[str] = Field(default=[], description="default: every warehouse")
    minimum_lot: str = Field(default="0", description="fine grams")
    fineness_rule: str = FINENESS_RULES[0]
    umpire_rule: str = UMPIRE_RULES[0]


class ScaleRequest(Strict):
    scale: str
    warehouse: str
    resolution: str = Field(description="grams", examples=["0.01"])
    capacity: str = Field(description="grams", examples=["10000.00"])
    calibration: str
    valid_until: date


class CustomsRequest(Strict):
    customs: str = Field(description="DOMESTIC or BONDED")


class SampleRequest(Strict):
    party: str = Field(description="A, B or UMPIRE")
    seal: str
    grams: str


class ProvenanceRequest(Strict):
    """The provenance of gold; what is missing may follow, but before the lot is registered."""

    origin: str
    country: str | None = Field(default=None, examples=["CN"])
    licence: str | None = None
    tax_proof: str | None = None
    seller_check: str | None = None
    documents: list[str] = Field(default=[])
    conflict_area: bool = False

    def record(self) -> ProvenanceRecord:
        """Return it as settlement takes it."""
        return ProvenanceRecord(**{**self.model_dump(), "documents": tuple(self.documents)})


class ProvenanceAcceptanceRequest(Strict):
    due_diligence: str


@router.post("/warehouses")
async def add_warehouse(by: Clerk, connection: Transaction, request: WarehouseRequest) -> WarehouseRequest:
    """Register a delivery warehouse."""
    await warehouses.add(connection, by, request.warehouse, request.name, request.city, request.customs)
    return request


@router.get("/acceptance")
async def get_acceptance(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the terms of every class by symbol: band, forms, warehouses (none: every one), smallest lot, rules."""
    return listed("classes", CLASS, await acceptance.listing(connection, page))


@router.post("/acceptance")
async def propose_acceptance(by: Clerk, connection: Transaction, request: AcceptanceRequest) -> dict[str, int]:
    """Propose what a class accepts from now on."""
    least = parse_weight(request.minimum_lot, "minimum_lot")
    rules = (request.fineness_rule, request.umpire_rule)
    rule = Rule(tuple(request.forms), tuple(request.warehouses), least, *rules)
    return {"proposal": await acceptance.propose(connection, by, request.symbol, rule)}


@router.put("/classes/{symbol}/customs")
async def assign_customs(by: Clerk, connection: Transaction, symbol: str, request: CustomsRequest) -> dict[str, str]:
    """Assign a class to metal of one customs status."""
    await customs.assign(connection, by, symbol, request.customs)
    return {"symbol": symbol, "customs": request.customs}


@router.get("/scales")
async def get_scales(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List the balances of the warehouses by code; weights in grams."""
    return listed("scales", SCALE, await scales.listing(connection, page))


@router.post("/scales")
async def add_scale(by: Clerk, connection: Transaction, request: ScaleRequest) -> ScaleRequest:
    """Register a balance."""
    weights = (
        parse_scale_weight("resolution", request.resolution),
        parse_scale_weight("capacity", request.capacity),
    )
    calibration = (request.calibration, request.valid_until)
    await scales.add(connection, by, request.scale, request.warehouse, *weights, *calibration)
    return request


def _search(
    state: str | None = None,
    symbol: str | None = None,
    account: str | None = None,
    warehouse: str | None = None,
    refiner: str | None = None,
    serial: Annotated[str | None, Query(description="May end in `*`: all that begin so")] = None,
    arrived_from: Annotated[int | None, Query(description="ms since the epoch")] = None,
    arrived_before: Annotated[int | None, Query(description="ms since the epoch")] = None,
    gone: Gone = False,
) -> lots.Search:
    return lots.Search(state, symbol, account, warehouse, refiner, serial, arrived_from, arrived_before, gone)


@router.get("/lots")
async def get_lots(
    _: Reader, connection: Transaction, search: Annotated[lots.Search, Depends(_search)], page: ThePage
) -> dict[str, Any]:
    """List lots by number."""
    return listed("lots", LOT, await lots.listing(connection, search, page))


@router.get("/custody-events")
async def get_events(
    _: Reader,
    connection: Transaction,
    page: ThePage,
    warehouse: str | None = None,
    since: Annotated[int | None, Query(description="ms since the epoch")] = None,
    before: Annotated[int | None, Query(description="ms since the epoch")] = None,
) -> dict[str, Any]:
    """List the custody events of all lots by time and number."""
    return listed("events", EVENT, await lots.events(connection, lots.EventSearch(since, before, warehouse), page))


@router.get("/lots/{number}")
async def get_lot(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return one lot with its custody history."""
    row = (await lots.find(connection, [number]))[number]
    return {**LOT(row), "history": [STEP(event) for event in await lots.history(connection, number)]}


@router.post("/lots/{number}/sample")
async def sample(by: Clerk, connection: Transaction, number: Number, request: list[SampleRequest]) -> dict[str, str]:
    """Draw its samples, each under a seal."""
    drawn = [SealedSample(one.party, one.seal, parse_scale_weight("grams", one.grams)) for one in request]
    await sampling.draw(connection, by, {number: drawn})
    return {"state": MACHINES["lot"].steps["sample"].after}


@router.post("/lots/{number}/provenance")
async def record_provenance(
    by: Clerk, connection: Transaction, number: Number, request: ProvenanceRequest
) -> dict[str, Any]:
    """Record where it comes from, in place of what was recorded before; answer with grade and what is missing."""
    await provenance.write(connection, by, {number: request.record()})
    return PROVENANCE((await provenance.of_lots(connection, [number]))[number])


@router.post("/lots/{number}/provenance/accept")
async def accept_provenance(
    by: Clerk, connection: Transaction, number: Number, request: ProvenanceAcceptanceRequest
) -> dict[str, int]:
    """Propose to accept a provenance of HIGH risk."""
    return {"proposal": await provenance.propose_acceptance(connection, by, number, request.due_diligence)}


@router.get("/locks")
async def get_locks(_: Reader, connection: Transaction, page: ThePage, kind: str | None = None) -> dict[str, Any]:
    """List the locks that lie on lots now, by number."""
    return listed("locks", LOCK, await locks.listing(connection, page, kind=kind))


@router.post("/locks/freeze")
async def freeze(by: Clerk, connection: Transaction, request: LotsAndReasonRequest) -> dict[str, list[int]]:
    """Freeze lots at once."""
    await locks.freeze(connection, by, request.lots, request.reason)
    return {"lots": request.lots}


@router.post("/locks/unfreeze")
async def unfreeze(by: Clerk, connection: Transaction, request: LotsAndReasonRequest) -> dict[str, list[int]]:
    """End the freeze of lots that another person has frozen."""
    await locks.unfreeze(connection, by, request.lots, request.reason)
    return {"lots": request.lots}
