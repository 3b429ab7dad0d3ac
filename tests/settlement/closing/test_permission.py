"""Settlement's decision whether a day may open, in the journal; and what ends a difference that keeps it closed."""

from datetime import date
from pathlib import Path

from redis.asyncio import Redis
from sqlalchemy import text

from goldx.protocol import terms
from goldx.protocol.commands import MarketSetPhase
from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.streams.keys import Keys
from settlement.closing import opening, why
from settlement.ledger import corrections
from settlement.reconciliation import three_way
from settlement.service.day_opening import DayOpenings
from tests.settlement.closing.days import RISK, THIRD
from tests.settlement.closing.test_opening import FOURTH, obstacles, unseen_difference
from tests.settlement.small_exchange import ONE, SmallExchange, begin_day, do


async def test_the_engine_opens_nothing_that_settlement_does_not_permit(
    three_days_over: SmallExchange, redis: Redis, tmp_path: Path
) -> None:
    """The decision is in the journal: an operator's command and the timetable's step wait for it, too."""
    exchange, today = three_days_over, date.fromisoformat(THIRD)
    openings = DayOpenings(exchange.engine, redis, Keys(exchange.shard), tmp_path)

    async def decided() -> int:
        """Let the service decide again; return how many commands that has put into the journal."""
        openings._due = 0.0
        await openings.tend(exchange.sender)
        return await exchange.engine_runner.advance()

    async def opened() -> str:
        """Try to open the class; return the phase that it has then."""
        await exchange.engine_runner.run(MarketSetPhase("AU", terms.CONTINUOUS))
        await exchange.post()
        return terms.PHASES[exchange.engine_runner.engine.state.instruments["AU"].phase]

    state = exchange.engine_runner.engine.state
    assert (await decided(), await decided()) == (1, 0), "it is sent once"
    assert state.obstacle.endswith("is not closed and 2 more")
    assert await opened() == "closed"
    for by in (ONE, RISK):
        await do(exchange, opening.open_anyway, by, today, "the auditor is ill")
    assert (await decided(), state.obstacle) == (1, "")
    await unseen_difference(exchange, 7)
    assert await decided() == 1
    assert state.obstacle.endswith("is not closed and 3 more")
    assert await opened() == "closed", "a permission is taken back until the day has opened"
    await unseen_difference(exchange, -7)
    assert (await decided(), await opened()) == (1, "continuous")
    assert (await decided(), await obstacles(exchange)) == (0, []), "the day is open"
    await begin_day(exchange, FOURTH)
    assert await opened() == "closed", "the next one waits before settlement has seen its beginning"
    openings.send_again()
    assert await decided() == 1
    openings.send_again()
    assert await decided() == 1, "after an outage it comes again"
    assert state.obstacle.endswith("is not closed and 3 more")
    # Another service that sent a permission and was killed before it took that back.
    await exchange.engine_runner.run(MarketPermitOpening(FOURTH, None, "settlement"))
    assert (await decided(), state.obstacle) == (0, "")
    openings._again_at = 0.0
    assert (await decided(), state.obstacle != "") == (1, True), "in a day that has not opened it comes again"


async def test_an_entry_ends_a_difference_in_what_is_kept_of_the_engine_and_no_other(
    three_days_closed: SmallExchange,
) -> None:
    """An entry moves both alike, and the engine's holding comes anew with it."""
    exchange, asset = three_days_closed, "WHERE name = 'B.H' AND asset = 'AU'"
    await unseen_difference(exchange, 7)
    wrong = ("DISABLE TRIGGER ALL", f"UPDATE ledger_account SET balance = balance - 7 {asset}", "ENABLE TRIGGER ALL")
    for ledger_is_wrong in (False, True):
        async with exchange.engine.begin() as connection:
            for part in wrong if ledger_is_wrong else ():
                await connection.execute(text(part if "UPDATE" in part else f"ALTER TABLE ledger_account {part}"))
        assert any("B.H has " in one for one in await obstacles(exchange))
        entry = (ONE, "AU", "A.H", "B.H", 7, "what was lost", f"letter {ledger_is_wrong}")
        await exchange.approve(await do(exchange, corrections.propose_metal, *entry))
        await exchange.round_trip()
        assert any("B.H has " in one for one in await obstacles(exchange)) == ledger_is_wrong
    await three_way.reconcile(exchange.engine, ONE)
    (found,) = [one for one in await do(exchange, why.obstacles) if "(HOLDING B.H)" in one.what]
    assert "the operator restores the database" in found.who
