"""``python3 -m goldx`` in a checkout that has no .venv yet, or half of one."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from goldx.__main__ import SUPPORTED

ROOT = Path(__file__).parents[2]
INTERPRETER = getattr(sys, "_base_executable", sys.executable)
COMMAND = (INTERPRETER, "-m", "goldx", "settings")
OTHER_VERSION = """
import runpy, sys
sys.version_info = (*map(int, sys.argv[1].split(".")), "final", 0)
sys.version = sys.argv[1] + " (another Python)"
sys.argv[1:] = ["settings"]
runpy.run_module("goldx", run_name="__main__")
"""
"""Starts ``python3 -m goldx settings`` as a Python that calls itself another version."""


def start(checkout: Path, *command: str) -> subprocess.Popen[str]:
    outside = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.Popen(command or COMMAND, cwd=checkout, env=outside, stdout=-1, stderr=-1, text=True)


def start_as(version: str, path: str) -> subprocess.CompletedProcess[str]:
    """Run the bootstrap of this checkout under another version, with ``path`` as PATH."""
    command = (INTERPRETER, "-c", OTHER_VERSION, version)
    return subprocess.run(command, cwd=ROOT, env={"PATH": path}, capture_output=True, text=True, check=False)


def test_the_versions_of_the_bootstrap_are_those_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: "
    assert tuple(line.removeprefix(prefix) for line in project["classifiers"] if prefix in line) == SUPPORTED
    allowed = SpecifierSet(project["requires-python"])
    assert [f"3.{minor}" for minor in range(30) if f"3.{minor}.7" in allowed] == list(SUPPORTED)


@pytest.mark.parametrize("version", ["3.10.13", "3.15.0"])
def test_another_python_ends_with_what_is_supported(version: str, tmp_path: Path) -> None:
    done = start_as(version, str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        f"goldx: GoldX runs on Python 3.11 to 3.14; this is {version}, and no other that could run it was found\n"
    )


def test_another_python_hands_over_to_the_newest_that_is_supported_and_starts(tmp_path: Path) -> None:
    for name, script in (
        ("python3.15", "echo newer than supported"),
        ("python3.13", "exit 127"),  # what the shim of a version manager does without the Python behind it
        ("python3.12", "echo 3.12 $*"),
        ("python3.11", "echo 3.11 $*"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    done = start_as("3.10.13", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "3.12 -m goldx settings\n", "")


@pytest.mark.campaign
def test_two_at_once_make_one_whole_environment_and_a_changed_lock_renews_it(checkout: Path) -> None:
    # An interrupted run leaves a folder without a Python that works.
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv.lock").write_text("unfinished\n")
    both = [start(checkout), start(checkout)]
    messages = []
    for process in both:
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert out.startswith("setting\tvalue\ndata_dir\tgoldx-data\n"), "standard output belongs to the command"
        messages.append(err)
    assert sorted(text.count("goldx: ready after") for text in messages) == [0, 1]
    assert sum("the .venv of an earlier set-up is not whole; starting again" in text for text in messages) == 1

    out, err = start(checkout).communicate()
    assert err == "", "a later run has nothing to do"
    state = json.loads((checkout / ".venv" / "goldx-installed.json").read_text())["state"]

    with (checkout / "requirements" / "runtime.lock").open("a") as lock:
        lock.write("# changed\n")
    out, err = start(checkout).communicate()
    assert "goldx: installing requirements/runtime.lock" in err
    assert "starting again" not in err
    assert json.loads((checkout / ".venv" / "goldx-installed.json").read_text())["state"] != state


@pytest.mark.campaign
def test_an_environment_for_another_python_is_made_again(checkout: Path) -> None:
    lock = checkout / "requirements" / "runtime.lock"
    pins = re.split(r"\n(?=\S)", lock.read_text())
    # Enough for the set-up, and quick: the build backend alone.
    backend = ("hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers")
    lock.write_text("\n".join(pin for pin in pins if pin.startswith(backend)))
    subprocess.run([INTERPRETER, "-m", "venv", checkout / ".venv"], check=True)
    mine, another = f"3.{sys.version_info[1]}", "3.12" if sys.version_info[1] == 11 else "3.11"
    _, err = start(checkout, INTERPRETER, "-c", OTHER_VERSION, f"{another}.0").communicate()
    assert f"goldx: .venv was made for Python {mine}, and this is {another}; starting again" in err
    assert "goldx: ready after" in err
    # The command itself, where packages of the exchange are missing.
    assert re.search(r"goldx: there is no module \w+\. .* To install it: pip install 'goldx\[server\]'\n$", err)


@pytest.mark.campaign
def test_a_file_that_is_not_what_the_lock_says_is_not_installed(checkout: Path) -> None:
    (checkout / "requirements" / "runtime.lock").write_text(f"click==8.5.1 --hash=sha256:{'0' * 64}\n")
    process = start(checkout)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "goldx: this failed with exit code" in err
    assert not (checkout / ".venv" / "goldx-installed.json").exists()
