"""The register of lots: their steps, each of which leaves a custody event that nobody can change, and searches.

The steps and their order are in ``settlement.documents.lots``; none can be skipped or taken out of order.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, Text, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, bulk
from settlement.base.database import among, now_ms
from settlement.base.filters import check_known
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.spelling import fold
from settlement.base.steps import allow, authorize
from settlement.documents.lots import GONE, LOT
from settlement.documents.machine import AS_BEFORE
from settlement.lots import counted
from settlement.tables.columns import not_in
from settlement.tables.lots import custody_event, lot


async def take(
    connection: AsyncConnection,
    by: str,
    step: str,
    lot_ids: Sequence[int],
    *,
    values: Mapping[int, Mapping[str, Any]] | None = None,
    details: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """Take one step with all of these lots, or with none: state, new ``values``, custody event, audit entry.

    Raises BadValue for an unknown lot and Refused where a lot's state does not allow it (ILLEGAL_STEP), ``by`` may not
    do it (NOT_PERMITTED) or nobody else agreed to it (TWO_PEOPLE).
    """
    rows = await find(connection, lot_ids, lock=True)
    for row in rows.values():
        allow(LOT, step, row.lot_id, row.state)
    await authorize(connection, LOT, step, by, lot_ids, f"lot_{step}")
    if not rows:
        return
    after = LOT.steps[step].after
    states = {number: row.held_state if after == AS_BEFORE else after for number, row in rows.items()}
    columns = sorted(next(iter(values.values()))) if values else []
    changes = [
        {"lot_id": number, "state": state, **{column: values[number][column] for column in columns if values}}
        for number, state in states.items()
    ]
    await bulk.update(connection, lot, changes)
    await _record(connection, by, step, states, {number: row.warehouse for number, row in rows.items()}, details or {})


async def record_creation(
    connection: AsyncConnection,
    by: str,
    step: str,
    places: Mapping[int, str],
    details: Mapping[int, Mapping[str, Any]],
) -> None:
    """Record the step that made new lots, given with their warehouses. Raises Refused."""
    await authorize(connection, LOT, step, by, list(places))
    await _record(connection, by, step, dict.fromkeys(places, LOT.steps[step].after), places, details)


async def _record(
    connection: AsyncConnection,
    by: str,
    step: str,
    states: Mapping[int, str],
    places: Mapping[int, str],
    details: Mapping[int, Mapping[str, Any]],
) -> None:
    """Add a custody event and an audit entry for each lot. Raises Refused (COUNT_OPEN) as ``counted.check`` does.

    Events get their numbers in the order in which they are committed: the close of a day reads them up to one.
    """
    await audit.lock(connection)
    await counted.check(connection, step, places)
    at = now_ms()
    events = [
        {
            "lot_id": number,
            "step": step,
            "state": states[number],
            "at": at,
            "by": by,
            "warehouse": place,
            "detail": dict(details.get(number, {})),
        }
        for number, place in places.items()
    ]
    await bulk.insert(connection, custody_event, events)
    acts = [audit.Act(by, f"lot.{step}", f"lot:{event['lot_id']}", event["detail"]) for event in events]
    await audit.record_all(connection, acts)


async def record_event(
    connection: AsyncConnection, by: str, step: str, lot_ids: Sequence[int], detail: Mapping[str, Any]
) -> None:
    """Add an event that changed no state to the history of lots."""
    await record_events(connection, by, step, dict.fromkeys(lot_ids, detail))


async def record_events(
    connection: AsyncConnection, by: str, step: str, details: Mapping[int, Mapping[str, Any]]
) -> None:
    """Add an event that changed no state to the history of each of these lots, with its own detail."""
    if not details:
        return
    rows = await find(connection, list(details))
    states = {number: row.state for number, row in rows.items()}
    places = {number: row.warehouse for number, row in rows.items()}
    await _record(connection, by, step, states, places, details)


async def find(connection: AsyncConnection, lot_ids: Sequence[int], *, lock: bool = False) -> dict[int, Row[Any]]:
    """Return lots by number, in the order of their numbers. Raises BadValue, naming one that does not exist."""
    query = select(lot).where(among(lot.c.lot_id, lot_ids)).order_by(lot.c.lot_id)
    if lock:
        await audit.lock(connection)
        query = query.with_for_update(key_share=True)
    found = {row.lot_id: row for row in await connection.execute(query)}
    for lot_id in lot_ids:
        if lot_id not in found:
            raise BadValue("lot", lot_id, "the number of a lot in the register")
    return found


class Search(NamedTuple):
    """Conditions of a search for lots. A ``serial`` may end in ``*``; times of arrival in ms since the epoch.

    Lots that are gone (released, returned, cancelled, melted into another) are found if ``gone`` is true or ``state``
    is one of their states.
    """

    state: str | None = None
    symbol: str | None = None
    account: str | None = None
    warehouse: str | None = None
    refiner: str | None = None
    serial: str | None = None
    arrived_from: int | None = None
    arrived_before: int | None = None
    gone: bool = False

    def query(self) -> Select[Any]:
        """Return the query of these lots. Each condition has an index that begins with its column."""
        query = select(lot)
        for column in (lot.c.state, lot.c.symbol, lot.c.account, lot.c.warehouse):
            value = getattr(self, column.name)
            if value is not None:
                query = query.where(column == value)
        if self.state is None and not self.gone:
            # In the form of the index ix_lot_here, or the planner could not use it.
            query = query.where(text(not_in("state", GONE)))
        if self.refiner is not None:
            query = query.where(func.folded(lot.c.refiner) == fold(self.refiner))
        if self.serial is not None:
            query = query.where(*_has_serial(self.serial))
        if self.arrived_from is not None or self.arrived_before is not None:
            arrived = select(custody_event.c.lot_id).where(custody_event.c.step == "arrive")
            if self.arrived_from is not None:
                arrived = arrived.where(custody_event.c.at >= self.arrived_from)
            if self.arrived_before is not None:
                arrived = arrived.where(custody_event.c.at < self.arrived_before)
            query = query.where(lot.c.lot_id.in_(arrived))
        return query


def _has_serial(wanted: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a serial is the wanted one in any spelling, or with ``*`` begins like it."""
    serial, start = func.folded(lot.c.serial, type_=Text()), fold(wanted.removesuffix("*"))
    if not wanted.endswith("*"):
        return (serial == start,)
    return (serial.bool_op("~>=~")(start), serial.bool_op("~<~")(start + "\U0010ffff"))


