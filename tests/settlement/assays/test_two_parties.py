"""Two laboratories and an umpire: commit, reveal, decide; certificates of the result; and biased laboratories."""

from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol.units import BadValue
from settlement.assays import assay, certificate_pdf, certificates, laboratories, two_parties
from settlement.assays.assay import Result
from settlement.base import audit
from settlement.base.refusal import Refused
from settlement.intake import intake, melting, pre_advice
from settlement.intake.melting import MeltWeight
from settlement.lots import acceptance, lots, sampling
from settlement.lots.sampling import SealedSample
from settlement.lots.scales import GrossWeight, parse_shown_weight
from settlement.lots.splitting import MEAN_RULE, SplitDecision, umpire
from settlement.tables.assays import assay_exchange_party
from tests.settlement import bar_lists
from tests.settlement.small_exchange import ONE, SmallExchange, bars

Work = Callable[[AsyncConnection], Coroutine[Any, Any, Any]]
NONCES = {"A": "a" * 32, "B": "b" * 64}
DORE = {
    "symbol": "DORE",
    "form": "DORE",
    "gross_g": "12480.35",
    "fineness_permille": "884.00",
    "origin": "MINE",
}


async def do(exchange: SmallExchange, work: Work) -> Any:
    async with exchange.engine.begin() as connection:
        return await work(connection)


async def refused(exchange: SmallExchange, work: Work) -> str:
    with pytest.raises(Refused) as error:
        await do(exchange, work)
    return error.value.reason


async def sampled(exchange: SmallExchange, serial: str = "D1", parties: tuple[str, ...] = ("A", "B", "UMPIRE")) -> int:
    """TV2 of the domain sheet: 12,480.35 g received, 12,468.10 g after melting, sampled for three."""

    async def work(connection: AsyncConnection) -> int:
        (number,) = await pre_advice.pre_advise(connection, ONE, bar_lists.declared(bars([{**DORE, "serial": serial}])))
        await intake.arrive(connection, ONE, {number: "S-1"})
        await intake.weigh(connection, ONE, {number: GrossWeight("SCALE-1", parse_shown_weight("g", "12480.35"))})
        await intake.screen(connection, ONE, {number: (88_400,)})
        await melting.melt_each(connection, ONE, {number: MeltWeight("SCALE-1", parse_shown_weight("g", "12468.10"))})
        drawn = [SealedSample(party, f"{serial}-{party}", 800) for party in parties]
        await sampling.draw(connection, ONE, {number: drawn})
        return number

    return int(await do(exchange, work))


async def exchanged(
    exchange: SmallExchange, number: int, a: tuple[int, ...], b: tuple[int, ...], serial: str = "D1"
) -> tuple[int, str]:
    """Open, commit and reveal; return the exchange's number and its state after that."""

    async def work(connection: AsyncConnection) -> tuple[int, str]:
        opened = await two_parties.begin(connection, ONE, number, "LAB-A", "LAB-B")
        status = ""
        for party, ppm in (("A", a), ("B", b)):
            hashed = two_parties.commitment(number, ppm, NONCES[party])
            await two_parties.commit(connection, ONE, opened, party, hashed)
        for party, ppm in (("B", b), ("A", a)):
            status = await two_parties.reveal(connection, ONE, opened, party, ppm, NONCES[party], f"{serial}-{party}")
        return opened, status

    opened, status = await do(exchange, work)
    return int(opened), str(status)


async def certified(exchange: SmallExchange, number: int) -> certificates.Certificate:
    async def work(connection: AsyncConnection) -> certificates.Certificate:
        await intake.certify(connection, ONE, [number])
        made = await certificates.find(connection, (await certificates.numbers(connection))[-1])
        assert made.lot_id == number
        return made

    found: certificates.Certificate = await do(exchange, work)
    return found


