"""A process that runs engines on request. With one interpreted and one compiled, both builds can take turns.

Requests and answers are JSON lines: ``{"flow", "messages", "seed", "engine", "collector"}`` -> ``{"seconds", "fills",
"count"}``, where ``fills`` is a digest; or ``{"missing": why}`` for a peer that is not installed whole.
"""

from __future__ import annotations

import gc
import json
import sys
from functools import lru_cache
from hashlib import sha256

from benchmarks.matching import flows
from benchmarks.matching.engines import ENGINES


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
            seconds, fills = ENGINES[request["engine"]](flow)
        except ImportError as error:
            print(json.dumps({"missing": str(error)}), flush=True)
            continue
        gc.enable()
        gc.unfreeze()
        digest = sha256(repr(fills).encode()).hexdigest()
        print(json.dumps({"seconds": seconds, "fills": digest, "count": len(fills)}), flush=True)


if __name__ == "__main__":
    main()
