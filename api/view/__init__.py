"""The state of the exchange that a gateway keeps from the events: books, orders, accounts, candles, their channels.

``goldx.hosting.compiled`` decides whether the interpreted or the compiled modules are used.
"""

from api.compiled import VIEW

__path__[:0] = VIEW.search_path("view")
