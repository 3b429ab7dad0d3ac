"""Dependencies and models that the routes of settlement share: permissions, transactions, files, numbers, days."""

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import date
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import CoreSchema, core_schema
from sqlalchemy.ext.asyncio import AsyncConnection

from api.dependencies import TheGateway, ThePrincipal, principal_of
from api.edge.auth import Principal
from api.edge.outcome import Refusal
from api.edge.problems import documented
from api.edge.request_keys import KEY_HEADER, KEY_PARAMETER, content_of, response_of
from goldx.protocol.units import BadValue
from settlement.base import request_keys
from settlement.base.paging import LARGEST_NUMBER
from settlement.base.request_keys import KeptAnswer
from settlement.base.working_days import parse_day, today
from settlement.documents.closing import CAPACITIES
from settlement.intake.bar_columns import GIVEN
from settlement.intake.bar_rows import Reading
from settlement.workbooks import csv_files
from settlement.workbooks.as_read import AsRead
from settlement.workbooks.formats import Stated

PROBLEMS: Final = documented(
    {
        401: "no valid bearer token",
        403: "the key has not the permission",
        409: "refused in the present state; `reason` says why",
        422: "a value that is not allowed",
        503: "the database is away, nothing was changed",
    }
)


class _Answered(Exception):
    """The request was answered before under its key."""

    def __init__(self, answer: KeptAnswer) -> None:
        super().__init__(str(answer.status))
        self.answer = answer


class KeyedRoute(APIRoute):
    """A route whose POST may carry a key, under which it is done once (``settlement.base.request_keys``)."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        if "POST" in (more.get("methods") or ()):
            more["openapi_extra"] = {"parameters": [KEY_PARAMETER], **(more.get("openapi_extra") or {})}
        super().__init__(path, endpoint, **more)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, which stores its answer before the transaction is committed."""
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            try:
                response = await handle(request)
            except _Answered as before:
                return response_of(before.answer, replayed=True)
            taken = getattr(request.state, "request_key", None)
            if taken is not None:
                connection, holder, key = taken
                answer = KeptAnswer(response.status_code, bytes(response.body).decode())
                await request_keys.finish(connection, holder, key, answer)
            return response

        return handle_once


def new_router(prefix: str = "/v1/settlement", tag: str = "settlement") -> APIRouter:
    """Return a router, by default under ``/v1/settlement``, that documents the refusals of settlement."""
    return APIRouter(
        prefix=prefix,
        tags=[tag],
        responses=PROBLEMS,
        route_class=KeyedRoute,
        dependencies=[Depends(_check_texts)],
    )


def _check_texts(request: Request) -> None:
    """Raise BadValue, naming the parameter, for a text in path or query that the database cannot store."""
    for name, value in (*request.path_params.items(), *request.query_params.multi_items()):
        if isinstance(value, str) and not value.isprintable():
            raise BadValue(name, value, "printable text")


def _check_storable(field: str, value: object) -> None:
    """Raise BadValue, naming the field, for a text or a number in a body that the database cannot store."""
    if isinstance(value, str) and ("\0" in value or any("\ud800" <= char <= "\udfff" for char in value)):
        raise BadValue(field, value, "text without NUL and of whole characters")
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise BadValue(field, value, f"a whole number up to {LARGEST_NUMBER}")
    if isinstance(value, dict):
        for name, part in value.items():
            _check_storable(f"{field}.{name}" if field else str(name), part)
    elif isinstance(value, list):
        for part in value:
            _check_storable(field, part)


