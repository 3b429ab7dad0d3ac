"""REST for settlement: what ``goldx clerk`` does, under ``/v1/settlement``, in the name of whoever signed the token.

``settle`` acts, ``settle`` or ``supervise`` reads; how far settlement is may be seen by all staff. One module per area.
"""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from api.problems import problem
from api.settlement_routes import bars, counter, custody, exports, fees, load_outs, money, receipts, record, statements
from settlement.refusal import Refused
from settlement.sheets import BadFile


def install(app: FastAPI) -> None:
    """Adds the routes, and how settlement's refusals look over REST."""
    for area in (money, bars, receipts, custody, fees, load_outs, record, statements, counter, exports):
        app.include_router(area.router)

    @app.exception_handler(Refused)
    async def _refused(_: Request, error: Refused) -> JSONResponse:
        return problem(409, str(error), error.reason)

    @app.exception_handler(BadFile)
    async def _bad_bar_list(_: Request, error: BadFile) -> JSONResponse:
        rows = [found._asdict() for found in error.errors]
        return problem(422, f"{len(rows)} problems; nothing was taken in", "BAD_VALUE", errors=rows)
