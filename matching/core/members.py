"""Members and their accounts: accounts opened, members halted, killed and restored, sessions closed."""

from __future__ import annotations

from typing import Any

from goldx.protocol import terms
from goldx.protocol.details import write_detail
from goldx.protocol.terms import EVERY, OUTLIVES
from matching.core import deal_ends, methods, regime, rfq_ends
from matching.core.holdings import Account, Member
from matching.core.state import State
from matching.core.tags import ACCOUNT_OPENED, MEMBER_HALTED, MEMBER_KILLED, MEMBER_RESTORED


def open_account(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``account.open``. A member is known from its first account on."""
    _, name, member_name, kind, owner, _ = command
    if name in state.accounts:
        return state.refuse(methods.ACCOUNT_OPEN, "DUPLICATE_ID", name, name)
    if not 0 <= kind < len(terms.ACCOUNT_KINDS):
        return state.refuse(methods.ACCOUNT_OPEN, "BAD_VALUE", name, name, write_detail("kind", "house or client"))
    account_owner = name if owner is None else owner
    if detail := regime.refuses_client(state, account_owner):
        return state.refuse(methods.ACCOUNT_OPEN, "REGIME", name, name, detail)
    member = state.members.get(member_name)
    if member is None:
        member = state.members[member_name] = Member(member_name)
    account = Account(name, member, kind, account_owner)
    member.accounts.append(account)
    state.accounts[name] = account
    return state.emit(ACCOUNT_OPENED, name, member_name, kind, account.owner)


def kill(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``member.kill``: refuse new orders from now on, and cancel every open one in order of acceptance.

    Deals that it has proposed, and those proposed to it, end; so do its requests and its quotes in those of others.
    """
    _, name, _ = command
    member = _find(state, methods.MEMBER_KILL, name, "KILLED")
    if member is not None:
        member.refuse("KILLED")
        state.emit(MEMBER_KILLED, name)
        for order in state.open_orders(member.accounts):
            state.cancel(order, "KILL")
        deal_ends.end_of_member(state, member, "KILL")
        rfq_ends.end_of_member(state, member, "KILL")


def halt(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``member.halt``: refuse new orders, and leave the open ones. Deals, requests and quotes in them end."""
    _, name, _ = command
    member = _find(state, methods.MEMBER_HALT, name, "KILLED")
    if member is not None and member.refusal:
        state.refuse(methods.MEMBER_HALT, member.refusal, None, name)
    elif member is not None:
        member.refuse("HALTED")
        state.emit(MEMBER_HALTED, name)
        deal_ends.end_of_member(state, member, "HALT")
        rfq_ends.end_of_member(state, member, "HALT")


def restore(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``member.restore``: end a kill or a halt."""
    _, name, _ = command
    member = _find(state, methods.MEMBER_RESTORE, name, "")
    if member is not None:
        member.refuse("")
        state.emit(MEMBER_RESTORED, name)


def close_session(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``session.close``: cancel what the session placed or proposed without ``persist``, if anything.

    ``KEY/*`` for a session: cancel all that the key placed, in every session and with ``persist`` too.
    """
    _, name, session = command
    member = state.members.get(name)
    if member is None:
        state.refuse(methods.SESSION_CLOSE, "UNKNOWN_MEMBER", None, name)
    elif session.endswith(EVERY):
        of_key = session[:-1]
        for order in state.open_orders(member.accounts):
            if order.session.removeprefix(OUTLIVES).startswith(of_key):
                state.cancel(order, "DISCONNECT")
        for deal in list(state.deals.values()):
            if deal.account.member is member and deal.session.removeprefix(OUTLIVES).startswith(of_key):
                deal_ends.end(state, deal, "DISCONNECT")
    elif session:
        for order in state.open_orders(member.accounts):
            if order.session == session:
                state.cancel(order, "DISCONNECT")
        for deal in list(state.deals.values()):
            if deal.account.member is member and deal.session == session:
                deal_ends.end(state, deal, "DISCONNECT")
    if member is not None and session:
        rfq_ends.end_of_session(state, member, session)


def _find(state: State, method: str, name: str, unless: str) -> Member | None:
    """Return a member, or refuse the command if there is none or its ``refusal`` is what the command would make it."""
    member = state.members.get(name)
    if member is None:
        state.refuse(method, "UNKNOWN_MEMBER", None, name)
        return None
    if member.refusal == unless:
        state.refuse(method, unless or "BAD_VALUE", None, name, "it is so already")
        return None
    return member
