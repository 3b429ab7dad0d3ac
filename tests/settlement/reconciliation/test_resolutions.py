"""Resolutions of breaks by documents that belong to them, write-offs by two people, and runs after both."""

import random

import pytest

from goldx.protocol.units import BadValue
from settlement.base import working_days
from settlement.documents.reconciliation import BREAK
from settlement.intake import intake, pre_advice, weight_corrections
from settlement.ledger import corrections
from settlement.lots import scales
from settlement.reconciliation import (
    break_limits,
    break_work,
    breaks,
    resolutions,
    vault_freeze,
)
from settlement.reconciliation.break_areas import BANK_SCOPE, BOOKS
from settlement.reconciliation.breaks import Break
from settlement.reports import stock_report
from settlement.service import movements
from tests.settlement import bar_lists
from tests.settlement.reconciliation.conftest import opened_before
from tests.settlement.reconciliation.recorded import HOLDING, LIGHT, XM1, record, state
from tests.settlement.small_exchange import ONE, OTHER, THIRD, SmallExchange, bars, do, refused, rewrite


async def paid_to_the_wrong_account(exchange: SmallExchange) -> int:
    """Correct money from A.H to B.H; return the proposal's number."""
    number = await do(exchange, corrections.propose, ONE, "A.H", "B.H", 500, "wrong account", "letter 1")
    await exchange.approve(number)
    return number


async def test_a_break_is_resolved_by_a_correction_of_its_account(stocked_exchange: SmallExchange) -> None:
    await stocked_exchange.pay_in("A.H", 1_000, "bank-9")
    early = await paid_to_the_wrong_account(stocked_exchange)
    differs = Break("HOLDING", "B.H", "CNY", 500, 0, account="B.H")
    await record(stocked_exchange, BOOKS, differs, differs._replace(subject="VENUE", account="VENUE"))
    (money,) = await rewrite(stocked_exchange, "SELECT max(cash_id) FROM cash_transfer")
    about_money = Break("VENUE_ONLY", f"cash:{money[0]}", "CNY", 1_000, 0, cash_id=money[0])
    await record(stocked_exchange, BANK_SCOPE, about_money, about_money._replace(subject="payment:1", cash_id=None))

    async def resolve(number: int, document: int) -> None:
        await do(stocked_exchange, resolutions.resolve, ONE, number, "correction", document, "booked wrong")

    await stocked_exchange.round_trip()
    with pytest.raises(Exception, match="was decided before break 1 was found"):
        await resolve(1, early)
    late = await paid_to_the_wrong_account(stocked_exchange)
    with pytest.raises(Exception, match="SENDING: it has moved nothing"):
        await resolve(1, late)
    await stocked_exchange.round_trip()
    for number, about in ((2, "VENUE"), (4, "no account")):
        with pytest.raises(Exception, match=f"corrects A.H, B.H; break {number} is about {about}"):
            await resolve(number, late)
    for number in (1, 3):
        await resolve(number, late)
        assert await state(stocked_exchange, number) == "RESOLVED"
    steps = await do(stocked_exchange, break_work.steps, 1)
    assert [(row.step, row.document) for row in steps] == [("resolve", f"proposal:{late}")]
    await refused(
        stocked_exchange, "ILLEGAL_STEP", resolutions.resolve, ONE, 1, "correction", late, "booked wrong again"
    )
    await record(stocked_exchange, "metal", differs._replace(asset="AU"))
    with pytest.raises(Exception, match=f"proposal {late} corrects CNY; break 5 is about AU"):
        await resolve(5, late)
    with pytest.raises(BadValue, match="the proposal of a correction"):
        await resolve(2, 1)
    with pytest.raises(BadValue, match="proposal"):
        await resolve(2, 999)
    with pytest.raises(BadValue, match="one of correction, weight, assay"):
        await do(stocked_exchange, resolutions.resolve, ONE, 2, "magic", late, "booked wrong")


