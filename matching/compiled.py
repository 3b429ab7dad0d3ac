"""``goldx build-core`` compiles the folder ``core`` of this package (``goldx.hosting.compiled``)."""

from pathlib import Path

from goldx.hosting.compiled import Compiled

_HOME = Path(__file__).parent

CORE = Compiled(_HOME, tuple(sorted(f"core/{f.stem}" for f in (_HOME / "core").glob("*.py") if f.stem != "__init__")))
