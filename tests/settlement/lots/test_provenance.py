"""Provenance: what a record must have, how risky it is, and that no lot is registered without one."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from goldx.protocol.units import BadValue
from settlement.intake import intake
from settlement.lots import provenance
from settlement.lots.provenance import ProvenanceRecord
from tests.settlement.intake.lot_steps import assayed, screened
from tests.settlement.small_exchange import ONE, SmallExchange, do, refused


@pytest.mark.parametrize(
    ("record", "form", "lacks", "grade"),
    [
        (ProvenanceRecord("BANK", "CN", None, None, "KYB-1", ("INV-1",)), "NONAPPROVED_BAR", [], "LOW"),
        (ProvenanceRecord("BANK", "US", None, None, "KYB-1", ("INV-1",)), "NONAPPROVED_BAR", [], "MEDIUM"),
        (ProvenanceRecord("BANK"), "NONAPPROVED_BAR", ["country", "seller_check", "documents"], "MEDIUM"),
        (ProvenanceRecord("MINE", "CN", None, None, "KYB-1", ("D",)), "DORE", ["licence", "tax_proof"], "MEDIUM"),
        (ProvenanceRecord("MINE", "CN", "M-1", "T-1", "KYB-1", ("D",)), "DORE", [], "MEDIUM"),
        (ProvenanceRecord("MINE", "CN", "M-1", "T-1", "KYB-1", ("D",), True), "DORE", [], "HIGH"),
        (ProvenanceRecord("RECYCLED_CONSUMER", "CN", None, None, "KYC-1", ("D",)), "SCRAP_JEWEL", [], "MEDIUM"),
        (ProvenanceRecord("RECYCLED_TRADE", "CN", None, None, "KYC-1", ("D",)), "GRAIN", [], "HIGH"),
    ],
)
def test_provenance_is_complete_and_graded_by_rule(
    record: ProvenanceRecord, form: str, lacks: list[str], grade: str
) -> None:
    assert provenance.missing(record) == lacks
    assert provenance.grade(record, form, 90_000)[0] == grade


@pytest.mark.parametrize("code", ["XX", "cn", "CHN", "China", ""])
def test_a_country_is_one_of_iso_3166(code: str) -> None:
    assert provenance.check(ProvenanceRecord("BANK", "KZ")).country == "KZ"
    with pytest.raises(BadValue) as bad:
        provenance.check(ProvenanceRecord("BANK", code))
    assert bad.value.field == "country"


def test_mined_gold_of_refined_fineness_is_of_high_risk() -> None:
    """Domain sheet 3.6: 995 per mille ends that status."""
    record = ProvenanceRecord("MINE", "CN", "M-1", "T-1", "KYB-1", ("D",))
    assert [provenance.grade(record, "DORE", e5)[0] for e5 in (99_499, 99_500)] == ["MEDIUM", "HIGH"]


async def test_no_lot_is_registered_without_its_provenance(exchange: SmallExchange) -> None:
    number = await screened(
        exchange, "100.00", serial="D1", symbol="DORE", form="DORE", fineness_permille="880.00", origin="MINE"
    )
    await assayed(exchange, number, 880_000, 880_100)
    await do(exchange, intake.certify, ONE, [number])
    await refused(exchange, "BLOCKED", intake.register, ONE, [number])
    risky = ProvenanceRecord("MINE", "CN", "M-1", "T-1", "KYB-1", ("D",), True)
    await do(exchange, provenance.write, ONE, {number: risky})
    await refused(exchange, "BLOCKED", intake.register, ONE, [number])
    proposal = await do(exchange, provenance.propose_acceptance, ONE, number, "EDD-1")
    await exchange.approve(proposal)
    await do(exchange, intake.register, ONE, [number])
    await refused(exchange, "ILLEGAL_STEP", provenance.write, ONE, {number: risky})
    with pytest.raises(DBAPIError, match="written once"):
        async with exchange.engine.begin() as connection:
            await connection.execute(text("UPDATE provenance SET country = 'US'"))
