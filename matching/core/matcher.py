"""Matching: an incoming order trades with the orders of the opposite side, best price first, then oldest first."""

from __future__ import annotations

from goldx.protocol.terms import BUY, CANCEL_MAKER
from goldx.protocol.units import BASIS_POINTS, MG_PER_GRAM
from matching.core import fees, pending_stops, protection, self_trade
from matching.core.instrument import Instrument
from matching.core.orders import Order
from matching.core.resting import shrink
from matching.core.state import State
from matching.core.tags import TRADE


def take(state: State, order: Order) -> bool:
    """Trade an incoming order until it is filled, its limit is reached, or something stops it.

    Return False if the next trade would be outside the dynamic price band: then nobody may trade on, see
    ``matching.core.phases``.
    """
    instrument = order.instrument
    buying = order.side == BUY
    side = instrument.asks if buying else instrument.bids
    limit = order.price
    owner = order.account.owner
    special = order.special
    market_buy = buying and special is not None and special.market  # it reserves nothing and pays for each trade
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
            price = _median_price(instrument, order, price)
        quantity = maker.remaining if maker.special is None else maker.visible()
        if quantity > order.remaining:  # noqa: PLR1730 : min() would be a call
            quantity = order.remaining
        if market_buy:
            cash = order.account.cash.available()
            quantity = fees.affordable(cash, price, quantity, order.residue, instrument.taker_fee, instrument.lot)
            if not quantity:
                break
        if instrument.band and centre and abs(price - centre) * 100 > centre * instrument.band:
            inside = False
            break
        if instrument.guarded and price * quantity > state.room() * MG_PER_GRAM:
            state.cancel(order, "REGIME")
            break
        trade(state, instrument, maker, order, price, quantity, order.side)
        if not low:
            low = high = price
        elif price > high:
            high = price
        elif price < low:
            low = price
    if low and instrument.pending_stops:
        pending_stops.trigger_reached(state, instrument, low, high)
    return inside


def trade(
    state: State, instrument: Instrument, maker: Order, taker: Order, price: int, quantity: int, taker_side: int | None
) -> None:
    """Make one trade: exchange money and gold at once. ``taker_side`` is None in an uncross, where both orders rest."""
    symbol = instrument.symbol
    amount = price * quantity // MG_PER_GRAM
    maker_fee = taker_fee = 0
    if instrument.highest_fee:
        maker_fee = charge(maker, amount, instrument.maker_fee)
        taker_fee = charge(taker, amount, instrument.taker_fee)
        state.fees_collected += maker_fee + taker_fee
    if instrument.guarded:
        state.count_value(amount)
    maker.remaining -= quantity
    taker.remaining -= quantity
    if maker.side == BUY:
        buy, sell, buy_fee, sell_fee = maker, taker, maker_fee, taker_fee
    else:
        buy, sell, buy_fee, sell_fee = taker, maker, taker_fee, maker_fee
    _move_holdings(state, instrument, buy, sell, quantity, amount + buy_fee, amount - sell_fee)
    instrument.last = price
    state.last_trade_id += 1
    state.general_trades += 1
    state.sequence += 1
    state.events.append(
        (
            TRADE,
            state.sequence,
            state.at,
            state.last_trade_id,
            symbol,
            price,
            quantity,
            amount,
            maker.order_id,
            taker.order_id,
            buy.account.name,
            sell.account.name,
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
    if maker.special is not None or taker.special is not None:
        protection.count_trade(state, maker, taker, quantity)


def _move_holdings(
    state: State, instrument: Instrument, buy: Order, sell: Order, quantity: int, money_paid: int, proceeds: int
) -> None:
    """Move the money and the gold of a trade, fees included, between the holdings of two orders."""
    buyer = buy.account
    paid = buy.balance
    before = buy.reserved
    if before:
        still = fees.cost(buy.price, buy.remaining, buy.residue, instrument.highest_fee) if buy.remaining else 0
        buy.reserved = still
        paid.reserve(still - before)
    paid.total -= money_paid
    bought = buyer.balances.get(instrument.symbol)
    if bought is None:
        bought = buyer.balance(instrument.symbol)
    bought.total += quantity
    sold = sell.balance
    sell.reserved -= quantity
    sold.reserve(-quantity)
    sold.total -= quantity
    earned = sell.account.cash
    earned.total += proceeds
    if instrument.lock_days:
        bought.lock(quantity, state.day + instrument.lock_days)
    if buyer.usage is not None:
        buyer.usage.count(money_paid, -quantity)
    if sell.account.usage is not None:
        sell.account.usage.count(-proceeds, quantity)
    if instrument.reuse_percent < 100:
        earned.hold_back(proceeds - proceeds * instrument.reuse_percent // 100)
    touched = state.touched
    touched.append(paid)
    touched.append(bought)
    touched.append(sold)
    touched.append(earned)


def could_fill(state: State, order: Order) -> bool:
    """Return whether a fill-or-kill order would fill completely now. Changes nothing. O(orders it would meet).

    Hidden quantity counts. Quantity of the same owner does not, and ends the search unless the order's self-trade mode
    cancels it. Nor do quotes that the trades before them would cancel by reaching the limit of their group.
    """
    instrument = order.instrument
    buying = order.side == BUY
    special = order.special
    market_buy = buying and special is not None and special.market
    cash = order.account.cash.available()
    centre = instrument.last or instrument.reference
    wanted = order.remaining
    room = state.room()
    trial = protection.Trial(state.now)
    amount = 0
    for level in instrument.opposite(order.side).levels_up_to(order.price):
        price = _median_price(instrument, order, level.price) if instrument.median else level.price
        if instrument.band and centre and abs(price - centre) * 100 > centre * instrument.band:
            return False
        hidden = 0
        blocked = False
        found = 0
        maker = level.head
        while maker is not None and found < wanted:
            if maker.account.owner != order.account.owner:
                limits = protection.of_order(maker)
                if limits is not None:
                    found += trial.take(maker, limits, wanted - found)
                else:
                    found += maker.visible()
                    hidden += maker.remaining - maker.visible()
            elif order.self_trade_mode() != CANCEL_MAKER:
                blocked = True  # also for hidden quantity, which queues behind it
                break
            maker = maker.next
        if not blocked:
            found += hidden
        found = min(found, wanted)
        wanted -= found
        amount += price * found // MG_PER_GRAM
        if market_buy and amount + fees.fee(order.residue, amount, instrument.taker_fee) > cash:
            return False
        if amount > room:
            return False
        if not wanted:
            return True
        if blocked:
            return False
    return False


def charge(order: Order, amount: int, basis_points: int) -> int:
    """Return an order's fee for one trade; what rounding keeps back is added to the order's residue."""
    charged = fees.fee(order.residue, amount, basis_points)
    order.residue += amount * basis_points - charged * BASIS_POINTS
    return charged


def _median_price(instrument: Instrument, order: Order, maker_price: int) -> int:
    """Return the median of both orders' limits and the last price (before the first: the reference, on the tick).

    A market order has no limit of its own and trades at the maker's price.
    """
    last = instrument.last or instrument.reference // instrument.tick * instrument.tick
    if not last or (order.special is not None and order.special.market):
        return maker_price
    return sorted((maker_price, order.price, last))[1]
