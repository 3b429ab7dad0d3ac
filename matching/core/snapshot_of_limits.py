"""The limits of members in a snapshot, what counts towards them, and what only one person has proposed.

How many orders are open is not written: it is counted when the snapshot is read. Written and read as
``matching.core.snapshot`` does everything else.
"""

from __future__ import annotations

from typing import Any

from matching.core.holdings import Member
from matching.core.limit_setting import begin_to_count
from matching.core.member_limits import MemberLimits
from matching.core.state import State


def write_limits(state: State) -> tuple[Any, ...]:
    """Return the members with limits and the proposed limits; nothing if there are none."""
    counted = [_write_member(member) for member in state.members.values() if member.counted_after is not None]
    proposed = [(*subject, *proposal) for subject, proposal in state.proposed_limits.items()]
    return (counted, proposed) if counted or proposed else ()


def read_limits(state: State, record: Any) -> None:
    """Put what ``write_limits`` returned into a state that has its accounts, orders, deals and requests."""
    counted, proposed = record
    for name, after, values, accounts in counted:
        member = state.members[name]
        member.limits = _read_limits(values)
        begin_to_count(state, member, after)
        for account_name, of_account, paid, sold in accounts:
            account = state.accounts[account_name]
            account.limits = _read_limits(of_account)
            if account.usage is not None:
                account.usage.count(paid, sold)
    for name, account_name, values, by in proposed:
        state.proposed_limits[name, account_name] = (tuple(values), by)


def _write_member(member: Member) -> tuple[Any, ...]:
    accounts = []
    for account in member.accounts:
        usage = account.usage
        if usage is not None:
            accounts.append((account.name, _write_limits(account.limits), usage.paid, usage.sold))
    return member.name, member.counted_after, _write_limits(member.limits), accounts


def _write_limits(limits: MemberLimits | None) -> tuple[int | None, ...] | None:
    return None if limits is None else limits.values()


def _read_limits(values: Any) -> MemberLimits | None:
    return None if values is None else MemberLimits(tuple(values))
