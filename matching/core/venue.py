"""What the venue decides about members, accounts and holdings."""

from __future__ import annotations

from typing import Any

from goldx.protocol import terms
from goldx.protocol.units import CASH, MAX_MONEY_FEN
from matching.core.holdings import Account, Balance, Member
from matching.core.state import State

LARGEST_TOTAL = 10 * MAX_MONEY_FEN
"""No balance may be brought above this, fen or fine mg: what is moved stays inside a signed 64-bit integer."""


def open_account(state: State, command: tuple[Any, ...]) -> None:
    """account.open; a member is known from its first account on."""
    _, name, member_name, kind, owner, _ = command
    if name in state.accounts:
        return state.refuse("account.open", "DUPLICATE_ID", name, name)
    if not 0 <= kind < len(terms.ACCOUNT_KINDS):
        return state.refuse("account.open", "BAD_VALUE", name, name, "kind: house or client")
    member = state.members.get(member_name)
    if member is None:
        member = state.members[member_name] = Member(member_name)
    account = Account(name, member, kind, name if owner is None else owner)
    member.accounts.append(account)
    state.accounts[name] = account
    return state.emit(9, name, member_name, kind, account.owner)


def adjust(state: State, command: tuple[Any, ...]) -> None:
    """holding.adjust: once per reference."""
    _, name, asset, amount, reference, _ = command
    if _is_known(state, reference):
        return state.refuse("holding.adjust", "DUPLICATE_ID", name, reference)
    reason, detail = _refusal(state, [(name, asset, amount)])
    if reason:
        return state.refuse("holding.adjust", reason, name, reference, detail)
    state.references[reference] = None
    state.emit(14, name, asset, amount, reference)
    _move(state, name, asset, amount)
    return None


def settle(state: State, command: tuple[Any, ...]) -> None:
    """holding.settle: several adjustments, all or none, once per reference."""
    _, reference, raw_legs, _ = command
    legs = [(leg[0], leg[1], leg[2]) for leg in raw_legs]
    if _is_known(state, reference):
        return state.refuse("holding.settle", "DUPLICATE_ID", None, reference)
    reason, detail = _refusal(state, legs) if legs else ("BAD_VALUE", "legs: at least one")
    if reason:
        return state.refuse("holding.settle", reason, None, reference, detail)
    state.references[reference] = None
    state.emit(15, reference, tuple(legs))
    for name, asset, amount in legs:
        _move(state, name, asset, amount)
    return None


def kill(state: State, command: tuple[Any, ...]) -> None:
    """member.kill: refuses new orders from now on, and cancels every open one in order of acceptance."""
    member = _member(state, "member.kill", command[1], "KILLED")
    if member is not None:
        member.refusal = "KILLED"
        state.emit(10, member.name)
        for order in state.open_orders(member.accounts):
            state.cancel(order, "KILL")


def halt(state: State, command: tuple[Any, ...]) -> None:
    """member.halt: refuses new orders, and leaves the open ones."""
    member = _member(state, "member.halt", command[1], "KILLED")
    if member is not None and member.refusal:
        state.refuse("member.halt", member.refusal, None, member.name)
    elif member is not None:
        member.refusal = "HALTED"
        state.emit(12, member.name)


def restore(state: State, command: tuple[Any, ...]) -> None:
    """member.restore: ends a kill or a halt."""
    member = _member(state, "member.restore", command[1], "")
    if member is not None:
        member.refusal = ""
        state.emit(11, member.name)


def close_session(state: State, command: tuple[Any, ...]) -> None:
    """session.close: cancels what that session placed without ``persist``. A session without orders is no refusal."""
    _, member_name, session = command
    member = state.members.get(member_name)
    if member is None:
        state.refuse("session.close", "UNKNOWN_MEMBER", None, member_name)
    elif session:
        for order in state.open_orders(member.accounts):
            if order.session == session:
                state.cancel(order, "DISCONNECT")


def _member(state: State, method: str, name: str, unless: str) -> Member | None:
    """The member, unless its state is already what the command is about: then the command is refused."""
    member = state.members.get(name)
    if member is None:
        state.refuse(method, "UNKNOWN_MEMBER", None, name)
        return None
    if member.refusal == unless:
        state.refuse(method, unless or "BAD_VALUE", None, name, "it is so already")
        return None
    return member


def _is_known(state: State, reference: str) -> bool:
    return reference in state.references or reference in state.yesterdays_references


def _refusal(state: State, legs: list[tuple[str, str, int]]) -> tuple[str, str]:
    """(reason, detail) why adjustments are not possible together, or empty ones."""
    sums: dict[tuple[str, str], int] = {}
    for name, asset, amount in legs:
        if asset != CASH and asset not in state.instruments:
            return "UNKNOWN_SYMBOL", f"asset: {asset[:32]}"
        if name not in state.accounts:
            return "UNKNOWN_ACCOUNT", f"account: {name[:32]}"
        if amount == 0 or abs(amount) > MAX_MONEY_FEN:
            return "BAD_VALUE", "amount: not zero, and at most 10**17 in the asset's unit"
        sums[name, asset] = sums.get((name, asset), 0) + amount
    for (name, asset), amount in sums.items():
        balance = state.accounts[name].balances.get(asset) or Balance(name, asset)
        if balance.total + amount > LARGEST_TOTAL:
            return "BAD_VALUE", f"amount: the total of {name} would be too large"
        if amount < 0 and -amount > balance.withdrawable():
            what = "INSUFFICIENT_CASH" if asset == CASH else "INSUFFICIENT_GOLD"
            return what, f"withdrawable from {name}: {balance.withdrawable()} of {asset} in its smallest unit"
    return "", ""


def _move(state: State, name: str, asset: str, amount: int) -> None:
    balance = state.accounts[name].balance(asset)
    balance.total += amount
    state.touched.append(balance)