async def test_tv2_within_the_limit_the_mean_counts(exchange: SmallExchange) -> None:
    """Domain sheet 3.3, TV2: 88.42% and 88.38%, splitting limit 0.05%: 88.40%, 11,021.800 g fine."""
    number = await sampled(exchange)
    _, status = await exchanged(exchange, number, (884_200, 884_200), (883_800, 883_800))
    assert status == "AGREED"
    found = await certified(exchange, number)
    finding = {"rule": MEAN_RULE, "fineness_e5": 88_400, "split_limit_e5": 50, "umpire_paid_by": None}
    assert found.content["finding"] == finding
    assert found.content["fine"]["fine_mg"] == 11_021_800
    assert certificates.recompute(found.text) == []


@pytest.mark.parametrize(("rule", "final"), [("NEAREST_MEAN", 88_425), ("MIDDLE", 88_450)])
async def test_tv3_beyond_the_limit_the_umpire_decides(exchange: SmallExchange, rule: str, final: int) -> None:
    """Domain sheet 3.3, TV3: 88.52%, 88.40%, umpire 88.45%; the seller is farther away and pays."""
    proposal = await do(
        exchange, lambda c: acceptance.propose(c, ONE, "DORE", acceptance.Rule(("DORE",), umpire_rule=rule))
    )
    await exchange.approve(proposal)
    number = await sampled(exchange)
    opened, status = await exchanged(exchange, number, (885_200, 885_200), (884_000, 884_000))
    assert status == "SPLIT"
    with pytest.raises(BadValue, match="neither party"):
        await do(
            exchange, lambda c: two_parties.report(c, ONE, opened, Result("LAB-A", (884_500, 884_500), "D1-UMPIRE"))
        )
    umpires = Result("LAB-U", (884_400, 884_600, 884_500), "D1-UMPIRE")
    assert await do(exchange, lambda c: two_parties.report(c, ONE, opened, umpires)) == SplitDecision(final, rule, "A")
    found = await certified(exchange, number)
    assert found.content["finding"]["fineness_e5"] == final
    assert [entry["party"] for entry in found.content["assays"]] == ["B", "A", "UMPIRE"]
    assert certificates.recompute(found.text) == []
    assert await refused(exchange, lambda c: two_parties.report(c, ONE, opened, umpires)) == "ILLEGAL_STEP"


def test_who_pays_the_umpire() -> None:
    """The farther party pays, or half each; where both are as far NEAREST_MEAN takes the umpire's result alone."""
    assert umpire(88_500, 88_400, 88_450, "NEAREST_MEAN") == SplitDecision(88_450, "NEAREST_MEAN", "BOTH")
    assert umpire(88_500, 88_400, 88_510, "NEAREST_MEAN") == SplitDecision(88_505, "NEAREST_MEAN", "B")
    assert umpire(88_500, 88_400, 88_510, "MIDDLE") == SplitDecision(88_500, "MIDDLE", "B")
    assert umpire(88_500, 88_400, 88_445, "NEAREST_MEAN") == SplitDecision(88_422, "NEAREST_MEAN", "A"), "half to even"


async def test_the_limit_is_part_of_the_agreement(exchange: SmallExchange) -> None:
    number = await sampled(exchange)
    assert (await exchanged(exchange, number, (884_500, 884_500), (884_000, 884_000)))[1] == "AGREED"
    other = await sampled(exchange, "D2")
    assert (await exchanged(exchange, other, (884_600, 884_600), (884_000, 884_000), "D2"))[1] == "SPLIT"


