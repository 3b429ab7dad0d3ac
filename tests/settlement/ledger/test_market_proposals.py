"""Proposals of one operator in the market are seen by the others until they are confirmed, or the day ends."""

import shlex
from typing import Any

import pytest

from goldx.protocol import terms
from goldx.protocol.commands import (
    AnyCommand,
    InstrumentDefine,
    MarketEndDay,
    MarketSetPhase,
    MarketSetReference,
    TradeBust,
)
from goldx.protocol.dangerous_terms import DEFINITION_RULES, REFERENCE_RULES
from goldx.protocol.limit_commands import LimitsSet
from goldx.protocol.regime_commands import VenueSetRegime
from goldx.protocol.wire import read_command
from settlement.base import audit, registry
from settlement.closing import why
from settlement.ledger import market_proposals
from settlement.ledger.market_proposals import MarketProposal
from settlement.ledger.posting import sift
from settlement.service import waiting
from tests.settlement.closing.days import DAYS
from tests.settlement.commands import goldx
from tests.settlement.ledger.test_busts import prepared, trades
from tests.settlement.rest import Rest
from tests.settlement.small_exchange import SmallExchange, begin_day, do

ADA, BEN = "ada", "ben"
REGIME: dict[str, Any] = {
    "regime": terms.APPROVED,
    "document_name": "Approval",
    "document_number": "38",
    "document_date": "2026-01-05",
    "document_sha256": "a" * 64,
}


def reference(by: str) -> MarketSetReference:
    return MarketSetReference("AU", 90_000, by, 10, REFERENCE_RULES)


def definition(by: str) -> InstrumentDefine:
    """Other terms of AU, of which two take two people."""
    given = ("price_limit_percent", "max_holders")
    return InstrumentDefine("AU", price_limit_percent=None, max_holders=300, by=by, given=given, rules=DEFINITION_RULES)


def end_of_day(by: str) -> MarketEndDay:
    return MarketEndDay(DAYS[0], by, terms.END_OF_DAY_BY_TWO)


async def run(exchange: SmallExchange, *commands: AnyCommand) -> list[MarketProposal]:
    """Run commands, post their events and return what is pending then."""
    await exchange.engine_runner.run(*commands)
    await exchange.post()
    return list(await do(exchange, market_proposals.listing))


async def test_each_kind_is_listed_until_a_second_person_confirms_it(exchange: SmallExchange) -> None:
    await prepared(exchange)
    await exchange.trade("B.H", "A.H", 60_000, 2)
    ((number, traded),) = (await trades(exchange)).items()
    regime = VenueSetRegime(**REGIME, by=ADA)
    proposed: list[AnyCommand] = [reference(ADA), TradeBust(number, "mistyped", ADA, traded), regime, end_of_day(ADA)]
    closed = MarketSetPhase("AU", terms.CLOSED)
    found = await run(exchange, *proposed[:3], closed, end_of_day(ADA))
    assert [(one.method, one.subject, one.proposed_by) for one in found] == [
        ("market.set_reference", "AU", ADA),
        ("trade.bust", str(number), ADA),
        ("venue.set_regime", "market", ADA),
        ("market.end_day", "market", ADA),
    ]
    assert [one.does for one in found] == [
        "the reference price of AU becomes 900.00 CNY per fine gram",
        f"trade {number} of AU is annulled: mistyped",
        "the legal regime of the venue becomes APPROVED by Approval 38",
        f"the trading day ends, and the next one is {DAYS[0]}",
    ]
    for one, sent in zip(found, proposed, strict=True):
        again = read_command(one.method, one.params)
        for name in ("symbol", "price", "trade_id", "next_trading_day", *REGIME):
            assert getattr(again, name, None) == getattr(sent, name, None)
        words = shlex.split(one.command)
        assert words[:3] == ["goldx", "operator", one.method]
    assert len({one.number for one in found}) == len(found)

    found = await run(exchange, reference(ADA))
    assert [one.method for one in found][-1] == "market.set_reference", "the same person has proposed it anew"
    found = await run(exchange, reference(BEN), TradeBust(number, "mistyped", BEN, traded))
    assert [one.method for one in found] == ["venue.set_regime", "market.end_day"]
    assert [one.method for one in await run(exchange, VenueSetRegime(**REGIME, by=BEN))] == ["market.end_day"]
    assert await run(exchange, end_of_day(BEN)) == []


