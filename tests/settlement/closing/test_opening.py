"""A day opens once those before are closed, signed and archived and no break stops it, or two people open it."""

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from goldx.protocol import terms
from goldx.protocol.commands import MarketSetPhase
from goldx.protocol.deal_commands import DealAccept, DealPropose
from goldx.protocol.units import BadValue
from goldx.streams.keys import Keys
from goldx.timetable.permission import Permission, read_permission
from settlement.base import standings
from settlement.base.database import now_ms
from settlement.closing import archive, opening, records, signing, why
from settlement.closing import day as days
from settlement.ledger.sender import Sender
from settlement.reconciliation import three_way
from settlement.reconciliation.break_areas import BANK_SCOPE
from settlement.reconciliation.breaks import Break
from settlement.service.day_opening import DayOpenings
from tests.settlement.closing.days import FIRST, RISK, SECOND, THIRD, TODAY, close, sign_all
from tests.settlement.commands import goldx
from tests.settlement.reconciliation.conftest import opened_before
from tests.settlement.reconciliation.recorded import UNPAID, record
from tests.settlement.small_exchange import ONE, OTHER, SmallExchange, begin_day, do, refused, rewrite
from tests.settlement.small_exchange import THIRD as CLERK

FOURTH = str(TODAY + timedelta(days=8))


async def obstacles(exchange: SmallExchange) -> list[str]:
    found = await do(exchange, opening.present)
    return list(found.obstacles) if found else []


async def test_every_day_before_is_closed_signed_and_archived_first(
    three_days_over: SmallExchange, redis: Redis, tmp_path: Path
) -> None:
    exchange, keys = three_days_over, Keys(three_days_over.shard)
    before, *_ = over = await do(exchange, days.over)
    openings = DayOpenings(exchange.engine, redis, keys, tmp_path / "records")

    async def published() -> Permission | None:
        openings._due = 0.0
        await openings.tend(exchange.sender)
        return await read_permission(redis, keys)

    found = await published()
    assert found is not None
    assert (found.trading_day, found.sequence) == (THIRD, over[-1].last)
    assert found.obstacles == tuple(f"{day} is not closed" for day in (before.day, FIRST, SECOND))
    await close(exchange)
    record = await sign_all(exchange, over[0])
    assert await obstacles(exchange) == [
        f"the record of {before.day} is not archived",
        f"{FIRST} is not signed",
        f"{SECOND} is not signed",
    ]
    found = await published()
    assert found is not None
    assert found.obstacles == (f"{FIRST} is not signed", f"{SECOND} is not signed")
    file = tmp_path / "records" / f"{before.day}.json"
    assert json.loads(file.read_bytes())["sha256"] == record.hex()
    assert file.read_bytes() == await do(exchange, records.archive, before.day)
    await sign_all(exchange, over[1])
    await sign_all(exchange, over[2])
    assert await published() == Permission(THIRD, over[-1].last, ())
    assert await do(exchange, why.obstacles) == []
    assert len(list((tmp_path / "records").iterdir())) == 3


async def test_a_record_that_cannot_be_archived_keeps_the_day_closed(
    three_days_closed: SmallExchange, redis: Redis, tmp_path: Path
) -> None:
    exchange, keys = three_days_closed, Keys(three_days_closed.shard)
    over = await do(exchange, days.over)
    for day in over:
        await sign_all(exchange, day)
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / f"{over[0].day}.json").write_text("something else")
    openings = DayOpenings(exchange.engine, redis, keys, folder)
    await openings.tend(exchange.sender)
    found = await read_permission(redis, keys)
    assert found is not None
    assert found.obstacles[0] == f"the record of {over[0].day} is not archived"
    assert (folder / f"{over[0].day}.json").read_text() == "something else"
    assert [one.step for one in await do(exchange, why.obstacles)] == ["archive"] * 3
    await refused(exchange, "ARCHIVE_DIFFERS", archive.archive, over[0].day, folder)
    (folder / f"{over[0].day}.json").unlink()
    openings._due = 0.0
    await openings.tend(exchange.sender)
    found = await read_permission(redis, keys)
    assert found is not None
    assert found.obstacles == ()


