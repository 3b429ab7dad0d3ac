"""The demonstration's end of a process of traders: starts it, reads its reports, stops it."""

import asyncio
import sys
from collections.abc import Callable

import msgspec

from goldx.demo.record import SessionRecord
from goldx.demo.trading import Finished, Plan, SeatCounts, decode_report

_LONGEST_WAIT = 60.0
_LONGEST_LINE = 1 << 28


class TradersFailed(RuntimeError):
    """A process of traders ended too early, or with an error; the message is the end of its standard error."""


class TradersProcess:
    """``async with TradersProcess(plan, on_progress) as traders: ...; records = await traders.finish()``.

    ``on_progress`` is called with every report. Leaving the block in any way ends the process.
    """

    def __init__(self, plan: Plan, on_progress: Callable[[SeatCounts], None]) -> None:
        self._plan = plan
        self._on_progress = on_progress
        self._finished: Finished | None = None

    async def __aenter__(self) -> "TradersProcess":
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "goldx.demo.trading",
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            limit=_LONGEST_LINE,
            start_new_session=True,
        )
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        self._stdin, self._stdout = stdin, stdout
        stdin.write(msgspec.json.encode(self._plan) + b"\n")
        self._reading = asyncio.create_task(self._read())
        self._errors = asyncio.create_task(stderr.read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await asyncio.gather(self._reading, self._errors, return_exceptions=True)

    async def _read(self) -> None:
        async for line in self._stdout:
            report = decode_report(line)
            if isinstance(report, Finished):
                self._finished = report
            else:
                self._on_progress(report)

    async def failed(self) -> None:
        """Wait for the end of the process, and raise TradersFailed."""
        await self._process.wait()
        errors = (await self._errors).decode(errors="replace").strip()
        raise TradersFailed(errors[-2_000:] or f"the traders ended with exit code {self._process.returncode}")

    async def finish(self) -> list[SessionRecord]:
        """Stop the programs and return their records. Raises TradersFailed."""
        self._stdin.close()
        return await self.done()

    async def done(self) -> list[SessionRecord]:
        """Wait for programs that end by themselves, and return their records. Raises TradersFailed."""
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                await self._reading
                if self._finished is None:
                    await self.failed()
                await self._process.wait()
        except TimeoutError:
            raise TradersFailed(f"the traders did not end within {_LONGEST_WAIT:.0f} s") from None
        assert self._finished is not None
        return self._finished.records
