"""Settlement over REST, through a real gateway, with tokens that staff sign themselves."""

from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, bars

CSV = {"Content-Type": "text/csv"}


async def test_a_working_day_over_rest(exchange: SmallExchange, rest: Rest) -> None:
    transfer = {"account": "B.H", "amount": "1000000.00", "bank_reference": "bank-1"}
    number = (await rest(ONE, "POST", "/cash", json=transfer))["proposal"]
    refused = await rest(ONE, "POST", f"/proposals/{number}/approve", 409)
    assert refused["reason"] == "SAME_PERSON"
    assert (await rest(OTHER, "POST", f"/proposals/{number}/approve"))["status"] == "APPROVED"
    assert (await rest("operator", "GET", "/status"))["outbox"] == 1
    await exchange.round_trip()
    status = await rest("operator", "GET", "/status")
    assert status == {
        "sequence": status["last_sequence"],
        "last_sequence": status["sequence"],
        "trades": 0,
        "outbox": 0,
    }

    wrong = await rest(ONE, "POST", "/bar-lists/declared", 422, content=bars([{"gross_g": "x"}]), headers=CSV)
    assert [(row["line"], row["column"]) for row in wrong["errors"]] == [(2, "gross_g")]
    data = bars([{"serial": f"A{n}"} for n in range(4)])
    taken = (await rest(ONE, "POST", "/bar-lists/declared", content=data, headers=CSV))["lots"]
    assert (await rest(ONE, "POST", "/bar-lists/measured", content=data, headers=CSV))["lots"] == taken
    number = (await rest(ONE, "POST", "/receipts", json={}))["proposal"]
    (waiting,) = (await rest("auditor", "GET", "/proposals"))["proposals"]
    assert waiting["summary"] == {"lots": 4, "fine_g": {"AU": "399.6"}}
    await rest(OTHER, "POST", f"/proposals/{number}/approve")
    await exchange.round_trip()
    found = (await rest("auditor", "GET", "/lots", params={"state": "RECEIPTED"}))["lots"]
    assert [row["fine"] for row in found] == ["99.9"] * 4

    await exchange.trade("B.H", "A.H", 60_000, 100)
    application = {"account": "A.H", "symbol": "AU", "warehouse": "XM1", "weight": "199.8", "collector": "Carrier"}
    code = {"collector_id": "AB-1234567", "pickup_code": "271828"}
    number = (await rest(ONE, "POST", "/load-outs", json={**application, **code, "code_again": "271828"}))["proposal"]
    await rest(OTHER, "POST", f"/proposals/{number}/approve")
    await exchange.round_trip()
    assert (await rest("auditor", "GET", "/load-outs/1"))["status"] == "SUCCESS"
    wrong = await rest(OTHER, "POST", "/load-outs/1/sign", 409, json={**code, "pickup_code": "1"})
    assert wrong["reason"] == "WRONG_CODE"
    assert (await rest("auditor", "GET", "/load-outs/1"))["wrong_codes"] == 1
    assert (await rest(OTHER, "POST", "/load-outs/1/sign", json=code))["status"] == "SIGNED"
    assert (await rest(ONE, "POST", "/load-outs/1/release"))["lots"] == taken[:2]
    assert (await rest("auditor", "GET", f"/lots/{taken[0]}"))["history"][-1]["step"] == "release"

    async def listed(**wanted: str) -> list[int]:
        file = await rest.content("auditor", "/exports/bars", **wanted)
        numbers = [row["lot_id"] for row in (await rest("auditor", "GET", "/lots", params=wanted))["lots"]]
        assert len(numbers) == len(file.splitlines()) - 1
        return numbers

    assert await listed() == taken[2:], "what was released is not here any more"
    assert await listed(gone="true") == taken
    assert await listed(state="RELEASED") == taken[:2]

    assert (await rest("auditor", "POST", "/reconciliations"))["breaks"] == []
    held = (await rest("auditor", "GET", "/balances", params={"account": "B.H"}))["balances"]
    assert {row["asset"]: row["balance"] for row in held} == {"CNY": "939994.00", "AU": "100"}
    assert (await rest("auditor", "GET", "/audit"))["entries"][-1]["action"] == "reconcile"


async def test_who_may_do_what(rest: Rest) -> None:
    transfer = {"account": "B.H", "amount": "1.00", "bank_reference": "bank-1"}
    for who in ("auditor", "operator", "M1"):
        assert (await rest(who, "POST", "/cash", 403, json=transfer))["reason"] == "NOT_PERMITTED"
    for who in ("operator", "M1"):
        await rest(who, "GET", "/lots", 403)
    await rest("M1", "GET", "/status", 403)
    bad = await rest(ONE, "POST", "/cash", 422, json={**transfer, "amount": "1.005"})
    assert bad["reason"] == "BAD_VALUE"
    assert "amount" in bad["detail"]
    await rest(ONE, "POST", "/cash", 422, json={**transfer, "account": "X.H"})
    await rest(ONE, "GET", "/lots/99", 422)
    assert (await rest(ONE, "GET", "/proposals"))["proposals"] == []
