"""The lower bound, compiled: the bare book and the bookkeeping in one library with the core that they use.

Run as a program this is a worker (``benchmarks.matching.worker``) that uses that build.
"""

from __future__ import annotations

import sys
from pathlib import Path

from goldx.hosting.compiled import Compiled
from matching.compiled import CORE

LEAST = Compiled(Path(__file__).parent, ("bare", "bound"), levels=2, along=(CORE,))


def main() -> None:
    """Answer requests as the worker does, once it is built; to be started with the core itself interpreted."""
    folder = LEAST.folder
    sys.path.append(str(folder))
    for part in LEAST.parts:
        package = sys.modules[".".join(part.package.parts)]
        package.__path__.insert(0, str(folder / part.package))
    from benchmarks.matching import worker

    worker.main()


if __name__ == "__main__":
    main()
