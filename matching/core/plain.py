"""The fast path: a plain limit order, and the cancelling of one that rests. These are nearly all commands.

Each is one function that reads from top to bottom and does everything in line, because in Python a call is what costs
most; so these functions stay long. They return None, before anything has changed, for whatever is uncommon or has to
be refused. Then the general path in ``placing`` and ``changes`` applies the command; it knows every rule and the reason
of every refusal. It could do everything that is done here, with the same events and the same state.

Numbers that are both put into events and calculated with have two names here: ``quantity`` is the object from the
command, ``amount`` the same as an int. The compiled core would otherwise make a new object of it for every event.
"""

from __future__ import annotations

from typing import Any

from goldx.protocol.terms import AUCTION, BUY, CONTINUOUS, DAY, LIMIT, SELL
from goldx.protocol.units import MG_PER_GRAM
from matching.core import entry, fees, regime
from matching.core.book import Side
from matching.core.completion import complete
from matching.core.holdings import Balance
from matching.core.ids import FIRST_SIZE
from matching.core.matcher import charge
from matching.core.orders import Order
from matching.core.state import Events, State
from matching.core.tags import HOLDING_CHANGED, ORDER_ACCEPTED, ORDER_CANCELLED, TRADE


def place(state: State, command: tuple[Any, ...]) -> Events | None:
    """Apply ``order.place`` of a plain limit order and return the events of the command, or return None."""
    name: str
    client_id: str
    symbol: str
    side: int
    time_in_force: int
    try:
        (
            _,
            name,
            client_id,
            symbol,
            side,
            kind,
            quantity,
            limit,
            time_in_force,
            expire_at,
            post_only,
            display,
            stop_price,
            stp,
            persist,
            session,
        ) = command
        instrument = state.instruments[symbol]
        account = state.accounts[name]
    except (KeyError, ValueError):
        return None
    if (
        (instrument.phase != CONTINUOUS or account.general or limit is None or (time_in_force and time_in_force != DAY))
        or (kind or post_only or stp or persist)  # other than LIMIT, False, CANCEL_TAKER, False
        or (expire_at is not None or display is not None or stop_price is not None)
    ):
        return None
    price: int = limit
    amount: int = quantity
    if price % instrument.tick or price < instrument.low or price > instrument.high:
        return None
    if amount % instrument.lot or amount <= 0 or amount > instrument.max_quantity:
        return None
    if instrument.guarded and not regime.is_plain(state, instrument, price, amount):
        return None
    if side == BUY:
        needed = price * amount // MG_PER_GRAM
        if instrument.highest_fee:
            needed += fees.fee(0, needed, instrument.highest_fee)
        balance = account.cash
        book = instrument.bids
        opposite = instrument.asks
        best = opposite.best
        rests = best is None or best.price > price
    elif side == SELL and symbol in account.balances:
        needed = amount
        balance = account.balances[symbol]
        book = instrument.asks
        opposite = instrument.bids
        best = opposite.best
        rests = best is None or best.price < price
    else:
        return None
    reserved = balance.reserved + needed
    number = state.last_order_id + 1
    key: Any = number
    if reserved + balance.locked > balance.total:
        return None
    ids = account.ids
    first = ids.first  # as in ClientIds.claim
    if (first.setdefault(client_id, key) if len(first) < FIRST_SIZE else ids.claim(client_id, number)) != number:
        return None

    state.last_order_id = number
    free_orders = state.free_orders
    order = free_orders.pop() if free_orders else Order()
    order.order_id = number  # as in Order.reset
    order.account = account
    order.balance = balance
    order.client_order_id = client_id
    order.instrument = instrument
    order.side = side
    order.price = price
    order.quantity = amount
    order.remaining = amount
    order.time_in_force = time_in_force
    order.session = session
    order.reserved = needed
    order.residue = 0
    order.special = None
    sequence = state.sequence + 1
    at = state.at
    accepted = (ORDER_ACCEPTED, sequence, at, key, name, client_id, symbol, side, LIMIT, limit, quantity, time_in_force)
    if not rests or balance.locked or balance.unwithdrawable:
        state.sequence = sequence
        state.events.append(accepted)
        state.touched.append(balance)
        if instrument.plain and not instrument.pending_stops:
            _take(state, order, opposite)
        if order.remaining:
            state.orders[key] = order
            balance.reserved += order.reserved
            entry.enter(state, order)
        else:
            free_orders.append(order)
        return complete(state)

    state.orders[key] = order
    balance.reserved = reserved
    level = book.levels.get(limit)  # as in Side.add
    if level is None:
        level = book.open_level(price)
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
    return [accepted, (HOLDING_CHANGED, sequence + 1, at, name, balance.asset, balance.total, reserved)]