async def test_what_a_bank_or_a_subject_says_resolves_nothing(stocked_exchange: SmallExchange) -> None:
    """A payer may call himself as a document or an account is named: only the columns say what a break is about."""
    await stocked_exchange.pay_in("A.H", 1_000, "bank-9")
    (money,) = await rewrite(stocked_exchange, "SELECT max(cash_id) FROM cash_transfer")
    named = f"2026-11-30 bank-9 cash:{money[0]} of A.H"
    unclear = Break("BANK_ONLY", "payment:1", "CNY", 0, 1_000, note=named)
    more = Break("BANK_MORE", "payment:2", "CNY", 500, 1_000, note=named, account="C.H")
    called = Break("UNIDENTIFIED", "A.H", "CNY", 0, 1_000)
    suspense = Break("UNIDENTIFIED", "suspense", "CNY", 0, 1_000, account=breaks.venue_account("suspense"))
    await record(stocked_exchange, BANK_SCOPE, unclear, more, called, suspense)
    document = await paid_to_the_wrong_account(stocked_exchange)
    await stocked_exchange.round_trip()
    for number, about in ((1, "no account"), (2, "C.H"), (3, "no account"), (4, "ledger:suspense")):
        why = await refused(
            stocked_exchange, "NOT_RESOLVED", resolutions.resolve, ONE, number, "correction", document, "booked wrong"
        )
        assert why == f"proposal {document} corrects A.H, B.H; break {number} is about {about}"
    await record(stocked_exchange, BANK_SCOPE, unclear._replace(cash_id=money[0]))
    await do(stocked_exchange, resolutions.resolve, ONE, 1, "correction", document, "a run has named its money")
    assert await state(stocked_exchange, 1) == "RESOLVED"


async def test_a_break_is_resolved_by_a_weight_or_an_assay_of_its_lot(stocked_exchange: SmallExchange) -> None:
    (own,) = await rewrite(
        stocked_exchange, "SELECT min(assay_id) FROM assay WHERE lot_id = 1 AND method = 'FIRE_ASSAY'"
    )
    (xray,) = await rewrite(stocked_exchange, "SELECT min(assay_id) FROM assay WHERE lot_id = 1 AND method = 'XRF'")
    heavier = bars([{"serial": "W1"}])
    number = await do(stocked_exchange, pre_advice.pre_advise, ONE, bar_lists.declared(heavier))
    await do(stocked_exchange, intake.arrive, ONE, {number[0]: "S-W1"})
    first = scales.GrossWeight("SCALE-1", scales.parse_shown_weight("gross_g", "99.00"))
    await do(stocked_exchange, intake.weigh, ONE, {number[0]: first})
    await record(
        stocked_exchange,
        XM1,
        LIGHT._replace(lot_id=number[0], subject="new"),
        LIGHT,
        LIGHT._replace(subject="none", lot_id=None),
    )
    weight = scales.GrossWeight("SCALE-1", scales.parse_shown_weight("gross_g", "99.90"))
    proposal = await do(stocked_exchange, weight_corrections.propose, ONE, number[0], weight, "mistyped")
    resolve = resolutions.resolve
    about = (ONE, 1, "weight", proposal, "weighed again")
    assert "PROPOSED" in await refused(stocked_exchange, "NOT_RESOLVED", resolve, *about)
    other_lot = (ONE, 1, "assay", int(own[0]), "assayed again")
    assert "is about lot 1; break 1" in await refused(stocked_exchange, "NOT_RESOLVED", resolve, *other_lot)
    await stocked_exchange.approve(proposal)
    for other, why in ((2, "lot 1"), (3, "no lot")):
        assert f"is about {why}" in await refused(
            stocked_exchange, "NOT_RESOLVED", resolve, ONE, other, "weight", proposal, "weighed again"
        )
    await do(stocked_exchange, resolve, *about)
    assert await state(stocked_exchange) == "RESOLVED"
    assay = ("assay", int(own[0]), "assayed again")
    assert "older" in await refused(stocked_exchange, "NOT_RESOLVED", resolve, ONE, 2, *assay)
    await rewrite(stocked_exchange, "UPDATE recon_break SET opened_at = 0")
    assert "break 3 is about no lot" in await refused(stocked_exchange, "NOT_RESOLVED", resolve, ONE, 3, *assay)
    for unknown in (int(xray[0]), 9_999):
        with pytest.raises(BadValue, match="the number of a fire assay"):
            await do(stocked_exchange, resolve, ONE, 2, "assay", unknown, "assayed again")
    await do(stocked_exchange, resolve, ONE, 2, *assay)
    assert await state(stocked_exchange, 2) == "RESOLVED"


