"""Laboratories, assays and their exchange between two parties, and certificates, which anybody may check."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.edge.problems import documented
from api.listing import ThePage, listed
from api.settlement_routes.access import (
    Clerk,
    Number,
    Reader,
    ReasonRequest,
    Strict,
    Transaction,
    new_router,
)
from api.settlement_routes.papers import PAPERS
from api.settlement_routes.rows import Projection
from settlement.assays import assay, certificate_pdf, certificates, laboratories, two_parties
from settlement.assays.assay import Result
from settlement.base.arithmetic import parse_padded_decimal
from settlement.documents.machines import MACHINES
from settlement.intake.bar_columns import MAX_PPM

router = new_router()
public = APIRouter(prefix="/v1/certificates", tags=["certificates"])

LABORATORY = Projection("laboratory name name_zh accreditations accreditation_no valid_from valid_until")
BIAS = Projection("laboratory results mean_difference_e7 deviation_e7 flagged")
VERDICT = Projection("status lot_state issued_at")
FINDING = Projection("rule", final_permille="final_e5")
ASSAY_EXCHANGE = Projection("assay_exchange_no lot_id status split_limit_e5 fineness_rule umpire_rule opened_at reason")
DECISION = Projection("rule umpire_paid_by", final_permille="final_e5")


class LaboratoryRequest(Strict):
    laboratory: str
    name: str
    name_zh: str = ""
    accreditations: list[str] = Field(examples=[["CMA", "CNAS"]])
    accreditation_no: str
    valid_from: date
    valid_until: date


class AssayRequest(Strict):
    laboratory: str
    replicates: list[str] = Field(description="per mille, at most 3 decimals; two to four", examples=[["999.512"]])
    seal: str = Field(description="of the sample, as the laboratory reports it")
    standard: str | None = Field(default=None, description="default: the usual one of the form")

    def result(self) -> Result:
        """Return it as settlement takes it."""
        return Result(self.laboratory, _ppm(self.replicates), self.seal, self.standard)


class AssayExchangeRequest(Strict):
    laboratory_a: str
    laboratory_b: str


class CommitmentRequest(Strict):
    party: str = Field(description="A or B")
    commitment: str = Field(description="SHA-256 of lot|value|nonce, 64 hexadecimal digits")


class RevealRequest(Strict):
    party: str = Field(description="A or B")
    replicates: list[str]
    nonce: str
    seal: str = Field(description="of the sample, as the laboratory reports it")
    standard: str | None = None


def _ppm(replicates: list[str]) -> tuple[int, ...]:
    return tuple(parse_padded_decimal("replicates", text, 3, 1, MAX_PPM, "per mille") for text in replicates)


@router.get("/laboratories")
async def get_laboratories(_: Reader, connection: Transaction, page: ThePage) -> dict[str, Any]:
    """List laboratories by code; `biases`: how each differs from the finals of exchanged assays (1e-7 of fineness)."""
    found = await laboratories.listing(connection, page)
    codes = {row.laboratory for row in found}
    biases = [BIAS(bias) for bias in await laboratories.biases(connection) if bias.laboratory in codes]
    return listed("laboratories", LABORATORY, found, biases=biases)


@router.post("/laboratories")
async def add_laboratory(by: Clerk, connection: Transaction, request: LaboratoryRequest) -> LaboratoryRequest:
    """Register a laboratory."""
    valid = (request.valid_from, request.valid_until)
    accreditation = (request.accreditations, request.accreditation_no, valid)
    await laboratories.add(connection, by, request.laboratory, request.name, *accreditation, request.name_zh)
    return request


@router.post("/lots/{number}/assay")
async def record_assay(by: Clerk, connection: Transaction, number: Number, request: AssayRequest) -> dict[str, Any]:
    """Record the fire assay of a sampled lot by one laboratory that both parties take."""
    await assay.fire_assay(connection, by, {number: request.result()})
    return FINDING((await assay.findings(connection, [number]))[number])


@router.post("/lots/{number}/assay-exchange")
async def open_assay_exchange(
    by: Clerk, connection: Transaction, number: Number, request: AssayExchangeRequest
) -> dict[str, int]:
    """Open the exchange of two laboratories' results of a sampled lot."""
    return {
        "assay_exchange": await two_parties.begin(connection, by, number, request.laboratory_a, request.laboratory_b)
    }


@router.get("/assay-exchanges")
async def get_assay_exchanges(
    _: Reader, connection: Transaction, page: ThePage, status: str | None = None
) -> dict[str, Any]:
    """List exchanges of assays by number."""
    return listed("assay_exchanges", ASSAY_EXCHANGE, await two_parties.listing(connection, page, status=status))


@router.post("/assay-exchanges/{number}/commit")
async def commit(by: Clerk, connection: Transaction, number: Number, request: CommitmentRequest) -> dict[str, str]:
    """Enter a party's commitment."""
    hashed = certificates.parse_hash(request.commitment)
    return {"status": await two_parties.commit(connection, by, number, request.party, hashed)}


@router.post("/assay-exchanges/{number}/reveal")
async def reveal(by: Clerk, connection: Transaction, number: Number, request: RevealRequest) -> dict[str, str]:
    """Reveal what a party has committed to, when both have."""
    result = (request.party, _ppm(request.replicates), request.nonce, request.seal, request.standard)
    return {"status": await two_parties.reveal(connection, by, number, *result)}


@router.post("/assay-exchanges/{number}/umpire")
async def umpire(by: Clerk, connection: Transaction, number: Number, request: AssayRequest) -> dict[str, Any]:
    """Enter the umpire's result, which decides."""
    return DECISION(await two_parties.report(connection, by, number, request.result()))


@router.post("/assay-exchanges/{number}/void")
async def void(by: Clerk, connection: Transaction, number: Number, request: ReasonRequest) -> dict[str, str]:
    """End an exchange of assays without a result."""
    await two_parties.void(connection, by, number, request.reason)
    return {"status": MACHINES["assay_exchange"].steps["void"].after}


@router.get("/certificates/{number}")
async def get_certificate(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """Return a certificate's text, its SHA-256, and any figures that do not follow from its raw replicates."""
    found = await certificates.find(connection, number)
    differences = await certificates.against_register(connection, found)
    return {"content": found.content, "sha256": found.hash.hex(), "differences": differences}


@router.get(
    "/certificates/{number}/pdf", response_class=Response, responses={200: {"content": {"application/pdf": {}}}}
)
async def print_certificate(_: Reader, connection: Transaction, number: Number) -> Response:
    """Return the certificate as PDF, Chinese and English, with its QR code."""
    found = await certificates.find(connection, number)
    data = await PAPERS.written(lambda: certificate_pdf.render(found))
    return Response(data, media_type="application/pdf")


@public.get("/{number}", responses=documented({422: "a value that is not allowed"}))
async def check_certificate(
    connection: Transaction,
    number: Number,
    sha256: Annotated[str, Query(description="64 hexadecimal digits, as the QR code of the certificate holds them")],
) -> dict[str, Any]:
    """Check whether the register has a certificate of that number and SHA-256. Needs no token.

    `status`: `VALID`, `DIFFERENT` (that number was issued with another content) or `UNKNOWN`. Only who has the right
    hash learns more: when it was issued, and the state of its lot now.
    """
    verdict = await certificates.check(connection, number, certificates.parse_hash(sha256))
    return {"certificate": number, **VERDICT(verdict)}
