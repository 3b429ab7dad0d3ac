"""A child process of the supervisor: how a service is started, and how any server is kept running."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from goldx.hosting import progress
from goldx.hosting.passwords import without_password
from goldx.hosting.servers import Server, ServerFailed, last_line, tail
from goldx.retry import growing, is_any_of, retry

PATIENCE: Final = 120.0
"""Seconds without progress after which the start of a service counts as failed.

A start that makes progress may take any time: an engine without a snapshot replays its whole journal.
"""
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
"""Seconds before a server that ended is started again; doubled each time up to the longest."""
STEADY: Final = 30.0
"""Seconds of running after which a server counts as steady: its next pause is the first one again."""
CHECK_LOG_EVERY: Final = 5.0

_URL = re.compile(r"https?://\S+")
_drains: set[asyncio.Task[None]] = set()


async def start_service(
    name: str,
    environment: Mapping[str, str],
    log_file: Path,
    lock: int,
    command: Sequence[str] = (),
    prefix: Sequence[str] = (),
) -> Server:
    """Start ``goldx NAME``, or ``goldx COMMAND``, and return it once it prints its line ``READY ...``.

    Until then it may print lines ``PROGRESS ...``; PATIENCE counts from the newest one. Its ``url`` is taken from the
    line READY. ``prefix`` goes in front of the command. The child's standard error goes to ``log_file``. It inherits
    ``lock``, a locked file, so that the lock lasts until the last child has ended. When this process dies, the child is
    killed: services are built to survive that, and one that has lost its servers cannot stop cleanly anyway. Raises
    ServerFailed with the end of the log.
    """
    program = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "goldx.cli"]
    with log_file.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *prefix,
            *program,
            *(command or (name,)),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
            pass_fds=(lock,),
        )
    server = Server(name, "", process, signal.SIGTERM)
    assert process.stdout is not None
    try:
        line = await _wait_until_ready(name, process.stdout, log_file)
    except (ServerFailed, TimeoutError, asyncio.CancelledError) as error:
        await server.stop()
        if isinstance(error, TimeoutError):
            text = f"{name} was not ready, and had made no progress for {PATIENCE:g} s:\n{tail(log_file)}"
            raise ServerFailed(text) from None
        raise
    found = _URL.search(line.decode(errors="replace"))
    server.url = found[0] if found else ""
    drain = asyncio.create_task(_drain(process.stdout))
    _drains.add(drain)
    drain.add_done_callback(_drains.discard)
    return server


async def _wait_until_ready(name: str, stdout: asyncio.StreamReader, log_file: Path) -> bytes:
    """Return the line ``READY ...``. Raises ServerFailed, or TimeoutError after PATIENCE without progress."""
    reached = b""
    async with asyncio.timeout(PATIENCE) as patience:
        while not (line := await stdout.readline()).startswith(b"READY "):
            if not line:
                raise ServerFailed(f"{name} ended before it was ready:\n{tail(log_file)}")
            if line.startswith(progress.PREFIX.encode()) and line != reached:
                reached = line
                patience.reschedule(asyncio.get_running_loop().time() + PATIENCE)
    return line


async def _drain(stdout: asyncio.StreamReader) -> None:
    while await stdout.read(1 << 16):
        pass


async def rotate_logs(folder: Path, largest: int) -> None:
    """Keep every ``*.jsonl`` of a folder under about ``largest`` bytes, with one older ``*.jsonl.1``; until cancelled.

    The writers append, so a file can be emptied under them; a line written in that moment may be lost.
    """
    while True:
        for file in folder.glob("*.jsonl"):
            if file.stat().st_size > largest:
                await asyncio.to_thread(shutil.copyfile, file, file.with_name(file.name + ".1"))
                os.truncate(file, 0)
        await asyncio.sleep(CHECK_LOG_EVERY)


class RestartedServer:
    """Keeps one server running until it is stopped: when it ends it is started again, after a growing pause.

    ``report`` is called with a line for a person at every change.
    """

    def __init__(self, name: str, start: Callable[[], Awaitable[Server]], report: Callable[[str], None]) -> None:
        self.name = name
        self._start = start
        self._report = report
        self._ready = asyncio.Event()
        self._server: Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def server(self) -> Server:
        """The present or the last run. Raises RuntimeError before the first."""
        if self._server is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._server

    async def start(self) -> None:
        """Start it for the first time. Raises ServerFailed."""
        self._server = await self._start()
        self._ready.set()
        self._report(f"{self.name} is ready, process {self.server.pid} {without_password(self.server.url)}".rstrip())
        self._task = asyncio.create_task(self._restart_when_ended())

    async def ready(self) -> None:
        """Wait until it runs."""
        await self._ready.wait()

    async def end(self, number: signal.Signals) -> None:
        """Send a signal to the present run and return when it has ended; it is then started again."""
        server = self.server
        self._ready.clear()
        with contextlib.suppress(ProcessLookupError):
            server.process.send_signal(number)
        await server.process.wait()

    async def stop(self) -> None:
        """Stop it cleanly, for good."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._server is not None:
            await self._server.stop()

    async def _restart_when_ended(self) -> None:
        clock = asyncio.get_running_loop().time
        pauses = growing(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            since = clock()
            code = await self.server.process.wait()
            self._ready.clear()
            if clock() - since > STEADY:
                pauses = growing(FIRST_PAUSE, LONGEST_PAUSE)
            self._report(f"{self.name} ended with code {code} and is started again")
            await asyncio.sleep(next(pauses))
            self._server = await retry(self._start, is_any_of(ServerFailed, OSError), pauses, self._report_failure)
            self._ready.set()
            self._report(f"{self.name} is ready again, process {self.server.pid}")

    def _report_failure(self, error: Exception, pause: float) -> None:
        # The whole error is the end of the server's own log, which stays there.
        self._report(f"{self.name} did not start and is tried again in {pause:g} s: {last_line(str(error))}")
