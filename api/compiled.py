"""Which modules are the gateway's view and the way of a plain order through it: what ``goldx build-core`` compiles of
this package (``goldx.compiled``)."""

from pathlib import Path

from goldx.compiled import Compiled

VIEW = Compiled(
    Path(__file__).parent,
    ("tables", "orders", "books", "candles", "channels", "accounts", "markets", "view", "quick"),
)
