"""REST for settlement: what ``goldx clerk`` does, under ``/v1/settlement``, in the name of whoever signed the token.

``settle`` acts, ``settle`` or ``supervise`` reads; how far settlement is may be seen by all staff. One module per area.
"""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from api.edge.problems import problem
from api.settlement_routes import (
    assays,
    bars,
    certificates,
    counter,
    custody,
    exports,
    fees,
    intake,
    load_outs,
    money,
    receipts,
    record,
    statements,
)
from settlement.base.refusal import Refused
from settlement.workbooks.sheets import BadFile


def install(app: FastAPI) -> None:
    """Adds the routes, and how settlement's refusals look over REST."""
    lots = (bars, intake, assays, certificates, receipts, custody, fees, load_outs)
    for area in (*lots, counter, exports, money, record, statements):
        app.include_router(area.router)
    app.include_router(certificates.public)

    @app.exception_handler(Refused)
    async def _refused(_: Request, error: Refused) -> JSONResponse:
        return problem(409, str(error), error.reason)

    @app.exception_handler(BadFile)
    async def _bad_bar_list(_: Request, error: BadFile) -> JSONResponse:
        rows = [found._asdict() for found in error.errors]
        return problem(422, f"{len(rows)} problems; nothing was taken in", "BAD_VALUE", errors=rows)
