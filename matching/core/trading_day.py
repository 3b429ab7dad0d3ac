"""The course of time: the end of a trading day, expiries, and the ends of volatility interruptions."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from heapq import heappop
from typing import Any, Final

from goldx.protocol import terms
from goldx.protocol.details import write_detail
from matching.core import (
    day_opening,
    deal_ends,
    direct_trades,
    limit_setting,
    methods,
    phases,
    regime_setting,
    rfq_ends,
    stops,
)
from matching.core.holdings import Account
from matching.core.ids import ClientIds
from matching.core.state import DEALS, LEAVING, NO_ORDER, UNPUBLISHED, State
from matching.core.tags import DAY_END_PROPOSED, DAY_ENDED

LONGEST_BREAK_DAYS: Final = 30
"""The most days from today to the next trading day: more than any holiday, and far less than a mistyped year."""
FREED_BEFORE_THE_END: Final = 2
"""The rules from which on what expired orders had reserved is published as free before the event that ends the day."""
ANY_DAY_COUNTS: Final = 3
"""The rules from which on a present trading day just LONGEST_BREAK_DAYS from today counts, so no day goes back."""
BY_TWO: Final = terms.END_OF_DAY_BY_TWO
AHEAD_BY_TWO: Final = 5
"""The first version of the rules by which one person may not end a trading day before its date begins in China."""
_NEXT_DAY: Final = ""
"""Key of a proposed next trading day among the proposed terms of instruments, none of which has this symbol."""
CHINA_OFFSET_MS: Final = 8 * 3_600_000
"""China Standard Time is UTC+8."""
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 : the times that it is added to are shifted already
_FRIDAY: Final = 4


def tick(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``clock.tick``, which only brings the time: what is due by then has happened before (``run_due``)."""


def end_day(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``market.end_day``: end the trading day in every instrument.

    DAY orders, proposed deals and requests for quotes expire. Client ids and references of adjustments that were used
    before this day become free again, except the ids of open orders; so do resale locks and held back proceeds that
    have lasted long enough. By the rules for two persons, and where days would be ended ahead of the calendar, the
    first command is only a proposal.
    """
    _, next_trading_day, by, rules = command
    if rules or state.opening:
        detail = _wrong_day(state, next_trading_day, rules)
        still_open = [i.symbol for i in state.instruments.values() if i.phase != terms.CLOSED]
        if detail or still_open:
            reason = "BAD_VALUE" if detail else "PHASE"
            detail = detail or f"every instrument must be closed, and {still_open[0]} is not"
            return state.refuse(methods.MARKET_END_DAY, reason, None, next_trading_day, detail)
    elif next_trading_day <= state.trading_day:
        return state.refuse(
            methods.MARKET_END_DAY, "BAD_VALUE", None, next_trading_day, f"later than {state.trading_day}"
        )
    by_two = rules == BY_TWO or (rules >= AHEAD_BY_TWO and _is_ahead(state))
    if by_two and _is_proposed(state, next_trading_day, by):
        return None
    for order in list(state.orders.values()):
        if order.time_in_force == terms.DAY:
            state.cancel(order, "EXPIRED")
    deal_ends.end_all(state)
    rfq_ends.end_all(state)
    if rules >= FREED_BEFORE_THE_END:
        state.publish_holdings()
    state.day += 1
    day_opening.begin_day(state)
    state.trading_day = next_trading_day
    state.previous_references = state.references
    state.references = {}
    state.bust_proposals = {}
    state.busted = {}
    state.day_value = 0
    state.emit(DAY_ENDED, next_trading_day)
    regime_setting.end_centralised(state)
    for account in state.accounts.values():
        _free_ids(state, account, keep_a_day=rules > 0)
        account.quotes = {}
        account.levels = {}
        for balance in account.balances.values():
            if balance.start_day(state.day):
                state.touched.append(balance)
    state.proposed_terms = {}
    state.proposed_regime = None
    limit_setting.begin_day(state)
    for instrument in state.instruments.values():
        instrument.proposed_price = 0
        instrument.proposed_by = ""
        instrument.delay = (0, 0, 0)
    return None


def _is_proposed(state: State, day: str, by: str) -> bool:
    """Propose a next trading day, unless another person has proposed the same one; return whether it was proposed."""
    proposed, first = state.proposed_terms.get(_NEXT_DAY, ((), by))
    if proposed == (day,) and first != by:
        return False
    state.proposed_terms[_NEXT_DAY] = ((day,), by)
    state.emit(DAY_END_PROPOSED, day, by)
    return True


def _is_ahead(state: State) -> bool:
    """Return whether the present trading day's date is still ahead in China.

    A present trading day later than the newest one allowed, which older rules allowed, is ignored here, too.
    """
    today = _today(state)
    present = _read_day(state.trading_day)
    return present is not None and today < present <= today + timedelta(LONGEST_BREAK_DAYS)


def _today(state: State) -> date:
    """Return the date in China."""
    return (_EPOCH + timedelta(milliseconds=state.now + CHINA_OFFSET_MS)).date()


def _wrong_day(state: State, text: str, rules: int) -> str:
    """Return what is wrong with a next trading day, or an empty text.

    It is a weekday after the present trading day, not before today in China, and at most LONGEST_BREAK_DAYS from today.
    A present trading day later than that, which older rules allowed, is ignored, or no day could ever end again.
    """
    earliest = _today(state)
    latest = earliest + timedelta(LONGEST_BREAK_DAYS)
    present = _read_day(state.trading_day)
    last = latest if rules >= ANY_DAY_COUNTS else latest - timedelta(1)
    if present is not None and earliest <= present <= last:
        earliest = present + timedelta(1)
    day = _read_day(text)
    if day is None or not earliest <= day <= latest or day.weekday() > _FRIDAY:
        return write_detail("next_trading_day", f"a date from {earliest} to {latest}, Monday to Friday")
    return ""


def _read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _free_ids(state: State, account: Account, *, keep_a_day: bool) -> None:
    """Free the client ids that were used before this day or, without ``keep_a_day``, today as well.

    Ids of open orders stay taken.
    """
    older = account.older_ids
    kept = [
        (name, number)
        for name, number in account.ids.items()
        if (keep_a_day and name not in older) or state.find_order(account, name) is not None
    ]
    account.ids = ClientIds(kept)
    account.older_ids = {name for name, _ in kept} if keep_a_day else set()


def run_due(state: State) -> None:
    """Do what is due by now (``Due``), in order of time, and at one time in the order of the numbers."""
    timetable = state.timetable
    while timetable and timetable[0].time <= state.now:
        due = heappop(timetable)
        number = due.order_id
        if number == NO_ORDER:
            instrument = state.instruments[due.symbol]
            if instrument.interrupted_until == due.time:
                phases.end_interruption(state, instrument)
                stops.run_triggered(state)
        elif number >= UNPUBLISHED:
            direct_trades.publish(state, number - UNPUBLISHED)
        elif number >= LEAVING:
            rfq_ends.run_due(state, number)
        elif number >= DEALS:
            deal = state.deals.get(number - DEALS)
            if deal is not None:
                deal_ends.end(state, deal, "EXPIRED")
        else:
            order = state.orders.get(number)
            if order is not None:
                state.cancel(order, "EXPIRED")
    state.find_next_due()
