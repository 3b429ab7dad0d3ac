"""Members, staff and keys: listed and shown, registered, suspended, taken up again and ended.

An operator registers a member's key, and another takes it up; what suspends, and the end of a key, is one person's, and
works while the database is away. Staff and members are registered by ``goldx staff`` and ``goldx member``.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.routing import APIRoute
from pydantic import Field

from api.dependencies import TheGateway
from api.edge.outcome import Refusal
from api.listing import ThePage, listed
from api.settlement_routes.access import AnyStaff, Operator, ReasonRequest, Strict, Transaction, new_router
from api.settlement_routes.rows import Projection
from settlement.base import registry, standings
from settlement.base.key_reader import RegisterAway
from settlement.base.public_keys import LONGEST, parse_public_half
from settlement.documents.registered import STANDINGS, STATUSES

router: Final[APIRouter] = new_router()

Code = Annotated[str, Path(max_length=32)]
Status = Annotated[str | None, Query(description="Only these: " + ", ".join(STATUSES))]
_CHANGED: Final = "status changed_by changed_at reason"
ROWS: Final = {
    "member": Projection(f"member name name_zh created_at {_CHANGED}"),
    "staff": Projection(f"staff name permissions created_at {_CHANGED}"),
    "key": Projection(f"key_id public_key member staff permissions created_at {_CHANGED}"),
}
CHANGE: Final = Projection(_CHANGED)
TAKEN: Final = Projection("kind code status registered noticed")


class NewKey(Strict):
    """A member's key; ``public_key`` in a form that ``goldx key add`` takes."""

    member: str = Field(max_length=32, examples=["ALPHA"])
    public_key: str = Field(max_length=LONGEST)
    key_id: str | None = Field(default=None, max_length=32, description="Default: the request's, or a free one")
    reason: str


@router.get("/members")
async def get_members(_: AnyStaff, connection: Transaction, page: ThePage, status: Status = None) -> dict[str, Any]:
    """List the member firms by code, each with its status and the last change of it."""
    return listed("members", ROWS["member"], await standings.listing(connection, "member", page, status=status))


@router.get("/staff")
async def get_staff(_: AnyStaff, connection: Transaction, page: ThePage, status: Status = None) -> dict[str, Any]:
    """List the venue's staff by code, each with permissions, status and the last change of it."""
    return listed("staff", ROWS["staff"], await standings.listing(connection, "staff", page, status=status))


@router.get("/keys")
async def get_keys(
    _: AnyStaff,
    connection: Transaction,
    page: ThePage,
    status: Status = None,
    member: Annotated[str | None, Query(description="Only this member's")] = None,
    staff: Annotated[str | None, Query(description="Only those of this one of the staff")] = None,
) -> dict[str, Any]:
    """List the keys by id, each with its holder, its public half, its status and the last change of it."""
    found = await standings.listing(connection, "key", page, status=status, member_code=member, staff_code=staff)
    return listed("keys", ROWS["key"], found)


@router.post("/keys")
async def add_key(by: Operator, connection: Transaction, request: NewKey) -> dict[str, Any]:
    """Register a member's key. It is suspended until another person takes it up (`/keys/{code}/resume`)."""
    half = parse_public_half(request.public_key)
    key_id = await registry.add_public_half(connection, by, half, request.key_id, member_code=request.member)
    await standings.write(connection, standings.new_notice("suspend", "key", key_id, by, request.reason))
    return ROWS["key"](await standings.find(connection, "key", key_id))


def _show(kind: str) -> Callable[..., Coroutine[Any, Any, dict[str, Any]]]:
    async def show(_: AnyStaff, connection: Transaction, code: Code) -> dict[str, Any]:
        found = ROWS[kind](await standings.find(connection, kind, code))
        if kind != "key":
            found["keys"] = [ROWS["key"](row) for row in await standings.keys_of(connection, kind, code)]
        return {**found, "changes": [CHANGE(row) for row in await standings.changes(connection, kind, code)]}

    show.__doc__ = f"Return one {kind} with its keys and all changes of its status."
    return show


def _step(kind: str, step: str) -> Callable[..., Coroutine[Any, Any, dict[str, Any]]]:
    async def take(by: Operator, gateway: TheGateway, code: Code, request: ReasonRequest) -> dict[str, Any]:
        try:
            taken = await gateway.standings.take(step, kind, code, by, request.reason, second_person=True)
        except RegisterAway as error:
            raise Refusal("UNAVAILABLE", str(error), retry_after_ms=1_000) from error
        return TAKEN(taken)

    return take


TEXTS: Final = {
    "suspend": "Suspend at once: sessions end, orders are cancelled. `registered` is false while the database is away.",
    "resume": "Take up again what another person has suspended or registered.",
    "end": "End for good what another person has suspended.",
    "revoke": "End a key at once and for good. `registered` is false while the database is away.",
}


def _add_routes(kind: str, path: str) -> None:
    router.get(f"{path}/{{code}}", name=f"show_{kind}")(_show(kind))
    for step in STANDINGS[kind].steps:
        if step in TEXTS:
            # A key under which a request is repeated is kept in the database, which need not be there.
            router.add_api_route(
                f"{path}/{{code}}/{step}",
                _step(kind, step),
                methods=["POST"],
                name=f"{step}_{kind}",
                description=TEXTS[step],
                route_class_override=APIRoute,
            )


for _kind, _path in (("member", "/members"), ("staff", "/staff"), ("key", "/keys")):
    _add_routes(_kind, _path)
