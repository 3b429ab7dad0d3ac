"""The deterministic matching core, and the engine process around it.

Which build of the core is used, interpreted or compiled: see ``matching.compiled``.
"""

from matching import compiled

__path__[:0] = compiled.search_path()
