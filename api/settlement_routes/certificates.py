"""Certificates: anybody may ask whether one is genuine; staff read them, print them and compute them again."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from api.edge.problems import Problem
from api.settlement_routes.access import Reader, Transaction, new_router
from settlement.assays import certificate_pdf, certificates

MOST = 2**63 - 1
Number = Annotated[int, Path(ge=1, le=MOST)]
public = APIRouter(prefix="/v1/certificates", tags=["certificates"])
router = new_router()


@public.get("/{number}", responses={422: {"model": Problem, "description": "a value that is not allowed"}})
async def check_certificate(
    connection: Transaction,
    number: Number,
    sha256: Annotated[str, Query(description="64 hexadecimal digits, as the QR code of the certificate holds them")],
) -> dict[str, Any]:
    """Whether the register has a certificate of that number and SHA-256. Needs no token.

    `status`: `VALID`, `DIFFERENT` (that number was issued with another content) or `UNKNOWN`. Only who has the right
    hash learns more: when it was issued, and the state of its lot now.
    """
    verdict = await certificates.check(connection, number, certificates.parse_hash(sha256))
    return {"certificate": number, **verdict._asdict()}


@router.get("/certificates/{number}")
async def get_certificate(_: Reader, connection: Transaction, number: Number) -> dict[str, Any]:
    """What a certificate says, its SHA-256, and what in it does not follow from the raw replicates (nothing)."""
    found = await certificates.find(connection, number)
    differences = await certificates.against_register(connection, found)
    return {"content": found.content, "sha256": found.hash.hex(), "differences": differences}


@router.get(
    "/certificates/{number}/pdf", response_class=Response, responses={200: {"content": {"application/pdf": {}}}}
)
async def print_certificate(_: Reader, connection: Transaction, number: Number) -> Response:
    """The certificate as PDF, Chinese and English, with its QR code."""
    found = await certificates.find(connection, number)
    return Response(certificate_pdf.render(found), media_type="application/pdf")
