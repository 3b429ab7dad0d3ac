"""The core compiled to C by mypyc: the same source, built on request, used when it is there and fits.

``goldx build-core`` compiles the modules of ``MODULES`` with the C compiler of the machine into a folder beside them
that is named after their contents. ``matching/__init__.py`` puts that folder in front of the sources when it exists, so
a build never outlives the source it was made of. ``GOLDX_CORE`` decides otherwise:

===============  ========================================================
(not set)        compiled if there is a fitting build, else interpreted
``interpreted``  never compiled
``compiled``     compiled, or an ImportError
===============  ========================================================

Only the standard library is imported here: this runs before everything else of the package.
"""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
MODULES = (
    *("orders", "book", "holdings", "fees", "instrument", "state", "resting", "self_trade", "stops", "matcher"),
    *("auction", "phases", "entry", "placing", "changes", "plain", "quotes", "venue", "market", "snapshot", "engine"),
)
SWITCH = "GOLDX_CORE"
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup
import sys
modules = mypycify(sys.argv.pop().split(","), opt_level="3", group_name="goldx_core")
setup(name="goldx-core", packages=[], ext_modules=modules)
"""


class BuildFailed(Exception):
    """There is no C compiler, or it or mypyc failed; the text says what they said."""


def folder() -> Path:
    """Where the build of the present sources is, or would be."""
    digest = sha256(sys.version.encode())
    for name in MODULES:
        digest.update((HERE / f"{name}.py").read_bytes())
    return HERE / "_compiled" / digest.hexdigest()[:16]


def search_path() -> list[str]:
    """What goes in front of the package's own path. Raises ImportError when a build is demanded and missing."""
    wish = os.environ.get(SWITCH, "")
    if wish not in ("", "interpreted", "compiled"):
        raise ImportError(f"{SWITCH}: {wish!r} is not allowed; it must be interpreted or compiled, or not set")
    if wish == "interpreted":
        return []
    built = folder()
    if not (built / "matching").is_dir():
        if wish == "compiled":
            raise ImportError(f"{SWITCH}=compiled, but there is no build of these sources: run `goldx build-core`")
        return []
    sys.path.append(str(built))  # the shared library that the modules of the build import by name
    return [str(built / "matching")]


def build() -> Path:
    """Compiles the core unless it is done, and returns the folder. Older builds go. Raises BuildFailed."""
    target = folder()
    if (target / "matching").is_dir():
        return target
    work = target.with_name(target.name + ".tmp")
    shutil.rmtree(work, ignore_errors=True)
    source = work / "source"
    (source / "matching").mkdir(parents=True)
    (source / "matching" / "__init__.py").touch()
    for name in MODULES:
        shutil.copyfile(HERE / f"{name}.py", source / "matching" / f"{name}.py")
    (source / "setup.py").write_text(_SETUP)
    files = ",".join(f"matching/{name}.py" for name in MODULES)
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(work / "out"), files],
        cwd=source,
        env={**os.environ, "MYPYPATH": str(HERE.parent), "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildFailed(done.stdout[-4_000:] + done.stderr[-4_000:])
    for older in target.parent.iterdir():
        if older != work:
            shutil.rmtree(older)
    (work / "out").rename(target)
    shutil.rmtree(work)
    return target
