"""Mistakes of a caller that only the database notices are answered as mistakes, and never as an outage."""

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.settlement_routes import FOLDERS
from settlement.base import database_errors
from settlement.base.database_errors import Meaning, meaning_of
from settlement.lots import warehouses
from settlement.tables.lots import lot
from tests.settlement.commands import clerk
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, SmallExchange

BEYOND = 2**63
NUMBERED = "INSERT INTO warehouse (warehouse, name, city, customs) VALUES "


async def test_a_value_that_cannot_be_kept_is_named(rest: Rest) -> None:
    requests: list[tuple[str, str, bytes | None, str]] = [
        ("GET", f"/lots/{BEYOND}", None, "number"),
        ("GET", f"/lots?after={BEYOND}", None, "after"),
        ("GET", "/lots?serial=%00*", None, "serial"),
        ("GET", "/balances?account=%00", None, "account"),
        ("GET", "/exports/counts/%00", None, "warehouse"),
        ("GET", f"/tickets?seller={BEYOND}", None, str(BEYOND)),
        ("POST", f"/proposals/{BEYOND}/approve", None, "number"),
        ("POST", "/locks/freeze", b'{"lots":[9223372036854775808],"reason":"x"}', "lots"),
        ("POST", "/tickets/deliveries", b'{"tickets":[9223372036854775808],"symbols":{}}', "tickets"),
        ("POST", "/cash", b'{"account":"\\ud800","amount":"1.00","bank_reference":"x"}', "account"),
        ("POST", "/cash", b'{"account":"A.H","amount":"1.00","bank_reference":"\\u0000"}', "bank_reference"),
    ]
    headers = {"Content-Type": "application/json"}
    for method, path, body, named in requests:
        more: dict[str, Any] = {} if body is None else {"content": body, "headers": headers}
        problem = await rest(ONE, method, path, 422, **more)
        assert problem["reason"] == "BAD_VALUE", path
        assert named in problem["detail"], path


async def error_of(engine: AsyncEngine, statement: str, **values: Any) -> DBAPIError:
    with pytest.raises(DBAPIError) as found:
        async with engine.begin() as connection:
            await connection.execute(text(statement), values)
    return found.value


@pytest.mark.parametrize(
    ("statement", "meaning", "said"),
    [
        (NUMBERED + "('XM1', '', '', 'DOMESTIC')", Meaning.CONFLICT, "pk_warehouse"),
        (NUMBERED + "('XM9', '', '', 'NOWHERE')", Meaning.BAD_VALUE, "ck_warehouse_customs_known"),
        (NUMBERED + "('XM9', '', '', NULL)", Meaning.BAD_VALUE, "customs"),
        (
            "INSERT INTO staff (staff, name, permissions, created_at) VALUES ('x', '', '{}', 99999999999999999999)",
            Meaning.BAD_VALUE,
            "out of range",
        ),
        ("UPDATE custody_event SET by = 'x'", Meaning.CONFLICT, "append-only"),
        ("INSERT INTO engine_holding VALUES ('A', 'B', 1, 1, 1, 1, 1); SELECT 1", Meaning.MISTAKE, "program"),
        ("SELECT nothing FROM nowhere", Meaning.MISTAKE, "program"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", Meaning.AWAY, "not reachable"),
        (
            "INSERT INTO counter (counter, member, account, warehouse, name) VALUES ('C', 'NOBODY', 'A.H', 'XM1', '')",
            Meaning.UNKNOWN,
            "fk_counter_member",
        ),
    ],
)
async def test_what_the_database_says_by_its_sqlstate(
    exchange: SmallExchange, statement: str, meaning: Meaning, said: str
) -> None:
    error = await error_of(exchange.engine, statement)
    assert meaning_of(error) is meaning
    assert said in database_errors.describe(error)


async def test_arguments_that_the_driver_cannot_send_are_bad_values(engine: AsyncEngine) -> None:
    for value in (BEYOND, "\ud800", "\0"):
        column = "lot_id" if isinstance(value, int) else "serial"
        error: BaseException
        with pytest.raises((DBAPIError, UnicodeEncodeError)) as found:
            async with engine.connect() as connection:
                await connection.execute(select(lot).where(lot.c[column] == value))
        error = found.value
        assert meaning_of(error) is Meaning.BAD_VALUE, value


async def test_over_rest_a_conflict_is_no_outage(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no module foresees, from a route that inserts an existing row."""

    async def add(connection: AsyncConnection, *_: Any) -> None:
        await connection.execute(text(NUMBERED + "('XM1', '', '', 'DOMESTIC')"))

    monkeypatch.setattr(warehouses, "add", add)
    warehouse = {"warehouse": "XM2", "name": "Two", "city": "Xiamen"}
    problem = await rest(ONE, "POST", "/warehouses", 409, json=warehouse)
    assert problem["reason"] == "CONFLICT"
    assert "pk_warehouse" in problem["detail"]


@pytest.mark.usefixtures("configured_database", "exchange")
async def test_a_command_ends_with_the_sentence() -> None:
    said = await clerk(ONE, "approve", str(BEYOND), code=1)
    assert str(BEYOND) in said
    assert "Traceback" not in said


def test_every_route_of_settlement_checks_its_texts() -> None:
    assert all(folder.router.dependencies for folder in FOLDERS)
