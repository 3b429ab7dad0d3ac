"""``python3 -m goldx`` in a checkout that has no .venv yet, or half of one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("goldx", "matching", "settlement", "api", "requirements", "pyproject.toml", "README.md", "LICENSE")
COMMAND = (getattr(sys, "_base_executable", sys.executable), "-m", "goldx", "settings")


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


def start(checkout: Path) -> subprocess.Popen[str]:
    outside = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.Popen(COMMAND, cwd=checkout, env=outside, stdout=-1, stderr=-1, text=True)


def test_two_at_once_make_one_whole_environment_and_a_changed_lock_renews_it(checkout: Path) -> None:
    # What an interrupted run leaves: a folder without a Python that works.
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv.lock").write_text("unfinished\n")
    both = [start(checkout), start(checkout)]
    said = []
    for process in both:
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert out.startswith("data_dir = goldx-data\n"), "standard output belongs to the command"
        said.append(err)
    assert sorted(text.count("goldx: ready after") for text in said) == [0, 1]
    assert sum("an earlier set-up was interrupted; starting again" in text for text in said) == 1

    out, err = start(checkout).communicate()
    assert err == "", "a later run has nothing to do"
    state = json.loads((checkout / ".venv" / "goldx-installed.json").read_text())["state"]

    with (checkout / "requirements" / "runtime.lock").open("a") as lock:
        lock.write("# changed\n")
    out, err = start(checkout).communicate()
    assert "goldx: installing requirements/runtime.lock" in err
    assert json.loads((checkout / ".venv" / "goldx-installed.json").read_text())["state"] != state


def test_a_file_that_is_not_what_the_lock_says_is_not_installed(checkout: Path) -> None:
    (checkout / "requirements" / "runtime.lock").write_text(f"click==8.5.1 --hash=sha256:{'0' * 64}\n")
    process = start(checkout)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "goldx: this failed with exit code" in err
    assert not (checkout / ".venv" / "goldx-installed.json").exists()
