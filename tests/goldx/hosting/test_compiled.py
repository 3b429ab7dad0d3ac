"""Which modules are used, the compiled or the interpreted ones."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from goldx.hosting.compiled import SWITCH, Compiled

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
