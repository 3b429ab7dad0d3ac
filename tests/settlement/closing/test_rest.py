"""Days are closed and signed over REST, in the names of those who sign the tokens."""

import pytest

from settlement.closing.steps import STEPS
from tests.settlement.closing.days import FIRST, SECOND, THIRD
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER


@pytest.mark.usefixtures("three_days_over")
async def test_a_day_is_closed_and_signed_over_rest(rest: Rest) -> None:
    first, *_ = (await rest("operator", "GET", "/days"))["days"]
    assert (first["state"], first["first"], first["closing_hash"]) == ("OVER", 1, None)
    assert (await rest("operator", "GET", "/days/obstacles"))["obstacles"][0]["who"] == "a clerk: `goldx day close`"
    await rest("operator", "POST", "/days/close", 403, json={})
    bad = await rest(ONE, "POST", "/days/close", 422, json={"until": "2026-02-30"})
    assert "until" in bad["detail"]
    assert (await rest(ONE, "POST", "/days/close", json={"until": FIRST}))["closed"] == [first["day"], FIRST]
    assert (await rest(ONE, "POST", "/days/close", json={}))["closed"] == [SECOND]

    found = await rest("auditor", "GET", f"/days/{FIRST}")
    assert [step["step"] for step in found["steps"]] == [step.name for step in STEPS]
    assert {step["status"] for step in found["steps"]} == {"DONE"}
    (price,) = found["prices"]
    assert (price["symbol"], price["closing"], price["settlement_method"]) == ("AU", "600.00", "AVERAGE")
    assert price["inputs"]["day"]["quantity_mg"] == 20_000
    await rest("auditor", "GET", "/days/2020-01-01", 422)

    path = f"/days/{first['day']}/sign"
    await rest("auditor", "POST", path, 403, json={"capacity": "risk"})
    assert (await rest("operator", "POST", path, 422, json={"capacity": "trader"}))["reason"] == "BAD_VALUE"
    refused = await rest("operator", "POST", path, 409, json={"capacity": "warehouse"})
    assert refused["reason"] == "NOT_PERMITTED"
    assert (await rest(ONE, "POST", path, json={"capacity": "settlement"}))["missing"] == ["warehouse", "risk"]
    assert (await rest(ONE, "POST", path, 409, json={"capacity": "warehouse"}))["reason"] == "NOT_PERMITTED"
    assert (await rest(OTHER, "POST", path, json={"capacity": "warehouse"}))["record"] is None
    record = (await rest("operator", "POST", path, json={"capacity": "risk"}))["record"]
    found = await rest("auditor", "GET", f"/days/{first['day']}")
    assert (found["state"], found["record"]) == ("SIGNED", record)

    path = f"/days/{THIRD}/open"
    await rest("auditor", "POST", path, 403, json={"reason": "why"})
    waiting = await rest(ONE, "POST", path, json={"reason": "why"})
    assert (waiting["day"], waiting["may_open"], waiting["opened_by"]) == (THIRD, False, [ONE])
    assert (await rest(ONE, "POST", path, 409, json={"reason": "why"}))["reason"] == "SAME_PERSON"
    assert (await rest("operator", "POST", path, json={"reason": "why"}))["may_open"]
    assert [row["signed_by"] for row in found["signatures"]] == [ONE, OTHER, "operator"]
