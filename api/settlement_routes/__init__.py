"""REST for settlement: what ``goldx clerk`` does, under ``/v1/settlement``, in the name of the token's signer.

``settle`` acts, ``settle`` or ``supervise`` reads; how far settlement is may be seen by all staff. What members do with
their own keys is under ``/v1/receipts``, ``/v1/statements``, ``/v1/invoices``, ``/v1/withdrawals``,
``/v1/withdrawable`` and ``/v1/payees``; what anybody may read under ``/v1/certificates``, ``/v1/bulletins`` and
``/v1/benchmarks``. There is a module for each folder of settlement, and one for each large part of a folder.
Every listing comes in pages (``api.listing``).
"""

from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from api.edge.problems import problem
from api.settlement_routes import (
    assays,
    banking,
    base,
    breaks,
    charges,
    closing,
    counts,
    custody,
    days,
    intake,
    ledger,
    load_outs,
    lots,
    reconciliation,
    recycling,
    registry,
    reports,
    withdrawals,
)
from api.settlement_routes.rows import PROBLEM
from settlement.base.refusal import Refused
from settlement.workbooks.cells import BadFile

FOLDERS: Final = (
    lots,
    intake,
    assays,
    custody,
    charges,
    closing,
    load_outs,
    recycling,
    reports,
    ledger,
    banking,
    withdrawals,
    base,
    registry,
    reconciliation,
    days,
    breaks,
    counts,
)
"""The modules with one router each, in the order of their routes in the documentation."""
_OTHERS: Final = (
    assays.public,
    closing.members,
    closing.public,
    closing.benchmarks,
    withdrawals.members,
    custody.members,
)
ROUTES: Final = tuple(route for router in (*(folder.router for folder in FOLDERS), *_OTHERS) for route in router.routes)
"""All routes, in that order."""


def install(app: FastAPI) -> None:
    """Add the answers to settlement's refusals to the application."""

    @app.exception_handler(Refused)
    async def _refused(_: Request, error: Refused) -> JSONResponse:
        return problem(409, str(error), error.reason)

    @app.exception_handler(BadFile)
    async def _bad_file(_: Request, error: BadFile) -> JSONResponse:
        rows = list(map(PROBLEM, error.errors))
        return problem(422, f"{len(rows)} problems; nothing was taken in", "BAD_VALUE", errors=rows)
