"""Which modules are used, the compiled or the interpreted ones."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from goldx.hosting import compiled
from goldx.hosting.compiled import SWITCH, BuildFailed, Compiled

PARTS = {entry.name: entry.load() for entry in entry_points(group="goldx.compiled")}
HOTTEST = {"core": "matching.core.engine", "gateway": "api.view.view"}


def which(part: str, choice: str | None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != SWITCH}
    if choice is not None:
        environment[SWITCH] = choice
    code = f"import {HOTTEST[part]} as module; print(module.__file__)"
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_both_parts_are_found_by_the_build_command() -> None:
    assert PARTS.keys() == HOTTEST.keys()


@pytest.mark.parametrize("part", HOTTEST)
def test_interpreted_on_demand(part: str) -> None:
    assert which(part, "interpreted").stdout.strip().endswith(".py")


@pytest.mark.parametrize("part", HOTTEST)
def test_compiled_on_demand_or_an_error_that_names_the_command(part: str) -> None:
    found = which(part, "compiled")
    if PARTS[part].built:
        assert found.stdout.strip().endswith(".so")
    else:
        assert found.returncode != 0
        assert "goldx build-core" in found.stderr


def test_an_unknown_choice_is_refused() -> None:
    found = which("core", "jit")
    assert found.returncode != 0
    assert "'jit' is not allowed" in found.stderr


def test_a_build_belongs_to_its_sources(tmp_path: Path) -> None:
    source = tmp_path / "package" / "module.py"
    source.parent.mkdir()
    source.write_text("A = 1")
    before = Compiled(source.parent, ("module",)).folder
    assert Compiled(source.parent, ("module",)).folder == before
    source.write_text("A = 2")
    assert Compiled(source.parent, ("module",)).folder != before


class Package:
    """A package with one module, and a folder next to it, in an empty root."""

    def __init__(self, root: Path, name: str = "package") -> None:
        self.home = root / name
        self.module = self.home / "module.py"
        self.home.mkdir()
        (self.home / "__init__.py").touch()
        self.module.write_text("def double(value: int) -> int:\n    return 2 * value\n")

    def compiled(self, *along: Compiled, modules: tuple[str, ...] = ("module",)) -> Compiled:
        return Compiled(self.home, modules, along=along)

    def pretend_build(self) -> Compiled:
        """Return the package with an empty folder in the place of the build of its present sources."""
        found = self.compiled()
        (found.folder / "package").mkdir(parents=True)
        return self.compiled()


def test_a_build_belongs_to_the_python_and_to_the_modules_that_are_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = Package(tmp_path)
    before = package.compiled().folder
    (package.home / "other.py").write_text("B = 1")
    with_other = package.compiled().folder
    assert with_other != before, "constants of a neighbouring module may be compiled in"
    assert package.compiled(modules=("module", "other")).folder != with_other
    monkeypatch.setattr(sys, "version", "3.99.0 another")
    assert package.compiled().folder != with_other


def test_a_build_belongs_to_the_ground_floor_and_to_what_is_compiled_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = tmp_path / "ground"
    (ground / "inner").mkdir(parents=True)
    monkeypatch.setattr(compiled, "GROUND", ground)
    package, neighbour = Package(tmp_path), Package(tmp_path, "neighbour")
    folders = {package.compiled(neighbour.compiled()).folder}
    (ground / "terms.py").write_text("A = 1")
    folders.add(package.compiled(neighbour.compiled()).folder)
    (ground / "inner" / "units.py").write_text("B = 1")
    folders.add(package.compiled(neighbour.compiled()).folder)
    neighbour.module.write_text("C = 1")
    folders.add(package.compiled(neighbour.compiled()).folder)
    assert len(folders) == 4


@pytest.mark.parametrize(
    ("choice", "built", "used"),
    [(None, True, True), (None, False, False), ("interpreted", True, False), ("compiled", True, True)],
)
def test_a_build_is_used_if_it_is_there_and_not_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: str | None, built: bool, used: bool
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    if choice is not None:
        monkeypatch.setenv(SWITCH, choice)
    monkeypatch.setattr(sys, "path", [])
    package = Package(tmp_path)
    found = package.pretend_build() if built else package.compiled()
    assert (found.built, found.used) == (built, used)
    place = found.folder / "package" / "inner"
    assert found.search_path("inner") == ([str(place)] if used else [])
    assert sys.path == ([str(found.folder)] if used else [])


def test_a_build_that_is_demanded_and_missing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "compiled")
    with pytest.raises(ImportError, match="goldx build-core"):
        Package(tmp_path).compiled().search_path()
    assert Package(tmp_path, "other").compiled().folder.parent.name == "_compiled"


@pytest.mark.campaign
@pytest.mark.skipif(shutil.which("gcc") is None and shutil.which("cc") is None, reason="there is no C compiler")
def test_a_build_replaces_the_older_ones_and_a_failed_one_leaves_none(tmp_path: Path) -> None:
    package = Package(tmp_path)
    older = package.pretend_build().folder
    package.module.write_text("def double(value: int) -> int:\n    return value + value\n")
    found = package.compiled()
    assert found.build() == found.folder
    assert found.built
    assert not older.exists()
    program = (
        f"import sys, package; sys.path.append({str(found.folder)!r}); "
        f"package.__path__.insert(0, {str(found.folder / 'package')!r}); "
        "from package import module; print(module.double(21), module.__file__)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("42 ")
    assert ran.stdout.strip().endswith(".so")

    package.module.write_text("def double(value: int) -> int:\n    return 'no number'\n")
    broken = package.compiled()
    with pytest.raises(BuildFailed, match="Incompatible return value"):
        broken.build()
    assert not broken.built
