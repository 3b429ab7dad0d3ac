"""The locks pin everything that is required, with hashes, and name no registry."""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked(lock: str) -> list[Requirement]:
    """Return what a lock installs for this Python on Linux."""
    lines = (REQUIREMENTS / f"{lock}.lock").read_text().splitlines()
    found = [Requirement(line.rstrip(" \\")) for line in lines if not line.startswith((" ", "#"))]
    return [pin for pin in found if pin.marker is None or pin.marker.evaluate()]


def pins(lock: str) -> dict[str, str]:
    """Return the version of every package, by name, that a lock installs for this Python on Linux."""
    return {pin.name: str(pin.specifier).removeprefix("==") for pin in locked(lock)}


def required(name: str) -> list[Requirement]:
    lines = (REQUIREMENTS / f"{name}.in").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("lock", ["runtime", "dev", "bench", "bootstrap", "compile"])
def test_a_lock_pins_everything_that_is_required(lock: str) -> None:
    wanted = required(lock)
    if lock in ("runtime", "dev"):
        wanted += [Requirement(line) for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["server"]]
    found = pins(lock)
    for requirement in wanted:
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        assert requirement.specifier.contains(found[requirement.name]), requirement


def test_the_tests_run_on_the_versions_that_are_shipped() -> None:
    developed, shipped = pins("dev"), pins("runtime")
    assert {name: developed.get(name) for name in shipped} == shipped


def test_the_image_is_compiled_as_the_tests_are() -> None:
    developed, compiling = pins("dev"), pins("compile")
    shared = developed.keys() & compiling.keys()
    assert "mypy" in shared
    assert {name: developed[name] for name in shared} == {name: compiling[name] for name in shared}


@pytest.mark.parametrize("lock", ["runtime", "dev"])
def test_a_lock_names_the_extras_that_its_packages_ask_for(lock: str) -> None:
    """Where hashes are required, pip refuses ``coverage==7``: pytest-cov asks for ``coverage[toml]``."""
    named = {canonicalize_name(pin.name): pin.extras for pin in locked(lock)}
    asked = 0
    for pin in locked(lock):
        for line in requires(pin.name) or ():
            wanted = Requirement(line)
            extras = pin.extras or {""}
            if wanted.extras and (wanted.marker is None or any(wanted.marker.evaluate({"extra": e}) for e in extras)):
                assert wanted.extras <= named[canonicalize_name(wanted.name)], f"{pin} asks for {wanted}"
                asked += 1
    assert asked


@pytest.mark.parametrize("lock", sorted(path.name for path in REQUIREMENTS.glob("*.lock")))
def test_a_lock_has_a_hash_for_every_file_and_names_no_registry(lock: str) -> None:
    text = (REQUIREMENTS / lock).read_text()
    assert "://" not in text
    for block in re.split(r"\n(?=\S)", text):
        assert block.startswith("#") or re.search(r"\n    --hash=sha256:[0-9a-f]{64}", block), block[:80]


def test_ci_runs_the_tests_that_need_other_engines_after_it_has_installed_them() -> None:
    """They are skipped where requirements/bench.lock is not installed."""
    _, installed, after = (ROOT / ".ci/run").read_text().partition("-r requirements/bench.lock")
    assert installed
    needing = [
        path
        for path in ROOT.glob("tests/**/test_*.py")
        if re.search(r"^ +pytest\.importorskip\(", path.read_text(), re.MULTILINE)
    ]
    assert needing
    for path in needing:
        assert str(path.relative_to(ROOT)) in after