async def test_limits_that_are_raised_are_listed_by_member_and_account(exchange: SmallExchange) -> None:
    def limits(by: str, account: str | None, most: int | None) -> LimitsSet:
        return LimitsSet("A", "a new credit line", account, max_open_orders=most, by=by)

    assert await run(exchange, limits(ADA, None, 5), limits(ADA, "A.H", 3)) == []
    first, second = await run(exchange, limits(ADA, None, 9), limits(BEN, "A.H", None))
    assert [(one.method, one.subject, one.proposed_by) for one in (first, second)] == [
        ("limits.set", "A", ADA),
        ("limits.set", "A/A.H", BEN),
    ]
    assert first.does == "the limits of member A are raised or taken away: a new credit line"
    assert first.params is not None
    again = read_command(first.method, first.params)
    assert again == limits("", None, 9)
    assert await run(exchange, limits(BEN, None, 9)) == [second]
    assert await run(exchange, limits(BEN, "A.H", 2)) == [], "limits that are lowered replace what was proposed"


async def test_all_is_void_with_the_end_of_the_day(exchange: SmallExchange) -> None:
    found = await run(exchange, reference(ADA), VenueSetRegime(**REGIME, by=ADA))
    assert len(found) == 2
    await begin_day(exchange, DAYS[0])
    assert await do(exchange, market_proposals.listing) == []
    (after,) = await run(exchange, reference(ADA))
    assert after.lapses.isoformat() == DAYS[0]


async def test_what_is_proposed_and_confirmed_in_one_batch_is_not_listed(exchange: SmallExchange) -> None:
    assert await run(exchange, reference(ADA), reference(BEN)) == []
    await exchange.engine_runner.run(reference(ADA), MarketSetPhase("AU", terms.CLOSED), MarketEndDay(DAYS[0]))
    frames = await exchange.engine_runner.events.read(await exchange.ledger.open())
    assert len((await sift(frames, await exchange.ledger.open())).batches) == 1
    await exchange.ledger.post(frames)
    assert await do(exchange, market_proposals.listing) == []


async def test_terms_are_shown_as_they_were_sent(exchange: SmallExchange) -> None:
    """The event names the dangerous ones alone; the second person has to send all of them."""
    closed = MarketSetPhase("AU", terms.CLOSED)
    (found,) = await run(exchange, closed, definition(ADA))
    assert found.does == "AU has other terms: max_holders"
    assert (found.params, found.command.split()[3]) == (None, "PARAMS")
    acts = ((BEN, 5, -1), (ADA, 9, -100_000), (ADA, None, -20), (ADA, 7, 5_000))
    for number, (actor, percent, after_ms) in enumerate(acts):
        params = {"symbol": "AU", "max_holders": 300, "given": ["price_limit_percent", "max_holders"], "by": actor}
        sent = params if percent is None else {**params, "price_limit_percent": percent}
        detail = {"at": found.proposed_at + after_ms, "params": sent}
        await do(exchange, audit.record, audit.Act(actor, "instrument.define", "AU", detail))
        if number < 2:
            (still,) = await do(exchange, market_proposals.listing)
            assert still.params is None, "neither another person's command nor an older one"
    (found,) = await do(exchange, market_proposals.listing)
    assert found.params == {"symbol": "AU", "price_limit_percent": None, "max_holders": 300}
    assert await run(exchange, definition(BEN)) == []


@pytest.mark.usefixtures("configured_database")
async def test_other_operators_see_it_in_every_list(exchange: SmallExchange, rest: Rest) -> None:
    await do(exchange, registry.add_staff, "test", ADA, "Ada", ["operate"])
    await run(exchange, reference(ADA), MarketSetPhase("AU", terms.CLOSED), end_of_day(ADA))
    first = await rest("operator", "GET", "/market-proposals", params={"limit": 1})
    rest_of = await rest("auditor", "GET", "/market-proposals", params={"after": first["next"]})
    one, two = first["proposals"] + rest_of["proposals"]
    assert (one["method"], one["params"]) == ("market.set_reference", {"symbol": "AU", "price": "900.00"})
    assert (two["proposed_by"], two["params"]) == (ADA, {"next_trading_day": DAYS[0]})
    assert rest_of["next"] is None

    typed = (await goldx("day", "--as", "operator", "proposals")).output
    assert f'goldx operator market.end_day \'{{"next_trading_day": "{DAYS[0]}"}}\'' in typed
    assert [each.kind for each in await do(exchange, waiting.listing, "operator")] == ["market_proposal"] * 2
    assert await do(exchange, waiting.listing, ADA) == [], "one's own waits for somebody else"
    assert "market_proposal" not in {each.kind for each in await do(exchange, waiting.listing, "auditor")}
    (obstacle, *_) = await do(exchange, why.obstacles)
    assert obstacle.step == "end"
    assert f"the next one is {DAYS[0]}, if another operator confirms what {ADA} has proposed" in obstacle.what
    assert "goldx operator market.end_day" in obstacle.who
    assert "the reference price" not in str(await do(exchange, why.obstacles)), "it stops no day"
    assert "end\t" in (await goldx("day", "--as", "operator", "why", code=1)).output