async def test_a_difference_found_after_the_signatures_keeps_the_day_closed(
    three_days_closed: SmallExchange, tmp_path: Path
) -> None:
    exchange = three_days_closed
    for day in await do(exchange, days.over):
        await sign_all(exchange, day)
        await do(exchange, archive.archive, day.day, tmp_path)
    assert await obstacles(exchange) == []
    await rewrite(exchange, "UPDATE engine_holding SET total = total + 7 WHERE account = 'B.H' AND asset = 'AU'")
    await three_way.reconcile(exchange.engine, ONE)
    what, *_ = await obstacles(exchange)
    assert what.endswith("engine and ledger differ")
    found, *_ = await do(exchange, why.obstacles)
    assert (found.step, found.what) == ("open", what)
    assert "two clerks correct it by an entry" in found.who


async def test_two_people_open_a_day_in_spite_of_what_stands_in_the_way(three_days_over: SmallExchange) -> None:
    exchange = three_days_over
    today = date.fromisoformat(THIRD)
    for day, reason in ((date.fromisoformat(SECOND), "why"), (today, " ")):
        with pytest.raises(BadValue, match="present one" if reason == "why" else "reason"):
            await do(exchange, opening.open_anyway, ONE, day, reason)
    found = await do(exchange, opening.open_anyway, ONE, today, "the auditor is ill")
    assert not found.may_open
    assert "another person" in await refused(exchange, "SAME_PERSON", opening.open_anyway, ONE, today, "again")
    assert "one of them must operate" in await refused(
        exchange, "NOT_PERMITTED", opening.open_anyway, OTHER, today, "so do I"
    )
    found = await do(exchange, opening.open_anyway, RISK, today, "the market needs it")
    assert found.may_open
    assert found.opened_by == (ONE, RISK)
    await refused(exchange, "ILLEGAL_STEP", opening.open_anyway, OTHER, today, "me too")
    assert "open" not in {one.step for one in await do(exchange, why.obstacles)}
    with pytest.raises(Exception, match="append-only"):
        await do(exchange, lambda connection: connection.execute(text("DELETE FROM day_opening")))


async def test_the_day_after_waits_again(three_days_over: SmallExchange) -> None:
    exchange = three_days_over
    for by in (ONE, RISK):
        await do(exchange, opening.open_anyway, by, date.fromisoformat(THIRD), "why")
    await begin_day(exchange, FOURTH)
    found = await do(exchange, opening.present)
    assert found is not None
    assert (found.opened_by, found.may_open, len(found.obstacles)) == ((), False, 4)


async def test_the_first_day_waits_for_nothing(exchange: SmallExchange) -> None:
    assert await do(exchange, opening.present) is None
    await begin_day(exchange, FIRST)
    found = await do(exchange, opening.present)
    assert found is not None
    assert (str(found.day), found.may_open) == (FIRST, True)


async def old_break(exchange: SmallExchange, found: Break) -> None:
    """Record a break that is past its limit of age."""
    await record(exchange, BANK_SCOPE, found)
    await rewrite(exchange, f"UPDATE recon_break SET opened_at = {opened_before(3)}")


def insert_for(by: str, found: list[opening.InTheWay]) -> str:
    """Return the statement that lets somebody open the present day in spite of obstacles, without any check."""
    sequence = "(SELECT max(sequence) FROM trading_day)"
    rows = ", ".join(f"({sequence}, '{by}', '{each.about}', '', 'why', 1)" for each in found)
    into = "INSERT INTO day_opening_obstacle (sequence, given_by, about, obstacle, reason, given_at)"
    return f"{into} VALUES {rows} ON CONFLICT DO NOTHING"


async def unseen_difference(exchange: SmallExchange, mg: int) -> None:
    """Let the engine have more gold than the ledger, which no run has found yet."""
    await rewrite(exchange, f"UPDATE engine_holding SET total = total + {mg} WHERE (account, asset) = ('B.H', 'AU')")


async def test_what_is_found_after_two_people_opened_a_day_takes_two_again(three_days_over: SmallExchange) -> None:
    exchange, today = three_days_over, date.fromisoformat(THIRD)
    for by in (ONE, RISK):
        await do(exchange, opening.open_anyway, by, today, "the auditor is ill")
    await old_break(exchange, UNPAID)
    found = await do(exchange, opening.present)
    assert found is not None
    assert (found.opened_by, found.may_open) == ((), False)
    assert "unexplained breaks of BANK" in found.obstacles[3]
    assert "unexplained breaks of BANK" in " ".join(one.what for one in await do(exchange, why.obstacles))
    assert not (await do(exchange, opening.open_anyway, RISK, today, "it was counted")).may_open
    await refused(exchange, "SAME_PERSON", opening.open_anyway, RISK, today, "again")
    assert (await do(exchange, opening.open_anyway, ONE, today, "so it was")).opened_by == (RISK, ONE)
    assert [one for one in await do(exchange, why.obstacles) if one.step == "open"] == []
    await old_break(exchange, UNPAID._replace(found=UNPAID.found + 7))
    found = await do(exchange, opening.present)
    assert found is not None
    assert not found.may_open, "the same break with another difference"


