"""The deterministic matching core, and the engine process around it.

Which build of the core is used, interpreted or compiled: see ``goldx.compiled``.
"""

from matching.compiled import CORE

__path__[:0] = CORE.search_path()
