"""A closed day is computed anew from records that only grow: later acts change nothing, and an altered record does."""

import json
from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from goldx.protocol import terms
from goldx.protocol.commands import InstrumentDefine, MarketSetPhase
from settlement.banking import accounts, camt, imports
from settlement.base import registry
from settlement.charges import bills
from settlement.closing import bulletin, left_open, records
from settlement.closing import close as closing
from settlement.closing import day as days
from settlement.closing.canonical import canonical
from settlement.closing.records import ANEW, KEPT, PARTLY, Again
from settlement.closing.steps import STEPS, CloseStep
from settlement.custody import transfers
from settlement.ledger import cash
from settlement.load_outs import handing_over
from settlement.lots import locks, warehouses
from settlement.reconciliation import break_work, breaks, count_cancels, count_sessions
from tests.settlement.banking.mock_bank import ACCOUNT, MockBank, Payment
from tests.settlement.closing.days import RISK, TODAY, close, close_and_sign, sign_all
from tests.settlement.commands import goldx
from tests.settlement.load_outs.load_out_steps import completed, push_back, signed
from tests.settlement.reconciliation.recorded import LIGHT, XM1, record
from tests.settlement.small_exchange import ONE, OTHER, THIRD, SmallExchange, begin_day, do

LOT_MG = 99_900
BEFORE, *LATER = (TODAY - timedelta(days=back) for back in (9, 8, 7, 6))
"""The first trading day, which the bank's statement reaches, and those that follow it: fees accrue for days that are
over."""


async def much_is_open(exchange: SmallExchange) -> None:
    """A day that is closed and signed; one with a trade, at whose close much stays open."""
    await do(exchange, registry.add_staff, "test", RISK, "Risk", ["operate", "settle", "warehouse"])
    await exchange.pay_in("B.H", 100_000_000, "bank-1")
    await exchange.issue([{"serial": f"A{number}"} for number in range(5)])
    await exchange.register([{"serial": "B"}])
    await exchange.trade("B.H", "A.H", 60_000, 20)
    await begin_day(exchange, str(LATER[0]))
    await close_and_sign(exchange)
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await exchange.trade("B.H", "A.H", 60_000, 10)
    for _ in range(2):
        await push_back(exchange, await completed(exchange, "A.H", LOT_MG), 20)
    await do(exchange, locks.freeze, ONE, [6], "stamp looks forged")
    await do(exchange, warehouses.add, "test", "XM2", "Two", "Xiamen", "DOMESTIC")
    await do(exchange, transfers.propose, ONE, [5], "XM2", "shortage")
    await do(exchange, cash.propose, ONE, "A.H", 700, "bank-7")
    await do(exchange, bills.propose, ONE)
    await exchange.approve(await do(exchange, count_sessions.propose, THIRD, "XM2", (ONE, OTHER), "yearly"))
    await do(exchange, accounts.add, ONE, ACCOUNT, "ICBC Xiamen", "Venue escrow")
    bank = MockBank(0, first=BEFORE)
    data = bank.camt(bank.book(Payment(300, "A.H"), Payment(5, "nobody")))
    await do(exchange, imports.take_in, ONE, "day.xml", data, camt.read(data))
    await record(exchange, XM1, LIGHT)
    await do(exchange, break_work.explain, ONE, 1, OTHER, "a worn balance")
    await begin_day(exchange, str(LATER[1]))
    await close(exchange)


async def recomputed(exchange: SmallExchange, *changes: str) -> list[Again]:
    """Compute the newest closed day anew after changes past all triggers, which are taken back."""
    day = (await do(exchange, days.over))[-1]
    async with exchange.engine.connect() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        for change in changes:
            await connection.execute(text(change))
        found = await records.recompute(connection, day.day)
        await connection.rollback()
    return found


@pytest.mark.prepared(by=much_is_open)
async def test_each_step_says_how_it_was_computed(exchange: SmallExchange) -> None:
    found = await recomputed(exchange)
    assert [one.step for one in found if not one.same] == []
    assert {one.step: (one.how, one.kept) for one in found} == {
        **{step.name: (ANEW, ()) for step in STEPS},
        "reconciliation": (PARTLY, ("working_days",)),
        "left_open": (PARTLY, left_open.KEPT),
    }
    day = (await do(exchange, days.over))[-1].day
    listed = await do(exchange, _left_open, day)
    kinds = {one["kind"] for one in listed}
    assert kinds == {"proposal", "break", "bank", "fee", "load_out", "transfer", "count", "lots", "payment"}
    assert [one["kind"] for one in listed] == sorted([one["kind"] for one in listed], key=left_open.ORDER.index), (
        "in their order"
    )


async def _left_open(connection: AsyncConnection, day: date) -> list[dict[str, str]]:
    query = text("SELECT output FROM close_step WHERE step = 'left_open' AND day = :day")
    found: list[dict[str, str]] = json.loads(await connection.scalar(query, {"day": day}) or b"[]")
    return found


