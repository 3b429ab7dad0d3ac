"""Both embedded servers for a while, in a folder of their own: for tests and benchmarks."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from goldx.hosting.postgres import start_postgres
from goldx.hosting.servers import Server
from goldx.hosting.valkey import start_valkey


@asynccontextmanager
async def temporary_servers(*, durable: bool, prefix: Sequence[str] = ()) -> AsyncIterator[tuple[Server, Server]]:
    """Start Valkey and PostgreSQL; the folder is removed when they have stopped.

    ``durable`` is PostgreSQL's, ``prefix`` goes in front of Valkey's command.
    """
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    try:
        async with AsyncExitStack() as stack:
            valkey = await start_valkey(folder / "valkey", prefix)
            stack.push_async_callback(valkey.stop)
            postgres = await start_postgres(folder / "postgres", durable=durable)
            stack.push_async_callback(postgres.stop)
            yield valkey, postgres
    finally:
        cluster = folder / "postgres" / "cluster"
        if cluster.is_symlink():
            shutil.rmtree(cluster.readlink().parent, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
