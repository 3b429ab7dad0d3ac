"""Processes that are restarted when they end, as a supervisor does, and that can be killed, stopped and paused."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from goldx.hosting.servers import Server, tail

PAUSE = 0.05
"""Seconds before a process that ended is started again."""
DEPOSED = "Deposed"
"""The error with which an engine ends that was paused until another led: the only one with which a service may end."""


class RestartedProcess(ABC):
    """One process. ``up`` is set while it is ready, ``runs`` counts its starts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.up = asyncio.Event()
        self.runs = 0
        self.process: asyncio.subprocess.Process | None = None
        self.unexpected_ends: list[str] = []
        """A sentence for every end without a signal of ours."""
        self.paused: list[int] = []
        self._expected = False
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start it, and start it again whenever it ends."""
        self._task = asyncio.create_task(self._restart_when_ended())

    @property
    def pid(self) -> int:
        """The process id of the present run, 0 while there is none."""
        return self.process.pid if self.process is not None and self.process.returncode is None else 0

    def kill(self) -> None:
        """Send SIGKILL, which is what a crash would be."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Send the signal for a clean stop."""
        self._signal(signal.SIGINT if self.name == "postgres" else signal.SIGTERM)

    def pause(self) -> None:
        """Send SIGSTOP to the process and its children."""
        if self.process is not None and self.process.returncode is None and not self.paused:
            self.paused = [self.process.pid, *_children(self.process.pid)]
            for pid in self.paused:
                _send(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        for pid in self.paused:
            _send(pid, signal.SIGCONT)
        self.paused = []

    async def end(self) -> None:
        """Stop it cleanly, for good."""
        self._stopping = True
        self.resume()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.process is not None and self.process.returncode is None:
            self.stop()
            try:
                await asyncio.wait_for(self.process.wait(), 20)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self._expected = True
            self.up.clear()
            self.process.send_signal(number)
            self.resume()

    async def _restart_when_ended(self) -> None:
        while not self._stopping:
            self._expected = False
            self.runs += 1
            await self._start()
            assert self.process is not None
            code = await self.process.wait()
            self.up.clear()
            self.paused = []
            if not self._expected and not self._stopping:
                self._record_unexpected_end(code)
            await asyncio.sleep(PAUSE)

    @abstractmethod
    async def _start(self) -> None:
        """Start it: set ``process``, and ``up`` once it is ready."""

    def _record_unexpected_end(self, code: int) -> None:
        self.unexpected_ends.append(f"{self.name} ended by itself with code {code}")


class ServerProcess(RestartedProcess):
    """Valkey or PostgreSQL, started by a function of ``goldx.hosting``."""

    def __init__(self, name: str, start: Callable[[], Awaitable[Server]]) -> None:
        super().__init__(name)
        self._starter = start
        self.url = ""

    async def _start(self) -> None:
        server = await self._starter()
        self.process, self.url = server.process, server.url
        self.up.set()


class ServiceProcess(RestartedProcess):
    """A service as a process, up when it prints READY."""

    def __init__(self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path) -> None:
        super().__init__(name)
        self._arguments = arguments
        self._environment = environment
        self._log = log

    async def _start(self) -> None:
        program = ("setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "goldx.cli")
        with self._log.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *program,
                *self._arguments,
                env=os.environ | dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            if line.startswith(b"READY "):
                self.up.set()

    def _record_unexpected_end(self, code: int) -> None:
        last = tail(self._log, 3)
        if code != 1 or DEPOSED not in last:
            self.unexpected_ends.append(f"{self.name} ended by itself with code {code}; the end of its log:\n{last}")


def _children(pid: int) -> list[int]:
    """Return the process ids of all descendants of a process."""
    found = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
