"""The modules of this package that ``goldx build-core`` compiles: the view, and the fast path of plain orders."""

from pathlib import Path

from goldx.hosting.compiled import Compiled

_VIEW = (
    "tables",
    "orders",
    "books",
    "book_checksum",
    "candles",
    "channels",
    "accounts",
    "direct_trades",
    "market_data",
    "view",
)

VIEW = Compiled(Path(__file__).parent, (*(f"view/{name}" for name in _VIEW), "sessions/quick"))
