"""Plants bugs and checks that the tests notice every one: ``python -m tests.planted_bugs.run``.

Each bug is a replacement in the source of its area (``tests.planted_bugs.areas``), made in a copy in a temporary
folder, one at a time; the area's quick tests then run on the copy. The exit code is 0 when the copy passes without a
bug and fails with each.

``--area`` runs one area's bugs, ``--sample`` as many as are drawn by a seed that is printed; words run only the bugs
whose names contain one of them.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random, SystemRandom
from typing import NamedTuple

from tests.planted_bugs import first_failure
from tests.planted_bugs.areas import AREAS
from tests.planted_bugs.bug import Area, Bug

ROOT = Path(__file__).parents[2]
AT_A_TIME = 2
LIMIT_S = 600
"""Time limit of one run of an area's tests."""
TEST_LIMIT_S = 40
GENERATOR_SEED = 0
"""Seed of the generated sequences: a bug that only they notice is noticed by every run or by none."""
FOLDERS = ("goldx", "matching", "api", "settlement", "tests", "docs")
"""The folders of a copy: the packages, their tests, and the pages that some tests read."""
_FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/\S+)", re.MULTILINE)
_PROBE = "the copy is what is tested"


class Verdict(NamedTuple):
    """``by`` names the test that noticed the bug, or the time limit."""

    noticed: bool
    by: str


class Case(NamedTuple):
    """A bug and its area."""

    area: Area
    bug: Bug


def with_bug(area: Area, bug: Bug, root: Path = ROOT) -> str:
    """Return the module's text with the bug in it. Raises ValueError if the right text is not in it exactly once."""
    text = (root / area.folder / bug.module).read_text()
    found = text.count(bug.right)
    if found != 1:
        raise ValueError(f"{bug.name}: {bug.module} has its text {found} times, not once:\n{bug.right}")
    return text.replace(bug.right, bug.wrong)


def copy_sources(origin: Path, target: Path, *ignored: str) -> None:
    """Copy the packages, their tests and the pages."""
    for folder in FOLDERS:
        shutil.copytree(origin / folder, target / folder, ignore=shutil.ignore_patterns("_compiled", *ignored))
    shutil.copy(origin / "pyproject.toml", target)


def change(module: Path, text: str) -> None:
    """Change a module of a copy, whose bytecode goes."""
    module.write_text(text)
    for bytecode in (module.parent / "__pycache__").glob(f"{module.stem}.*.pyc"):
        bytecode.unlink()


def files_of(area: Area, bug: Bug | None, noticed_before: Sequence[str] = ()) -> list[str]:
    """Return the files of an area's tests, each once: those that probably notice a bug first.

    These are the files that noticed other bugs of its module, and those that bear the module's name. All others follow
    them, so that the verdict is the area's, and an area of long tests takes minutes and not hours.
    """
    files = [
        str(file.relative_to(ROOT))
        for test in area.tests
        for file in (sorted((ROOT / test).rglob("test_*.py")) if (ROOT / test).is_dir() else [ROOT / test])
    ]
    first = [file for file in noticed_before if file in files]
    if bug is not None:
        first += [file for file in files if Path(bug.module).stem in Path(file).stem]
    return list(dict.fromkeys([*first, *files]))


def run_tests(area: Area, copy: Path, files: Sequence[str]) -> tuple[int | None, str]:
    """Run an area's tests on a copy; return pytest's exit code, None after the time limit, and what it printed.

    ``files`` are the files of the tests in their order.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--timeout", str(TEST_LIMIT_S)]
    command += ["--hypothesis-seed", str(GENERATOR_SEED)]
    command += ["-p", first_failure.__name__, "--hypothesis-profile", first_failure.PROFILE]
    command += ["-m", "not slow and not faults", *area.options, *files]
    environment = {**os.environ, "GOLDX_CORE": "interpreted"}
    environment["PYTHONPATH"] = str(copy)  # what the tests start as processes is the copy, too
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with subprocess.Popen(
        command, cwd=copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            printed, _ = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # pytest stops the servers that it has started
            try:
                printed, _ = process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                printed, _ = process.communicate()
            return None, printed
    return process.returncode, printed


def judge(name: str, code: int | None, printed: str, *, may_hang: bool = True) -> Verdict:
    """Return whether a bug was noticed: a test failed, or did not end. Raises RuntimeError if the tests did not run.

    ``code`` is pytest's exit code: a failed collection, a wrong option or a missing pytest is no verdict on a bug.
    Without ``may_hang`` a bug that only a time limit notices is not noticed.
    """
    if code is None:
        return Verdict(may_hang, f"only by the time limit of {LIMIT_S} s")
    if code == 0:
        return Verdict(False, "")
    failed = _FAILED.search(printed)
    by_limit = f"Timeout (>{TEST_LIMIT_S}.0s)" in printed
    if by_limit and code in (1, 3):
        # Code 3: the limit ended pytest itself, between two tests.
        test = failed[1] if failed else "a test"
        return Verdict(may_hang, f"{test}, only by its time limit of {TEST_LIMIT_S} s")
    if code != 1 or failed is None:
        raise RuntimeError(f"{name}: the tests did not run (exit code {code})\n{printed}")
    return Verdict(True, failed[1])


def run(origin: Path, area: Area, bug: Bug, files: Sequence[str]) -> Verdict:
    """Run an area's tests on a copy of ``origin`` with the bug in it."""
    with tempfile.TemporaryDirectory(prefix="gx") as folder:
        copy = Path(folder)
        copy_sources(origin, copy)
        change(copy / area.folder / bug.module, with_bug(area, bug, origin))
        return judge(bug.name, *run_tests(area, copy, files), may_hang=area.may_hang)


