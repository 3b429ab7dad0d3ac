"""Hot modules compiled to C by mypyc: the same source, built on request, used when it is there and fits.

``goldx build-core`` compiles the modules that a package names with the C compiler of the machine, into a folder whose
name is a hash of the sources. The ``__init__`` of each compiled package looks for the build of the present sources and
puts it in front of them, so a build is never used with other sources. ``GOLDX_CORE`` chooses otherwise:

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
"""The folder of the ground floor, whose modules are not compiled; their constants are built into those that are."""
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
    """There is no C compiler, or it or mypyc failed; the text is the end of their output."""


class Compiled:
    """The modules of the package in the folder ``home`` that can be compiled, as paths in it without ``.py``.

    ``levels``: how deep the package is, 1 for one that is in no other. ``along``: modules of other packages that are
    compiled into the same library once more, so that these modules can use their classes as C. A process that uses
    the build must take all of them from it.
    """

    def __init__(self, home: Path, modules: tuple[str, ...], levels: int = 1, along: tuple[Compiled, ...] = ()) -> None:
        self.home = home
        self.root = home.parents[levels - 1]
        self.package = home.relative_to(self.root)
        self.modules = modules
        self.parts = (*along, self)

    @cached_property
    def folder(self) -> Path:
        """The folder of the build of the present sources, whether it exists or not."""
        digest = sha256(f"{sys.version} {self.modules}".encode())
        folders = {(part.home / module).parent for part in self.parts for module in part.modules}
        for source in (*sorted(GROUND.rglob("*.py")), *(s for f in sorted(folders) for s in sorted(f.glob("*.py")))):
            digest.update(source.read_bytes())
        return self.home / "_compiled" / digest.hexdigest()[:16]

    @property
    def built(self) -> bool:
        """Whether the build of the present sources exists."""
        return (self.folder / self.package).is_dir()

    @property
    def used(self) -> bool:
        """Whether the build is used. Raises ImportError when it is demanded and missing."""
        choice = os.environ.get(SWITCH, "")
        if choice not in ("", "interpreted", "compiled"):
            raise ImportError(f"{SWITCH}: {choice!r} is not allowed; it must be interpreted or compiled, or not set")
        if choice == "compiled" and not self.built:
            raise ImportError(f"{SWITCH}=compiled, but these sources are not compiled: run `goldx build-core`")
        return choice != "interpreted" and self.built

    def search_path(self, folder: str = "") -> list[str]:
        """Return the path of the build of one folder of the package, to be searched first. Raises as ``used`` does."""
        if not self.used:
            return []
        sys.path.append(str(self.folder))  # the shared library that the modules of the build import by name
        return [str(self.folder / self.package / folder)]

    def build(self) -> Path:
        """Compile unless it is done, remove older builds, and return the folder. Raises BuildFailed."""
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
