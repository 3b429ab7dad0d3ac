"""The errors of an application as problem details: which status and reason each kind of error has."""

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from api.edge.auth import NotAuthentic
from api.edge.outcome import Refusal
from api.edge.problems import problem, refused
from goldx.protocol.units import BadValue
from settlement.base import database_errors
from settlement.base.database_errors import Meaning, meaning_of

log = structlog.get_logger()


def install(app: FastAPI) -> None:
    """Make every error of the application a problem. The details of an unexpected error go to the log only."""

    @app.exception_handler(Refusal)
    async def _refusal(_: Request, error: Refusal) -> JSONResponse:
        return refused(error)

    @app.exception_handler(BadValue)
    async def _bad_value(_: Request, error: BadValue) -> JSONResponse:
        return problem(422, str(error), "BAD_VALUE", field=error.field, allowed=error.allowed)

    @app.exception_handler(RecursionError)
    async def _too_deep(_: Request, __: RecursionError) -> JSONResponse:
        return problem(422, "objects and lists are nested too deeply", "BAD_VALUE")

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        found = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        return problem(422, "; ".join(found), "BAD_VALUE")

    @app.exception_handler(NotAuthentic)
    async def _not_authentic(_: Request, error: NotAuthentic) -> JSONResponse:
        return problem(401, str(error), "NOT_PERMITTED", {"WWW-Authenticate": "Bearer"})

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(TimeoutError)
    async def _no_answer(_: Request, __: TimeoutError) -> JSONResponse:
        return problem(504, "no answer yet; what was asked for may still happen", "UNAVAILABLE")

    async def _server_away(_: Request, error: Exception) -> JSONResponse:
        log.warning("a server is away", error=str(error))
        return problem(503, "a server behind the gateway is not reachable", "UNAVAILABLE", {"Retry-After": "1"})

    @app.exception_handler(SQLAlchemyError)
    async def _database(request: Request, error: SQLAlchemyError) -> JSONResponse:
        meaning = meaning_of(error)
        if meaning is Meaning.AWAY:
            return await _server_away(request, error)
        if meaning is Meaning.MISTAKE:
            return await _unexpected(request, error)
        return problem(meaning.value, database_errors.describe(error), meaning.name)

    app.add_exception_handler(RedisError, _server_away)
    app.add_exception_handler(ConnectionError, _server_away)

    @app.exception_handler(Exception)
    async def _unexpected(_: Request, error: Exception) -> JSONResponse:
        log.error("a request failed", exc_info=error)
        return problem(500, "the gateway failed on this request; it has been logged")
