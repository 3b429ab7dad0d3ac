"""``goldx journal``: a running exchange's journal, replayed, gives exactly what the exchange published."""

import shutil
import tempfile
from pathlib import Path

from redis.asyncio import Redis

from goldx.hosting.valkey import start_valkey
from goldx.streams.keys import Keys
from goldx.streams.redis_client import connect
from tests.matching.archive.goldx_command import run_goldx
from tests.matching.shards import fill, lead_once


async def test_the_exported_journal_replays_to_the_published_events(
    valkey_url: str, redis: Redis, shard: str, tmp_path: Path
) -> None:
    settings = {"GOLDX_REDIS_URL": valkey_url, "GOLDX_SHARD": shard}
    await fill(redis, Keys(shard), seed=21)
    fold = await lead_once(redis, Keys(shard))
    file = tmp_path / "journal.jsonl"
    assert (await run_goldx(settings, "journal", "export", "--out", str(file))).returncode == 0
    assert (await run_goldx(settings, "journal", "export")).stdout == file.read_bytes()
    replayed = await run_goldx({}, "replay", str(file), "--digest")
    published = await run_goldx(settings, "journal", "events")
    assert published.stdout
    assert replayed.stdout == published.stdout
    assert replayed.stderr.decode().strip() == fold.engine.digest()
    assert (await run_goldx(settings, "journal", "export", "--events")).stdout == published.stdout


async def test_verify_says_what_agrees_and_what_does_not(valkey_url: str, redis: Redis, shard: str) -> None:
    settings = {"GOLDX_REDIS_URL": valkey_url, "GOLDX_SHARD": shard}
    keys = Keys(shard)
    positions = await fill(redis, keys, seed=22)
    fold = await lead_once(redis, keys)
    good = await run_goldx(settings, "journal", "verify")
    assert good.returncode == 0, good.stderr
    assert f"{len(positions)} journal entries, {fold.commands} commands, {fold.engine.sequence} published" in str(good)
    assert f"digest {fold.engine.digest()}\n" in good.stdout.decode()

    await redis.xdel(keys.journal, str(positions[3]))
    bad = await run_goldx(settings, "journal", "verify")
    assert bad.returncode == 1
    assert b"DIFFERENCE: " in bad.stdout


async def test_the_journal_of_a_stopped_exchange(shard: str) -> None:
    """Nothing runs: the embedded servers of the data directory are started for the export and stopped again."""
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    try:
        server = await start_valkey(folder / "valkey")
        redis = connect(server.url)
        await fill(redis, Keys(shard), seed=23, count=50)
        running = await run_goldx({"GOLDX_REDIS_URL": server.url, "GOLDX_SHARD": shard}, "journal", "export")
        await redis.aclose()
        await server.stop()
        stopped = await run_goldx({"GOLDX_DATA_DIR": str(folder), "GOLDX_SHARD": shard}, "journal", "export")
        assert running.stdout
        assert stopped.stdout == running.stdout, stopped.stderr
    finally:
        shutil.rmtree(folder)


async def test_without_an_exchange_it_says_what_to_do(tmp_path: Path) -> None:
    found = await run_goldx({"GOLDX_DATA_DIR": str(tmp_path)}, "journal", "verify")
    assert found.returncode == 1
    assert b"set GOLDX_REDIS_URL, or start `goldx serve`" in found.stderr
