"""The gateway's view and the path of a plain order through it: what ``goldx build-core`` compiles of this package
(``goldx.hosting.compiled``)."""

from pathlib import Path

from goldx.hosting.compiled import Compiled

_VIEW = ("tables", "orders", "books", "candles", "channels", "accounts", "market_data", "view")

VIEW = Compiled(Path(__file__).parent, (*(f"view/{name}" for name in _VIEW), "sessions/quick"))