async def test_nobody_opens_a_day_while_engine_and_ledger_differ(three_days_over: SmallExchange) -> None:
    """Domain sheet 8.4: no next-day open while A and C differ, whoever has opened it before or would."""
    exchange, today = three_days_over, date.fromisoformat(THIRD)
    for by in (ONE, RISK):
        await do(exchange, opening.open_anyway, by, today, "the auditor is ill")
    await unseen_difference(exchange, 700_000_000)
    for is_break, what in ((False, "B.H has "), (True, "break 1 (HOLDING")):
        if is_break:
            await three_way.reconcile(exchange.engine, ONE)
        found = await do(exchange, opening.present)
        assert found is not None
        assert (found.may_open, found.differs) == (False, True)
        said = await refused(exchange, "ILLEGAL_STEP", opening.open_anyway, OTHER, today, "it must")
        assert f"nobody opens a day while engine and ledger differ: {what}" in said
        assert said.endswith("`goldx day why` shows who can clear it")
    for by in (ONE, RISK):  # as a version did that let two people open over it
        await rewrite(exchange, insert_for(by, await do(exchange, opening._in_the_way)))
    found = await do(exchange, opening.present)
    assert found is not None
    assert (found.opened_by, found.operated, found.may_open) == ((ONE, RISK), True, False)
    await unseen_difference(exchange, -700_000_000)
    await three_way.reconcile(exchange.engine, ONE)
    assert (await do(exchange, opening.present)).may_open  # type: ignore[union-attr]


async def test_a_day_that_is_closed_meanwhile_takes_no_new_opening(three_days_over: SmallExchange) -> None:
    exchange = three_days_over
    for by in (ONE, RISK):
        await do(exchange, opening.open_anyway, by, date.fromisoformat(THIRD), "why")
    await close(exchange)
    found = await do(exchange, opening.present)
    assert found is not None
    assert found.may_open
    assert all(each.endswith("is not signed") for each in found.obstacles)


async def suspend(exchange: SmallExchange, who: str) -> None:
    await do(exchange, standings.write, standings.new_notice("suspend", "staff", who, ONE, "ill"))


async def test_somebody_who_is_suspended_is_none_of_the_two(three_days_over: SmallExchange) -> None:
    exchange, today = three_days_over, date.fromisoformat(THIRD)
    await do(exchange, opening.open_anyway, OTHER, today, "why")
    await suspend(exchange, OTHER)
    await do(exchange, opening.open_anyway, ONE, today, "why")
    found = await do(exchange, opening.open_anyway, RISK, today, "why")
    assert (found.opened_by, found.may_open) == ((ONE, RISK), True)
    await suspend(exchange, RISK)
    left = await do(exchange, opening.present)
    assert left is not None
    assert (left.opened_by, left.may_open) == ((ONE,), False)
    assert "one of them must operate" in await refused(
        exchange, "NOT_PERMITTED", opening.open_anyway, CLERK, today, "so do I"
    )
    await do(exchange, standings.write, standings.new_notice("resume", "staff", OTHER, ONE, "well again"))
    left = await do(exchange, opening.present)
    assert left is not None
    assert (left.opened_by, left.may_open) == ((OTHER, ONE), False), "neither operates the market"


async def test_a_difference_that_no_run_has_found_keeps_the_day_closed(
    three_days_closed: SmallExchange, redis: Redis, tmp_path: Path
) -> None:
    exchange, keys = three_days_closed, Keys(three_days_closed.shard)
    for day in await do(exchange, days.over):
        await sign_all(exchange, day)
    await unseen_difference(exchange, 700_000_000)
    await DayOpenings(exchange.engine, redis, keys, tmp_path).tend(exchange.sender)
    found = await read_permission(redis, keys)
    assert found is not None
    assert len(found.obstacles) == 1
    assert found.obstacles[0].startswith("B.H has ")
    assert [(one.step, one.what) for one in await do(exchange, why.obstacles)] == [("open", found.obstacles[0])]
    await three_way.reconcile(exchange.engine, ONE)
    assert (await obstacles(exchange))[0].startswith("break ")
    assert not any(one.startswith("B.H") for one in await obstacles(exchange)), "it is listed once"
    await unseen_difference(exchange, 7)
    assert any(one.startswith("B.H") for one in await obstacles(exchange)), "it is another one than the break"


