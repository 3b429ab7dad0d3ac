"""The rounds: echo and exchange in turn under the same load, several times, so that a busy machine slows both alike.

Closed loop: sessions with a window of requests each, as fast as answers come. Open loop: orders fall due at a fixed
rate whatever the answers do, and latency counts from the moment at which an order was due; beside the exchange stands
a relay there, which only makes the orders durable in the same way (``benchmarks.chain.relay``).
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from benchmarks.chain import flow
from benchmarks.chain.client import PERCENTILES
from benchmarks.chain.stack import RunningExchange, cpu_seconds, echo_server, exchange, relay
from goldx.protocol.commands import OrderPlace
from goldx.streams import redis_client
from goldx.streams.frames import CommandFrame
from goldx.streams.journal import Journal
from goldx.streams.keys import Keys

WINDOWS: Final = {"1x1": (1, 1), "10x1": (10, 1), "100x1": (100, 1), "10x64": (10, 64), "100x64": (100, 64)}
"""Sessions and the requests that each keeps under way."""
RATE_OF: Final = "10x64"
"""The window whose acknowledged orders a second count as the highest sustained rate."""
SHARES: Final = (0.25, 0.5, 0.75)
"""The offered rates of the open loop, as parts of the highest sustained rate."""
OPEN_SESSIONS: Final = 10
DRAIN_SECONDS: Final = 2
"""Pause after an overrun, in which the server answers the orders that it has accepted."""
SINGLE_SHARE: Final = 20
"""A window of a single request, which is bound by latency, gets this many times fewer messages."""
PACKED: Final = (1, 64, 1_024)
CLOSED_SIDES: Final = ("echo", "chain")
OPEN_SIDES: Final = ("echo", "relay", "chain")


class LoadFailed(RuntimeError):
    """Raised when the load was not answered with results."""


class RateOverrun(LoadFailed):
    """Raised when a server refused orders because they were offered faster than it could take them."""


@dataclass
class Side:
    """The measurements of one server under one load, one for each round."""

    runs: list[dict[str, Any] | None] = field(default_factory=list)
    """None stands for an overrun: the server refused orders, because more were offered than it could take."""

    @property
    def measured(self) -> list[dict[str, Any]]:
        """The runs without an overrun."""
        return [run for run in self.runs if run is not None]

    def median(self, name: str) -> float:
        return float(median(run[name] for run in self.measured))

    def summary(self, prefix: str) -> dict[str, Any]:
        """Return the medians, with the spread of the rate and the number of overruns; nothing else if all overran."""
        out: dict[str, Any] = {f"{prefix}overruns": len(self.runs) - len(self.measured)}
        if rates := [run["per_s"] for run in self.measured]:
            out[f"{prefix}per_s"] = round(median(rates))
            out[f"{prefix}spread"] = [round(min(rates)), round(max(rates))]
            out |= {f"{prefix}{name}": round(self.median(name)) for name in PERCENTILES}
            out[f"{prefix}cpu_us"] = {
                name: round(median(run["cpu_us"][name] for run in self.measured), 1)
                for name in self.measured[0]["cpu_us"]
            }
        return out


def ratios(one: Side, other: Side, name: str) -> dict[str, Any]:
    """Return median and spread of the ratio of a figure between two servers, round by round.

    Rounds with an overrun are left out; nothing is returned if none remains.
    """
    both = zip(one.runs, other.runs, strict=True)
    found = [run[name] / base[name] for run, base in both if run is not None and base is not None]
    if not found:
        return {}
    return {"ratio": round(median(found), 3), "ratio_spread": [round(min(found), 3), round(max(found), 3)]}


class Bench:
    """One exchange, one load generator, and other servers by name, with URL and process id."""

    def __init__(
        self, running: RunningExchange, others: dict[str, tuple[str, int]], load: asyncio.subprocess.Process
    ) -> None:
        self._running = running
        self._load = load
        self._urls = {"chain": running.gateway_url} | {name: url for name, (url, _) in others.items()}
        self._pids = {"chain": running.pids} | {name: {"server": pid} for name, (_, pid) in others.items()}
        self._run = 0

    async def measure(self, side: str, **request: Any) -> dict[str, Any]:
        """Measure one run. Raises LoadFailed, or RateOverrun when orders were refused because too many waited."""
        self._run += 1
        request |= {"url": self._urls[side], "run": self._run}
        request |= {"key_file": self._running.key_file if side == "chain" else None}
        pids = self._pids[side]
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        assert self._load.stdin is not None
        assert self._load.stdout is not None
        self._load.stdin.write(json.dumps(request).encode() + b"\n")
        found = json.loads(await self._load.stdout.readline() or b'{"error": "the load generator has ended"}')
        if "error" in found:
            kind = RateOverrun if found.get("overrun") else LoadFailed
            raise kind(f"{side}, {request}: {found['error']}")
        spent = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
        spent["client"] = found.pop("client_cpu_s")
        found["cpu_us"] = {name: seconds / found["count"] * 1e6 for name, seconds in spent.items()}
        return dict(found)

    async def each(self, into: dict[str, Side], **request: Any) -> None:
        """Measure one run of each side; an overrun is one only at a fixed rate. Raises LoadFailed."""
        for name, side in into.items():
            try:
                side.runs.append(await self.measure(name, **request))
            except RateOverrun:
                if "rate" not in request:
                    raise
                side.runs.append(None)
                await asyncio.sleep(DRAIN_SECONDS)


async def race(
    windows: Sequence[str], rounds: int, orders: int, seconds: float, report: Callable[[str], None]
) -> dict[str, Any]:
    """Return all measurements, as ``--json`` prints them. Raises LoadFailed.

    The highest sustained rate, of which the open loop offers parts, is that of RATE_OF, or of the last window.
    """
    sessions = max(OPEN_SESSIONS, *(WINDOWS[name][0] for name in windows))
    closed = {name: {side: Side() for side in CLOSED_SIDES} for name in windows}
    fastest = RATE_OF if RATE_OF in windows else windows[-1]
    opened = {share: {side: Side() for side in OPEN_SIDES} for share in SHARES}
    rates: dict[float, int] = {}
    journal: dict[str, list[float]] = {}
    async with exchange(sessions) as running:
        with echo_server() as echo, relay(running.redis_url) as relayed:
            load = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.chain.client", stdin=-1, stdout=-1, limit=1 << 20
            )
            bench = Bench(running, {"echo": echo, "relay": relayed}, load)
            try:
                for number in range(rounds):
                    for name in windows:
                        count, window = WINDOWS[name]
                        length = orders if count * window > 1 else orders // SINGLE_SHARE
                        await bench.each(closed[name], sessions=count, window=window, count=length)
                    report(f"round {number + 1} of {rounds}, windows done")
                    if not rates:
                        highest = closed[fastest]["chain"].median("per_s")
                        rates = {share: max(100, round(highest * share / 100) * 100) for share in SHARES}
                    for share, offered in rates.items():
                        await bench.each(
                            opened[share], sessions=OPEN_SESSIONS, rate=offered, count=int(offered * seconds)
                        )
                    for packed, speed in (await _append(running.redis_url, orders)).items():
                        journal.setdefault(packed, []).append(speed)
                    report(f"round {number + 1} of {rounds} done")
            finally:
                assert load.stdin is not None
                load.stdin.close()
                await load.wait()
    return {
        "windows": {name: _window(sides) for name, sides in closed.items()},
        "open_loop": [_offered(rates[share], share, sides) for share, sides in opened.items()],
        "journal": {name: round(median(found)) for name, found in journal.items()},
    }


def _window(sides: dict[str, Side]) -> dict[str, Any]:
    out = sides["echo"].summary("echo_") | sides["chain"].summary("chain_")
    out |= {name: out[f"chain_{name}"] for name in PERCENTILES}
    return out | ratios(sides["chain"], sides["echo"], "per_s")


def _offered(rate: float, share: float, sides: dict[str, Side]) -> dict[str, Any]:
    out: dict[str, Any] = {"share": share, "offered_per_s": rate}
    for name, side in sides.items():
        out |= side.summary(f"{name}_")
    for name, prefix in (("chain", ""), ("relay", "relay_")):
        found = ratios(sides[name], sides["echo"], "p99_us")
        out |= {f"{prefix}p99_{figure}": value for figure, value in found.items()}
    return out


async def _append(redis_url: str, orders: int) -> dict[str, float]:
    """Return the commands a second of bare appends, frame after frame, to a temporary journal."""
    keys = Keys("bench")
    redis = redis_client.connect(redis_url, single_connection=True)
    journal = Journal(redis, keys)
    found = {}
    for packed in PACKED:
        command = OrderPlace(flow.accounts(0)[0], "1.1", flow.SYMBOL, 0, 0, 1_000, 61_235)
        frames = max(10, min(500, orders // packed // 4))
        began = time.perf_counter()
        for number in range(frames):
            await journal.append(CommandFrame("bench", number + 1, (command,) * packed))
        found[str(packed)] = frames * packed / (time.perf_counter() - began)
    await redis.delete(keys.journal)
    await redis.aclose()
    return found
