"""How the limits of members are set (``limits.set``), and when what they limit is counted.

One operator may set a limit and lower it; raising one, or taking it away, takes two.

What a member does is counted from its first limit on. The core remembers no trades, so on the trading day of that first
limit the trades before it do not count. Counting ends with the trading day once the member has no limit any more.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.details import write_detail
from matching.core import methods
from matching.core.holdings import Account, Member
from matching.core.member_limits import NAMES, LimitUsage, MemberLimits
from matching.core.state import State
from matching.core.tags import LIMITS_CHANGED, LIMITS_PROPOSED


def set_limits(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``limits.set``: all limits of the subject are replaced at once, or proposed.

    A refusal names no account: it is for operators, and what names an account is published to its member.
    """
    _, name, reason, account_name, *given, by = command
    values: tuple[int | None, ...] = tuple(given)
    member = state.members.get(name)
    if member is None:
        return state.refuse(methods.LIMITS_SET, "UNKNOWN_MEMBER", None, name)
    account: Account | None = None
    if account_name is not None:
        account = state.accounts.get(account_name)
        if account is None or account.member is not member:
            detail = write_detail("account", f"{name} has no account {account_name[:32]}")
            return state.refuse(methods.LIMITS_SET, "UNKNOWN_ACCOUNT", None, name, detail)
    limits = member.limits if account is None else account.limits
    before: tuple[int | None, ...] = (None,) * len(NAMES) if limits is None else limits.values()
    detail = _wrong(before, values, reason)
    if detail:
        return state.refuse(methods.LIMITS_SET, "BAD_VALUE", None, name, detail)
    subject = (name, account_name or "")
    first: str | None = None
    if _loosens(before, values):
        proposed, first = state.proposed_limits.get(subject, ((), by))
        if proposed != values or first == by:
            state.proposed_limits[subject] = (values, by)
            return state.emit(LIMITS_PROPOSED, name, account_name, *values, reason, by)
    state.proposed_limits.pop(subject, None)
    found = None if values == (None,) * len(NAMES) else MemberLimits(values)
    if account is None:
        member.limits = found
    else:
        account.limits = found
    if member.counted_after is None:
        begin_to_count(state, member, state.last_trade_id)
    return state.emit(LIMITS_CHANGED, name, account_name, *values, reason, by, first)


def begin_to_count(state: State, member: Member, after: int) -> None:
    """Count what a member does from the trade after one of a number on. O(its open orders, all deals and requests)."""
    member.counted_after = after
    member.usage = LimitUsage(None)
    for account in member.accounts:
        account.count_limits()
    for order in state.open_orders(member.accounts):
        _count_one(order.account)
    for deal in state.deals.values():
        if deal.account.member is member:
            _count_one(deal.account)
    for request in state.requests.values():
        for quote in request.quotes.values():
            if quote.account.member is member:
                _count_one(quote.account)


def begin_day(state: State) -> None:
    """Forget what was proposed and traded on the day that has ended, and count no member without limits any more."""
    state.proposed_limits = {}
    for member in state.members.values():
        if member.counted_after is None:
            continue
        is_limited = member.limits is not None
        for account in member.accounts:
            is_limited = is_limited or account.limits is not None
        if not is_limited:
            member.counted_after = member.usage = None
        if member.usage is not None:
            member.usage.begin_day()
        for account in member.accounts:
            if not is_limited:
                account.count_limits()
            elif account.usage is not None:
                account.usage.begin_day()


def _count_one(account: Account) -> None:
    if account.usage is not None:
        account.usage.open(1)


def _wrong(before: tuple[int | None, ...], values: tuple[int | None, ...], reason: str) -> str:
    """Return what is wrong with limits, or an empty text."""
    if not reason.strip():
        return write_detail("reason", "a text for the records")
    for place, value in enumerate(values):
        if value is not None and value < 0:
            return write_detail(NAMES[place], "zero or more")
    return "these limits are in force already" if values == before else ""


def _loosens(before: tuple[int | None, ...], after: tuple[int | None, ...]) -> bool:
    """Return whether a limit would be raised or taken away."""
    for place, old in enumerate(before):
        new = after[place]
        if old is not None and (new is None or new > old):
            return True
    return False
