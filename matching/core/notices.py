"""Notices of the venue: their numbers, and which members have still to acknowledge which.

The texts are in the events alone. A notice is kept here until everybody concerned has acknowledged it or another takes
its place.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.notice_commands import VENUE
from matching.core import methods
from matching.core.holdings import Member
from matching.core.state import State
from matching.core.tags import NOTICE_ACKNOWLEDGED, NOTICE_PUBLISHED


def publish(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``notice.publish``. Every member that has an account in use has to acknowledge it, if anybody has to.

    By rules from 1 on, the venue itself does not have to.
    """
    _, title, text, title_zh, text_zh, to_acknowledge, replaces, by, rules = command
    if replaces is not None and not 0 < replaces <= state.last_notice_id:
        return state.refuse(methods.NOTICE_PUBLISH, "UNKNOWN_NOTICE", None, str(replaces))
    state.last_notice_id += 1
    number = state.last_notice_id
    if replaces is not None:
        state.notices.pop(replaces, None)
    present = (name for name, member in state.members.items() if _is_present(member)) if to_acknowledge else ()
    members = tuple([name for name in present if name != VENUE or not rules])
    if members:
        state.notices[number] = dict.fromkeys(members)
    return state.emit(NOTICE_PUBLISHED, number, title, text, title_zh, text_zh, by, members or None, replaces)


def acknowledge(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``notice.acknowledge``, for a notice that still waits for the account's member."""
    _, name, number = command
    account = state.accounts.get(name)
    if account is None:
        return state.refuse(methods.NOTICE_ACKNOWLEDGE, "UNKNOWN_ACCOUNT", name, str(number))
    waiting = state.notices.get(number)
    member = account.member.name
    if waiting is None or member not in waiting:
        return state.refuse(methods.NOTICE_ACKNOWLEDGE, "UNKNOWN_NOTICE", name, str(number))
    del waiting[member]
    if not waiting:
        del state.notices[number]
    return state.emit(NOTICE_ACKNOWLEDGED, name, member, number)


def _is_present(member: Member) -> bool:
    """Return whether a member has an account that is not retired: without one it could not acknowledge anything."""
    return any(not account.retired for account in member.accounts)
