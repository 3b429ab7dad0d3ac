"""Generated openings of trading days: demanded, permitted, taken back, for the present day and for another one."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

from goldx.protocol import commands, terms
from goldx.protocol.commands import AnyCommand
from goldx.protocol.deal_commands import DealAccept
from goldx.protocol.opening_commands import MarketPermitOpening
from goldx.protocol.rfq_commands import RfqAccept
from matching.core.day_opening import WAITS
from tests.matching.core.flows_of_deals import deal, timely
from tests.matching.core.flows_of_rfq import quote, request, rfq

if TYPE_CHECKING:
    from tests.matching.core.flows import Flow


def opening(flow: "Flow") -> AnyCommand:
    """End the day and try what a waiting day refuses, or permit the present one, or say what stands in its way."""
    choose = flow.dice.choose
    if flow.chance(60):
        return decision(flow)
    known, following = flow.engine.state, day_after(flow.engine.state.trading_day)
    flow.queued += [commands.MarketSetPhase(symbol, terms.CLOSED) for symbol in known.instruments]
    flow.queued += [commands.MarketEndDay(following, by, 3) for by in ("ada", "ben")]
    step = commands.TimetableStep(flow.symbol(), terms.CONTINUOUS, flow.at, flow.at + 60_000)
    flow.queued += [decision(flow)] * flow.chance(30)
    flow.queued += [flow.set_phase(), step, deal(flow), rfq(flow)]
    if flow.chance(50):  # what is open when the permission is taken back
        proposed, asked = timely(flow), request(flow)
        number, quoted = known.last_rfq_id + 1, quote(flow, known.last_rfq_id + 1, 1 - asked.side, asked.quantity)
        flow.queued += [MarketPermitOpening(following), proposed, asked, quoted]
        flow.queued += [MarketPermitOpening(following, "a break"), quoted]
        flow.queued += [DealAccept(proposed.counter_account, known.last_deal_id + 1)]
        flow.queued += [RfqAccept(asked.account, number, quoted.price)]
    flow.queued += [commands.MarketSetPhase(flow.symbol(), choose((terms.HALTED, terms.PRE_OPEN)))]
    return MarketPermitOpening(known.trading_day, choose((None, "a break")))


def day_after(trading_day: str) -> str:
    """Return a trading day that can follow one, in the month of a flow's first time.

    By the oldest rules a trading day may be any text, which the present rules ignore.
    """
    try:
        day = date.fromisoformat(trading_day)
    except ValueError:
        day = date(1970, 1, 1)
    day += timedelta(days=1)
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    return str(day)


def decision(flow: "Flow") -> AnyCommand:
    """Return a decision about the present trading day, or seldom about another one."""
    day = flow.engine.state.trading_day if flow.chance(90) else "2026-11-23"
    return MarketPermitOpening(day, flow.dice.choose((None, None, None, "a break", "")), "settlement")


def waits(flow: "Flow") -> bool:
    """Return whether the present trading day waits to be permitted."""
    return flow.engine.state.opening == WAITS
