"""``goldx bench reconciliation`` plants differences, prints the figures and the seed, and fails if one is missed."""

import json
from collections import Counter

import pytest
from click.testing import CliRunner

from benchmarks.command import bench
from tests.settlement.planted import score
from tests.settlement.planted.evening import REFUSED, Finding


@pytest.mark.campaign
def test_the_command_prints_precision_and_recall_with_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "DAMAGES", score.DAMAGES[:2])
    monkeypatch.setattr(score, "DECOYS", score.DECOYS[:1])
    done = CliRunner().invoke(bench, ["reconciliation", "--json", "--seed", "7"], catch_exceptions=False)
    assert done.exit_code == 0
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {
        "damages": 2,
        "decoys": 1,
        "rounds": 1,
        "seed": 7,
        "evenings": 3,
        "planted": 2,
        "reported": 2,
        "right": 2,
        "precision": 1.0,
        "recall": 1.0,
        "close": {"evenings": 3, "planted": 2, "reported": 2, "right": 2, "precision": 1.0, "recall": 1.0},
        "wrong": [],
    }
    for books in ("in all books", "by a close"):
        assert f"found  a line of the bank twice, {books}: BANK_ONLY" in done.stderr

    async def missed(rounds: int, seed: int, _: object) -> dict[str, object]:
        found = score.score([score.Outcome("unseen", True, Counter([Finding("BANK", REFUSED, "balance")]), Counter())])
        return {**found, "close": found, "wrong": ["unseen"], "damages": 1, "decoys": 0, "rounds": rounds, "seed": seed}

    monkeypatch.setattr(score, "measure", missed)
    assert CliRunner().invoke(bench, ["reconciliation", "--seed", "7"]).exit_code == 1
