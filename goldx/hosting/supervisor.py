"""The whole exchange on one machine: the embedded servers and the services, kept running as processes.

``Supervisor`` is what ``goldx serve``, ``goldx demo`` and the tests start. It knows the services by the names of their
commands alone, so the ground floor imports no upper floor.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from goldx.hosting.embedded import Server, start_postgres, start_valkey
from goldx.hosting.placement import keeping
from goldx.hosting.service import Keeper, rotate, start_service
from goldx.hosting.settings import PREFIX, Settings, run_folder

SERVICES: Final = ("engine", "standby", "settlement", "archiver", "gateway", "console")
"""The standby, a second engine, and the archiver only where the settings want them."""
STAGES: Final = (("valkey", "postgres"), ("engine", "standby", "settlement", "archiver"), ("gateway",), ("console",))
"""What starts together, after what it needs: settlement makes the tables that the gateway reads."""
COMMANDS: Final = {"standby": ("engine", "--standby")}
"""How a service is started whose name is not that of a command."""
LOCK_TIMEOUT = 30.0
MEGABYTE = 1_000_000


class AlreadyRunning(RuntimeError):
    """Another exchange runs on the same data directory."""


class Supervisor:
    """``async with Supervisor(settings) as exchange:`` starts everything and at the end stops it in reverse order.

    ``tell`` is given a line for a person at every step. ``services`` leaves some out. Raises AlreadyRunning, and
    ServerFailed with the end of the log of what did not start.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        services: Collection[str] = SERVICES,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.data_dir = settings.data_dir.absolute()
        self._tell = tell
        self._wanted = services
        self._keepers: dict[str, Keeper] = {}
        self._stack = AsyncExitStack()
        self._lock = -1

    async def __aenter__(self) -> "Supervisor":
        async with AsyncExitStack() as stack:
            self._lock = await _take_lock(run_folder(self.settings))
            stack.callback(os.close, self._lock)
            self._services_file.unlink(missing_ok=True)
            stack.callback(self._services_file.unlink, missing_ok=True)
            self._log_folder.mkdir(parents=True, exist_ok=True)
            rotation = asyncio.create_task(rotate(self._log_folder, self.settings.log_file_mb * MEGABYTE))
            stack.push_async_callback(_cancel, rotation)
            for stage in STAGES:
                keepers = [Keeper(name, start, self._changed) for name in stage if (start := self._starter(name))]
                for keeper in keepers:
                    self._keepers[keeper.name] = keeper
                    stack.push_async_callback(self._stop, keeper)
                # All of a stage have started or failed before anything is stopped again.
                outcomes = await asyncio.gather(*(keeper.start() for keeper in keepers), return_exceptions=True)
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
        """What runs, by name: the embedded servers (``valkey``, ``postgres``) and the services."""
        return {name: keeper.server for name, keeper in self._keepers.items()}

    @property
    def redis_url(self) -> str:
        return self.settings.redis_url or self._keepers["valkey"].server.url

    @property
    def database_url(self) -> str:
        return self.settings.database_url or self._keepers["postgres"].server.url

    @property
    def gateway_url(self) -> str:
        """``http://host:port`` of the gateway that runs here."""
        return self._keepers["gateway"].server.url

    @property
    def console_url(self) -> str:
        return self._keepers["console"].server.url

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which a ``goldx`` command works on this exchange."""
        values = {name: getattr(self.settings, name) for name in Settings.model_fields}
        values |= {"data_dir": self.data_dir, "redis_url": self.redis_url, "database_url": self.database_url}
        for name in ("gateway", "console"):
            if keeper := self._keepers.get(name):
                # Once it listens somewhere, a new run listens there too.
                with contextlib.suppress(RuntimeError):
                    values[f"{name}_port"] = urlsplit(keeper.server.url).port
        with contextlib.suppress(KeyError, RuntimeError):
            values["gateway_url"] = self.gateway_url
        return os.environ | {PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None}

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a service's process and return when it has ended.

        SIGKILL is what a crash would be, SIGTERM a clean stop. The service is then started again: see ``ready``.
        """
        await self._keepers[name].end(number)

    async def ready(self, *names: str) -> None:
        """Waits until these run; without names, until everything does."""
        for name in names or tuple(self._keepers):
            await self._keepers[name].ready()

    @property
    def _services_file(self) -> Path:
        return run_folder(self.settings) / "services.json"

    @property
    def _log_folder(self) -> Path:
        return self.data_dir / "log"

    def _starter(self, name: str) -> Callable[[], Awaitable[Server]] | None:
        """How to start a part, or None if it is not wanted here."""
        before = keeping(name) if self.settings.keep_apart else ()
        if name == "valkey":
            return None if self.settings.redis_url else partial(start_valkey, self.data_dir / "valkey", before)
        if name == "postgres":
            return None if self.settings.database_url else partial(start_postgres, self.data_dir / "postgres")
        unset = {"standby": not self.settings.standby, "archiver": self.settings.archive_dir is None}
        if name not in self._wanted or unset.get(name):
            return None
        file = self._log_folder / f"{name}.jsonl"
        return lambda: start_service(name, self.environment, file, self._lock, COMMANDS.get(name, ()), before=before)

    def _changed(self, line: str) -> None:
        self._tell(line)
        found = {"pid": str(os.getpid())}
        for name in ("redis_url", "database_url", "gateway_url", "console_url"):
            with contextlib.suppress(KeyError, RuntimeError):
                found[name] = getattr(self, name)
        partial_file = self._services_file.with_suffix(".partial")
        partial_file.write_text(json.dumps(found, indent=1) + "\n")
        partial_file.replace(self._services_file)

    async def _stop(self, keeper: Keeper) -> None:
        await keeper.stop()
        self._tell(f"{keeper.name} has stopped")


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _take_lock(folder: Path) -> int:
    """The lock of a data directory, as a file descriptor. Raises AlreadyRunning.

    Children of an exchange that was killed hold its lock until they are gone; that is waited for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "serve.lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = asyncio.get_running_loop().time() + LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read_text()
            if _lives(holder) or asyncio.get_running_loop().time() > deadline:
                os.close(descriptor)
                raise AlreadyRunning(f"process {holder} runs an exchange on {folder.parent} already") from None
            await asyncio.sleep(0.05)
        else:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            return descriptor


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, ValueError):
        return False
