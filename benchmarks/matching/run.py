"""The race: every engine runs the same flow in turn, for several rounds; rates count only if all fills agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from statistics import median
from types import TracebackType
from typing import Any

from benchmarks.matching.engines import PEERS
from goldx.hosting.compiled import SWITCH

OURS_INTERPRETED = {
    "goldx": "goldx",
    "goldx full": "goldx full",
    "bookkeeping alone": "bookkeeping alone",
}
OURS_COMPILED = {"goldx compiled full": "goldx full"}
LEAST_COMPILED = {"goldx compiled": "goldx", "bookkeeping alone compiled": "bookkeeping alone"}
BOUNDS = {
    "bound": ("goldx", "bookkeeping alone"),
    "bound compiled": ("goldx compiled", "bookkeeping alone compiled"),
}
"""Bounds that no whole job with this book can exceed: the book alone and then the bookkeeping alone."""
WITHOUT_FILLS = ("bookkeeping alone", "bookkeeping alone compiled", "liquibook unheard")
"""Engines that have no fills, or report none."""
PREFIX = {"order-matching": 2_000, "pyorderbook": 20_000, "lightmatchingengine": 20_000}
"""The length of the flow for slow engines; their fills are compared with ours on a flow of that length."""
PEER_LIMIT_S = 10
"""Processor time after which a peer is left out of a flow, so that the race ends within minutes."""
CANCEL_HEAVY_PREFIX = {"liquibook": 20_000, "liquibook unheard": 20_000, "lightmatchingengine": 5_000}


@dataclass
class Rates:
    """Messages per second of each round."""

    per_s: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, int]:
        return {
            "median_per_s": round(median(self.per_s)),
            "min_per_s": round(min(self.per_s)),
            "max_per_s": round(max(self.per_s)),
        }


class Worker:
    """A process with one build of the core that runs engines on request."""

    def __init__(self, build: str, collector: bool, program: str = "worker") -> None:
        self._collector = collector
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.matching.{program}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, SWITCH: build},
        )

    def run(self, engine: str, flow: str, messages: int, seed: int, limit_s: float = 0) -> dict[str, Any]:
        """Run an engine on a flow; return the worker's answer. Raises RuntimeError if the process died.

        An engine is stopped after ``limit_s`` of processor time; 0: it is not stopped.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"engine": engine, "flow": flow, "messages": messages, "seed": seed, "collector": self._collector}
        request["limit_s"] = limit_s
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {engine} ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)  # closes the pipes, at which the worker ends, and waits for it


class FillsDiffer(Exception):
    """Two engines have different fills: their speeds cannot be compared."""


def race(
    flow: str, messages: int, rounds: int, with_compiled: bool, peers: list[str], seed: int, collector: bool
) -> dict[str, Rates]:
    """Return the rates by engine, with or without Python's garbage collector. Raises FillsDiffer."""
    rates: dict[str, Rates] = {}
    fills: dict[int, str] = {}
    missing: dict[str, str] = {}
    build = "compiled" if with_compiled else "interpreted"
    with (
        Worker("interpreted", collector) as interpreted,
        Worker(build, collector) as built,
        Worker("interpreted", collector, "compiled" if with_compiled else "worker") as least,
    ):
        starters = [(name, engine, interpreted) for name, engine in OURS_INTERPRETED.items()]
        if with_compiled:
            starters += [(name, engine, least) for name, engine in LEAST_COMPILED.items()]
            starters += [(name, engine, built) for name, engine in OURS_COMPILED.items()]
        starters += [(name, name, interpreted) for name in peers]
        for _ in range(rounds):
            for name, engine, worker in starters:
                if name in missing:
                    continue
                length = min(messages, _longest(flow, name))
                if length not in fills:
                    fills[length] = interpreted.run("goldx", flow, length, seed)["fills"]
                answer = worker.run(engine, flow, length, seed, PEER_LIMIT_S if name in peers else 0)
                if "missing" in answer:
                    missing[name] = answer["missing"]
                    continue
                if name not in WITHOUT_FILLS and answer["fills"] != fills[length]:
                    raise FillsDiffer(f"{name} on {flow}: other fills than goldx")
                rates.setdefault(name, Rates()).per_s.append(length / answer["seconds"])
    for name, why in missing.items():
        print(f"{name} takes no part in {flow}: {why}", file=sys.stderr)
    for name, parts in BOUNDS.items():
        if all(part in rates for part in parts):
            both = zip(*(rates[part].per_s for part in parts), strict=True)
            rates[name] = Rates([1 / (1 / book + 1 / bookkeeping) for book, bookkeeping in both])
    return rates


def _longest(flow: str, engine: str) -> int:
    longest = PREFIX.get(engine, 1 << 40)
    return min(longest, CANCEL_HEAVY_PREFIX.get(engine, longest)) if flow == "cancel-heavy" else longest


def all_peers() -> list[str]:
    """Return the names of the engines to race with."""
    return list(PEERS)
