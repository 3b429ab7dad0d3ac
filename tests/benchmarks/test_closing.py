"""``goldx bench close`` makes a day by documents and the real core, closes it without any break, and says how long."""

import pytest

from benchmarks.closing.run import measure
from settlement.closing.steps import STEPS


@pytest.mark.campaign
async def test_a_small_day_is_posted_closed_and_reconciled() -> None:
    said: list[str] = []
    found = await measure(trades=40, lots=6, accounts=3, history=1, parts=(0.5, 1.0), seed=7, report=said.append)
    names = [step.name for step in STEPS]
    half, whole = found["days"]
    assert (half["trades"], half["lots"], whole["trades"], whole["lots"]) == (20, 3, 40, 6)
    for day in (half, whole):
        assert list(day["steps_s"]) == names
        assert abs(sum(day["steps_s"].values()) - day["close_s"]) < 0.1
        assert day["reading_s"] > 0
    (first,) = found["history"]["days"]
    assert list(first["steps_s"]) == names
    assert "the day is closed in" in "\n".join(said)
