"""The whole exchange on one machine: the embedded servers and the services, kept running as processes.

``goldx serve``, ``goldx demo`` and the tests start a ``Supervisor``. It knows the services by the names of their
commands alone, so the ground floor imports no upper floor.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from subprocess import PIPE, STDOUT
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from redis.exceptions import RedisError

from goldx.hosting.passwords import password, without_password
from goldx.hosting.placement import placement_prefix
from goldx.hosting.postgres import services_url, start_postgres
from goldx.hosting.running import run_folder
from goldx.hosting.servers import Server, ServerFailed, lock_file
from goldx.hosting.service import RestartedServer, rotate_logs, start_service
from goldx.hosting.settings import PREFIX, Settings
from goldx.hosting.valkey import start_valkey

SERVICES: Final = ("engine", "standby", "settlement", "archiver", "timetable", "gateway", "console")
"""All services; the standby (a second engine), archiver and timetable only start where the settings say so."""
STAGES: Final = (
    ("valkey", "postgres"),
    ("engine", "standby", "settlement", "archiver", "timetable"),
    ("gateway",),
    ("console",),
)
"""The order of the start: a stage starts together, after the stages it needs.

Settlement makes the tables that the gateway reads.
"""
COMMANDS: Final = {"standby": ("engine", "--standby")}
"""Service -> the arguments of ``goldx`` that start it, where they are not its name."""
OWNER_URL: Final = "database_owner_url"
SERVER_URLS: Final = ("redis_url", "database_url", OWNER_URL)
"""Settings that contain the passwords of the servers."""
WITHOUT_SERVERS: Final = frozenset(("console",))
"""The services that use neither server: they get no URL of one."""
USERS_OF_TABLES: Final = frozenset(("settlement", "gateway"))
LOCK_TIMEOUT: Final = 30.0
MEGABYTE: Final = 1_000_000


class AlreadyRunning(RuntimeError):
    """Another exchange runs on the same data directory."""


class Supervisor:
    """``async with Supervisor(settings) as supervisor:`` starts everything, and stops it in reverse order at the end.

    ``report`` is called with a line for a person at every step. ``services`` names those to start. ``negotiated``: the
    first command of a fresh exchange sets the legal regime NEGOTIATED (``goldx.hosting.first_regime``). Entering raises
    AlreadyRunning, and ServerFailed with the end of the log of what did not start.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        services: Collection[str] = SERVICES,
        report: Callable[[str], None] = lambda _: None,
        negotiated: bool = False,
    ) -> None:
        self.settings = settings
        self.data_dir = settings.data_dir.absolute()
        self._report = report
        self._wanted = services
        self._negotiated = negotiated
        self._children: dict[str, RestartedServer] = {}
        self._stack = AsyncExitStack()
        self._lock = -1

    async def __aenter__(self) -> "Supervisor":
        async with AsyncExitStack() as stack:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.data_dir.chmod(0o700)
            self._lock = await _lock_data_directory(run_folder(self.settings))
            stack.callback(os.close, self._lock)
            self._services_file.unlink(missing_ok=True)
            stack.callback(self._services_file.unlink, missing_ok=True)
            self._log_folder.mkdir(parents=True, exist_ok=True)
            rotation = asyncio.create_task(rotate_logs(self._log_folder, self.settings.log_file_mb * MEGABYTE))
            stack.push_async_callback(_cancel, rotation)
            for number, stage in enumerate(STAGES):
                if number == 1:
                    await self._migrate()
                    await self._declare_regime()
                children = [
                    RestartedServer(name, start, self._report_change)
                    for name in stage
                    if (start := self._starter(name))
                ]
                for child in children:
                    self._children[child.name] = child
                    stack.push_async_callback(self._stop, child)
                # All of a stage have started or failed before anything is stopped again.
                outcomes = await asyncio.gather(*(child.start() for child in children), return_exceptions=True)
                if failed := [outcome for outcome in outcomes if outcome is not None]:
                    raise failed[0]
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def services(self) -> Mapping[str, Server]:
        """The running processes by name: the embedded servers (``valkey``, ``postgres``) and the services."""
        return {name: child.server for name, child in self._children.items()}

    @property
    def redis_url(self) -> str:
        return self.settings.redis_url or self._children["valkey"].server.url

    @property
    def database_url(self) -> str:
        """The URL of PostgreSQL for the services; if there is an owner's URL, they do not own the tables."""
        return self.settings.database_url or services_url(self._children["postgres"].server.url)

    @property
    def database_owner_url(self) -> str | None:
        """The URL of PostgreSQL for the owner of its tables; None if only one URL is known."""
        if self.settings.database_url:
            return self.settings.database_owner_url
        return self._children["postgres"].server.url

    @property
    def gateway_url(self) -> str:
        """``http://host:port`` of the gateway that runs here."""
        return self._children["gateway"].server.url

    @property
    def console_url(self) -> str:
        return self._children["console"].server.url

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which a ``goldx`` command works on this exchange; it lacks the database owner's URL."""
        values = {name: getattr(self.settings, name) for name in Settings.model_fields if name != OWNER_URL}
        values |= {"data_dir": self.data_dir, "redis_url": self.redis_url, "database_url": self.database_url}
        for name in ("gateway", "console"):
            if child := self._children.get(name):
                # Once it listens on a port, a new run listens there too.
                with contextlib.suppress(RuntimeError):
                    values[f"{name}_port"] = urlsplit(child.server.url).port
        with contextlib.suppress(KeyError, RuntimeError):
            values["gateway_url"] = self.gateway_url
        inherited = {name: value for name, value in os.environ.items() if name != PREFIX + OWNER_URL.upper()}
        return inherited | {PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None}

    def environment_of(self, service: str) -> dict[str, str]:
        """The environment of a service: ``environment``, for those that use no server without the servers' URLs."""
        withheld = {PREFIX + name.upper() for name in SERVER_URLS} if service in WITHOUT_SERVERS else set()
        return {name: value for name, value in self.environment.items() if name not in withheld}

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a service's process and return when it has ended.

        SIGKILL is what a crash would be, SIGTERM a clean stop. The service is then started again: see ``ready``.
        """
        await self._children[name].end(number)

    async def ready(self, *names: str) -> None:
        """Wait until these run; without names, until everything does."""
        for name in names or tuple(self._children):
            await self._children[name].ready()

    @property
    def _services_file(self) -> Path:
        return run_folder(self.settings) / "services.json"

    @property
    def _log_folder(self) -> Path:
        return self.data_dir / "log"

    def _starter(self, name: str) -> Callable[[], Awaitable[Server]] | None:
        """Return the function that starts a server or service, or None if it is not wanted here."""
        prefix = placement_prefix(name) if self.settings.keep_apart else ()
        if name == "valkey":
            if self.settings.redis_url:
                return None
            secret, memory = password(self.data_dir, "valkey"), self.settings.redis_memory_mb
            return partial(start_valkey, self.data_dir / "valkey", prefix, password=secret, memory_mb=memory)
        if name == "postgres":
            return None if self.settings.database_url else partial(start_postgres, self.data_dir / "postgres")
        unset = {
            "standby": not self.settings.standby,
            "archiver": self.settings.archive_dir is None,
            "timetable": self.settings.timetable_file is None,
        }
        if name not in self._wanted or unset.get(name):
            return None
        file = self._log_folder / f"{name}.jsonl"
        return lambda: start_service(name, self.environment_of(name), file, self._lock, COMMANDS.get(name, ()), prefix)

    async def _migrate(self) -> None:
        """Create or migrate the tables as their owner; no service logs in as the owner. Raises ServerFailed."""
        owner = self.database_owner_url
        if owner is None or not USERS_OF_TABLES.intersection(self._wanted):
            return
        environment = self.environment | {PREFIX + OWNER_URL.upper(): owner}
        command = (sys.executable, "-m", "goldx.cli", "settlement", "--migrate")
        process = await asyncio.create_subprocess_exec(
            "setpriv", "--pdeathsig", "KILL", *command, env=environment, stdout=PIPE, stderr=STDOUT
        )
        printed, _ = await process.communicate()
        if process.returncode:
            raise ServerFailed(f"the database was not migrated:\n{printed.decode(errors='replace').rstrip()}")

    async def _declare_regime(self) -> None:
        """Set the legal regime of a fresh exchange before a service can write to its journal. Raises ServerFailed."""
        if not self._negotiated:
            return
        # Loaded here, so that other commands which know the supervisor do without the streams.
        from goldx.hosting.first_regime import declare_negotiated

        try:
            settled = "settlement" in self._wanted
            declared = await declare_negotiated(self.redis_url, self.settings, "goldx serve", settled=settled)
        except (OSError, RedisError) as error:
            raise ServerFailed(f"the journal does not take the first command: {error}") from error
        if declared:
            self._report("the legal regime of this new exchange is NEGOTIATED; goldx regime shows it")

    def _report_change(self, line: str) -> None:
        """Report a change, and write the URLs for the commands that look for this exchange.

        URLs from the settings are left out because they may contain a password.
        """
        self._report(line)
        found: dict[str, str | None] = {"pid": str(os.getpid())}
        for name in ("redis_url", "database_url"):
            if getattr(self.settings, name):
                found[name] = None
        for name in ("redis_url", "database_url", "gateway_url", "console_url"):
            with contextlib.suppress(KeyError, RuntimeError):
                found.setdefault(name, getattr(self, name))
        if found.get("redis_url"):
            found["redis_url"] = without_password(str(found["redis_url"]))
        partial_file = self._services_file.with_suffix(".partial")
        partial_file.write_text(json.dumps(found, indent=1) + "\n")
        partial_file.replace(self._services_file)

    async def _stop(self, child: RestartedServer) -> None:
        await child.stop()
        self._report(f"{child.name} has stopped")


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _lock_data_directory(folder: Path) -> int:
    """Lock a data directory and return the descriptor of the lock. Raises AlreadyRunning.

    Children of an exchange that was killed hold its lock until they have ended; that is waited for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "serve.lock"

    def holder_has_ended(error: Exception) -> bool:
        return isinstance(error, BlockingIOError) and not _is_running(file.read_text())

    try:
        descriptor = await lock_file(file, LOCK_TIMEOUT, holder_has_ended)
    except BlockingIOError:
        raise AlreadyRunning(f"process {file.read_text()} runs an exchange on {folder.parent} already") from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def _is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, ValueError):
        return False
