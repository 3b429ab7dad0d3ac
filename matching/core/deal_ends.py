"""Ends of proposed deals: what was reserved for them is free again.

A proposal ends with its acceptance, with ``deal.decline`` or ``deal.cancel``, at its ``expire_at`` (EXPIRED), with the
trading day (EXPIRED), when one of its two parties is killed (KILL) or halted (HALT), with the session of an order
without ``persist`` (DISCONNECT), and when the venue cancels the orders of its instrument or takes the instrument or the
other party's account out of use (VENUE).
"""

from __future__ import annotations

from goldx.protocol.terms import BUY
from matching.core.deal import Deal
from matching.core.holdings import Account, Member
from matching.core.instrument import Instrument
from matching.core.state import State
from matching.core.tags import DEAL_ENDED


def release(state: State, deal: Deal) -> None:
    """Take a proposal out of the open ones, and free what it has reserved."""
    del state.deals[deal.deal_id]
    deal.instrument.open_deals -= 1
    if deal.account.usage is not None:
        deal.account.usage.open(-1)
    deal.balance.reserve(-deal.reserved)
    state.touched.append(deal.balance)


def end(state: State, deal: Deal, reason: str, detail: str = "") -> None:
    """End an open proposal without a trade."""
    release(state, deal)
    ended = (
        DEAL_ENDED,
        deal.deal_id,
        deal.account.name,
        deal.client_deal_id,
        deal.counter_account.name,
        deal.instrument.symbol,
        reason,
    )
    if detail:
        state.emit(*ended, detail)
    else:
        state.emit(*ended)


def end_all(state: State) -> None:
    """End every proposal, as its trading day ends, and free the client ids that were used before this day."""
    for deal in list(state.deals.values()):
        end(state, deal, "EXPIRED")
    state.deal_ids = {name: used for name, used in state.deal_ids.items() if used[1] >= state.day}


def end_of_member(state: State, member: Member, reason: str) -> None:
    """End what a member has proposed and what was proposed to it."""
    for deal in list(state.deals.values()):
        if deal.account.member is member or deal.counter_account.member is member:
            end(state, deal, reason)


def end_of_instrument(state: State, instrument: Instrument, account: str | None, text: str) -> bool:
    """End the proposals in an instrument, all or those of which an account is a party; return whether any ended."""
    found = [deal for deal in state.deals.values() if deal.instrument is instrument]
    ended = False
    for deal in found:
        if account is None or account in (deal.account.name, deal.counter_account.name):
            end(state, deal, "VENUE", text)
            ended = True
    return ended


def end_purchases(state: State, account: Account, text: str) -> None:
    """End the proposals by which an account would buy."""
    for deal in list(state.deals.values()):
        if deal.account is account and deal.side == BUY:
            end(state, deal, "VENUE", text)


def end_of_account(state: State, account: Account, text: str) -> None:
    """End the proposals that were made to an account."""
    for deal in list(state.deals.values()):
        if deal.counter_account is account:
            end(state, deal, "VENUE", text)
