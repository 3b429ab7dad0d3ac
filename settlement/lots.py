"""A lot is a physical thing with a history: the steps it can take, and the register of where each one stands.

No step can be skipped or taken out of order, and each one leaves a custody event that nobody can change.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.units import BadValue, parse_identifier
from settlement import audit
from settlement.database import among, now_ms
from settlement.refusal import Refused
from settlement.schema import CUSTOMS, LOT_STATES, custody_event, lot, warehouse


class Step(NamedTuple):
    """A step may be taken in one of the states ``before`` and leads to ``after``."""

    before: tuple[str, ...]
    after: str


STEPS: Mapping[str, Step] = {
    # at the warehouse and the laboratory
    "weigh": Step(("ARRIVED",), "WEIGHED"),
    "screen": Step(("WEIGHED",), "SCREENED"),
    "melt": Step(("SCREENED",), "MELTED"),
    "assay": Step(("SCREENED", "MELTED"), "ASSAYED"),
    "certify": Step(("ASSAYED",), "CERTIFIED"),
    "register": Step(("CERTIFIED",), "REGISTERED"),
    "reject": Step(("ARRIVED", "WEIGHED", "SCREENED", "MELTED", "ASSAYED", "CERTIFIED"), "REJECTED"),
    "return": Step(("REJECTED",), "RETURNED"),
    # with the engine's word
    "issue": Step(("REGISTERED",), "RECEIPTED"),
    "withdraw": Step(("ALLOCATED",), "WITHDRAWN"),
    # a load-out
    "allocate": Step(("RECEIPTED",), "ALLOCATED"),
    "deallocate": Step(("ALLOCATED",), "RECEIPTED"),
    "release": Step(("WITHDRAWN",), "RELEASED"),
}


async def take(
    connection: AsyncConnection,
    by: str,
    step: str,
    lot_ids: Sequence[int],
    *,
    values: Mapping[int, Mapping[str, Any]] | None = None,
    details: Mapping[int, Mapping[str, Any]] | None = None,
) -> None:
    """Takes one step with several lots, all or none: state, new column ``values`` and custody event of each.

    Raises BadValue for an unknown lot and Refused (ILLEGAL_STEP) where a lot's state does not allow it.
    """
    rule = STEPS[step]
    rows = await find(connection, lot_ids, lock=True)
    for row in rows.values():
        if row.state not in rule.before:
            allowed = " or ".join(rule.before)
            raise Refused("ILLEGAL_STEP", f"lot {row.lot_id} is {row.state}; to {step} it must be {allowed}")
    columns = sorted(next(iter(values.values()))) if values else []
    changes = [
        {"id": lot_id, **{f"new_{column}": values[lot_id][column] for column in columns if values}} for lot_id in rows
    ]
    moving = update(lot).where(lot.c.lot_id == bindparam("id"))
    moving = moving.values(state=rule.after, **{column: bindparam(f"new_{column}") for column in columns})
    if not rows:
        return
    await connection.execute(moving, changes)
    at = now_ms()
    events = [
        {
            **{"lot_id": row.lot_id, "step": step, "state": rule.after, "at": at, "by": by},
            **{"warehouse": row.warehouse, "detail": dict(details[row.lot_id]) if details else {}},
        }
        for row in rows.values()
    ]
    await connection.execute(insert(custody_event), events)


async def find(connection: AsyncConnection, lot_ids: Sequence[int], *, lock: bool = False) -> dict[int, Row[Any]]:
    """Lots by number, in the order of their numbers. Raises BadValue naming one that does not exist."""
    query = select(lot).where(among(lot.c.lot_id, lot_ids)).order_by(lot.c.lot_id)
    found = {row.lot_id: row for row in await connection.execute(query.with_for_update() if lock else query)}
    for lot_id in lot_ids:
        if lot_id not in found:
            raise BadValue("lot", lot_id, "the number of a lot in the register")
    return found


async def listing(
    connection: AsyncConnection,
    *,
    state: str | None = None,
    symbol: str | None = None,
    after: int = 0,
    limit: int = 1_000,
) -> list[Row[Any]]:
    """Lots by number, ``limit`` of them after lot ``after``. Raises BadValue for an unknown state."""
    if state is not None and state not in LOT_STATES:
        raise BadValue("state", state, "one of " + ", ".join(LOT_STATES))
    query = select(lot).where(lot.c.lot_id > after).order_by(lot.c.lot_id).limit(limit)
    if state is not None:
        query = query.where(lot.c.state == state)
    if symbol is not None:
        query = query.where(lot.c.symbol == symbol)
    return list(await connection.execute(query))


async def history(connection: AsyncConnection, lot_id: int) -> list[Row[Any]]:
    """The custody events of a lot, oldest first. Raises BadValue for an unknown lot."""
    await find(connection, [lot_id])
    events = select(custody_event).where(custody_event.c.lot_id == lot_id).order_by(custody_event.c.event_id)
    return list(await connection.execute(events))


async def add_warehouse(
    connection: AsyncConnection, by: str, code: str, name: str, city: str, customs: str = "DOMESTIC"
) -> None:
    """Registers a delivery warehouse. Raises BadValue, also if the code is taken."""
    if customs not in CUSTOMS:
        raise BadValue("customs", customs, "one of " + ", ".join(CUSTOMS))
    row = {"warehouse": parse_identifier(code, "warehouse"), "name": name, "city": city, "customs": customs}
    added = insert_or(warehouse).values(row).on_conflict_do_nothing().returning(warehouse.c.warehouse)
    if (await connection.execute(added)).first() is None:
        raise BadValue("warehouse", code, "a code that is not taken")
    await audit.record(connection, audit.Act(by, "warehouse.add", code, row))
