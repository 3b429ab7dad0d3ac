"""Inventory counts of a warehouse: opened by two people, over all its bars, over named lots or over a drawn sample.

From the opening to the end custody is frozen (``settlement.lots.counted``). A sample is drawn by a seed that the list
and the report print: the lots in the order of ``SHA-256(seed:lot)``, so that anybody can draw it again and nobody can
choose it.
"""

import secrets
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.base import audit, proposals, registry
from settlement.base.database import among, now_ms
from settlement.base.paging import ALL, Page, PageRequest, fetch
from settlement.base.refusal import Refused
from settlement.base.steps import advance
from settlement.base.texts import printable
from settlement.documents.counts import COUNT_OPEN, INVENTORY_COUNT
from settlement.documents.lots import AT_WAREHOUSE
from settlement.lots import warehouses
from settlement.tables.counts import count_again, count_lot, count_record, inventory_count
from settlement.tables.lots import lot

FULL: Final = "FULL"
LOTS: Final = "LOTS"
SAMPLE: Final = "SAMPLE"
MOST_LOTS: Final = 100_000
LONGEST_SEED: Final = 64


class CountExtent(NamedTuple):
    """The bars that are counted: all of them, these ``lots``, or so many of a ``sample``.

    ``seed`` draws the sample; None: a new one.
    """

    lots: Sequence[int] = ()
    sample: int | None = None
    seed: str | None = None

    @property
    def kind(self) -> str:
        """Return the word for it. Raises BadValue where lots and a sample are given, or a seed without a sample."""
        if self.lots and self.sample is not None:
            raise BadValue("sample", self.sample, "absent where lots are named")
        if self.seed is not None and self.sample is None:
            raise BadValue("seed", self.seed, "absent without a sample")
        return LOTS if self.lots else FULL if self.sample is None else SAMPLE


ALL_BARS: Final = CountExtent()


def drawn(seed: str, lots: Iterable[int], size: int) -> list[int]:
    """Return the ``size`` lots that a seed draws, in the order of their numbers."""

    def place(number: int) -> bytes:
        return sha256(f"{seed}:{number}".encode()).digest()

    return sorted(sorted(lots, key=place)[:size])


async def propose(
    connection: AsyncConnection, by: str, place: str, counters: Sequence[str], why: str, extent: CountExtent = ALL_BARS
) -> int:
    """Propose a count of a warehouse by two counters and return the proposal's number.

    Raises BadValue for unknown names, one counter twice, and lots that do not lie there.
    """
    await warehouses.customs_of(connection, place)
    printable("reason", why, 200)
    if len(counters) != 2 or counters[0] == counters[1]:
        raise BadValue("counters", list(counters), "two different members of staff")
    for counter in counters:
        try:
            await registry.staff_permissions(connection, counter)
        except BadValue as error:
            raise BadValue("counters", counter, error.allowed) from error
    kind = extent.kind
    seed = None
    if kind == SAMPLE:
        if not 1 <= int(extent.sample or 0) <= MOST_LOTS:
            raise BadValue("sample", extent.sample, f"1 to {MOST_LOTS} lots")
        seed = secrets.token_hex(8) if extent.seed is None else printable("seed", extent.seed, LONGEST_SEED)
    await audit.lock(connection)
    there = set(await _lots_at(connection, place))
    for number in extent.lots:
        if number not in there:
            raise BadValue("lots", number, f"the numbers of lots that lie in {place}")
    about = {"warehouse": place, "extent": kind, "sample": extent.sample, "seed": seed, "why": why}
    row = {**about, "lots": sorted(set(extent.lots)), "first_counter": counters[0], "second_counter": counters[1]}
    added = (
        insert(inventory_count)
        .values(**row, status=INVENTORY_COUNT.steps["propose"].after)
        .returning(inventory_count.c.count_no)
    )
    number = int((await connection.execute(added)).scalar_one())
    return await proposals.propose(connection, by, INVENTORY_COUNT.kind, [number], {"count": number, **row})


