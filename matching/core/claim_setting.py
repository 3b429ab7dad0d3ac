"""How claims on accounts are set and collected, and what ends when an account begins to owe something.

Settlement sets a claim by its reference (``account.claim``), when the bank has taken back money that the account has
used. Money that is taken out to collect it reduces it in the same command (``holding.adjust``): so no command comes in
between, and no day ends between the two.

Everything by which the account could still buy ends at once: its orders to buy and such pending stops, the bids of its
quotes, the deals that it has proposed as the buyer, its requests to buy, and its quotes in which it would buy. What it
sells stays. The other party of a deal or a request is not told of the claim.
"""

from __future__ import annotations

from typing import Any, Final

from goldx.protocol.details import write_detail
from goldx.protocol.terms import BUY
from goldx.protocol.units import CASH, MAX_MONEY_FEN, format_money
from matching.core import claims, deal_ends, methods, rfq_ends
from matching.core.holdings import Account
from matching.core.state import State
from matching.core.tags import ACCOUNT_CLAIM_CHANGED

TO_OTHERS: Final = "the account may not buy now"
"""The detail of the end of a deal, a request or a quote, which the other party sees."""


def set_claim(state: State, command: tuple[Any, ...]) -> None:
    """Apply ``account.claim``: a claim is made, changed or ended, and published even if it was so already."""
    _, name, amount, reference, _ = command
    account = state.accounts.get(name)
    if account is None:
        return state.refuse(methods.ACCOUNT_CLAIM, "UNKNOWN_ACCOUNT", name, reference)
    if not 0 <= amount <= MAX_MONEY_FEN:
        detail = write_detail("amount", f"from 0 to {format_money(MAX_MONEY_FEN)} CNY")
        return state.refuse(methods.ACCOUNT_CLAIM, "BAD_VALUE", name, reference, detail)
    if not reference:
        return state.refuse(methods.ACCOUNT_CLAIM, "BAD_VALUE", name, reference, write_detail("reference", "given"))
    return _change(state, account, reference, amount, 0)


def collectable(state: State, name: str, asset: str, amount: int, reference: str) -> int:
    """Return how much of a claim (fen) an adjustment by an amount collects; 0 if it is about none."""
    if asset != CASH or amount >= 0:
        return 0
    owed = state.accounts[name].claims.get(reference, 0)
    return min(owed, -amount)


def collect(state: State, name: str, reference: str, collected: int) -> None:
    """Reduce a claim by what was just taken out of the account's money."""
    account = state.accounts[name]
    _change(state, account, reference, account.claims[reference] - collected, collected)


def _change(state: State, account: Account, reference: str, amount: int, collected: int) -> None:
    before = account.claims.get(reference, 0)
    if amount:
        account.claims[reference] = amount
    elif before:
        del account.claims[reference]
    account.owed += amount - before
    account.find_refusal()
    changed = (account.name, reference, before, amount, account.owed)
    if collected:
        state.emit(ACCOUNT_CLAIM_CHANGED, *changed, collected)
    else:
        state.emit(ACCOUNT_CLAIM_CHANGED, *changed)
    if account.owed:
        _end_purchases(state, account)


def _end_purchases(state: State, account: Account) -> None:
    """End everything by which an account could still buy: orders in order of acceptance, then deals, then requests."""
    for order in state.open_orders([account]):
        if order.side == BUY:
            state.cancel(order, claims.REASON)
    deal_ends.end_purchases(state, account, TO_OTHERS)
    rfq_ends.end_purchases(state, account, TO_OTHERS)