EVERY_LOT: Final = Search(gone=True)
LOT_KEY: Final = (lot.c.lot_id,)
"""The key that lots are listed by."""


async def listing(connection: AsyncConnection, search: Search = EVERY_LOT, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the lots that a search finds, by number.

    Raises BadValue for a state, class, account or warehouse that is not known.
    """
    await check_known(connection, symbol=search.symbol, account=search.account, warehouse=search.warehouse)
    if search.state is not None and search.state not in LOT.states:
        raise BadValue("state", search.state, "one of " + ", ".join(LOT.states))
    return await fetch(connection, search.query(), LOT_KEY, page)


class EventSearch(NamedTuple):
    """Conditions of a search for custody events: from a time on, before a time (ms since the epoch), a warehouse."""

    since: int | None = None
    before: int | None = None
    warehouse: str | None = None

    def query(self) -> Select[Any]:
        """Return the query of these events. Each condition has an index that begins with its column."""
        columns = custody_event.c
        query = select(custody_event)
        if self.since is not None:
            query = query.where(columns.at >= self.since)
        if self.before is not None:
            query = query.where(columns.at < self.before)
        if self.warehouse is not None:
            query = query.where(columns.warehouse == self.warehouse)
        return query


EVERY_EVENT: Final = EventSearch()
EVENT_KEY: Final = (custody_event.c.at, custody_event.c.event_id)
"""The key that custody events are listed by."""


async def events(
    connection: AsyncConnection, search: EventSearch = EVERY_EVENT, page: PageRequest = ALL
) -> Page[Row[Any]]:
    """Return the custody events that a search finds, by time and number. Raises BadValue for an unknown warehouse."""
    await check_known(connection, warehouse=search.warehouse)
    return await fetch(connection, search.query(), EVENT_KEY, page)


async def history(connection: AsyncConnection, lot_id: int) -> list[Row[Any]]:
    """Return the custody events of a lot, oldest first. Raises BadValue for an unknown lot."""
    await find(connection, [lot_id])
    events = select(custody_event).where(custody_event.c.lot_id == lot_id).order_by(custody_event.c.event_id)
    return list(await connection.execute(events))
