"""Timings of lists, searches and allocations, each several times, and of an import and a statement, once."""

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from benchmarks.lots.fill import CLERK, FIRST_AT, STEP_MS, SYMBOL, WAREHOUSES, fill
from goldx.hosting.embedded import temporary_servers
from settlement.base import database
from settlement.base.paging import LONGEST, PageRequest
from settlement.custody import receipts
from settlement.intake import imports
from settlement.intake.bar_rows import Reading
from settlement.load_outs import application
from settlement.lots import lots
from settlement.lots.lots import EventSearch, Search
from settlement.reconciliation import statement_file, warehouse_statement
from settlement.workbooks import sheets, writing

DAY: Final = date(2026, 1, 1)
ASK_MG: Final = 50_000_000
Query = Callable[[AsyncConnection], Awaitable[object]]


def searches(count: int) -> dict[str, Search]:
    """Return the searches of a clerk among the lots, by name."""
    middle = count // 2
    start = FIRST_AT + middle * STEP_MS
    return {
        "by serial": Search(serial=f"B{middle:08}"),
        "by beginning of serial": Search(serial=f"B{middle:08}"[:-2] + "*"),
        "by refiner": Search(refiner="R7"),
        "by state": Search(state="ARRIVED"),
        "by account": Search(account="M9.H"),
        "by warehouse": Search(warehouse="W3"),
        "by day of arrival": Search(arrived_from=start, arrived_before=start + 86_400_000),
        "by state, account and warehouse": Search(state="RECEIPTED", account="M9.H", warehouse="W3"),
    }


def event_searches(count: int) -> dict[str, EventSearch]:
    """Return the searches of a clerk among the events, by name."""
    start = FIRST_AT + count // 2 * STEP_MS
    return {
        "events of a day": EventSearch(start, start + 86_400_000),
        "events of a day in a warehouse": EventSearch(start, start + 86_400_000, "W3"),
    }


def _queries(count: int) -> dict[str, Query]:
    def found(search: Search, after: str | None = None) -> Query:
        return lambda connection: lots.listing(connection, search, PageRequest(after, LONGEST))

    def events(search: EventSearch) -> Query:
        return lambda connection: lots.events(connection, search, PageRequest(limit=LONGEST))

    async def allocate(connection: AsyncConnection) -> None:
        request = application.Application("M9.H", SYMBOL, "W3", ASK_MG, "Carrier", "AB-1234567", "271828", "271828")
        await application.apply(connection, CLERK, request)

    named: dict[str, Query] = {
        "first page of lots": found(lots.EVERY_LOT),
        "last page of lots": found(lots.EVERY_LOT, str(count - LONGEST)),
        **{f"lots {name}": found(search) for name, search in searches(count).items()},
        **{name: events(search) for name, search in event_searches(count).items()},
        "history of a lot": lambda connection: lots.history(connection, count // 2),
        "lots that may have a receipt": receipts.issuable,
        f"load-out of {ASK_MG // 10**6} kg from {count * 17 // 20 // WAREHOUSES} lots": allocate,
    }
    return named


async def measure(
    count: int, events_each: int, rows: int, rounds: int, report: Callable[[str], None]
) -> dict[str, Any]:
    """Fill a database of its own and return all times, in ms; ``report`` is called with lines about the progress."""
    async with temporary_servers(durable=True) as (_, server):
        await database.migrate(server.url)
        engine = database.connect(server.url)
        try:
            started = time.perf_counter()
            async with engine.begin() as connection:
                await fill(connection, count, events_each)
            report(f"{count} lots, {count * events_each} events filled in {time.perf_counter() - started:.1f} s")
            answers = await _answers(engine, count, rounds)
            report(f"{len(answers)} queries run {rounds} times each")
            files = {"statement": await _statement(engine, count), **await _import(engine, rows, report)}
        finally:
            await engine.dispose()
    return {"lots": count, "events": count * events_each, "answers_ms": answers, "files_s": files}


async def _answers(engine: AsyncEngine, count: int, rounds: int) -> dict[str, dict[str, float]]:
    found = {}
    for name, query in _queries(count).items():
        times = []
        for _ in range(rounds):
            async with engine.connect() as connection:
                started = time.perf_counter()
                await query(connection)
                times.append((time.perf_counter() - started) * 1_000)
        found[name] = {"median": round(statistics.median(times), 1), "worst": round(max(times), 1)}
    return found


async def _statement(engine: AsyncEngine, count: int) -> float:
    """Return the seconds that a statement of all bars of a warehouse takes, from its bytes to the stored breaks."""
    async with engine.begin() as connection:
        held = await lots.listing(connection, Search(warehouse="W3"))
    heading = ("refiner", "serial", "year", "gross_g", "fineness_permille")
    rows = [
        (r.refiner, r.serial, str(r.year), writing.scaled(r.gross_cg, 2), writing.scaled(r.declared_fineness_e5, 2))
        for r in held
        if r.state != "RELEASED"
    ]
    data = writing.write("xlsx", "Statement", heading, rows)
    started = time.perf_counter()
    async with engine.begin() as connection:
        lines = statement_file.read(sheets.read(data), Reading())
        outcome = await warehouse_statement.take_in(connection, CLERK, "W3", DAY, "statement.xlsx", data, lines)
    if outcome.breaks or not count:
        raise RuntimeError(f"a statement written from the register differs from it: {outcome.breaks[:3]}")
    return round(time.perf_counter() - started, 2)


async def _import(engine: AsyncEngine, rows: int, report: Callable[[str], None]) -> dict[str, float]:
    """Return the seconds that the preview and the intake of a bar list take."""
    heading = ("refiner", "serial", "gross_g", "fineness_permille")
    bars = [("NEW", f"N{n:06}", writing.scaled(100_000 + n % 5, 2), writing.scaled(99_950, 2)) for n in range(rows)]
    data = writing.write("xlsx", "Bars", heading, bars)
    given = {"symbol": SYMBOL, "form": "NONAPPROVED_BAR", "account": "M9.H", "warehouse": "W3"}
    reading = Reading({**given, "origin": "BANK", "origin_document": "INV-1"})
    started = time.perf_counter()
    async with engine.begin() as connection:
        await imports.preview(connection, CLERK, "declared", "bars.xlsx", data, reading)
    previewed = time.perf_counter()
    async with engine.begin() as connection:
        await imports.take_in(
            connection,
            CLERK,
            "declared",
            "bars.xlsx",
            data,
            reading,
            lambda done, total: report(f"{done} of {total} lots"),
        )
    done = time.perf_counter()
    return {"preview": round(previewed - started, 2), "import": round(done - previewed, 2)}
