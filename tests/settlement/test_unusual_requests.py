"""Well-formed requests with senseless values are refused with the field's name, never answered with 500."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from settlement.tables.lots import lot
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE

LONE = b'"\\ud800"'
"""Half of a surrogate pair, which JSON can name and UTF-8 cannot."""


async def test_days_have_bounds(rest: Rest) -> None:
    for path in (
        "/stock?day={}",
        "/exports/stock?day={}",
        "/exports/accounts/M1.H?from=2026-01-01&to={}",
        "/exports/accounts/M1.H?from={}&to=9998-12-31",
    ):
        for day in ("9999-12-31", "9999-01-01", "0001-01-01", "1899-12-31"):
            found = await rest(ONE, "GET", path.format(day), 422)
            assert "from 1900-01-01 to 9998-12-31" in found["detail"], (path, day)
    await rest(ONE, "GET", "/stock?day=9998-12-31")


async def test_text_that_is_none_is_refused(rest: Rest) -> None:
    headers = {"content-type": "application/json"}
    for path, body in (
        ("/two-way-prices", b'{"poster": "M1", "form": %b, "buy": "500.00", "sell": "510.00"}'),
        ("/tickets/1/items", b'{"description": %b, "marks": "", "form": "SCRAP_JEWEL", "weight_g": "1.00"}'),
        ("/counters", b'{"counter": "C1", "member": "M1", "account": "M1.H", "warehouse": "W", "name": %b}'),
        ("/tickets/deliveries", b'{"tickets": [1], "symbols": {%b: "AU-SCRAP"}}'),
    ):
        for text in (LONE, b'"\\u0000"'):
            await rest(ONE, "POST", path, 422, content=body.replace(b"%b", text), headers=headers)


async def test_no_tickets_are_no_delivery(rest: Rest, engine: AsyncEngine) -> None:
    async def lots() -> Any:
        async with engine.connect() as connection:
            return await connection.scalar(select(func.count()).select_from(lot))

    before = await lots()
    await rest(ONE, "POST", "/tickets/deliveries", 422, json={"tickets": [], "symbols": {}})
    await rest(ONE, "POST", "/tickets/deliveries", 422, json={"tickets": [2**70], "symbols": {}})
    assert await lots() == before


async def test_a_path_with_a_slash_too_many_is_not_redirected_to_the_host_that_it_names(rest: Rest) -> None:
    found = await rest(ONE, "GET", "/lots/", 404, headers={"Host": "evil.example"})
    assert "evil" not in str(found)