async def test_two_people_write_a_small_break_off(stocked_exchange: SmallExchange) -> None:
    await rewrite(stocked_exchange, "UPDATE instrument SET last_price = NULL, reference_price = 92500")
    heavy = LIGHT._replace(subject="other", lot_id=2, found=50_000)
    await record(stocked_exchange, XM1, LIGHT, heavy)
    await record(stocked_exchange, BOOKS, HOLDING._replace(found=1_001))
    propose = resolutions.propose_write_off
    text_ = await refused(stocked_exchange, "TOO_VALUABLE", propose, ONE, 2, "small")
    assert "worth 46203.75 CNY" in text_
    assert "up to 1000.00 CNY" in text_
    assert "never written off" in await refused(stocked_exchange, "TOO_VALUABLE", propose, ONE, 3, "one milligram")
    number = await do(stocked_exchange, propose, ONE, 1, "a hundredth of a gram")
    await refused(stocked_exchange, "PROPOSED_ALREADY", propose, OTHER, 1, "the same")
    await refused(stocked_exchange, "SAME_PERSON", movements.approve, ONE, number)
    await do(stocked_exchange, movements.decline, ONE, number)
    number = await do(stocked_exchange, propose, ONE, 1, "a hundredth of a gram")
    await record(stocked_exchange, XM1, LIGHT._replace(found=99_890), heavy)
    assert "is 99.89 by now" in await refused(stocked_exchange, "BREAK_CHANGED", movements.approve, OTHER, number)
    await do(stocked_exchange, movements.decline, OTHER, number)
    number = await do(stocked_exchange, propose, ONE, 1, "a hundredth of a gram")
    await rewrite(stocked_exchange, f"UPDATE recon_break SET opened_at = {opened_before(5)}")
    await refused(stocked_exchange, "VAULT_FROZEN", vault_freeze.check, "XM1")
    await do(stocked_exchange, break_limits.change, "operator", "WAREHOUSE", "WRITE_OFF", 100, "for a while")
    await refused(stocked_exchange, "TOO_VALUABLE", movements.approve, OTHER, number)
    await do(stocked_exchange, break_limits.change, "operator", "WAREHOUSE", "WRITE_OFF", 10_000_000, "as before")
    await do(stocked_exchange, movements.approve, OTHER, number)
    assert await state(stocked_exchange) == "WRITTEN_OFF"
    steps = [row.step for row in await do(stocked_exchange, break_work.steps, 1)]
    assert steps == ["propose_write_off", "decline_write_off"] * 2 + ["propose_write_off", "write_off"]
    await stocked_exchange.approve(await do(stocked_exchange, propose, THIRD, 2, "dust"))
    await do(stocked_exchange, vault_freeze.check, "XM1")
    disputed = sum(line.in_dispute for line in await do(stocked_exchange, stock_report.report, working_days.today()))
    assert disputed == 0
    await refused(stocked_exchange, "ILLEGAL_STEP", break_work.explain, ONE, 1, ONE, "after all")


