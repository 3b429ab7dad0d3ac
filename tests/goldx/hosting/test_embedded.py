"""The embedded servers: durable, and ended with the process that started them."""

import asyncio
import signal
import sys
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url

from goldx.hosting.postgres import start_postgres
from goldx.hosting.valkey import start_valkey
from goldx.streams import redis_client


async def test_valkey_acknowledges_only_what_is_fsynced(folder: Path) -> None:
    server = await start_valkey(folder)
    client = redis_client.connect(server.url)
    config = await client.config_get("append*")
    await client.set("k", "v")
    await client.aclose()
    server.process.send_signal(signal.SIGKILL)
    await server.stop()
    assert config["appendonly"] == "yes"
    assert config["appendfsync"] == "always"

    again = await start_valkey(folder)
    client = redis_client.connect(again.url)
    assert await client.get("k") == b"v"
    await client.aclose()
    await again.stop()


async def test_postgres_keeps_its_data_over_a_restart(folder: Path) -> None:
    for expected in (0, 1):
        server = await start_postgres(folder)
        host = str(make_url(server.url).query["host"])
        connection = await asyncpg.connect(host=host, user="goldx", database="goldx")
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        assert await connection.fetchval("SELECT count(*) FROM kept") == expected
        await connection.execute("INSERT INTO kept VALUES (1)")
        assert await connection.fetchval("SHOW fsync") == "on"
        await connection.close()
        await server.stop()


async def test_servers_end_with_the_process_that_started_them(folder: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from goldx.hosting.postgres import start_postgres\n"
        "from goldx.hosting.valkey import start_valkey\n"
        "async def main():\n"
        "    folder = pathlib.Path(sys.argv[1])\n"
        "    valkey = await start_valkey(folder / 'v')\n"
        "    postgres = await start_postgres(folder / 'p', durable=False)\n"
        "    print(valkey.pid, postgres.pid, flush=True)\n"
        "    await asyncio.sleep(100)\n"
        "asyncio.run(main())\n"
    )
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert starter.stdout is not None
    pids = [int(word) for word in (await starter.stdout.readline()).split()]
    assert len(pids) == 2
    starter.kill()
    await starter.wait()
    async with asyncio.timeout(30):
        while any(_is_running(pid) for pid in pids):
            await asyncio.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