@pytest.mark.prepared(by=much_is_open)
async def test_whatever_is_done_later_changes_nothing(exchange: SmallExchange) -> None:
    await do(exchange, breaks.record_run, ONE, XM1, 1, [LIGHT._replace(found=LIGHT.found - 500)])
    await do(exchange, breaks.record_run, ONE, XM1, 1, [])
    first, second = await do(exchange, days.over)
    assert (first.day, second.day) == (BEFORE, LATER[0])
    await sign_all(exchange, second)
    await do(exchange, locks.freeze, ONE, list(await do(exchange, _lots_of, 2)), "doubt")
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
    await exchange.trade("B.H", "A.H", 60_000, 10)
    await signed(exchange, 1)
    await do(exchange, handing_over.release, OTHER, 1)
    await do(exchange, locks.unfreeze, OTHER, [6], "is genuine")
    for number in await do(exchange, _waiting):
        await exchange.approve(number)
    await exchange.round_trip()
    await do(exchange, count_cancels.cancel, THIRD, 1, "wrong")
    await exchange.register([{"serial": "C"}])
    await do(exchange, accounts.add, ONE, f"{ACCOUNT}9", "Another bank", "Venue escrow")
    defined = InstrumentDefine("AU", name="Other", name_zh="另", form="GRAIN", min_fineness=90_000)
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.CLOSED), defined)
    await begin_day(exchange, str(LATER[2]))
    await close(exchange)
    day = (await do(exchange, days.over))[-2].day
    assert [(one.step, one.why) for one in await do(exchange, records.recompute, day) if not one.same] == []


def test_the_position_is_no_part_of_what_is_signed() -> None:
    """A close that was killed and started again has read the same records a little further on."""
    day = days.Day(BEFORE, 1, 2)
    facts = [canonical({"seen": {"acts": acts}, "kept": []}) for acts in (1, 2)]
    assert len({closing.input_hash(day, [], 1, one) for one in facts}) == 1
    assert closing.input_hash(day, [], 1, facts[0]) != closing.input_hash(day, [], 1, canonical({"kept": [1]}))


async def _lots_of(connection: AsyncConnection, load_out: int) -> list[int]:
    query = text("SELECT lot_id FROM load_out_lot WHERE load_out_no = :load_out")
    return list(await connection.scalars(query, {"load_out": load_out}))


async def _waiting(connection: AsyncConnection) -> list[int]:
    query = text("SELECT proposal_id FROM proposal WHERE status = 'PROPOSED' ORDER BY proposal_id")
    return list(await connection.scalars(query))


ALTERED: dict[str, set[str]] = {
    "UPDATE break_state SET expected = expected + 1": {"reconciliation"},
    "UPDATE break_state SET explanation = 'x' WHERE explanation <> ''": {"reconciliation", "left_open"},
    "UPDATE break_state SET status = 'CORRECTED', closed_at = 1": {"reconciliation", "left_open", "bulletin"},
    "UPDATE recon_break SET subject = subject || 'x'": {"reconciliation", "left_open"},
    "UPDATE recon_run SET since = since + 1 WHERE scope = 'books'": {"reconciliation"},
    "UPDATE recon_run SET scope = 'bank' WHERE scope = 'statement:XM1'": {"left_open"},
    "UPDATE bank_item SET amount_fen = amount_fen + 1": {"reconciliation"},
    "UPDATE bank_statement SET last_day = last_day + 9": {"reconciliation", "left_open"},
    "UPDATE custody_event SET detail = detail || '{\"gross_g\": \"1.00\"}' WHERE step = 'weigh'": {"bulletin"},
    "UPDATE custody_event SET detail = detail || '{\"fine_mg\": 7}' WHERE step = 'certify'": {"bulletin"},
    "UPDATE custody_event SET step = 'seal' WHERE step = 'lock_freeze'": {"bulletin"},
    "UPDATE custody_event SET state = 'SCREENED' WHERE step = 'lock_freeze'": {"bulletin", "left_open"},
    "UPDATE custody_event SET step = 'lock_freeze' WHERE step = 'withdraw'": {"fees", "bulletin"},
    "UPDATE instrument_at_end SET name = 'x'": {"bulletin"},
    "UPDATE instrument_at_end SET form = 'GRAIN'": {"benchmarks", "bulletin"},
    "UPDATE day_record SET hash = sha256('x')": {"bulletin"},
    "UPDATE audit_log SET subject = 'proposal:77' WHERE action = 'cash.propose' AND subject LIKE 'proposal:%'": {
        "left_open"
    },
    "UPDATE audit_log SET action = 'load_out.release' WHERE action = 'load_out.complete'": {"fees", "left_open"},
    "UPDATE audit_log SET action = 'inventory_count.close' WHERE action = 'inventory_count.approve'": {"left_open"},
    "UPDATE row_change SET key = 'x' WHERE of_table IN ('transfer', 'fee_bill')": {"left_open"},
    f"UPDATE row_change SET key = '{LATER[0]}' WHERE of_table = 'accrual_day' AND key = '{BEFORE}'": {"fees"},
    "UPDATE load_out SET allocated_mg = allocated_mg + 1": {"fees"},
    "UPDATE load_out SET until_day = until_day + 1": {"left_open"},
    "UPDATE fee_accrual SET quantity = quantity + 1 WHERE subject = 'sold'": {"fees"},
    "UPDATE fee_bill SET account = account || 'x'": {"left_open"},
    "UPDATE proposal SET proposed_by = 'x'": {"left_open"},
    "UPDATE transfer SET to_warehouse = 'XM3'": {"left_open"},
    "UPDATE close_step SET facts = convert_to(replace(convert_from(facts, 'UTF8'), '{\"1\"', '{\"2\"'), 'UTF8') "
    "WHERE step = 'reconciliation'": {"reconciliation"},
    "UPDATE close_step SET facts = convert_to(replace(convert_from(facts, 'UTF8'), 'SUSPENSE', 'X'), 'UTF8') "
    "WHERE step = 'left_open'": {"left_open"},
    "UPDATE close_step SET output = output || ' ' WHERE step = 'prices'": {"prices"},
}
"""Rows that are altered past all triggers, and the steps that compute to other bytes."""


