"""The cost of a message, and the memory of an order, as the book grows: 1 k to 1 M resting orders."""

from __future__ import annotations

import gc
import resource
from time import process_time
from typing import Any

from benchmarks.matching import engines, flows
from goldx.hosting import collector

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MESSAGES = 20_000


def measure(seed: int) -> list[dict[str, Any]]:
    """Return one record per size.

    Python's collector is set up as in the engine process; its pauses are those of filling the book and of the timed
    messages.
    """
    collector.tune_for_engine()
    return [_measure(size, seed) for size in SIZES]


def _measure(size: int, seed: int) -> dict[str, Any]:
    flow = flows.resting(size, MESSAGES, seed)
    engine, before, timed = engines.prepare(flow)
    apply = engine.apply
    pauses = _Pauses()
    gc.callbacks.append(pauses)
    start_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for command in before:
        apply(1, command)
    resting_bytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start_bytes) * 1024
    start = process_time()
    for command in timed:
        apply(2, command)
    seconds = process_time() - start
    gc.callbacks.remove(pauses)
    return {
        "resting": size,
        "ns_per_message": round(seconds / len(timed) * 1e9),
        "bytes_per_order": round(resting_bytes / size),
        "pause_ms": round(pauses.longest * 1e3, 2),
        "collections": pauses.count,
    }


class _Pauses:
    """A callback of the collector that keeps the length of its longest run, in seconds, and their number."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.count = 0
        self._start = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        del info
        if phase == "start":
            self._start = process_time()
            self.count += 1
        else:
            self.longest = max(self.longest, process_time() - self._start)
