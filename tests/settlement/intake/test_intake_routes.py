"""Intake and the exchange of assays over REST, and the certificate that anybody may check without a token."""

from typing import Any

from settlement.assays import two_parties
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER

ORIGIN = {"origin": "MINE", "country": "CN", "seller_check": "KYB-1", "documents": ["INV-1"]}
ADVICE: dict[str, Any] = {
    "refiner": "MINE",
    "serial": "D1",
    "symbol": "DORE",
    "form": "DORE",
    "account": "A.H",
    "warehouse": "XM1",
    "gross": "12480.35",
    "fineness_permille": "884.00",
    "provenance": ORIGIN,
}


async def test_a_dore_bar_from_advice_to_certificate(rest: Rest) -> None:
    lot = (await rest(ONE, "POST", "/lots", json=ADVICE))["lot"]

    async def step(name: str, body: Any, status: int = 200, who: str = ONE) -> dict[str, Any]:
        return await rest(who, "POST", f"/lots/{lot}/{name}", status, json=body)

    assert (await step("arrive", {"seal": "S-1"}, 403, "auditor"))["reason"] == "NOT_PERMITTED"
    await step("arrive", {"seal": "S-1"})
    refused = await step("weigh", {"scale": "SCALE-1", "grams": "12480.4"}, 409)
    assert refused["reason"] == "WRONG_RESOLUTION"
    await step("weigh", {"scale": "SCALE-1", "grams": "12480.35"})
    await step("screen", {"points": ["884", "885"]}, 422)
    await step("screen", {"points": ["884", "885", "884"]})
    assert (await step("melt", {"scale": "SCALE-1", "grams": "12468.10"}))["alarms"] == []
    samples = [{"party": party, "seal": f"P-{party}", "grams": "8.00"} for party in ("A", "B", "UMPIRE")]
    await step("sample", samples)
    number = (await step("assay-exchange", {"laboratory_a": "LAB-A", "laboratory_b": "LAB-B"}))["assay_exchange"]
    for party, ppm in (("A", (885_200, 885_200)), ("B", (884_000, 884_000))):
        hashed = two_parties.commitment(lot, ppm, party.lower() * 32).hex()
        await rest(ONE, "POST", f"/assay-exchanges/{number}/commit", json={"party": party, "commitment": hashed})
    for party, permille in (("A", "885.200"), ("B", "884.000")):
        shown = {"party": party, "replicates": [permille] * 2, "nonce": party.lower() * 32, "seal": f"P-{party}"}
        answer = await rest(ONE, "POST", f"/assay-exchanges/{number}/reveal", json=shown)
    assert answer["status"] == "SPLIT"
    report = {"laboratory": "LAB-U", "replicates": ["884.400", "884.600"], "seal": "P-UMPIRE"}
    decided = await rest(ONE, "POST", f"/assay-exchanges/{number}/umpire", json=report)
    assert decided == {"final_permille": "884.25", "rule": "NEAREST_MEAN", "umpire_paid_by": "A"}
    await rest(ONE, "POST", "/certificates", json={"lots": [lot]})
    blocked = await rest(ONE, "POST", "/lots/register", 409, json={"lots": [lot]})
    assert "licence, tax_proof" in blocked["detail"]
    whole = {**ORIGIN, "licence": "M-1", "tax_proof": "T-1"}
    assert (await step("provenance", whole))["missing"] == []
    await rest(ONE, "POST", "/lots/register", json={"lots": [lot]})
    assert (await rest("auditor", "GET", f"/lots/{lot}"))["state"] == "REGISTERED"
    (melt,) = (await rest("auditor", "GET", "/melts"))["melts"]
    assert (melt["parents"], melt["child"], melt["loss"]) == ("12480.35", "12468.1", "12.25")
    assert len((await rest("auditor", "GET", "/laboratories"))["biases"]) == 3
    classes = (await rest("auditor", "GET", "/acceptance"))["classes"]
    assert [row["symbol"] for row in classes] == ["AU", "DORE", "SCRAP"]

    found = await rest("auditor", "GET", "/certificates/1")
    assert found["differences"] == []
    public = f"/v1/certificates/1?sha256={found['sha256']}"
    genuine = await rest.anybody("GET", public)
    assert (genuine["status"], genuine["lot_state"]) == ("VALID", "REGISTERED")
    assert (await rest.anybody("GET", f"/v1/certificates/1?sha256={'0' * 64}")) == {
        "certificate": 1,
        "status": "DIFFERENT",
        "lot_state": None,
        "issued_at": None,
    }
    assert (await rest.anybody("GET", f"/v1/certificates/9?sha256={'0' * 64}"))["status"] == "UNKNOWN"
    await rest.anybody("GET", "/v1/certificates/1?sha256=zz", 422)
    assert (await rest.raw("auditor", "/certificates/1/pdf")).startswith(b"%PDF-")


async def test_metal_goes_back_by_two_people(rest: Rest) -> None:
    advice = {**ADVICE, "symbol": "AU", "form": "NONAPPROVED_BAR", "fineness_permille": "999.00", "gross": "100.00"}
    lot = (await rest(ONE, "POST", "/lots", json=advice))["lot"]
    await rest(ONE, "POST", f"/lots/{lot}/arrive", json={"seal": "S-1"})
    held = {"reason": "reported stolen", "authority": "police 17"}
    await rest(ONE, "POST", f"/lots/{lot}/quarantine", json=held)
    assert (await rest("auditor", "GET", f"/lots/{lot}"))["held_state"] == "ARRIVED"
    number = (await rest(ONE, "POST", f"/lots/{lot}/lift", json={"reason": "police 18"}))["proposal"]
    await rest(OTHER, "POST", f"/proposals/{number}/approve")
    await rest(ONE, "POST", f"/lots/{lot}/reject", json={"reason": "plated"})
    number = (await rest(ONE, "POST", f"/lots/{lot}/return", json={"collector": "Driver"}))["proposal"]
    assert (await rest(ONE, "POST", f"/proposals/{number}/approve", 409))["reason"] == "SAME_PERSON"
    await rest(OTHER, "POST", f"/proposals/{number}/approve")
    assert (await rest("auditor", "GET", f"/lots/{lot}"))["state"] == "RETURNED"
