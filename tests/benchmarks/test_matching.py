"""``goldx bench matching`` runs, and every engine makes the same trades (peers: requirements/bench.lock)."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from benchmarks.command import bench
from benchmarks.matching import flows
from benchmarks.matching.engines import ENGINES
from benchmarks.matching.run import Worker


def test_the_command_ends_with_one_json_object() -> None:
    pytest.importorskip("liquibook")
    arguments = ["matching", "--json", "--messages", "200", "--rounds", "1", "--flow", "thin", "--peer", "liquibook"]
    done = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    flow = json.loads(done.stdout.splitlines()[-1])["flows"]["thin"]
    assert flow["identical_fills"] is True
    assert {"goldx", "goldx full", "bound", "liquibook"} <= set(flow["engines"])
    assert set(flow["engines"]["goldx full"]) == {"median_per_s", "min_per_s", "max_per_s"}


def test_an_engine_that_takes_too_long_takes_no_part_and_the_next_one_runs() -> None:
    with Worker("interpreted", collector=True) as worker:
        assert worker.run("goldx full", "thin", 20_000, 1, 0.02) == {
            "missing": "it needs more than 0.02 s of processor time for 20,000 messages"
        }
        assert worker.run("goldx full", "thin", 200, 1)["count"] > 0


LOOKED_AT_AGAIN = """
import signal
from benchmarks.matching.worker import TooSlow, _limited
with _limited(0):
    try:
        signal.raise_signal(signal.SIGALRM)
    except TooSlow:
        signal.raise_signal(signal.SIGALRM)
        print("once")
"""


def test_an_engine_is_stopped_once() -> None:
    """In a process of its own, as the signal here belongs to the time limit of the tests; without a timer."""
    ended = subprocess.run(
        [sys.executable, "-c", LOOKED_AT_AGAIN], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr) == ("once\n", "")


def test_a_peer_that_is_not_installed_says_how_to_install_it() -> None:
    with Worker("interpreted", collector=True) as worker:
        answer = worker.run("liquibook", "thin", 200, 1)
    assert "seconds" in answer or "requirements/bench.lock` installs the peers" in answer["missing"]


@pytest.mark.parametrize("engine", ["goldx full", "liquibook", "lightmatchingengine", "pyorderbook"])
def test_every_engine_has_the_same_fills(engine: str) -> None:
    if engine != "goldx full":
        pytest.importorskip(engine)
    for name in flows.SHAPES:
        flow = flows.make(name, 1_000)
        expected = ENGINES["goldx"](flow)[1]
        assert expected
        assert ENGINES[engine](flow)[1] == expected, name


def test_a_flow_follows_from_its_seed() -> None:
    assert flows.make("wide", 300) == flows.make("wide", 300)
    assert flows.make("wide", 300) != flows.make("wide", 300, seed=2)
