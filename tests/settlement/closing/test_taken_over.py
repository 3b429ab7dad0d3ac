"""Two people take over what engine and ledger differ by at a day's end; it stays a break until it is corrected."""

import json
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select, text

from goldx.protocol.commands import HoldingAdjust
from goldx.protocol.units import BadValue
from settlement.base.refusal import Refused
from settlement.closing import bulletin, left_open, opening, records, statement_paper, taking_over, why
from settlement.closing import day as days
from settlement.closing.obstacles import Blocked
from settlement.ledger import corrections
from settlement.reconciliation import break_listing, breaks, resolutions, three_way
from settlement.reconciliation.break_listing import ListedBreak
from settlement.reconciliation.holdings import HoldingDifference
from settlement.service import movements, waiting
from settlement.tables.closing import close_step
from tests.settlement.closing.days import FIRST, RISK, SECOND, THIRD, close, content_of, sign_all, statement_of
from tests.settlement.commands import goldx
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, do, find_breaks, refused, rewrite

DAY, NEXT = date.fromisoformat(FIRST), date.fromisoformat(SECOND)
SEEN = HoldingDifference("B.H", "AU", 20_000, 20_001)
LEDGER = "20 of AU in the ledger"


async def differ(exchange: SmallExchange, more: int = 1) -> None:
    """Damage what the engine had of B.H at the end of the first day; the second day's end has the same."""
    async with exchange.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE holding_at_end DISABLE TRIGGER append_only"))
        damage = "UPDATE holding_at_end SET total = total + :more WHERE account = 'B.H' AND asset = 'AU'"
        await connection.execute(text(damage), {"more": more})


async def propose(exchange: SmallExchange, day: date = DAY, *seen: HoldingDifference) -> int:
    return await do(exchange, taking_over.propose, ONE, day, seen or (SEEN,), OTHER, "lost in the power cut")


async def take_over(exchange: SmallExchange, day: date, *seen: HoldingDifference) -> None:
    await do(exchange, movements.approve, RISK, await propose(exchange, day, *seen))


async def break_of(exchange: SmallExchange) -> ListedBreak:
    """Return the newest break of a day's end."""
    found = [one for one in await do(exchange, break_listing.listing) if one.row.kind == "DAY_END"]
    return found[-1]


async def output(exchange: SmallExchange, day: date, step: str) -> dict[str, object]:
    async with exchange.engine.connect() as connection:
        query = select(close_step.c.output).where(close_step.c.day == day, close_step.c.step == step)
        found: dict[str, object] = json.loads(await connection.scalar(query) or b"")
        return found


async def test_two_people_take_over_what_they_have_seen_and_the_papers_name_it(three_days_over: SmallExchange) -> None:
    exchange = three_days_over
    await differ(exchange)
    with pytest.raises(Blocked, match="a clerk and risk take it over"):
        await close(exchange)
    assert await do(exchange, taking_over.listing, DAY) == [taking_over.Seen(SEEN)]
    number = await propose(exchange)
    assert (await do(exchange, taking_over.listing, DAY))[0].status == "PROPOSED"
    with pytest.raises(Blocked, match=LEDGER):
        await close(exchange)
    waits = {
        who: [one.command for one in await do(exchange, waiting.listing, who) if one.kind == "proposal"]
        for who in (ONE, OTHER, RISK)
    }
    assert waits == {ONE: [], OTHER: [], RISK: [f"goldx day difference approve {number}"]}
    await refused(exchange, "SAME_PERSON", movements.approve, ONE, number)
    await refused(exchange, "NOT_PERMITTED", movements.approve, OTHER, number)
    await do(exchange, movements.approve, RISK, number, "day_difference")
    with pytest.raises(Blocked, match=f"{SECOND} cannot be closed: books: B.H has {LEDGER}"):
        await close(exchange)

    found = await break_of(exchange)
    assert (found.row.subject, found.row.asset, found.row.expected, found.row.found) == ("B.H", "AU", 20_000, 20_001)
    assert (found.row.status, found.row.owner, found.value_fen, found.past_limit) == ("OPEN", OTHER, 60, True)
    listed = {"account": "B.H", "asset": "AU", "ledger": 20_000, "engine": 20_001, "break": found.row.break_id}
    assert (await output(exchange, DAY, "books"))["taken_over"] == [listed]
    assert {"kind": "DAY_END", "open": 1} in (await do(exchange, bulletin.find, DAY)).content["breaks"]
    assert ("break", str(found.row.break_id)) in {
        (one.kind, one.subject) for one in await do(exchange, left_open.listing, DAY)
    }
    for subject in ("B.H", "B"):
        assert (await content_of(exchange, subject, FIRST))["differences"] == [listed]
    assert "differences" not in await content_of(exchange, "A.H", FIRST)
    statement = await statement_of(exchange, "B.H", FIRST)
    assert len(statement_paper.render(statement, "zh")) > 10_000
    assert statement_paper.workbook(statement, "en").startswith(b"PK")
    assert all(one.same for one in await do(exchange, records.recompute, DAY))
    assert await find_breaks(exchange) == (), "each row belongs to an act, and books of today agree"


