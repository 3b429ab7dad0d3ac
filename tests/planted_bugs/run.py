"""Plants bugs in the core and checks that the tests notice every one: ``python -m tests.planted_bugs.run``.

Each bug of ``tests.planted_bugs.core`` is a replacement in the core's source, made in a copy in a temporary folder, one
at a time; a quick part of the core's tests then runs on the copy. The exit code is 0 when the copy passes without a bug
and fails with each.

Names given as arguments run only the bugs whose names contain one of them. About five minutes on two cores.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.planted_bugs.core import BUGS, Bug

ROOT = Path(__file__).parents[2]
AT_A_TIME = 2
LIMIT_S = 300
TESTS = (
    "test_convention_cases.py",
    "test_stories.py",
    "test_book.py",
    "test_plain.py",
    "test_against_model.py",
    "test_replay_equality.py",
)
CHOSEN = "not goldx_replay and not generated_sequences"
"""Without tests that start processes (a copy has no installed ``goldx``) and those that would shrink each failure."""
TEST_LIMIT_S = 40


class Verdict(NamedTuple):
    name: str
    noticed: bool
    by: str


def with_bug(bug: Bug, root: Path = ROOT) -> str:
    """Return the module's text with the bug in it. Raises ValueError if the right text is not in it exactly once."""
    text = (root / "matching" / "core" / bug.module).read_text()
    found = text.count(bug.right)
    if found != 1:
        raise ValueError(f"{bug.name}: {bug.module} has its text {found} times, not once:\n{bug.right}")
    return text.replace(bug.right, bug.wrong)


def copy_sources(origin: Path, target: Path) -> None:
    """Copy the core, the ground floor, and the core's tests with what they share with others."""
    for package in ("goldx", "matching", "tests/matching"):
        shutil.copytree(origin / package, target / package, ignore=shutil.ignore_patterns("__pycache__", "_compiled"))
    for module in (origin / "tests").glob("*.py"):
        shutil.copy(module, target / "tests")
    shutil.copy(origin / "pyproject.toml", target)


def run(origin: Path, bug: Bug | None) -> Verdict:
    """Run the tests on a copy, with the bug in it if one is given."""
    name = bug.name if bug is not None else "no bug"
    with tempfile.TemporaryDirectory(prefix="gx") as folder:
        copy = Path(folder)
        copy_sources(origin, copy)
        if bug is not None:
            (copy / "matching" / "core" / bug.module).write_text(with_bug(bug, origin))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--noconftest", "-p", "no:cacheprovider", "-k", CHOSEN]
        command += ["--timeout", str(TEST_LIMIT_S)]
        command += [f"tests/matching/core/{test}" for test in TESTS]
        environment = {**os.environ, "GOLDX_CORE": "interpreted", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, cwd=copy, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Verdict(name, True, f"no end within {LIMIT_S} s")
    failed = re.search(r"^(?:FAILED|ERROR) tests/matching/core/(\S+)", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1) and failed is None:
        raise RuntimeError(f"{name}: the tests did not run\n{done.stdout}{done.stderr}")
    return Verdict(name, done.returncode != 0, failed[1] if failed else "")


def main(wanted: list[str]) -> int:
    bugs = [bug for bug in BUGS if not wanted or any(word in bug.name for word in wanted)]
    with tempfile.TemporaryDirectory(prefix="gx") as folder:
        origin = Path(folder)
        copy_sources(ROOT, origin)  # once: whoever works on the core meanwhile changes no verdict
        for bug in bugs:
            with_bug(bug, origin)
        sound = run(origin, None)
        if sound.noticed:
            print(f"the tests fail without any bug: {sound.by}")
            return 2
        noticed = 0
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for verdict in pool.map(lambda bug: run(origin, bug), bugs):
                print(f"{'noticed' if verdict.noticed else 'MISSED '}  {verdict.name}  {verdict.by}", flush=True)
                noticed += verdict.noticed
    print(f"{noticed} of {len(bugs)} planted bugs were noticed")
    return 0 if noticed == len(bugs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