def _take(state: State, taker: Order, book: Side) -> None:
    """Trade an incoming plain order with plain orders of other owners, as ``matcher.take`` does.

    Only for an instrument without pending stops. Afterwards the taker's remaining quantity and what it has to reserve
    are up to date; the caller reserves it in the balance. Long on purpose, like all of this module.
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
    free_orders = state.free_orders
    events = state.events
    touched = state.touched
    at = state.at
    sequence = state.sequence
    trade_id = state.last_trade_id
    gained: Balance | None = None
    """The taker's balance that the trades increase: its gold, or its cash."""
    price = money = paid_fees = 0
    while remaining:
        level = book.best
        if level is None or (level.price > limit if buying else level.price < limit):
            break
        maker = level.head
        assert maker is not None
        other = maker.account
        if maker.special is not None or other.general or other.owner == owner:
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
            if gained is None:
                gained = account.balance(symbol)
                touched.append(gained)
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
            bought = other.balances.get(symbol)
            if bought is None:
                bought = other.balance(symbol)
            bought.total += quantity
            touched.append(bought)
            if gained is None:
                gained = account.cash
                touched.append(gained)
            buyer, seller, buy_fee, sell_fee = other.name, name, maker_fee, taker_fee
        sequence += 1
        trade_id += 1
        maker_id: Any = maker.order_id
        events.append(
            (
                TRADE,
                sequence,
                at,
                trade_id,
                symbol,
                price,
                quantity,
                amount,
                maker_id,
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
        if not left:  # as in Level.remove and State.finish
            after = maker.next
            level.head = after
            if after is None:
                level.tail = None
                book.close_level(level)
            else:
                after.previous = None
                maker.next = None
            maker.level = None
            del orders[maker_id]
            free_orders.append(maker)
    if gained is None:
        return
    state.sequence = sequence
    state.last_trade_id = trade_id
    instrument.last = price
    filled = taker.remaining - remaining
    taker.remaining = remaining
    if buying:
        account.cash.total -= money + paid_fees
        gained.total += filled
        if remaining:
            taker.reserved = fees.cost(limit, remaining, taker.residue, highest_fee)
    else:
        taker.balance.total -= filled
        gained.total += money - paid_fees
        taker.reserved = remaining


def cancel(state: State, command: tuple[Any, ...]) -> Events | None:
    """Apply ``order.cancel`` of a plain order that rests and return the events of the command, or return None."""
    name: str
    key: Any
    client_id: Any
    try:
        _, name, key, client_id = command
        account = state.accounts[name]
        if key is None:
            if client_id is None:
                return None
            key = account.ids.first.get(client_id) or account.ids.find(client_id)
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
    if (order.account is not account or account.general or order.special is not None or level is None) or (
        balance.locked or balance.unwithdrawable or instrument.phase == AUCTION
    ):
        return None

    remaining = order.remaining
    before = order.previous  # as in Level.remove
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
            level.side.close_level(level)
    else:
        after.previous = before
        order.next = None
    del state.orders[key]
    state.free_orders.append(order)
    reserved = balance.reserved - order.reserved
    balance.reserved = reserved
    balance.published_reserved = reserved
    sequence = state.sequence + 1
    state.sequence = sequence + 1
    at = state.at
    return [
        (ORDER_CANCELLED, sequence, at, key, name, order.client_order_id, instrument.symbol, remaining, "USER"),
        (HOLDING_CHANGED, sequence + 1, at, name, balance.asset, balance.total, reserved),
    ]
