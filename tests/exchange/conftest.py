"""Folders in which whole exchanges run."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, as unix sockets need."""
    path = Path(tempfile.mkdtemp(prefix="gx"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def working_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Such a folder, which is the working directory: commands are typed in it."""
    monkeypatch.chdir(folder)
    return folder