async def test_results_are_revealed_after_both_commitments_and_never_edited(exchange: SmallExchange) -> None:
    number = await sampled(exchange)
    ppm = {"A": (884_200, 884_200), "B": (883_800, 883_800)}
    opened = await do(exchange, lambda c: two_parties.begin(c, ONE, number, "LAB-A", "LAB-B"))
    single = {number: Result("LAB-A", ppm["A"], "D1-A")}
    assert await refused(exchange, lambda c: assay.fire_assay(c, ONE, single)) == "ASSAY_EXCHANGE"
    hashed = {party: two_parties.commitment(number, ppm[party], NONCES[party]) for party in ppm}
    assert hashed["A"] == sha256(f"{number}|884.200,884.200|{NONCES['A']}".encode()).digest()

    def reveal(party: str, values: tuple[int, ...], nonce: str, seal: str = "") -> Work:
        return lambda c: two_parties.reveal(c, ONE, opened, party, values, nonce, seal or f"D1-{party}")

    def commit(party: str, value: bytes) -> Work:
        return lambda c: two_parties.commit(c, ONE, opened, party, value)

    assert await do(exchange, commit("A", hashed["A"])) == "OPEN"
    assert await refused(exchange, reveal("A", ppm["A"], NONCES["A"])) == "ILLEGAL_STEP", "B has not committed"
    assert await refused(exchange, commit("A", hashed["B"])) == "ILLEGAL_STEP", "once"
    with pytest.raises(BadValue, match="other party"):
        await do(exchange, commit("B", hashed["A"]))
    assert await do(exchange, commit("B", hashed["B"])) == "COMMITTED"
    assert await refused(exchange, reveal("A", (884_300, 884_100), NONCES["A"])) == "WRONG_REVEAL", "the same mean"
    assert await refused(exchange, reveal("A", ppm["A"], "c" * 32)) == "WRONG_REVEAL"
    assert await refused(exchange, reveal("A", ppm["A"], NONCES["A"], "D1-B")) == "WRONG_SEAL"
    assert await do(exchange, reveal("A", ppm["A"], NONCES["A"])) == "COMMITTED"
    assert await refused(exchange, reveal("A", ppm["A"], NONCES["A"])) == "ILLEGAL_STEP"
    for column, value in (("commitment", hashed["B"]), ("opening", "x"), ("assay_id", 1)):
        change = update(assay_exchange_party).where(assay_exchange_party.c.party == "A").values({column: value})
        with pytest.raises(DBAPIError, match="written once"):
            await do(exchange, lambda c, change=change: c.execute(change))  # type: ignore[misc]
    forged = (
        update(assay_exchange_party).where(assay_exchange_party.c.party == "B").values(opening="x", status="COMMITTED")
    )
    with pytest.raises(DBAPIError, match="revealed_what_was_committed"):
        await do(exchange, lambda c: c.execute(forged))
    assert await do(exchange, reveal("B", ppm["B"], NONCES["B"])) == "AGREED"
    async with exchange.engine.connect() as connection:
        await audit.verify(connection)
        actions = (
            await connection.execute(text("SELECT action FROM audit_log WHERE subject = 'assay_exchange:1'"))
        ).scalars()
        assert [action for action in actions if action in ("assay_exchange.commit", "assay_exchange.reveal")] == [
            "assay_exchange.commit",
            "assay_exchange.commit",
            "assay_exchange.commit",
            "assay_exchange.reveal",
            "assay_exchange.reveal",
        ], "each party's, and the exchange's own step to COMMITTED"


async def test_an_exchange_needs_three_samples_and_two_laboratories(exchange: SmallExchange) -> None:
    number = await sampled(exchange, parties=("A", "B"))
    assert await refused(exchange, lambda c: two_parties.begin(c, ONE, number, "LAB-A", "LAB-B")) == "NO_SAMPLE"
    number = await sampled(exchange, "D2")
    with pytest.raises(BadValue, match="another laboratory"):
        await do(exchange, lambda c: two_parties.begin(c, ONE, number, "LAB-A", "LAB-A"))
    await do(exchange, lambda c: two_parties.begin(c, ONE, number, "LAB-A", "LAB-B"))
    assert await refused(exchange, lambda c: two_parties.begin(c, ONE, number, "LAB-A", "LAB-B")) == "ASSAY_EXCHANGE"