async def test_another_difference_is_not_covered(three_days_over: SmallExchange) -> None:
    exchange = three_days_over
    with pytest.raises(BadValue, match="a trading day that is closed"):
        await propose(exchange)
    await differ(exchange)
    with pytest.raises(Blocked):
        await close(exchange)
    for other in (SEEN._replace(engine=20_002), SEEN._replace(ledger=19_999), SEEN._replace(account="A.H")):
        with pytest.raises(BadValue, match=f"a difference at the end of {FIRST}"):
            await propose(exchange, DAY, other)
    with pytest.raises(BadValue, match="each of them once"):
        await propose(exchange, DAY, SEEN, SEEN)
    number = await propose(exchange)
    assert "PROPOSED already" in await refused(
        exchange, "PROPOSED_ALREADY", taking_over.propose, ONE, DAY, [SEEN], ONE, "again"
    )
    await differ(exchange)
    with pytest.raises(BadValue, match=r"20\.002"):
        await do(exchange, movements.approve, RISK, number)
    await do(exchange, movements.decline, RISK, number)
    await take_over(exchange, DAY, SEEN._replace(engine=20_002))
    await differ(exchange)
    with pytest.raises(Blocked, match=rf"{FIRST} cannot be closed: .* 20\.003 in the engine"):
        await close(exchange)
    await differ(exchange, -1)
    with pytest.raises(Blocked, match=SECOND):
        await close(exchange)
    await refused(exchange, "ILLEGAL_STEP", taking_over.propose, ONE, DAY, [SEEN], ONE, "late")


async def corrected(exchange: SmallExchange, *proposed: Any) -> int:
    """Make a correction, given how it is proposed, and return the number of its proposal."""
    number: int = await do(exchange, *proposed, "what was lost", "letter 1")
    await exchange.approve(number)
    await exchange.round_trip()
    return number


async def test_no_day_opens_until_the_break_is_corrected(three_days_over: SmallExchange) -> None:
    exchange = three_days_over
    await differ(exchange)
    for day in (DAY, NEXT):
        with pytest.raises(Blocked):
            await close(exchange)
        await take_over(exchange, day, SEEN._replace(engine=20_001))
    assert await close(exchange) == [SECOND]
    for each in await do(exchange, days.over):
        await sign_all(exchange, each)
    number = (await break_of(exchange)).row.break_id
    assert len([one for one in await do(exchange, breaks.open_breaks) if one.kind == "DAY_END"]) == 1
    found = await do(exchange, opening.present)
    assert found is not None
    assert [f"break {number} " in what for what in found.obstacles].count(True) == 1
    assert any("no entry has corrected it" in one.what for one in await do(exchange, why.obstacles))
    said = await refused(exchange, "ILLEGAL_STEP", opening.open_anyway, RISK, date.fromisoformat(THIRD), "seen")
    assert "nobody opens a day while engine and ledger differ" in said

    await find_breaks(exchange)
    assert (await break_of(exchange)).row.status == "OPEN", "no run ends what nobody has corrected"
    await exchange.engine_runner.run(HoldingAdjust("B.H", "AU", 1, "typed by hand"))
    await exchange.post()
    metal = (corrections.propose_metal, ONE, "AU")
    for proposed, why_not in (
        ((corrections.propose, ONE, "A.H", "B.H", 1), "corrects CNY"),
        ((*metal, "A.H", "B.H", 2), rf"corrects 0\.002; break {number} is about 0\.001"),
        ((*metal, "B.H", None, 1), "needs a correction between two accounts"),
    ):
        correction = await corrected(exchange, *proposed)
        with pytest.raises(Refused, match=why_not):
            await do(exchange, resolutions.resolve, ONE, number, "correction", correction, "booked")
    correction = await corrected(exchange, *metal, "A.H", "B.H", 1)

    async def resolve(done: int, _: int) -> None:
        if done == 1:
            await do(exchange, resolutions.resolve, ONE, number, "correction", correction, "booked")

    await three_way.run(exchange.engine, ONE, report_done=resolve)
    assert (await break_of(exchange)).row.status == "RESOLVED", "that run had read before the break was resolved"
    assert (await break_of(exchange)).past_limit, "a run has to show that the difference is gone"
    await rewrite(exchange, "UPDATE engine_holding SET total = total + 7 WHERE account = 'B.H' AND asset = 'AU'")
    await find_breaks(exchange)
    assert (await break_of(exchange)).row.status == "RESOLVED"
    await rewrite(exchange, "UPDATE engine_holding SET total = total - 7 WHERE account = 'B.H' AND asset = 'AU'")
    assert await find_breaks(exchange) == ()
    found = await do(exchange, opening.present)
    assert found is not None
    assert (found.differs, [what for what in found.obstacles if "break" in what]) == (False, [])
    assert (await do(exchange, breaks.find, number)).status == "CORRECTED"


