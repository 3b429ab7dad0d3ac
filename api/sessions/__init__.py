"""Sessions of members and staff over the WebSocket: log-on, requests, subscriptions.

``quick`` can be compiled (``goldx.hosting.compiled``).
"""

from api.compiled import VIEW

__path__[:0] = VIEW.search_path("sessions")
