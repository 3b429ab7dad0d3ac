"""The two commands that make up nearly everything: a plain limit order, and the cancelling of one that rests.

Each is one function that reads from top to bottom, with all that it touches in line: a call is what costs most in
Python. Whatever is uncommon, and whatever is to be refused, is left to the long way in ``placing`` and ``changes``
before anything has changed (that is what None says); they know every rule, and the reason of a refusal. What is done
here they could do as well.

Numbers that go into events as well as into sums have two names here: ``quantity`` is the command's own object,
``amount`` the same as a number. The compiled core would otherwise make a new object of it for every event.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.terms import AUCTION, BUY, CONTINUOUS, DAY, LIMIT, SELL
from goldx.protocol.units import MG_PER_GRAM
from matching.core import entry, fees
from matching.core.book import Side
from matching.core.holdings import Balance
from matching.core.ids import FEW
from matching.core.matcher import charge
from matching.core.orders import Order
from matching.core.state import Events, State


def place(state: State, command: tuple[Any, ...]) -> Events | None:
    """order.place of a plain limit order: the events of the whole command."""
    name: str
    client_id: str
    symbol: str
    side: int
    tif: int
    try:
        _, name, client_id, symbol, side, kind, quantity, limit, tif, gtd, post, shown, stop, stp, persist, session = (
            command
        )
        instrument = state.instruments[symbol]
        account = state.accounts[name]
    except (KeyError, ValueError):
        return None
    if (
        (instrument.phase != CONTINUOUS or account.member.refusal or limit is None or (tif and tif != DAY))
        or (kind or post or stp or persist)  # other than LIMIT, False, CANCEL_TAKER, False
        or (gtd is not None or shown is not None or stop is not None)
    ):
        return None
    price: int = limit
    amount: int = quantity
    if price % instrument.tick or price < instrument.low or price > instrument.high:
        return None
    if amount % instrument.lot or amount <= 0 or amount > instrument.max_quantity:
        return None
    if side == BUY:
        needed = price * amount // MG_PER_GRAM
        if instrument.highest_fee:
            needed += fees.fee(0, needed, instrument.highest_fee)
        balance = account.cash
        book = instrument.bids
        opposite = instrument.asks
        best = opposite.best
        waits = best is None or best.price > price
    elif side == SELL and symbol in account.balances:
        needed = amount
        balance = account.balances[symbol]
        book = instrument.asks
        opposite = instrument.bids
        best = opposite.best
        waits = best is None or best.price < price
    else:
        return None
    reserved = balance.reserved + needed
    number = state.last_order_id + 1
    key: Any = number
    if reserved + balance.locked > balance.total:
        return None
    ids = account.ids
    few = ids.few  # as in ClientIds.claim
    if (few.setdefault(client_id, key) if len(few) < FEW else ids.claim(client_id, number)) != number:
        return None

    state.last_order_id = number
    spare = state.spare
    order = spare.pop() if spare else Order()
    order.order_id = number  # as in Order.begin
    order.account = account
    order.balance = balance
    order.client_order_id = client_id
    order.instrument = instrument
    order.side = side
    order.price = price
    order.quantity = amount
    order.remaining = amount
    order.time_in_force = tif
    order.session = session
    order.reserved = needed
    order.residue = 0
    order.special = None
    sequence = state.sequence + 1
    now = state.stamp
    accepted = (1, sequence, now, key, name, client_id, symbol, side, LIMIT, limit, quantity, tif)
    if not waits or balance.locked or balance.unwithdrawable:
        state.sequence = sequence
        state.events.append(accepted)
        state.touched.append(balance)
        if instrument.plain and not instrument.waiting:
            _take(state, order, opposite)
        if order.remaining:
            state.orders[key] = order
            balance.reserved += order.reserved
            entry.enter(state, order)
        else:
            spare.append(order)
        return entry.end(state)

    state.orders[key] = order
    balance.reserved = reserved
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


def _take(state: State, taker: Order, book: Side) -> None:
    """Lets an incoming plain order trade with plain orders of others, as ``matcher.take`` does; no stop waits.

    What is then left of it, and what it would have reserved, is up to date; nothing has been put in its balance yet.
    """
    instrument = taker.instrument
    symbol: Any = instrument.symbol
    highest_fee = instrument.highest_fee
    account = taker.account
    owner = account.owner
    name: Any = account.name
    number: Any = taker.order_id
    side: Any = taker.side
    buying = taker.side == BUY
    limit = taker.price
    remaining = taker.remaining
    orders = state.orders
    spare = state.spare
    events = state.events
    touched = state.touched
    now = state.stamp
    sequence = state.sequence
    trade_id = state.last_trade_id
    mine: Balance | None = None
    """What the taker gets more of: its gold, or its cash."""
    price = money = paid_fees = 0
    while remaining:
        level = book.best
        if level is None or (level.price > limit if buying else level.price < limit):
            break
        maker = level.head
        assert maker is not None
        other = maker.account
        if maker.special is not None or other.owner == owner:
            break
        price = level.price
        left = maker.remaining
        quantity = left if left < remaining else remaining
        left -= quantity
        remaining -= quantity
        amount = price * quantity // MG_PER_GRAM
        money += amount
        maker_fee = taker_fee = 0
        if highest_fee:
            maker_fee = charge(maker, amount, instrument.maker_fee)
            taker_fee = charge(taker, amount, instrument.taker_fee)
            state.fees_collected += maker_fee + taker_fee
            paid_fees += taker_fee
        balance = maker.balance
        if buying:
            if mine is None:
                mine = account.balance(symbol)
                touched.append(mine)
            touched.append(balance)
            balance.total -= quantity
            balance.reserved -= quantity
            maker.reserved = left
            earned = other.cash
            earned.total += amount - maker_fee
            touched.append(earned)
            buyer, seller, buy_fee, sell_fee = name, other.name, taker_fee, maker_fee
        else:
            touched.append(balance)
            still = fees.cost(price, left, maker.residue, highest_fee) if left else 0
            balance.total -= amount + maker_fee
            balance.reserved += still - maker.reserved
            maker.reserved = still
            got = other.balances.get(symbol)
            if got is None:
                got = other.balance(symbol)
            got.total += quantity
            touched.append(got)
            if mine is None:
                mine = account.cash
                touched.append(mine)
            buyer, seller, buy_fee, sell_fee = other.name, name, maker_fee, taker_fee
        sequence += 1
        trade_id += 1
        made: Any = maker.order_id
        events.append(
            (
                3,
                sequence,
                now,
                trade_id,
                symbol,
                price,
                quantity,
                amount,
                made,
                number,
                buyer,
                seller,
                side,
                left,
                remaining,
                buy_fee,
                sell_fee,
            )
        )
        level.quantity -= quantity
        maker.remaining = left
        if not left:  # as in Level.leave and State.finish
            after = maker.next
            level.head = after
            if after is None:
                level.tail = None
                book.close(level)
            else:
                after.previous = None
                maker.next = None
            maker.level = None
            del orders[made]
            spare.append(maker)
    if mine is None:
        return
    state.sequence = sequence
    state.last_trade_id = trade_id
    instrument.last = price
    filled = taker.remaining - remaining
    taker.remaining = remaining
    if buying:
        account.cash.total -= money + paid_fees
        mine.total += filled
        if remaining:
            taker.reserved = fees.cost(limit, remaining, taker.residue, highest_fee)
    else:
        taker.balance.total -= filled
        mine.total += money - paid_fees
        taker.reserved = remaining


def cancel(state: State, command: tuple[Any, ...]) -> Events | None:
    """order.cancel of a plain order that rests: the events of the whole command."""
    name: str
    key: Any
    client_id: Any
    try:
        _, name, key, client_id = command
        account = state.accounts[name]
        if key is None:
            if client_id is None:
                return None
            key = account.ids.few.get(client_id) or account.ids.find(client_id)
            order = state.orders[key]
            if order.client_order_id != client_id:
                return None
        else:
            order = state.orders[key]
    except (KeyError, ValueError):
        return None
    level = order.level
    balance = order.balance
    instrument = order.instrument
    if (order.account is not account or order.special is not None or level is None) or (
        balance.locked or balance.unwithdrawable or instrument.phase == AUCTION
    ):
        return None

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
