"""Differences planted into a correct day are found and named, and nothing else is (``goldx bench reconciliation``)."""

import re
import secrets
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.settlement.planted import score
from tests.settlement.planted.evening import Evening, Finding
from tests.settlement.small_exchange import SmallExchange

PAGE = Path(__file__).parents[3] / "docs" / "settlement.md"
ROW = re.compile(r"^\| ([a-z ]+) \| ([A-Z_, ]+|nothing) \|$", re.MULTILINE)


def documented() -> dict[str, set[str]]:
    """Return by the name of each damage the kinds of breaks that the page has for it."""
    return {name: set(kinds.split(", ")) - {"nothing"} for name, kinds in ROW.findall(PAGE.read_text())}


def test_the_page_has_every_damage_and_decoy() -> None:
    names = [damage.name for damage in (*score.DAMAGES, *score.DECOYS)]
    assert len(score.DAMAGES) >= 40
    assert len(names) == len(set(names))
    assert sorted(documented()) == sorted(names)


@pytest.mark.parametrize(
    ("damages", "decoys"),
    [pytest.param(3, 1, id="few"), pytest.param(9, 2, id="more", marks=pytest.mark.campaign)],
)
async def test_planted_differences_are_found_and_nothing_else(
    exchange: SmallExchange, damages: int, decoys: int
) -> None:
    """A sample of them; each is planted alone, and taken back."""
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    dice, kinds = Random(seed), documented()
    for damage in (*dice.sample(score.DAMAGES, damages), *dice.sample(score.DECOYS, decoys)):
        for found in await score.outcomes_of(exchange.engine, damage, score.dice_of(seed, 0, damage)):
            assert (found.missed, found.wrong) == ([], []), (damage.name, found.close)
            assert {finding.kind for finding in found.expected} <= kinds[damage.name], damage.name


async def test_every_difference_has_its_place_in_the_day(exchange: SmallExchange) -> None:
    """Each is planted, and taken back before anything is compared."""
    for damage in (*score.DAMAGES, *score.DECOYS):
        async with exchange.engine.connect() as connection:
            await damage.plant(connection, await Evening.read(connection), score.dice_of(0, 0, damage))
            await connection.rollback()


def test_missed_and_wrong_findings_lower_the_score() -> None:
    right, other = (Finding("BANK", "BANK_ONLY", f"payment {number}") for number in (1, 2))
    found = [
        score.Outcome("found", False, Counter([right]), Counter([right])),
        score.Outcome("missed and another one found", False, Counter([right]), Counter([other])),
        score.Outcome("twice", False, Counter([right, right]), Counter([right])),
        score.Outcome("nothing", False, Counter(), Counter([other])),
    ]
    assert [(one.right, one.missed, one.wrong) for one in found] == [
        (1, [], []),
        (0, [right], [other]),
        (1, [right], []),
        (0, [], [other]),
    ]
    assert score.score(found) == {
        "evenings": 4,
        "planted": 4,
        "reported": 4,
        "right": 2,
        "precision": 0.5,
        "recall": 0.5,
    }
