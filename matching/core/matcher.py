"""The meeting of orders: an incoming order takes what it may, best price first, then time."""

from __future__ import annotations

from goldx.protocol.terms import BUY, CANCEL_MAKER
from goldx.protocol.units import BASIS_POINTS, MG_PER_GRAM
from matching.core import fees, self_trade, stops
from matching.core.instrument import Instrument
from matching.core.orders import Order
from matching.core.resting import shrink
from matching.core.state import State


def take(state: State, order: Order) -> bool:
    """Trades an incoming order with the opposite side until it is done, its limit is reached, or something stops it.

    Returns False when the next trade would leave the dynamic band: nobody may trade on, see ``matching.core.phases``.
    """
    instrument = order.instrument
    buying = order.side == BUY
    side = instrument.asks if buying else instrument.bids
    limit = order.price
    owner = order.account.owner
    special = order.special
    unpaid = buying and special is not None and special.market  # a market buy pays as it goes
    centre = instrument.last or instrument.reference
    low = high = 0
    inside = True
    while order.remaining:
        level = side.best
        if level is None or (level.price > limit if buying else level.price < limit):
            break
        maker = level.head
        assert maker is not None
        if maker.account.owner == owner:
            self_trade.prevent(state, maker, order)
            continue
        price = level.price
        if instrument.median:
            price = _median(instrument, order, price)
        quantity = maker.remaining if maker.special is None else maker.visible()
        if quantity > order.remaining:  # noqa: PLR1730 : min() would be a call
            quantity = order.remaining
        if unpaid:
            cash = order.account.cash.available()
            quantity = fees.affordable(cash, price, quantity, order.residue, instrument.taker_fee, instrument.lot)
            if not quantity:
                break
        if instrument.band and centre and abs(price - centre) * 100 > centre * instrument.band:
            inside = False
            break
        trade(state, instrument, maker, order, price, quantity, order.side)
        if not low:
            low = high = price
        elif price > high:
            high = price
        elif price < low:
            low = price
    if low and instrument.waiting:
        stops.reach(state, instrument, low, high)
    return inside


def trade(
    state: State, instrument: Instrument, maker: Order, taker: Order, price: int, quantity: int, taker_side: int | None
) -> None:
    """One trade: money against gold, at once. ``taker_side`` is None in an uncross, where both orders rest."""
    symbol = instrument.symbol
    amount = price * quantity // MG_PER_GRAM
    maker_fee = taker_fee = 0
    if instrument.highest_fee:
        maker_fee = charge(maker, amount, instrument.maker_fee)
        taker_fee = charge(taker, amount, instrument.taker_fee)
        state.fees_collected += maker_fee + taker_fee
    maker.remaining -= quantity
    taker.remaining -= quantity
    if maker.side == BUY:
        buy, sell, buy_fee, sell_fee = maker, taker, maker_fee, taker_fee
    else:
        buy, sell, buy_fee, sell_fee = taker, maker, taker_fee, maker_fee
    buyer = buy.account
    seller = sell.account

    paid = buy.balance
    before = buy.reserved
    if before:
        still = fees.cost(buy.price, buy.remaining, buy.residue, instrument.highest_fee) if buy.remaining else 0
        buy.reserved = still
        paid.reserved += still - before
    paid.total -= amount + buy_fee
    got = buyer.balances.get(symbol)
    if got is None:
        got = buyer.balance(symbol)
    got.total += quantity
    given = sell.balance
    sell.reserved -= quantity
    given.reserved -= quantity
    given.total -= quantity
    earned = seller.cash
    earned.total += amount - sell_fee
    if instrument.lock_days:
        got.lock(quantity, state.day + instrument.lock_days)
    if instrument.reuse_percent < 100:
        proceeds = amount - sell_fee
        earned.hold_back(proceeds - proceeds * instrument.reuse_percent // 100)
    touched = state.touched
    touched.append(paid)
    touched.append(got)
    touched.append(given)
    touched.append(earned)

    instrument.last = price
    state.last_trade_id += 1
    state.sequence += 1
    state.events.append(
        (
            3,
            state.sequence,
            state.now,
            state.last_trade_id,
            symbol,
            price,
            quantity,
            amount,
            maker.order_id,
            taker.order_id,
            buyer.name,
            seller.name,
            taker_side,
            maker.remaining,
            taker.remaining,
            buy_fee,
            sell_fee,
        )
    )
    shrink(state, maker, quantity)
    if taker_side is None:
        shrink(state, taker, quantity)
    elif not taker.remaining:
        state.finish(taker)


def could_fill(order: Order) -> bool:
    """Whether a fill-or-kill order would fill whole now. Changes nothing. O(orders it would meet).

    Hidden quantity counts. Quantity of the same owner does not, and ends the search unless the mode takes it away.
    """
    instrument = order.instrument
    buying = order.side == BUY
    special = order.special
    market_buy = buying and special is not None and special.market
    cash = order.account.cash.available()
    centre = instrument.last or instrument.reference
    wanted = order.remaining
    amount = 0
    for level in instrument.opposite(order.side).reaching(order.price):
        price = _median(instrument, order, level.price) if instrument.median else level.price
        if instrument.band and centre and abs(price - centre) * 100 > centre * instrument.band:
            return False
        hidden = 0
        blocked = False
        found = 0
        maker = level.head
        while maker is not None and found < wanted:
            if maker.account.owner != order.account.owner:
                found += maker.visible()
                hidden += maker.remaining - maker.visible()
            elif order.mode() != CANCEL_MAKER:
                blocked = True  # and what is hidden queues behind it
                break
            maker = maker.next
        if not blocked:
            found += hidden
        found = min(found, wanted)
        wanted -= found
        amount += price * found // MG_PER_GRAM
        if market_buy and amount + fees.fee(order.residue, amount, instrument.taker_fee) > cash:
            return False
        if not wanted:
            return True
        if blocked:
            return False
    return False


def charge(order: Order, amount: int, basis_points: int) -> int:
    """The order's fee for one trade; what rounding keeps back stays with the order."""
    charged = fees.fee(order.residue, amount, basis_points)
    order.residue += amount * basis_points - charged * BASIS_POINTS
    return charged


def _median(instrument: Instrument, order: Order, maker_price: int) -> int:
    """The median of bid, ask and last: both orders' limits, and the last price (at first the reference, on the tick).

    A market order has no price of its own and trades at the maker's.
    """
    last = instrument.last or instrument.reference // instrument.tick * instrument.tick
    if not last or (order.special is not None and order.special.market):
        return maker_price
    return sorted((maker_price, order.price, last))[1]