class Runs:
    """The runs of one campaign, which remember the files of tests that noticed bugs of a module."""

    def __init__(self, origin: Path) -> None:
        self._origin = origin
        self._noticed: dict[str, list[str]] = {}

    def run(self, case: Case) -> Verdict:
        """Run the area's tests on a copy with the case's bug in it; another thread may do so for another bug."""
        area, bug = case
        noticed = self._noticed.setdefault(f"{area.name}/{bug.module}", [])
        verdict = run(self._origin, area, bug, files_of(area, bug, noticed[::-1]))
        if verdict.noticed and "::" in verdict.by:
            noticed.append(verdict.by.partition("::")[0])
        return verdict


def check_that_the_copy_is_tested(origin: Path, area: Area) -> None:
    """Check that a module that cannot be imported in the copy breaks the tests. Raises RuntimeError if it does not."""
    module = area.bugs[0].module
    with tempfile.TemporaryDirectory(prefix="gx") as folder:
        copy = Path(folder)
        copy_sources(origin, copy, "__pycache__")
        change(copy / area.folder / module, f"raise RuntimeError({_PROBE!r})\n")
        code, printed = run_tests(area, copy, files_of(area, None))
    if code in (0, None) or _PROBE not in printed:
        raise RuntimeError(f"{area.name}: the tests do not import the copy's {module}\n{printed}")


def check_area(origin: Path, area: Area) -> Verdict:
    """Check that an area's tests are about the copy, and return their verdict on ``origin``, which has no bug.

    The bytecode that they leave there is copied with the sources, so that the runs that follow need not make it again.
    """
    check_that_the_copy_is_tested(origin, area)
    return judge(area.name, *run_tests(area, origin, files_of(area, None)))


def chosen(areas: Sequence[str], words: Sequence[str], sample: int | None, seed: int) -> list[Case]:
    """Return the bugs of these areas, of all if none is named, whose names contain a word; ``sample`` drawn ones."""
    cases = [
        Case(area, bug)
        for area in AREAS
        if not areas or area.name in areas
        for bug in area.bugs
        if not words or any(word in bug.name for word in words)
    ]
    if sample is None or sample >= len(cases):
        return cases
    return Random(seed).sample(cases, sample)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.planted_bugs.run", description="Plants bugs.")
    parser.add_argument("words", nargs="*", help="only bugs whose names contain one of these")
    parser.add_argument("--area", action="append", default=[], choices=[area.name for area in AREAS])
    parser.add_argument("--sample", type=int, help="how many bugs are drawn; all without it")
    parser.add_argument("--seed", type=int, default=None, help="seed of the draw; a new one without it")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> int:
    asked = arguments(given)
    seed = SystemRandom().randrange(1 << 32) if asked.seed is None else asked.seed
    cases = chosen(asked.area, asked.words, asked.sample, seed)
    if not cases:
        print("no planted bug has such a name")
        return 2
    if asked.sample is not None:
        print(f"{len(cases)} planted bugs, drawn with --sample {asked.sample} --seed {seed}", flush=True)
    areas = [area for area in AREAS if any(case.area is area for case in cases)]
    with tempfile.TemporaryDirectory(prefix="gx") as folder, ThreadPoolExecutor(AT_A_TIME) as pool:
        origin = Path(folder)
        copy_sources(ROOT, origin, "__pycache__")  # once: whoever works on the sources meanwhile changes no verdict
        for area, bug in cases:
            with_bug(area, bug, origin)
        for area, sound in zip(areas, pool.map(lambda area: check_area(origin, area), areas), strict=True):
            if sound.noticed:
                print(f"the tests of {area.name} fail without any bug: {sound.by}")
                return 2
        missed = []
        verdicts = pool.map(Runs(origin).run, cases)
        for (area, bug), verdict in zip(cases, verdicts, strict=True):
            line = f"{area.name}: {bug.name}  {verdict.by}"
            print(f"{'noticed' if verdict.noticed else 'MISSED '}  {line}", flush=True)
            if not verdict.noticed:
                missed.append(line)
    print(f"{len(cases) - len(missed)} of {len(cases)} planted bugs were noticed")
    for line in missed:  # once more at the end, which is what is left of a long output
        print(f"MISSED   {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
