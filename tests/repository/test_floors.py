"""The dependency rule of docs/architecture.md, and what the ground floor knows of the others."""

import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click
import pytest

from tests.repository.sources import PRODUCT

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]


def test_no_floor_imports_a_higher_one() -> None:
    found = subprocess.run(LINT_IMPORTS, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_a_contract_of_layers_names_every_module_of_its_package() -> None:
    """A module in no layer could import anything: a contract that is exhaustive is broken by it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    inside = {tuple(one["containers"]): one for one in contracts if "containers" in one}
    assert set(inside) == {(package,) for package in PRODUCT}
    assert [name for name, one in inside.items() if not one.get("exhaustive") or "exhaustive_ignores" in one] == []


PLANTED = {
    "goldx.planted": "matching.core.engine",
    "matching.planted": "settlement.service.writer",
    "settlement.planted": "api",
    "api.planted": "matching",
    "goldx.protocol.planted": "goldx.streams.chains",
    "matching.core.planted": "matching.run.fold",
    "matching.core.impure": "random",
    "settlement.tables.planted": "settlement.lots.lots",
    "api.edge.planted": "api.view.view",
    "api.view.planted": "settlement.base.registry",
    "api.console.planted": "sqlalchemy",
}
"""Modules that import what they may not; together they break every contract."""


@pytest.mark.campaign
def test_every_contract_sees_a_planted_import(tmp_path: Path) -> None:
    for package in ("goldx", "matching", "settlement", "api"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "_compiled"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, wrong in PLANTED.items():
        (tmp_path / (module.replace(".", "/") + ".py")).write_text(f"import {wrong}\n")
    found = subprocess.run(
        LINT_IMPORTS, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)}
    )
    assert found.returncode == 1
    assert "Contracts: 0 kept" in found.stdout, found.stdout
    missed = {module: wrong for module, wrong in PLANTED.items() if f"{module} -> {wrong}" not in found.stdout}
    assert missed == {}, found.stdout


@pytest.mark.parametrize("entry", sorted(entry_points(group="goldx.commands")), ids=lambda entry: entry.name)
def test_every_command_loads_and_says_what_it_does(entry: EntryPoint) -> None:
    command = entry.load()
    assert isinstance(command, click.Command)
    assert command.get_short_help_str()
