"""The delivery warehouses: where they are, and the customs status of the metal that lies in them."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue, parse_identifier
from settlement.base import audit
from settlement.tables.lots import CUSTOMS, warehouse


async def add(connection: AsyncConnection, by: str, code: str, name: str, city: str, customs: str = "DOMESTIC") -> None:
    """Register a delivery warehouse. Raises BadValue, also if the code is taken."""
    if customs not in CUSTOMS:
        raise BadValue("customs", customs, "one of " + ", ".join(CUSTOMS))
    row = {"warehouse": parse_identifier(code, "warehouse"), "name": name, "city": city, "customs": customs}
    added = insert_or(warehouse).values(row).on_conflict_do_nothing().returning(warehouse.c.warehouse)
    if (await connection.execute(added)).first() is None:
        raise BadValue("warehouse", code, "a code that is not taken")
    await audit.record(connection, audit.Act(by, "warehouse.add", code, row))


async def customs_of(connection: AsyncConnection, code: str) -> str:
    """Return the customs status of a warehouse. Raises BadValue for an unknown one."""
    found = await connection.scalar(select(warehouse.c.customs).where(warehouse.c.warehouse == code))
    if found is None:
        raise BadValue("warehouse", code, "a warehouse")
    return str(found)


async def all_customs(connection: AsyncConnection) -> dict[str, str]:
    """Return the customs status of every warehouse."""
    query = select(warehouse.c.warehouse, warehouse.c.customs)
    return {row.warehouse: row.customs for row in await connection.execute(query)}
