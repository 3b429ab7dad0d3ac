"""Hot modules compiled to C by mypyc: the same source, built on request, used when it is there and fits.

``goldx build-core`` compiles the modules that a package names with the C compiler of the machine, into a folder of the
package that is named after the sources. The ``__init__`` of each compiled folder puts the build in front of the sources
when it exists, so a build never outlives the source it was made of. ``GOLDX_CORE`` decides otherwise:

===============  ========================================================
(not set)        compiled if there is a fitting build, else interpreted
``interpreted``  never compiled
``compiled``     compiled, or an ImportError
===============  ========================================================

Only the standard library is imported here: this runs before everything else of a package.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cached_property
from hashlib import sha256
from pathlib import Path

GROUND = Path(__file__).parents[1]
"""Modules of the ground floor are not compiled, but their constants are built into those that are."""
SWITCH = "GOLDX_CORE"
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup
import sys
group, files = sys.argv.pop(), sys.argv.pop().split(",")
modules = mypycify(files, opt_level="3", group_name=group)
setup(name=group, packages=[], ext_modules=modules)
"""


class BuildFailed(Exception):
    """There is no C compiler, or it or mypyc failed; the text says what they said."""


class Compiled:
    """The modules of the package in the folder ``home`` that can be compiled, as paths in it without ``.py``.

    ``levels``: how deep the package is, 1 for one that is in no other. ``along``: what is compiled into its library
    once more, because these modules are to use its classes as C; who uses the build has to find all of it there.
    """

    def __init__(self, home: Path, modules: tuple[str, ...], levels: int = 1, along: tuple[Compiled, ...] = ()) -> None:
        self.home = home
        self.root = home.parents[levels - 1]
        self.package = home.relative_to(self.root)
        self.modules = modules
        self.parts = (*along, self)

    @cached_property
    def folder(self) -> Path:
        """Where the build of the present sources is, or would be."""
        digest = sha256(f"{sys.version} {self.modules}".encode())
        folders = {(part.home / module).parent for part in self.parts for module in part.modules}
        for source in (*sorted(GROUND.rglob("*.py")), *(s for f in sorted(folders) for s in sorted(f.glob("*.py")))):
            digest.update(source.read_bytes())
        return self.home / "_compiled" / digest.hexdigest()[:16]

    @property
    def built(self) -> bool:
        """Whether the present sources have been compiled."""
        return (self.folder / self.package).is_dir()

    @property
    def used(self) -> bool:
        """Whether a build is used. Raises ImportError when one is demanded and missing."""
        wish = os.environ.get(SWITCH, "")
        if wish not in ("", "interpreted", "compiled"):
            raise ImportError(f"{SWITCH}: {wish!r} is not allowed; it must be interpreted or compiled, or not set")
        if wish == "compiled" and not self.built:
            raise ImportError(f"{SWITCH}=compiled, but these sources are not compiled: run `goldx build-core`")
        return wish != "interpreted" and self.built

    def search_path(self, folder: str = "") -> list[str]:
        """The path of the build of one folder of the package, to put before its own. Raises as ``used`` does."""
        if not self.used:
            return []
        sys.path.append(str(self.folder))  # the shared library that the modules of the build import by name
        return [str(self.folder / self.package / folder)]

    def build(self) -> Path:
        """Compiles unless it is done, and returns the folder. Older builds go. Raises BuildFailed."""
        target = self.folder
        if self.built:
            return target
        work = target.with_name(target.name + ".tmp")
        shutil.rmtree(work, ignore_errors=True)
        files = []
        for part in self.parts:
            for name in part.modules:
                copy = work / "source" / part.package / f"{name}.py"
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(part.home / f"{name}.py", copy)
                files.append(str(part.package / f"{name}.py"))
        for folder in (work / "source").glob("*/**/"):
            (folder / "__init__.py").touch()
        (work / "source" / "setup.py").write_text(_SETUP)
        group = "_".join(("goldx", *self.package.parts))
        options = ("-q", "build_ext", "--build-lib", str(work / "out"), ",".join(files), group)
        done = subprocess.run(
            [sys.executable, "setup.py", *options],
            cwd=work / "source",
            env={**os.environ, "MYPYPATH": str(self.root), "PYTHONPATH": str(self.root)},
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