async def test_a_resolved_break_that_is_found_again_is_open_again(stocked_exchange: SmallExchange) -> None:
    """At the same size, too; a written-off one stays, and has ended when it was written off."""
    await record(stocked_exchange, XM1, LIGHT, LIGHT._replace(subject="other", lot_id=2))
    await rewrite(stocked_exchange, "UPDATE recon_break SET opened_at = 0")
    (made,) = await rewrite(stocked_exchange, "SELECT assay_id FROM assay WHERE lot_id = 1 AND method = 'FIRE_ASSAY'")
    await do(stocked_exchange, resolutions.resolve, ONE, 1, "assay", made[0], "assayed again")
    await stocked_exchange.approve(await do(stocked_exchange, resolutions.propose_write_off, ONE, 2, "dust"))
    await rewrite(stocked_exchange, "UPDATE recon_break SET closed_at = 7 WHERE break_id = 2")
    await record(stocked_exchange, XM1, LIGHT, LIGHT._replace(subject="other", lot_id=2))
    assert [await state(stocked_exchange, number) for number in (1, 2)] == ["OPEN", "WRITTEN_OFF"]
    assert [row.step for row in await do(stocked_exchange, break_work.steps, 1)] == ["resolve", "reopen"]
    await record(stocked_exchange, XM1)
    ended = [await do(stocked_exchange, breaks.find, number) for number in (1, 2)]
    assert [row.status for row in ended] == ["CORRECTED", "CORRECTED"]
    assert [row.closed_at == 7 for row in ended] == [False, True]


class Model:
    """The life of one break, the slow and obvious way: what each run and each person does to it."""

    def __init__(self) -> None:
        self.status: str | None = None
        self.size = 0
        self.closed = False

    def run(self, size: int) -> None:
        if size == 0:
            self.status = "CORRECTED" if self.status else None
            self.closed = True
            return
        if self.status in (None, "CORRECTED"):
            self.status, self.closed = "OPEN", False
        elif self.status == "RESOLVED":
            self.status = "OPEN"
        elif self.status in ("EXPLAINED", "WRITTEN_OFF"):
            grown = abs(size) > abs(self.size)
            turned = (size > 0) != (self.size > 0)
            if grown or turned:
                self.status, self.closed = "OPEN", False
        self.size = size


async def test_generated_runs_and_acts_lead_where_the_model_leads(stocked_exchange: SmallExchange) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    model = Model()
    await rewrite(stocked_exchange, "UPDATE instrument SET last_price = NULL, reference_price = 92500")
    for _ in range(60):
        act = chance.choice(["run", "run", "run", "explain", "resolve", "write_off"])
        rows = list(await rewrite(stocked_exchange, "SELECT break_id, status FROM recon_break ORDER BY 1 DESC LIMIT 1"))
        number = rows[0].break_id if rows else 1
        if act == "run":
            size = chance.choice([0, 20, 30, 30, 40, -30])
            found = [LIGHT._replace(found=LIGHT.expected + size)] if size else []
            await record(stocked_exchange, XM1, *found)
            model.run(size)
        elif model.status in BREAK.steps[act].before:
            if act == "explain":
                await do(stocked_exchange, break_work.explain, ONE, number, ONE, "dust")
            elif act == "resolve":
                await rewrite(stocked_exchange, f"UPDATE recon_break SET opened_at = 0 WHERE break_id = {number}")
                (found_assay,) = await rewrite(
                    stocked_exchange, "SELECT assay_id FROM assay WHERE lot_id = 1 AND method <> 'XRF'"
                )
                await do(stocked_exchange, resolutions.resolve, ONE, number, "assay", found_assay[0], "assayed")
            else:
                proposal = await do(stocked_exchange, resolutions.propose_write_off, ONE, number, "dust")
                await do(stocked_exchange, movements.approve, OTHER, proposal)
                model.closed = True
            model.status = BREAK.steps[act].after
        rows = list(await rewrite(stocked_exchange, "SELECT status, closed_at FROM recon_break ORDER BY break_id DESC"))
        assert (rows[0].status if rows else None) == model.status, act
        if rows:
            assert (rows[0].closed_at is not None) == model.closed, act
