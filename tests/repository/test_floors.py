"""The dependency rule of docs/architecture.md, and what the ground floor knows of the others."""

import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]


def test_no_floor_imports_a_higher_one() -> None:
    found = subprocess.run(LINT_IMPORTS, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("goldx/planted.py", "import matching.core.engine"),
        ("matching/planted.py", "import settlement.service.writer"),
        ("settlement/planted.py", "import api"),
        ("api/planted.py", "import matching"),
    ],
)
def test_the_rule_sees_a_planted_import(tmp_path: Path, place: str, wrong: str) -> None:
    for package in ("goldx", "matching", "settlement", "api"):
        for module in (ROOT / package).rglob("*.py"):
            copy = tmp_path / module.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / place).write_text(wrong + "\n")
    found = subprocess.run(
        LINT_IMPORTS, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)}
    )
    assert found.returncode == 1
    assert "BROKEN" in found.stdout


@pytest.mark.parametrize("entry", sorted(entry_points(group="goldx.commands")), ids=lambda entry: entry.name)
def test_every_command_loads_and_says_what_it_does(entry: EntryPoint) -> None:
    command = entry.load()
    assert isinstance(command, click.Command)
    assert command.get_short_help_str()