async def test_a_new_exchange_may_follow_a_void_one(exchange: SmallExchange) -> None:
    number = await sampled(exchange)
    opened = await do(exchange, lambda c: two_parties.begin(c, ONE, number, "LAB-A", "LAB-B"))
    await do(exchange, lambda c: two_parties.void(c, ONE, opened, "party B does not answer"))
    second, status = await exchanged(exchange, number, (885_200, 885_200), (884_000, 884_000))
    assert (second, status) == (2, "SPLIT")
    again = MeltWeight("SCALE-1", parse_shown_weight("g", "12461.00"))
    await do(exchange, lambda c: melting.melt_each(c, ONE, {number: again}, "remelt"))
    async with exchange.engine.connect() as connection:
        assert [row.status for row in await two_parties.listing(connection)] == ["VOID", "VOID"]
        assert (await lots.find(connection, [number]))[number].state == "MELTED"


async def test_a_certificate_is_checked_and_computed_again(exchange: SmallExchange) -> None:
    number = await sampled(exchange)
    await exchanged(exchange, number, (884_200, 884_200), (883_800, 883_800))
    found = await certified(exchange, number)
    async with exchange.engine.connect() as connection:
        assert (await certificates.check(connection, 1, found.hash)).status == "VALID"
        assert (await certificates.check(connection, 1, bytes(32))).status == "DIFFERENT"
        assert (await certificates.check(connection, 2, found.hash)).status == "UNKNOWN"
        assert await certificates.against_register(connection, found) == []
        assert await certificates.numbers(connection) == [1]
    for path, value in (
        (("assays", 0, "replicates_ppm", 0), 884_100),
        (("assays", 1, "reported_e5"), 88_430),
        (("finding", "fineness_e5"), 88_410),
        (("finding", "umpire_paid_by"), "A"),
        (("finding", "split_limit_e5"), 30),
        (("fine", "fine_mg"), 11_021_801),
        (("weight_cg",), 1_246_811),
    ):
        content: Any = found.content
        *way, last = path
        inner = content
        for step in way:
            inner = inner[step]
        inner[last] = value
        assert certificates.recompute(certificates.written(content)), path
    await do(exchange, lambda c: c.execute(text("DROP TRIGGER append_only ON assay")))
    await do(
        exchange,
        lambda c: c.execute(text("UPDATE assay SET replicates_ppm = ARRAY[884200, 884201] WHERE assay_id = 3")),
    )
    async with exchange.engine.connect() as connection:
        (wrong,) = await certificates.against_register(connection, found)
        assert "replicates" in wrong


async def test_a_printed_certificate_has_the_same_bytes_each_time(exchange: SmallExchange) -> None:
    number = await sampled(exchange)
    await exchanged(exchange, number, (884_200, 884_200), (883_800, 883_800))
    found = await certified(exchange, number)
    page = certificate_pdf.render(found)
    assert page.startswith(b"%PDF-")
    assert b"NotoSansSC" in page
    assert certificate_pdf.render(found) == page
    assert certificate_pdf.qr_text(found) == f"goldx:certificate/1?sha256={found.hash.hex()}"
    assert certificate_pdf.render(found._replace(number=2)) != page


async def test_a_biased_laboratory_is_flagged(exchange: SmallExchange) -> None:
    """LAB-A is about 0.2 per mille high every time, LAB-B as much low; two standard errors flag both."""
    for n, high in enumerate((180, 200, 220, 200, 190)):
        number = await sampled(exchange, f"D{n}")
        await exchanged(exchange, number, (884_000 + high * 2,) * 2, (884_000, 884_000), f"D{n}")
    async with exchange.engine.connect() as connection:
        found = {bias.laboratory: bias for bias in await laboratories.biases(connection)}
    assert found["LAB-A"].results == 5
    assert found["LAB-A"].flagged
    assert found["LAB-B"].flagged
    assert found["LAB-A"].mean_difference_e7 == -found["LAB-B"].mean_difference_e7 > 0
    assert "LAB-U" not in found
