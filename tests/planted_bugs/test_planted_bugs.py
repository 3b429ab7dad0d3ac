"""The planted bugs still fit the sources. Running them takes minutes: ``python -m tests.planted_bugs.run``."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.planted_bugs.areas import AREAS
from tests.planted_bugs.bug import Area
from tests.planted_bugs.run import LIMIT_S, ROOT, TEST_LIMIT_S, Verdict, chosen, files_of, judge, run_tests, with_bug

CASES = chosen([], [], None, 0)


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
def test_each_bug_can_be_planted(area: Area) -> None:
    for bug in area.bugs:
        ast.parse(with_bug(area, bug), filename=bug.name)


def test_every_bug_is_another_one() -> None:
    assert len({bug.name for _, bug in CASES}) == len(CASES)
    assert len({(area.folder, bug.module, bug.right, bug.wrong) for area, bug in CASES}) == len(CASES)


def test_every_area_has_bugs_and_tests() -> None:
    names = [
        "core",
        "opening",
        "regime",
        "makers",
        "notices",
        "limits",
        "claims",
        "deals",
        "named lots",
        "requests",
        "protocol",
        "timetable",
        "leading",
        "server clock",
        "session timers",
        "compiled build",
        "posting",
        "money",
        "banking",
        "payment claims",
        "reconciliation",
        "papers",
        "load-out",
        "titles",
        "closing",
        "recompute",
        "proofs",
        "sequencer",
        "command keys",
        "view",
        "pages",
        "status reports",
    ]
    assert [area.name for area in AREAS] == names
    for area in AREAS:
        assert len(area.bugs) >= {"core": 40, "command keys": 4}.get(area.name, 10)
        assert all((ROOT / test).exists() for test in area.tests)


def test_a_seed_draws_the_same_bugs_of_all_areas_again() -> None:
    drawn = chosen([], [], 20, 7)
    assert len(set(drawn)) == 20
    assert drawn == chosen([], [], 20, 7)
    assert drawn != chosen([], [], 20, 8)
    assert {case.area.name for seed in range(100) for case in chosen([], [], 20, seed)} == {a.name for a in AREAS}


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
def test_all_files_of_an_area_run_and_likely_ones_first(area: Area) -> None:
    usual = files_of(area, None)
    assert usual
    assert len(usual) == len(set(usual))
    for bug in area.bugs:
        files = files_of(area, bug, [usual[-1]])
        assert files[0] == usual[-1]
        assert sorted(files) == sorted(usual)
    named = area.bugs[0]._replace(module=usual[-1].rpartition("test_")[2])
    assert named.module.removesuffix(".py") in files_of(area, named)[0]


def test_only_a_failed_test_or_a_time_limit_notices_a_bug() -> None:
    failed = "FAILED tests/a/test_b.py::test_c - assert 1 == 2\n"
    assert judge("bug", 0, "1 passed\n") == Verdict(False, "")
    assert judge("bug", 1, failed) == Verdict(True, "tests/a/test_b.py::test_c")
    by_limit = judge("bug", 1, f"E   Failed: Timeout (>{TEST_LIMIT_S}.0s) from pytest-timeout.\n{failed}")
    assert by_limit.by == f"tests/a/test_b.py::test_c, only by its time limit of {TEST_LIMIT_S} s"
    between = judge("bug", 3, f"INTERNALERROR> Failed: Timeout (>{TEST_LIMIT_S}.0s) from pytest-timeout.\n")
    assert between == Verdict(True, f"a test, only by its time limit of {TEST_LIMIT_S} s")
    assert judge("bug", None, "") == Verdict(True, f"only by the time limit of {LIMIT_S} s")


def test_where_nothing_may_hang_a_time_limit_notices_no_bug() -> None:
    by_limit = f"E   Failed: Timeout (>{TEST_LIMIT_S}.0s) from pytest-timeout.\nFAILED tests/a/test_b.py::test_c\n"
    assert not judge("bug", 1, by_limit, may_hang=False).noticed
    assert not judge("bug", None, "", may_hang=False).noticed
    assert judge("bug", 1, "FAILED tests/a/test_b.py::test_c\n", may_hang=False).noticed
    assert [area.name for area in AREAS if not area.may_hang] == [
        "core",
        "opening",
        "regime",
        "makers",
        "notices",
        "limits",
        "claims",
        "deals",
        "named lots",
        "requests",
        "protocol",
        "compiled build",
        "pages",
        "status reports",
    ]


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_tests_that_do_not_run_are_an_error(code: int) -> None:
    with pytest.raises(RuntimeError, match=f"the tests did not run \\(exit code {code}\\)"):
        judge("bug", code, "ERROR tests/a/test_b.py\n")


def test_a_missing_pytest_is_an_error() -> None:
    """Python ends with 1, as pytest does when a test fails."""
    without = subprocess.run([sys.executable, "-ISm", "pytest"], capture_output=True, text=True, check=False)
    assert without.returncode == 1
    with pytest.raises(RuntimeError, match="No module named pytest"):
        judge("bug", without.returncode, without.stdout + without.stderr)


GENERATED = """
from pathlib import Path
from hypothesis import given, strategies

@given(strategies.integers(0, 10**9))
def test_of_numbers(number):
    with Path("tried").open("a") as file:
        print(number, file=file)
    assert number < 1_000
"""


@pytest.mark.parametrize("options", [(), ("--noconftest",)], ids=["conftest", "no conftest"])
def test_the_first_example_that_fails_is_enough(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Hypothesis runs it once more to report it, and looks for no smaller one."""
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    (tmp_path / "test_generated.py").write_text(GENERATED)
    code, printed = run_tests(Area("generated", "", (), options, ()), tmp_path, ["test_generated.py"])
    assert code == 1, printed
    failed = [number for number in map(int, (tmp_path / "tried").read_text().split()) if number >= 1_000]
    assert (len(set(failed)), len(failed) <= 3) == (1, True), failed
