"""The exchange as a gateway sees it, kept from the events: books, orders, accounts, candles and their channels.

Which build of it is used, interpreted or compiled: see ``goldx.hosting.compiled``.
"""

from api.compiled import VIEW

__path__[:0] = VIEW.search_path("view")
