"""What a message costs, and an order takes, as the book grows: 1 k, 10 k, 100 k and 1 M resting orders."""

from __future__ import annotations

import gc
import tracemalloc
from time import perf_counter, process_time
from typing import Any

from benchmarks.matching import engines, flows

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MESSAGES = 20_000


def measure(seed: int) -> list[dict[str, Any]]:
    """One record per size; the pause is of the garbage collector under the settings of the engine process."""
    return [_measure(size, seed) for size in SIZES]


def _measure(size: int, seed: int) -> dict[str, Any]:
    flow = flows.resting(size, MESSAGES, seed)
    engine, before, timed = engines.prepare(flow)
    apply = engine.apply
    sample = min(size, 20_000)
    for command in before[:-sample]:
        apply(1, command)
    tracemalloc.start()
    start_bytes = tracemalloc.get_traced_memory()[0]
    for command in before[-sample:]:
        apply(1, command)
    resting_bytes = tracemalloc.get_traced_memory()[0] - start_bytes
    tracemalloc.stop()
    gc.collect()
    gc.freeze()
    pauses = _Pauses()
    gc.callbacks.append(pauses)
    start = process_time()
    for command in timed:
        apply(2, command)
    seconds = process_time() - start
    gc.callbacks.remove(pauses)
    gc.unfreeze()
    return {
        "resting": size,
        "ns_per_message": round(seconds / len(timed) * 1e9),
        "bytes_per_order": round(resting_bytes / sample),
        "pause_ms": round(pauses.longest * 1e3, 2),
    }


class _Pauses:
    """A callback of the collector that keeps its longest run, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._start = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        del info
        if phase == "start":
            self._start = perf_counter()
        else:
            self.longest = max(self.longest, perf_counter() - self._start)