async def test_the_same_break_on_a_later_day_takes_two_people_again(
    three_days_closed: SmallExchange, tmp_path: Path
) -> None:
    exchange = three_days_closed

    async def finish() -> None:
        for day in await do(exchange, days.over):
            if not await do(exchange, signing.signatures, day.day):
                await sign_all(exchange, day)
                await do(exchange, archive.archive, day.day, tmp_path)

    await finish()
    await old_break(exchange, UNPAID)
    for by in (ONE, RISK):
        await do(exchange, opening.open_anyway, by, date.fromisoformat(THIRD), "why")
    assert len(await obstacles(exchange)) == 1
    await record(exchange, BANK_SCOPE)
    await begin_day(exchange, FOURTH)
    await close(exchange)
    await finish()
    assert await obstacles(exchange) == []
    await old_break(exchange, UNPAID)
    found = await do(exchange, opening.present)
    assert found is not None
    assert (found.opened_by, found.may_open, len(found.obstacles)) == ((), False, 1)


async def test_a_day_that_is_open_is_not_opened_and_stays_open(three_days_over: SmallExchange) -> None:
    exchange, today = three_days_over, date.fromisoformat(THIRD)
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.HALTED), MarketSetPhase("AU", terms.CLOSED))
    await exchange.post()
    assert len(await obstacles(exchange)) == 3, "a halt opens no day"
    await exchange.engine_runner.run(MarketSetPhase("AU", terms.PRE_OPEN))
    await exchange.post()
    assert await obstacles(exchange) == []
    assert "is open already" in await refused(exchange, "ILLEGAL_STEP", opening.open_anyway, ONE, today, "why")
    await begin_day(exchange, FOURTH)
    assert len(await obstacles(exchange)) == 4


async def test_a_day_in_which_a_deal_was_made_is_open(three_days_over: SmallExchange) -> None:
    """Where the law allows no order book, instruments stay closed, and the first trade opens the day."""
    exchange, runner = three_days_over, three_days_over.engine_runner
    await runner.run(DealPropose("A.H", "d1", "B.H", "AU", terms.SELL, 1_000, 60_000, now_ms() + 60_000))
    await exchange.post()
    assert len(await obstacles(exchange)) == 3, "nothing is traded yet"
    await runner.run(DealAccept("B.H", runner.engine.state.last_deal_id))
    await exchange.post()
    assert await obstacles(exchange) == []


async def test_two_processes_archive_a_day_once(three_days_closed: SmallExchange, redis: Redis, tmp_path: Path) -> None:
    exchange, keys = three_days_closed, Keys(three_days_closed.shard)
    day, *_ = await do(exchange, days.over)
    await sign_all(exchange, day)
    senders = [Sender(exchange.engine, exchange.engine_runner.journal, run) for run in range(11, 14)]
    await asyncio.gather(*(DayOpenings(exchange.engine, redis, keys, tmp_path).tend(one) for one in senders))
    assert [file.name for file in tmp_path.iterdir()] == [f"{day.day}.json"]
    assert await do(exchange, archive.archive, day.day, tmp_path) is None


def test_what_a_killed_process_left_is_removed_and_not_written_to(tmp_path: Path) -> None:
    left = tmp_path / "2026-11-24.json.partial"
    left.write_bytes(b"the beginning")
    left.chmod(0o400)
    with left.open("rb") as opened:
        archive.write_once(tmp_path / "2026-11-24.json", b"the whole")
        assert opened.read() == b"the beginning", "an account that is not root may not write to it"
    assert [file.name for file in tmp_path.iterdir()] == ["2026-11-24.json"]


@pytest.mark.usefixtures("three_days_over", "configured_database")
async def test_people_open_a_day_by_commands() -> None:
    said = (await goldx("day", "--as", ONE, "open", THIRD, "--reason", "the bank is closed")).output
    assert said.startswith(f"{THIRD} waits for another person, who gives the same command; in the way: ")
    assert said.endswith("is not closed\n")
    said = (await goldx("day", "--as", RISK, "open", THIRD, "--reason", "agreed")).output
    assert said == f"{THIRD} opens in spite of 3 obstacles: {ONE} and {RISK}\n"
    refusal = (await goldx("day", "--as", OTHER, "open", THIRD, "--reason", "so do I", code=1)).output
    assert "nothing stands in its way" in refusal
