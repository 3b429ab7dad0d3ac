"""Which build of the core is used."""

import os
import subprocess
import sys

import pytest

from matching import compiled


def which(wish: str | None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != compiled.SWITCH}
    if wish is not None:
        environment[compiled.SWITCH] = wish
    code = "import matching.engine; print(matching.engine.__file__)"
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_interpreted_on_demand() -> None:
    assert which("interpreted").stdout.strip().endswith("engine.py")


def test_compiled_on_demand_or_an_error_that_says_what_to_do() -> None:
    found = which("compiled")
    if (compiled.folder() / "matching").is_dir():
        assert found.stdout.strip().endswith(".so")
    else:
        assert found.returncode != 0
        assert "goldx build-core" in found.stderr


def test_an_unknown_wish_is_refused() -> None:
    found = which("jit")
    assert found.returncode != 0
    assert "'jit' is not allowed" in found.stderr


def test_a_build_belongs_to_its_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compiled.folder()
    monkeypatch.setattr(compiled, "MODULES", compiled.MODULES[1:])
    assert compiled.folder() != before
