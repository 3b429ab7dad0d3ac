"""A process that runs engines on request. With one interpreted and one compiled, both builds can take turns.

Requests and answers are JSON lines: ``{"flow", "messages", "seed", "engine", "collector", "limit_s"}`` -> ``{"seconds",
"fills", "count"}``, where ``fills`` is a digest; or ``{"missing": why}`` for a peer that is not installed completely,
or that takes longer than ``limit_s`` of processor time (0: no limit).
"""

from __future__ import annotations

import gc
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from math import inf
from time import process_time
from typing import Final

from benchmarks.matching import flows
from benchmarks.matching.engines import ENGINES

INSTALL: Final = "`.venv/bin/uv pip install --require-hashes -r requirements/bench.lock` installs the peers"


class TooSlow(Exception):
    """Raised in an engine that has used its processor time."""


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise TooSlow in what runs once it has used so many seconds of processor time; 0: without a limit.

    The time is looked at ten times within the limit. A timer of processor time would make the clock coarse: while
    one runs, Linux counts a process's time by ticks of its scheduler. TooSlow is raised once: a second one would end
    whatever handles the first.
    """
    end = process_time() + seconds

    def look(*_: object) -> None:
        nonlocal end
        if process_time() > end:
            end = inf
            raise TooSlow

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, seconds / 10, seconds / 10)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@lru_cache(maxsize=16)
def _flow(name: str, messages: int, seed: int) -> flows.Flow:
    return flows.make(name, messages, seed)


def main() -> None:
    """Answer requests until the end of standard input.

    With ``collector`` Python's garbage collector works as it does by default, for every engine alike, on what that
    engine allocates: what is there before a run is exempt from it. Without, it is off.
    """
    for line in sys.stdin:
        request = json.loads(line)
        flow = _flow(request["flow"], request["messages"], request["seed"])
        gc.collect()
        gc.freeze()
        if not request["collector"]:
            gc.disable()
        try:
            with _limited(request["limit_s"]):
                seconds, fills = ENGINES[request["engine"]](flow)
        except (ImportError, TooSlow) as error:
            slow = f"it needs more than {request['limit_s']} s of processor time for {request['messages']:,} messages"
            why = slow if isinstance(error, TooSlow) else f"{error}; {INSTALL}"
            print(json.dumps({"missing": why}), flush=True)
            continue
        gc.enable()
        gc.unfreeze()
        digest = sha256(repr(fills).encode()).hexdigest()
        print(json.dumps({"seconds": seconds, "fills": digest, "count": len(fills)}), flush=True)


if __name__ == "__main__":
    main()