async def approved(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Open the counts: their lists are fixed, and custody is frozen.

    Raises Refused: COUNT_OPEN while another count of the warehouse is open, NOTHING_TO_COUNT.
    """
    rows = await advance(connection, inventory_count, INVENTORY_COUNT, by, "approve", subjects, {"opened_at": now_ms()})
    for number, row in rows.items():
        others = select(inventory_count.c.count_no).where(
            inventory_count.c.warehouse == row.warehouse,
            inventory_count.c.status.in_(COUNT_OPEN),
            inventory_count.c.count_no != number,
        )
        if (other := await connection.scalar(others.limit(1))) is not None:
            raise Refused("COUNT_OPEN", f"count {other} of {row.warehouse} is open: end it first")
        chosen = await _lots_at(connection, row.warehouse)
        if row.extent == SAMPLE:
            chosen = drawn(row.seed, chosen, row.sample)
        elif row.extent == LOTS:
            wanted = set(row.lots)
            chosen = [lot_id for lot_id in chosen if lot_id in wanted]
        if not chosen and row.extent != FULL:
            raise Refused("NOTHING_TO_COUNT", f"none of the bars of count {number} lies in {row.warehouse} any more")
        await _fix_list(connection, number, chosen)


async def _fix_list(connection: AsyncConnection, number: int, chosen: Sequence[int]) -> None:
    """Write the list of a count, in the order of maker, number and year."""
    columns = (lot.c.lot_id, lot.c.refiner, lot.c.serial, lot.c.year)
    query = select(*columns).where(among(lot.c.lot_id, chosen)).order_by(*columns[1:])
    rows = [
        {"count_no": number, "line": line, **row._mapping}
        for line, row in enumerate(await connection.execute(query), 1)
    ]
    if rows:
        await connection.execute(insert(count_lot), rows)


async def _lots_at(connection: AsyncConnection, place: str) -> list[int]:
    query = select(lot.c.lot_id).where(lot.c.warehouse == place, lot.c.state.in_(AT_WAREHOUSE)).order_by(lot.c.lot_id)
    return list((await connection.execute(query)).scalars())


async def declined(connection: AsyncConnection, by: str, subjects: Sequence[int]) -> None:
    """Drop the counts."""
    await advance(connection, inventory_count, INVENTORY_COUNT, by, "decline", subjects)


async def find(connection: AsyncConnection, number: int) -> Row[Any]:
    """Return a count. Raises BadValue."""
    row = (await connection.execute(select(inventory_count).where(inventory_count.c.count_no == number))).first()
    if row is None:
        raise BadValue("count", number, "the number of a count")
    return row


async def listing(connection: AsyncConnection, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return counts by number, each with its number of ``bars``."""
    inside = select(func.count()).where(count_lot.c.count_no == inventory_count.c.count_no).scalar_subquery()
    query = select(inventory_count, inside.label("bars"))
    return await fetch(connection, query, (inventory_count.c.count_no,), page)


async def lines(connection: AsyncConnection, number: int, page: PageRequest = ALL) -> Page[Row[Any]]:
    """Return the bars that are to be counted now: in the second round those to be counted again. Raises BadValue."""
    row = await find(connection, number)
    table = count_lot if row.status != "RECOUNTING" else count_again
    return await fetch(connection, select(table).where(table.c.count_no == number), (table.c.line,), page)


async def opened(connection: AsyncConnection, number: int) -> tuple[Row[Any], Page[Row[Any]]]:
    """Return an open count and the bars that are to be counted now. Raises BadValue, Refused (ILLEGAL_STEP)."""
    row = await find(connection, number)
    if row.status not in COUNT_OPEN:
        raise Refused("ILLEGAL_STEP", f"count {number} is {row.status}; its list is for one that is open")
    return row, await lines(connection, number)


async def record_of(connection: AsyncConnection, number: int) -> Row[Any]:
    """Return the signed record of a closed count: its content and hash. Raises BadValue for any other."""
    row = (await connection.execute(select(count_record).where(count_record.c.count_no == number))).first()
    if row is None:
        raise BadValue("count", number, "the number of a closed count")
    return row
