"""``goldx bench settlement`` copies the ledger again, with its keys, indexes and triggers or without them."""

import asyncpg
from sqlalchemy.engine import make_url

from benchmarks import settlement as bench
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect


async def test_the_rows_of_the_ledger_are_copied_into_twins_of_its_tables(
    valkey_url: str, migrated_url: str, shard: str
) -> None:
    redis = connect(valkey_url)
    events = await bench.publish(redis, Keys(shard), 2_000, seed=3, accounts=4)
    (way,) = await bench.catch_up(migrated_url, valkey_url, shard, events)
    assert way.reached == events
    await redis.delete(Keys(shard).events)
    await redis.aclose()
    url = make_url(migrated_url)
    driver = await asyncpg.connect(host=str(url.query["host"]), user=url.username, database=url.database)
    for step in bench.STEPS:
        await bench.make_twins(driver, step)
        indexes = "SELECT count(*) FROM pg_indexes WHERE schemaname = $1 AND tablename = ANY($2)"
        ours = await driver.fetchval(indexes, "public", bench.TABLES)
        twins = await driver.fetchval(indexes, "twin", bench.TABLES)
        assert twins == {"bare": 0, "keys": ours - 1}.get(step.name, ours)
        triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = CAST($1 AS regclass) AND NOT tgisinternal"
        wanted = await driver.fetchval(triggers, "public.posting") if step.rules else 0
        assert await driver.fetchval(triggers, "twin.posting") == wanted
        await driver.execute("DROP SCHEMA twin CASCADE")
        before = await driver.fetchval("SELECT count(*) FROM posting")
        # With triggers, it also sees that the balances of the twins have become those of the ledger.
        copied = await bench.copy_again(driver, step, 3, ())
        assert copied.keys() == set(bench.TABLES)
        assert all(cost.seconds > 0 for cost in copied.values())
        assert await driver.fetchval("SELECT count(*) FROM posting") == before > 1_000
        assert await driver.fetchval("SELECT to_regclass('twin.posting')") is None
    await driver.close()