class Strict(BaseModel):
    """A request body that refuses fields it does not know."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, body: Any) -> Any:
        _check_storable("", body)
        return body


LotNumber = Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
"""The number of a lot, in a request body."""


class OneOf(NamedTuple):
    """Lets a ``str`` be one of some words: ``Annotated[str, OneOf(WORDS)]``.

    It is refused and documented as a ``Literal`` is, and takes the words from the constant that the rule itself is
    written with, so that both always allow the same.
    """

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> CoreSchema:
        return core_schema.literal_schema(list(self.words))


class ReasonRequest(Strict):
    reason: str


class LotsRequest(Strict):
    lots: list[LotNumber]


class LotsAndReasonRequest(LotsRequest):
    reason: str


class DocumentRequest(Strict):
    document: str


Number = Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]
"""The number of a document, in a path."""
File = Annotated[bytes, Body(media_type="application/octet-stream", description="CSV, XLSX or XLS, as it is")]


def _stated(
    sheet: Annotated[str | None, Query(description="The sheet, where a workbook has several")] = None,
    encoding: Annotated[
        Annotated[str, OneOf(csv_files.ENCODINGS)] | None,
        Query(description="Of a CSV; default: as its headings show"),
    ] = None,
    separator: Annotated[
        Annotated[str, OneOf(tuple(csv_files.SEPARATORS))] | None,
        Query(description="Of a CSV; default: as its headings show"),
    ] = None,
) -> Stated:
    return Stated(sheet, encoding, separator)


TheStated = Annotated[Stated, Depends(_stated)]
"""The sheet, encoding and separator that a request states."""


def _reading(
    stated: TheStated,
    decimal: Annotated[Literal["point", "comma"] | None, Query(description="Default: as the numbers show")] = None,
    given: Annotated[list[str], Query(alias="set", description="COLUMN=VALUE for every row")] = [],  # noqa: B006
    other_years: Annotated[
        bool, Query(description="A known number with another year, or none, is another bar")
    ] = False,
) -> Reading:
    columns = dict(text.partition("=")[::2] for text in given)
    for column in columns:
        if column not in GIVEN:
            raise BadValue("set", column, "COLUMN=VALUE with one of " + ", ".join(GIVEN))
    return Reading(columns, stated, None if decimal is None else decimal == "comma", other_years)


Gone = Annotated[bool, Query(description="Also lots that were released, returned, cancelled or melted away")]


def read_as(found: AsRead | None) -> dict[str, Any] | None:
    """Return a file as it was read as a JSON object."""
    return None if found is None else found.record()


TheReading = Annotated[Reading, Depends(_reading)]
"""How a file is read."""


def _day(day: Annotated[str | None, Query(description="Default: today", examples=["2026-11-24"])] = None) -> date:
    return today() if day is None else parse_day("day", day)


TheDay = Annotated[date, Depends(_day)]
"""The date in Shanghai that a request is about."""


def _holding(*permissions: str) -> Callable[[Principal], str]:
    def check(principal: ThePrincipal) -> str:
        if principal.staff is None or not principal.permissions & frozenset(permissions):
            needed = " or ".join(permissions)
            raise Refusal("NOT_PERMITTED", f"key {principal.key_id} has not the permission {needed}")
        return principal.staff

    return check


def _of_member(principal: ThePrincipal) -> Principal:
    if principal.member is None:
        raise Refusal("NOT_PERMITTED", f"key {principal.key_id} is not a member's")
    return principal


async def _transaction(gateway: TheGateway, request: Request) -> AsyncIterator[AsyncConnection]:
    async with gateway.database.begin() as connection:
        key = request.headers.get(KEY_HEADER)
        if request.method == "POST" and key is not None:
            principal = await principal_of(request)
            holder = principal.staff or f"member {principal.member}"
            answer = await request_keys.begin(connection, holder, key, await content_of(request))
            if answer is not None:
                raise _Answered(answer)
            request.state.request_key = (connection, holder, key)
        yield connection


Clerk = Annotated[str, Depends(_holding("settle"))]
Reader = Annotated[str, Depends(_holding("settle", "supervise"))]
Operator = Annotated[str, Depends(_holding("operate"))]
Signer = Annotated[str, Depends(_holding(*sorted(set(CAPACITIES.values()))))]
AnyStaff = Annotated[str, Depends(_holding("operate", "settle", "supervise", "warehouse"))]
TheMember = Annotated[Principal, Depends(_of_member)]
"""The principal of a request that only a member's key may make."""
# Ends before the response goes out: an answer 200 means committed.
Transaction = Annotated[AsyncConnection, Depends(_transaction, scope="function")]
