"""The fixtures of the tests of the repository."""

import shutil
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("goldx", "matching", "settlement", "api", "requirements", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout, without its .venv."""
    for name in NEEDED:
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "_compiled"))
        else:
            shutil.copy(origin, tmp_path)
    return tmp_path


@pytest.fixture
def no_tmpdir(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets ``tempfile`` use the system's folder, as in a session without TMPDIR."""
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)
