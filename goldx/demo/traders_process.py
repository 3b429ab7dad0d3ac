"""A process of traders as the demonstration holds it: starts it, hears its progress, stops it."""

import asyncio
import sys
from collections.abc import Callable

import msgspec

from goldx.demo.record import Record
from goldx.demo.trading import Finished, Plan, Progress, decode_report

_LONGEST_WAIT = 60.0
_LONGEST_LINE = 1 << 28


class TradersFailed(RuntimeError):
    """A process of traders ended before it was told to, or badly; the message is the end of its standard error."""


class TradersProcess:
    """``async with TradersProcess(plan, heard) as traders: ...; records = await traders.finish()``.

    ``heard`` gets every report of progress. Leaving the block in any way ends the process.
    """

    def __init__(self, plan: Plan, heard: Callable[[Progress], None]) -> None:
        self._plan = plan
        self._heard = heard
        self._finished: Finished | None = None

    async def __aenter__(self) -> "TradersProcess":
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "goldx.demo.trading"),
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
        self._hearing = asyncio.create_task(self._hear())
        self._complaining = asyncio.create_task(stderr.read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await asyncio.gather(self._hearing, self._complaining, return_exceptions=True)

    async def _hear(self) -> None:
        async for line in self._stdout:
            report = decode_report(line)
            if isinstance(report, Finished):
                self._finished = report
            else:
                self._heard(report)

    async def failed(self) -> None:
        """Returns never while the process is well; raises TradersFailed when it has ended."""
        await self._process.wait()
        complaint = (await self._complaining).decode(errors="replace").strip()
        raise TradersFailed(complaint[-2_000:] or f"the traders ended with exit code {self._process.returncode}")

    async def finish(self) -> list[Record]:
        """Tells the programs to stop and gives what they wrote down. Raises TradersFailed."""
        self._stdin.close()
        return await self.done()

    async def done(self) -> list[Record]:
        """Waits for programs that end by themselves, and gives what they wrote down. Raises TradersFailed."""
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                await self._hearing
                if self._finished is None:
                    await self.failed()
                await self._process.wait()
        except TimeoutError:
            raise TradersFailed(f"the traders did not come to an end in {_LONGEST_WAIT:.0f} s") from None
        assert self._finished is not None
        return self._finished.records
