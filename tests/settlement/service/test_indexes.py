"""Every listing and search uses an index, as the planner shows on a small filled database."""

import json
from typing import Any

import pytest
from sqlalchemy import Select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from benchmarks.lots.fill import CLERK, SYMBOL
from benchmarks.lots.run import event_searches, searches
from goldx.protocol.units import BadValue
from settlement.base.paging import PageRequest, paged
from settlement.load_outs import application, load_outs
from settlement.lots import lots
from settlement.lots.lots import EventSearch, Search
from tests.settlement.service import LOTS

FIRST = PageRequest(limit=50)


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", []) for node in nodes(part))]


async def explained(connection: AsyncConnection, query: Select[Any]) -> list[dict[str, Any]]:
    """Return the nodes of the planner's plan of a query."""
    compiled = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})  # type: ignore[no-untyped-call]
    answer = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}")
    (found,) = json.loads(json.dumps(answer.scalar_one()))
    return nodes(found["Plan"])


async def scanned(connection: AsyncConnection, query: Select[Any]) -> set[str]:
    """Tables that the planner would read from end to end."""
    plan = await explained(connection, query)
    return {node["Relation Name"] for node in plan if node["Node Type"] == "Seq Scan"}


async def test_every_search_has_an_index(filled: AsyncEngine) -> None:
    queries: dict[str, Select[Any]] = {
        **{name: paged(search.query(), lots.LOT_KEY, FIRST) for name, search in searches(LOTS).items()},
        **{name: paged(search.query(), lots.EVENT_KEY, FIRST) for name, search in event_searches(LOTS).items()},
        "last page of lots": paged(lots.EVERY_LOT.query(), lots.LOT_KEY, PageRequest(str(LOTS - 50), 1_000)),
        "a late page of events": paged(lots.EVERY_EVENT.query(), lots.EVENT_KEY, PageRequest(f"{2**60},0", 1_000)),
    }
    async with filled.connect() as connection:
        for name, query in queries.items():
            assert await scanned(connection, query) == set(), name
        plan = await explained(connection, paged(Search().query(), lots.LOT_KEY, FIRST))
        assert {node.get("Index Name") for node in plan} - {None} == {"ix_lot_here"}, "those that are gone are skipped"
        await connection.execute(text("DROP INDEX ix_lot_account_lot_id"))
        by_account = paged(searches(LOTS)["by account"].query(), lots.LOT_KEY, FIRST)
        assert await scanned(connection, by_account) == {"lot"}


async def test_searches_find_the_lots_they_describe(filled: AsyncEngine) -> None:
    async with filled.connect() as connection:

        async def numbers(*, gone: bool = True, **wanted: Any) -> list[int]:
            return [row.lot_id for row in await lots.listing(connection, Search(gone=gone, **wanted))]

        assert await numbers(serial="B00002000") == [2_000]
        assert await numbers(serial="B0000200*") == list(range(2_000, 2_010))
        released = await numbers(serial="B0000200*", state="RELEASED", gone=False)
        assert {*await numbers(serial="B0000200*", gone=False), *released} == set(range(2_000, 2_010))
        assert await numbers(serial="B0000200*", gone=False) == [n for n in range(2_000, 2_010) if n not in released]
        assert released
        assert await numbers(serial="B*", refiner="R7", warehouse="W3") == [
            n for n in range(1, LOTS + 1) if n % 50 == 7 and n // 7 % 8 == 2
        ]
        assert await numbers(state="ARRIVED", account="M21.H") == [n for n in range(1, LOTS + 1) if n % 200 == 20]
        day = searches(LOTS)["by day of arrival"]
        assert day.arrived_from is not None
        found = await lots.listing(connection, day._replace(arrived_before=day.arrived_from + 40_000))
        assert [row.lot_id for row in found] == [2_000, 2_001]
        with pytest.raises(BadValue, match="state"):
            await numbers(state="SOLD")


async def test_pages_of_events_leave_nothing_out(filled: AsyncEngine) -> None:
    search = EventSearch(warehouse="W3")
    async with filled.connect() as connection:
        seen: list[int] = []
        after: str | None = None
        while page := await lots.events(connection, search, PageRequest(after, 97)):
            seen += [row.event_id for row in page]
            after = page.next
            if after is None:
                break
        wanted = await connection.execute(text("SELECT event_id FROM custody_event WHERE warehouse = 'W3'"))
        assert len(seen) == len(set(seen))
        assert set(seen) == set(wanted.scalars())


async def test_a_load_out_from_many_lots(filled: AsyncEngine) -> None:
    who = ("Carrier", "AB-1234567", "271828", "271828")
    request = application.Application("M9.H", SYMBOL, "W3", 50_000_000, *who)
    async with filled.begin() as connection:
        await application.apply(connection, CLERK, request)
        sheet = await load_outs.find(connection, 1)
        assert abs(sheet.allocated_mg - sheet.ask_mg) <= 10
