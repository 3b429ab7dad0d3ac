"""Sessions of members and staff over the WebSocket: log-on, requests, subscriptions.

``quick`` may be compiled: see ``goldx.hosting.compiled``.
"""

from api.compiled import VIEW

__path__[:0] = VIEW.search_path("sessions")
