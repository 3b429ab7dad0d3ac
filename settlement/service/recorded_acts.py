"""Writing the acts recorded by gateways into the audit log, each once."""

from typing import Final

from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from goldx.streams.acts import read_acts, trim_acts
from goldx.streams.entries import BEGINNING, parse_entry_id
from goldx.streams.keys import Keys
from settlement.base import audit
from settlement.tables.base import acts_read

AT_ONCE: Final = 500


async def write_acts(engine: AsyncEngine, redis: Redis, keys: Keys) -> int:
    """Write new acts into the audit log and return their number.

    The position reached is written in the same transaction. Raises redis' errors and SQLAlchemyError.
    """
    async with engine.begin() as connection:
        reached = await connection.scalar(
            select(acts_read.c.entry).where(acts_read.c.shard == keys.shard).with_for_update()
        )
        after = BEGINNING if reached is None else parse_entry_id(reached.encode())
        acts = await read_acts(redis, keys, after, AT_ONCE)
        if not acts:
            return 0
        entries = [audit.Act(act.actor, act.action, act.subject, {"at": act.at, **act.detail}) for _, act in acts]
        await audit.record_all(connection, entries)
        last = str(acts[-1][0])
        put = insert(acts_read).values(shard=keys.shard, entry=last)
        await connection.execute(put.on_conflict_do_update(index_elements=["shard"], set_={"entry": last}))
    await trim_acts(redis, keys, acts[-1][0])
    return len(acts)
