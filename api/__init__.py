"""What members and staff reach: the gateway, its REST paths, and the console.

Which build of the gateway's view is used, interpreted or compiled: see ``goldx.compiled``.
"""

from api.compiled import VIEW

__path__[:0] = VIEW.search_path()
