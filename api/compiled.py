"""The modules of this package that ``goldx build-core`` compiles: the view's state and its channels.

Modules that mostly read and make records, such as ``view/orders`` and ``sessions/quick``, are faster interpreted: the
interpreter reads a field of a record at its place, where compiled code looks it up by name each time.
"""

from pathlib import Path

from goldx.hosting.compiled import Compiled

_VIEW = (
    "tables",
    "books",
    "book_checksum",
    "candles",
    "channels",
    "accounts",
    "direct_trades",
    "market_data",
    "view",
)

VIEW = Compiled(Path(__file__).parent, tuple(f"view/{name}" for name in _VIEW))
