"""Which modules are the core: what ``goldx build-core`` compiles of this package (``goldx.compiled``)."""

from pathlib import Path

from goldx.compiled import Compiled

CORE = Compiled(
    Path(__file__).parent,
    (
        *("orders", "book", "ids", "holdings", "fees", "instrument", "state", "resting", "self_trade", "stops"),
        *("matcher", "auction", "phases", "entry", "placing", "changes", "plain", "quotes", "venue", "market"),
        *("snapshot", "engine"),
    ),
)
