"""Assays far from their screening, and mistyped weights: another person looks at them again."""

import pytest

from goldx.protocol.units import BadValue
from settlement.assays import assay, certificates, two_parties
from settlement.assays.assay import Result
from settlement.intake import fabrication, intake, melting, pre_advice, screening_alarms, weight_corrections
from settlement.intake.bar_rows import BarKey
from settlement.intake.melting import MeltWeight
from settlement.lots import lots, sampling
from settlement.lots.sampling import SealedSample
from settlement.lots.scales import GrossWeight, parse_shown_weight
from settlement.service import movements
from tests.settlement import bar_lists
from tests.settlement.intake.lot_steps import advised, assayed, screened
from tests.settlement.small_exchange import ONE, OTHER, THIRD, SmallExchange, bars, do, refused


async def test_an_assay_far_from_the_screening_is_explained_by_a_third_person(exchange: SmallExchange) -> None:
    """X-ray 500, assay 999.1: an exchanged sample, or a plated bar. It stops registration and melts with others."""
    number = await advised(exchange)
    await do(exchange, intake.arrive, ONE, {number: "S-1"})
    await do(exchange, intake.weigh, ONE, {number: GrossWeight("SCALE-1", parse_shown_weight("grams", "100.00"))})
    await do(exchange, intake.screen, ONE, {number: (50_000,)})
    await do(exchange, sampling.draw, ONE, {number: [SealedSample("A", "P-1", 500)]})
    await do(exchange, assay.fire_assay, OTHER, {number: Result("LAB-A", (999_100, 999_100), "P-1")})
    await do(exchange, intake.certify, ONE, [number])
    why = await refused(exchange, "BLOCKED", intake.register, ONE, [number])
    apart = "500.00 by X-ray, 999.10 per mille by assay are 499.10 apart, and nobody has explained it"
    assert why == f"lot {number} cannot be registered: {apart}"
    (other,) = await exchange.register([{"serial": "R2"}])
    weight = MeltWeight("SCALE-1", parse_shown_weight("grams", "199.00"))
    await refused(exchange, "BLOCKED", melting.combine, ONE, [number, other], BarKey("XM1", "M", 0), weight)
    for person in (ONE, OTHER):
        await refused(exchange, "SAME_PERSON", screening_alarms.explain, person, number, "is gilt brass")
    await do(exchange, screening_alarms.explain, THIRD, number, "screened through its paint; bar drilled, whole")
    await refused(exchange, "ILLEGAL_STEP", screening_alarms.explain, THIRD, number, "again")
    await do(exchange, intake.register, ONE, [number])


async def test_none_of_the_parties_that_assayed_explains_the_difference(exchange: SmallExchange) -> None:
    """One person enters party A's result, another party B's, which makes the finding."""
    number = await screened(exchange)
    drawn = [SealedSample(party, f"P-{party}", 500) for party in ("A", "B", "UMPIRE")]
    await do(exchange, sampling.draw, ONE, {number: drawn})
    opened = await do(exchange, two_parties.begin, ONE, number, "LAB-A", "LAB-B")
    ppm, nonces = (884_300, 884_100), {"A": "a" * 32, "B": "b" * 32}
    for party, nonce in nonces.items():
        await do(exchange, two_parties.commit, ONE, opened, party, two_parties.commitment(number, ppm, nonce))
    for party, person in (("A", OTHER), ("B", THIRD)):
        await do(exchange, two_parties.reveal, person, opened, party, ppm, nonces[party], f"P-{party}")
    for person in (ONE, OTHER, THIRD):
        await refused(exchange, "SAME_PERSON", screening_alarms.explain, person, number, "is mixed scrap")


@pytest.mark.parametrize(("xrf", "explained"), [(99_900, True), (98_900, True), (98_800, False)])
async def test_up_to_ten_per_mille_a_bar_is_what_it_looked_like(
    exchange: SmallExchange, xrf: int, explained: bool
) -> None:
    data = bars([{"xrf_permille": str(xrf // 100)}])
    await do(exchange, pre_advice.pre_advise, ONE, bar_lists.declared(data))
    done = await do(exchange, fabrication.process, ONE, bar_lists.measured(data))
    assert (done.waiting == {}) is explained


async def test_a_mistyped_weight_is_corrected_by_two_people(exchange: SmallExchange) -> None:
    """1000.05 g was typed as 100.05: the lot is weighed again, another person approves, the history has both."""
    number = await screened(exchange, "100.05", gross_g="1000.05")
    again = GrossWeight("SCALE-1", parse_shown_weight("grams", "1000.05"))
    same = GrossWeight("SCALE-1", parse_shown_weight("grams", "100.05"))
    with pytest.raises(BadValue, match="another weight than the lot has"):
        await do(exchange, weight_corrections.propose, ONE, number, same, "mistyped")
    coarse = GrossWeight("SCALE-1", parse_shown_weight("grams", "1000.1"))
    await refused(exchange, "WRONG_RESOLUTION", weight_corrections.propose, ONE, number, coarse, "mistyped")
    proposal = await do(exchange, weight_corrections.propose, ONE, number, again, "mistyped")
    late = await do(exchange, weight_corrections.propose, ONE, number, again, "mistyped")
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, proposal)
    await exchange.approve(proposal)
    await refused(exchange, "WEIGHT_CHANGED", movements.approve, OTHER, late)
    await do(exchange, movements.decline, OTHER, late)
    assert (await do(exchange, lots.find, [number]))[number].gross_cg == 100_005
    event = (await do(exchange, lots.history, number))[-1]
    assert (event.step, event.by, event.detail["was_g"], event.detail["weighed_by"]) == (
        "correct_weight",
        OTHER,
        "100.05",
        ONE,
    )
    await assayed(exchange, number, 999_000, 999_000)
    await do(exchange, intake.certify, ONE, [number])
    found = await do(exchange, certificates.find, 1)
    assert (found.content["weight_cg"], found.content["fine"]["fine_mg"]) == (100_005, 999_049)
    await refused(exchange, "ILLEGAL_STEP", weight_corrections.propose, ONE, number, again, "too late")