@pytest.mark.prepared(by=much_is_open)
async def test_a_record_that_was_altered_computes_to_other_bytes(exchange: SmallExchange) -> None:
    found = {change: {one.step for one in await recomputed(exchange, change) if not one.same} for change in ALTERED}
    assert {change: steps for change, steps in found.items() if steps != ALTERED[change]} == {}


def of_an_older_program(step: CloseStep) -> CloseStep:
    """Return a step whose facts are all that it is made from, as they were kept before positions were."""

    async def facts(connection: AsyncConnection, day: days.Day) -> bytes:
        assert step.facts is not None
        known = await step.facts(connection, day)
        if step.name == bulletin.NAME:
            return canonical(await bulletin._known(connection, day, json.loads(known)))
        assert step.work_with_facts is not None
        return await step.work_with_facts(connection, day, known)

    return step._replace(facts=facts)


async def test_a_day_that_an_older_program_has_closed_keeps_its_facts(
    three_days_over: SmallExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records are as good as they were: their hash is all that proves them."""
    older = [
        of_an_older_program(step) if step.name in ("bulletin", "reconciliation", "left_open") else step
        for step in STEPS
    ]
    with monkeypatch.context() as patched:
        patched.setattr(closing, "STEPS", older)
        await do(three_days_over, AsyncConnection.execute, text("ALTER TABLE instrument_at_end DISABLE TRIGGER ALL"))
        await do(three_days_over, AsyncConnection.execute, text("UPDATE instrument_at_end SET form = NULL"))
        await close(three_days_over)
    found = {one.step: one for one in await recomputed(three_days_over)}
    assert [one.step for one in found.values() if not one.same] == []
    everything = ("everything",)
    assert {name: (one.how, one.kept) for name, one in found.items() if one.how != ANEW} == {
        "benchmarks": (PARTLY, ("forms",)),
        "bulletin": (PARTLY, ("record", "names", "stock", "breaks")),
        "reconciliation": (KEPT, everything),
        "left_open": (KEPT, everything),
    }


@pytest.mark.parametrize(
    ("facts", "kept"),
    [
        (None, ("record",)),
        ({"day": "2026-11-25", "sha256": "00"}, ("record",)),
        ({"record": None, "names": {}, "stock": [], "breaks": {}}, ("record", "names", "stock", "breaks")),
        ({"seen": {}, "names": {}}, ("names",)),
        ({"seen": {}}, ()),
    ],
    ids=["first programs, no record", "first programs", "everything", "no names at the end", "positions"],
)
def test_the_facts_of_a_bulletin_that_are_kept(facts: object, kept: tuple[str, ...]) -> None:
    """The facts of a day that an older program closed are among them."""
    assert bulletin.kept_facts(canonical(facts)) == kept


@pytest.mark.usefixtures("configured_database")
@pytest.mark.prepared(by=much_is_open)
async def test_the_command_says_what_was_computed_and_what_was_kept(exchange: SmallExchange) -> None:
    day = (await do(exchange, days.over))[-1].day
    lines = (await goldx("day", "--as", ONE, "recompute", str(day), "--json")).output.splitlines()
    rows = {row["step"]: row for row in map(json.loads, lines)}
    assert (rows["bulletin"]["how"], rows["bulletin"]["same"]) == (ANEW, True)
    assert (rows["left_open"]["how"], rows["left_open"]["kept"]) == (PARTLY, ", ".join(left_open.KEPT))