async def test_a_difference_that_is_there_still_does_not_stop_the_close_and_is_not_written_off(
    three_days_over: SmallExchange,
) -> None:
    exchange = three_days_over
    await differ(exchange, 1)
    await rewrite(exchange, "UPDATE engine_holding SET total = total + 1 WHERE account = 'B.H' AND asset = 'AU'")
    with pytest.raises(Blocked):
        await close(exchange)
    await take_over(exchange, DAY)
    with pytest.raises(Blocked, match=SECOND):
        await close(exchange)
    number = (await break_of(exchange)).row.break_id
    assert {row.kind for row in await do(exchange, breaks.open_breaks)} == {"DAY_END", "HOLDING", "POOL_ENGINE"}
    await refused(exchange, "TOO_VALUABLE", resolutions.propose_write_off, ONE, number, "it is small")
    await rewrite(exchange, "UPDATE engine_holding SET total = total - 1 WHERE account = 'B.H' AND asset = 'AU'")
    proposal = await do(exchange, resolutions.propose_write_off, ONE, number, "the kept end was wrong")
    await exchange.approve(proposal)
    assert not (await break_of(exchange)).past_limit
    await take_over(exchange, NEXT)
    again = await break_of(exchange)
    assert (again.row.break_id > number, again.past_limit) == (True, True), "it is another one at the next day's end"


@pytest.mark.usefixtures("configured_database")
async def test_it_is_done_by_commands_and_over_rest(three_days_over: SmallExchange, rest: Rest) -> None:
    await differ(three_days_over)
    await goldx("day", "--as", ONE, "close", code=1)
    listed = (await goldx("day", "--as", RISK, "difference", "list", FIRST, "--json")).output
    shown = json.loads(listed.splitlines()[-1])  # a line of the gateway's log may come before it
    assert (shown["engine"], shown["ledger"], shown["number"]) == ("20.001", "20", None)
    asked = ("day", "--as", ONE, "difference", "propose", FIRST, "--owner", OTHER, "--reason", "power cut", "--seen")
    wrong = await goldx(*asked, "B.H", "AU", "20.001", "20.0004", code=1)
    assert "ledger" in wrong.output
    said = (await goldx(*asked, "B.H", "AU", "20.001", "20")).output
    assert "waits for another person" in said
    number = said[said.index("proposal ") :].split()[1]
    await goldx("day", "--as", RISK, "difference", "decline", number)
    body = {"owner": OTHER, "reason": "power cut", "differences": [{**shown, "status": 1}]}
    path = f"/days/{FIRST}/differences"
    await rest(ONE, "POST", path, 422, json=body)
    body["differences"] = [{name: shown[name] for name in ("account", "asset", "engine", "ledger")}]
    await rest("operator", "POST", path, 403, json=body)
    second = (await rest(ONE, "POST", path, json=body))["proposal"]
    await rest("auditor", "POST", f"/days/differences/{second}/approve", 403)
    assert "day_difference" in (await rest("operator", "POST", "/days/differences/1/approve", 422))["detail"]
    assert (await rest("operator", "POST", f"/days/differences/{second}/approve"))["status"] == "APPROVED"
    (found,) = (await rest("auditor", "GET", path))["differences"]
    assert (found["status"], found["engine"]) == ("TAKEN_OVER", "20.001")
    (document,) = (await rest(ONE, "GET", "/documents?kind=day_difference&status=TAKEN_OVER"))["documents"]
    assert document["says"]["ledger"] == "20"
    closed = await goldx("day", "--as", ONE, "close", code=1)
    assert f"{SECOND} cannot be closed" in closed.output
