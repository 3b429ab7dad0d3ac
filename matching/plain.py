"""The two commands that make up nearly everything: a plain limit order, and the cancelling of one that rests.

Each is one function that reads from top to bottom, with all that it touches in line: a call is what costs most in
Python. Whatever is uncommon, and whatever is to be refused, goes the long way in ``placing`` and ``changes`` before
anything has changed; they know every rule, and the reason of a refusal. What is done here they could do as well.

An order that comes to rest, or leaves, makes two events and touches one balance, and these are returned as they stand.
In every other case the events are with the state and the command is yet to be ended: that is what None says.

Numbers that go into events as well as into sums have two names here: ``quantity`` is the command's own object,
``amount`` the same as a number. The compiled core would otherwise make a new object of it for every event.
"""

from __future__ import annotations

from typing import Any

from goldx.terms import AUCTION, BUY, CANCEL_TAKER, CONTINUOUS, DAY, GTC, LIMIT, SELL
from goldx.units import MG_PER_GRAM
from matching import changes, entry, fees, placing
from matching.orders import Order
from matching.state import Events, State

_COMMON = (None, False, None, None, CANCEL_TAKER, False)
"""expire_at, post_only, display_quantity, stop_price, stp, persist of nearly every order."""


def place(state: State, command: tuple[Any, ...]) -> Events | None:
    """order.place, when nothing else has happened in this command."""
    name: str = command[1]
    client_order_id: str = command[2]
    symbol: str = command[3]
    side: int = command[4]
    quantity: Any = command[6]
    limit: Any = command[7]
    time_in_force: int = command[8]
    instrument = state.instruments.get(symbol)
    account = state.accounts.get(name)
    if (
        (instrument is None or account is None or instrument.phase != CONTINUOUS or account.member.refusal)
        or (command[5] != LIMIT or limit is None or command[9:15] != _COMMON)
        or not GTC <= time_in_force <= DAY
    ):
        return _the_long_way(state, command)
    price: int = limit
    amount: int = quantity
    if price % instrument.tick or price < instrument.low or price > instrument.high:
        return _the_long_way(state, command)
    if amount % instrument.lot or amount <= 0 or amount > instrument.max_quantity:
        return _the_long_way(state, command)
    if side == BUY:
        needed = price * amount // MG_PER_GRAM
        if instrument.highest_fee:
            needed += fees.fee(0, needed, instrument.highest_fee)
        balance = account.cash
        book = instrument.bids
        best = instrument.asks.best
        waits = best is None or best.price > price
    elif side == SELL and symbol in account.balances:
        needed = amount
        balance = account.balances[symbol]
        book = instrument.asks
        best = instrument.bids.best
        waits = best is None or best.price < price
    else:
        return _the_long_way(state, command)
    reserved = balance.reserved + needed
    number = state.last_order_id + 1
    key: Any = number
    if reserved + balance.locked > balance.total or account.ids.setdefault(client_order_id, key) != number:
        return _the_long_way(state, command)

    order = state.spare.pop() if state.spare else Order()
    order.order_id = number  # as in Order.begin
    order.account = account
    order.balance = balance
    order.client_order_id = client_order_id
    order.instrument = instrument
    order.side = side
    order.price = price
    order.quantity = amount
    order.remaining = amount
    order.time_in_force = time_in_force
    order.session = command[15]
    order.reserved = needed
    order.residue = 0
    order.special = None
    state.last_order_id = number
    state.orders[key] = order
    balance.reserved = reserved
    sequence = state.sequence + 1
    now = state.stamp
    accepted = (1, sequence, now, key, name, client_order_id, symbol, side, LIMIT, limit, quantity, time_in_force)
    if not waits or balance.locked or balance.unwithdrawable:
        state.sequence = sequence
        state.events.append(accepted)
        state.touched.append(balance)
        entry.enter(state, order)
        return None
    level = book.levels.get(limit)  # as in Side.join
    if level is None:
        level = book.open(price)
    order.level = level
    tail = level.tail
    if tail is None:
        level.head = order
    else:
        tail.next = order
        order.previous = tail
    level.tail = order
    level.quantity += amount
    state.sequence = sequence + 1
    balance.published_reserved = reserved
    return [accepted, (6, sequence + 1, now, name, balance.asset, balance.total, reserved)]


def cancel(state: State, command: tuple[Any, ...]) -> Events | None:
    """order.cancel, when nothing else has happened in this command."""
    name: str = command[1]
    key: Any = command[2]
    account = state.accounts.get(name)
    if account is None:
        return _the_long_way(state, command)
    client_order_id: Any = command[3]
    if key is None:
        key = account.ids.get(client_order_id)
    order = state.orders.get(key)
    if (
        (order is None or order.account is not account)
        or (command[2] is None and order.client_order_id != client_order_id)
        or (order.special is not None and order.special.quote_id is not None)
    ):
        return _the_long_way(state, command)
    level = order.level
    balance = order.balance
    instrument = order.instrument
    if level is None or balance.locked or balance.unwithdrawable or instrument.phase == AUCTION:
        return _the_long_way(state, command)

    remaining = order.remaining
    before = order.previous  # as in Level.leave
    after = order.next
    order.level = None
    level.quantity -= remaining
    if before is None:
        level.head = after
    else:
        before.next = after
        order.previous = None
    if after is None:
        level.tail = before
        if before is None:
            level.side.close(level)
    else:
        after.previous = before
        order.next = None
    order.remaining = 0
    del state.orders[key]
    state.spare.append(order)
    reserved = balance.reserved - order.reserved
    balance.reserved = reserved
    balance.published_reserved = reserved
    sequence = state.sequence + 1
    state.sequence = sequence + 1
    now = state.stamp
    return [
        (4, sequence, now, key, name, order.client_order_id, instrument.symbol, remaining, "USER"),
        (6, sequence + 1, now, name, balance.asset, balance.total, reserved),
    ]


def _the_long_way(state: State, command: tuple[Any, ...]) -> Events | None:
    """For what is not plain. Nothing has changed yet."""
    if command[0] == 1:
        placing.place(state, command)
    else:
        changes.cancel(state, command)
    return None
