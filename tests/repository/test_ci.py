"""``.ci/run`` runs all tests but the slow ones, and compares the coverage of all of them with the floor."""

import re
import tomllib

from tests.repository.sources import ROOT

COMMANDS = (ROOT / ".ci" / "run").read_text().replace("\\\n", "")
MEASURED = re.findall(r" -m goldx test.*--cov.*", COMMANDS)
"""The commands that run the suite and the campaigns and measure their coverage."""
PYTEST = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]


def test_what_is_left_out_without_a_marker_is_run_with_it() -> None:
    left_out = set(re.findall(r"not (\w+)", PYTEST["addopts"]))
    assert left_out == {"campaign", "faults", "slow"}
    assert {line.partition(":")[0] for line in PYTEST["markers"] if "only with -m" in line} == left_out
    assert [re.findall(r"test -m (\w+)", command) for command in MEASURED] == [[], ["campaign"]]
    assert not [command for command in MEASURED if re.search(r" (-k|tests/)", command)]
    assert " -m faults " in COMMANDS


def test_the_floor_of_coverage_is_that_of_suite_and_campaigns_together() -> None:
    suite, campaigns = MEASURED
    assert ("--cov-append" in suite, "--cov-fail-under=0" in suite) == (False, True)
    assert ("--cov-append" in campaigns, "--cov-fail-under" in campaigns) == (True, False)
