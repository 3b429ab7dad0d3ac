"""The deterministic matching core: commands in, events out, nothing else.

Which build of it is used, interpreted or compiled: see ``goldx.hosting.compiled``.
"""

from matching.compiled import CORE

__path__[:0] = CORE.search_path("core")
