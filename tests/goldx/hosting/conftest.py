"""Fixtures of the tests of hosting."""

from pathlib import Path

import pytest


@pytest.fixture
def empty_working_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Makes an empty folder the working directory, in which no ``goldx.toml`` is found."""
    monkeypatch.chdir(tmp_path)
