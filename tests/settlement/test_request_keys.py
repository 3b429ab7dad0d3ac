"""A request that is repeated under its key is not carried out again, and gets its first answer."""

import asyncio
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import func, select, text, update

from api.app import create_app
from api.settlement_routes.access import KeyedRoute
from settlement.base import request_keys
from settlement.documents.registered import STANDINGS
from settlement.tables.base import request_key
from settlement.tables.ledger import cash_transfer
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import CODE, COLLECTOR_ID, ONE, OTHER, SmallExchange

TRANSFER = {"account": "A.H", "amount": "100.00", "bank_reference": "bank-1"}


def key(name: str) -> dict[str, Any]:
    return {"headers": {"Idempotency-Key": name}}


async def count(exchange: SmallExchange, table: Any) -> int:
    async with exchange.engine.connect() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


WITHOUT_A_DATABASE = tuple(
    f"/{path}/{{code}}/{step}"
    for kind, path in (("member", "members"), ("staff", "staff"), ("key", "keys"))
    for step in STANDINGS[kind].steps
    if step != "add"
)
"""Steps that work while the database is away, and keep no answer; repeated, they say that it is so already."""


BY_COMMAND = {"/v1/operator/commands"}
"""Its answers are kept beside the journal (``tests/api/edge/test_command_keys.py``)."""


def test_every_post_takes_a_key() -> None:
    """Its documentation says so, and it works in the transaction that stores the answer."""
    app = create_app()
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert {method for route in routes for method in route.methods or ()} == {"GET", "POST", "PUT"}, (
        "PUT sets, once or twice"
    )
    posts = [route for route in routes if "POST" in (route.methods or ())]
    assert len(posts) > 100
    documented = app.openapi()["paths"]
    assert {route.path for route in posts} == {path for path, item in documented.items() if "post" in item}
    without = set()
    for route in posts:
        parameters = documented[route.path]["post"].get("parameters", ())
        headers = [found["in"] for found in parameters if found["name"] == "Idempotency-Key"]
        if route.path.endswith(WITHOUT_A_DATABASE):
            assert headers == [], route.path
            continue
        assert headers == ["header"], route.path
        names = {getattr(part.call, "__name__", "") for part in route.dependant.dependencies}
        if not (isinstance(route, KeyedRoute) and "_transaction" in names):
            without.add(route.path)
    assert without == BY_COMMAND


async def test_a_repeated_request_is_answered_as_before(exchange: SmallExchange, rest: Rest) -> None:
    first = await rest(ONE, "POST", "/cash", json=TRANSFER, **key("k-1"))
    assert await rest(ONE, "POST", "/cash", json=TRANSFER, **key("k-1")) == first
    assert await count(exchange, cash_transfer) == 1
    other = {**TRANSFER, "bank_reference": "bank-2"}
    refused = await rest(ONE, "POST", "/cash", 409, json=other, **key("k-1"))
    assert refused["reason"] == "KEY_REUSED"
    assert (await rest(ONE, "POST", "/receipts/cancel", 409, json=TRANSFER, **key("k-1")))["reason"] == "KEY_REUSED"
    assert (await rest(ONE, "POST", "/cash", json=other, **key("k-2")))["proposal"] == first["proposal"] + 1
    third = {**TRANSFER, "bank_reference": "bank-3"}
    assert await rest(OTHER, "POST", "/cash", json=third, **key("k-1")) != first, "keys are each person's own"
    long = await rest(ONE, "POST", "/cash", 422, json=TRANSFER, **key("k" * 65))
    assert long["field"] == "Idempotency-Key"


async def test_a_request_that_was_refused_has_used_no_key(exchange: SmallExchange, rest: Rest) -> None:
    nothing = {**TRANSFER, "account": "X.H"}
    await rest(ONE, "POST", "/cash", 422, json=nothing, **key("k-1"))
    assert await count(exchange, request_key) == 0
    await rest(ONE, "POST", "/cash", json=TRANSFER, **key("k-1"))


async def test_of_two_at_the_same_time_one_is_done(exchange: SmallExchange, rest: Rest) -> None:
    asked = [rest(ONE, "POST", "/cash", json=TRANSFER, **key("k-1")) for _ in range(8)]
    answers = await asyncio.gather(*asked)
    assert all(answer == answers[0] for answer in answers)
    assert await count(exchange, cash_transfer) == 1


async def test_a_repeated_application_makes_no_second_sheet(exchange: SmallExchange, rest: Rest) -> None:
    """A repeated request with a wrong code counts once, too; and no code can be guessed from the hash."""
    await exchange.issue([{"serial": "A1"}, {"serial": "A2"}])
    asked = {"account": "A.H", "symbol": "AU", "warehouse": "XM1", "weight": "99.9", "collector": "Carrier"}
    shown = {"collector_id": COLLECTOR_ID, "pickup_code": CODE}
    request = {**asked, **shown, "code_again": CODE}
    for _ in range(2):
        number = (await rest(ONE, "POST", "/load-outs", json=request, **key("sheet")))["proposal"]
    assert len((await rest("auditor", "GET", "/load-outs"))["load_outs"]) == 1
    for _ in range(2):
        await rest(OTHER, "POST", f"/proposals/{number}/approve", **key("approval"))
    await exchange.round_trip()
    for _ in range(2):
        wrong = await rest(ONE, "POST", "/load-outs/1/sign", 409, json={**shown, "pickup_code": "1"}, **key("wrong"))
        assert wrong["reason"] == "WRONG_CODE"
    assert (await rest("auditor", "GET", "/load-outs/1"))["wrong_codes"] == 1
    async with exchange.engine.connect() as connection:
        kept = str((await connection.execute(text("SELECT request_key::text FROM request_key"))).all())
    assert CODE not in kept
    salts = "SELECT count(DISTINCT salt) FROM request_key"
    async with exchange.engine.connect() as connection:
        assert await connection.scalar(text(salts)) == await connection.scalar(text("SELECT count(*) FROM request_key"))


async def test_old_keys_are_forgotten(exchange: SmallExchange) -> None:
    async with exchange.engine.begin() as connection:
        for name in ("old", "new"):
            await request_keys.begin(connection, ONE, name, b"x")
            await request_keys.finish(connection, ONE, name, request_keys.KeptAnswer(200, "{}"))
        age = (request_keys.KEPT_DAYS * 86_400 + 1) * 1_000
        older = update(request_key).where(request_key.c.key == "old").values(at=request_key.c.at - age)
        await connection.execute(older)
        await request_keys.forget(connection)
        assert list((await connection.execute(select(request_key.c.key))).scalars()) == ["new"]


@pytest.mark.parametrize("name", ["", "\x07"])
async def test_a_key_is_printable(exchange: SmallExchange, name: str) -> None:
    with pytest.raises(ValueError, match="Idempotency-Key"):
        async with exchange.engine.begin() as connection:
            await request_keys.begin(connection, ONE, name, b"x")
