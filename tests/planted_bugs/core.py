"""Bugs that real engines have had, each as one replacement in the text of the core. See ``planted_bugs``."""

from typing import NamedTuple


class Bug(NamedTuple):
    name: str
    module: str
    """A file of matching/core/."""
    right: str
    """Stands in it exactly once."""
    wrong: str


BUGS = (
    # The queue and its levels
    Bug(
        "a new order goes to the front of its level",
        "book.py",
        """        if tail is None:
            level.head = order
        else:
            tail.next = order
            order.previous = tail
        level.tail = order
        level.quantity += order.remaining
""",
        """        head = level.head
        if head is None:
            level.tail = order
        else:
            head.previous = order
            order.next = head
        level.head = order
        level.quantity += order.remaining
""",
    ),
    Bug(
        "the best price is not renewed by a better one",
        "book.py",
        "            near.append(rank)\n            self.best = level\n",
        "            near.append(rank)\n            self.best = self.best or level\n",
    ),
    Bug(
        "a level's total keeps what has left",
        "book.py",
        "        self.quantity -= order.remaining\n        order.level = None\n",
        "        order.level = None\n",
    ),
    Bug(
        "after the best offer comes the worst",
        "book.py",
        "            self.best = self.levels[abs(near[-1])] if near else None\n",
        "            self.best = self.levels[abs(near[0])] if near else None\n",
    ),
    Bug(
        "a level goes with its first order",
        "plain.py",
        "        if before is None:\n            level.side.close_level(level)\n",
        "        level.side.close_level(level)\n",
    ),
    Bug(
        "the worst prices come near when the near ones have gone",
        "book.py",
        "near.extend(self.far[-(MAX_NEAR // 2) :])\n                del self.far[-(MAX_NEAR // 2) :]\n",
        "near.extend(self.far[: MAX_NEAR // 2])\n                del self.far[: MAX_NEAR // 2]\n",
    ),
    Bug(
        "the best prices go far when too many are near",
        "book.py",
        "            self.far.update(near[: MAX_NEAR // 2])\n            del near[: MAX_NEAR // 2]\n",
        "            self.far.update(near[MAX_NEAR // 2 :])\n            del near[MAX_NEAR // 2 :]\n",
    ),
    Bug(
        "a price between near and far is near",
        "book.py",
        "        elif rank > near[0] or self.all_near:\n",
        "        elif rank > near[0] - 50 or self.all_near:\n",
    ),
    Bug(
        "an order that is done is used again twice",
        "state.py",
        "        self.free_orders.append(order)\n",
        "        self.free_orders.append(order)\n        self.free_orders.append(order)\n",
    ),
    Bug(
        "a used order keeps what rounding kept back from the one before",
        "plain.py",
        "    order.residue = 0\n",
        "",
    ),
    Bug(
        "a used order keeps the properties of the one before",
        "plain.py",
        "    order.special = None\n",
        "",
    ),
    Bug(
        "the end of a queue is forgotten when a slice is refreshed",
        "book.py",
        "        order.next = None\n        self.tail = order\n",
        "        order.next = None\n",
    ),
    Bug(
        "time priority is lost with a partial fill",
        "resting.py",
        "        special.shown -= quantity\n        if not special.shown:\n            refresh(state, order)\n",
        "        special.shown -= quantity\n        if not special.shown:\n            refresh(state, order)\n"
        "    else:\n        order.instrument.own(order.side).move_to_end(order)\n",
    ),
    Bug(
        "a partial fill is not taken from the level",
        "resting.py",
        "        level.quantity -= quantity\n",
        "        pass\n",
    ),
    # Prices of trades
    Bug(
        "trades print at the taker's price",
        "matcher.py",
        "        price = level.price\n        if instrument.median:\n",
        "        price = limit if special is None else level.price\n        if instrument.median:\n",
    ),
    Bug(
        "equal prices do not meet",
        "matcher.py",
        "(level.price > limit if buying else level.price < limit)",
        "(level.price >= limit if buying else level.price <= limit)",
    ),
    Bug(
        "the median is the smallest",
        "matcher.py",
        "    return sorted((maker_price, order.price, last))[1]\n",
        "    return sorted((maker_price, order.price, last))[0]\n",
    ),
    Bug(
        "the last price stays the first",
        "matcher.py",
        "    instrument.last = price\n",
        "    instrument.last = instrument.last or price\n",
    ),
    Bug(
        "the dynamic band moves with the sweep",
        "matcher.py",
        "            inside = False\n            break\n        trade(",
        "            inside = False\n            break\n        centre = price\n        trade(",
    ),
    Bug(
        "the edge of the dynamic band is outside",
        "matcher.py",
        "abs(price - centre) * 100 > centre * instrument.band:\n            inside = False\n",
        "abs(price - centre) * 100 >= centre * instrument.band:\n            inside = False\n",
    ),
    Bug(
        "market protection starts at the own side",
        "entry.py",
        "    best = instrument.opposite(side).best\n    protection = instrument.protection\n",
        "    best = instrument.own(side).best\n    protection = instrument.protection\n",
    ),
    Bug(
        "market protection leads over the price limit",
        "entry.py",
        "min(best.price + protection, instrument.high)",
        "(best.price + protection)",
    ),
    Bug(
        "post-only may take at its own price",
        "entry.py",
        "(best.price <= price if side == BUY else best.price >= price)",
        "(best.price < price if side == BUY else best.price > price)",
    ),
    # Plain orders that take
    Bug(
        "a plain taker trades at its limit",
        "plain.py",
        "        price = level.price\n",
        "        price = limit\n",
    ),
    Bug(
        "a plain taker meets its owner's other account",
        "plain.py",
        " or other.owner == owner:\n",
        " or other is account:\n",
    ),
    Bug(
        "a plain taker takes what an iceberg hides",
        "plain.py",
        "        if maker.special is not None or other.owner",
        "        if other.owner",
    ),
    Bug(
        "a plain taker's trades wake no stops",
        "plain.py",
        "        if instrument.plain and not instrument.pending_stops:\n",
        "        if instrument.plain:\n",
    ),
    Bug(
        "a plain taker knows no band, lock or median",
        "plain.py",
        "        if instrument.plain and not instrument.pending_stops:\n",
        "        if not instrument.pending_stops:\n",
    ),
    Bug(
        "the second in a queue still knows the first",
        "plain.py",
        "                after.previous = None\n                maker.next = None\n",
        "                maker.next = None\n",
    ),
    Bug(
        "a plain taker's trade is not the last price",
        "plain.py",
        "    instrument.last = price\n",
        "    instrument.last = instrument.last or price\n",
    ),
    Bug(
        "a plain taker pays no fee for the second fill",
        "plain.py",
        "            paid_fees += taker_fee\n",
        "            paid_fees = taker_fee\n",
    ),
    Bug(
        "a plain maker that buys has its fee for nothing",
        "plain.py",
        "            balance.total -= amount + maker_fee\n",
        "            balance.total -= amount\n",
    ),
    Bug(
        "a plain maker's fee stays reserved",
        "plain.py",
        "            still = fees.cost(price, left, maker.residue, highest_fee) if left else 0\n",
        "            still = fees.cost(price, left, maker.residue, 0) if left else 0\n",
    ),
    Bug(
        "what a plain taker leaves reserves for all of it",
        "plain.py",
        "            taker.reserved = fees.cost(limit, remaining, taker.residue, highest_fee)\n",
        "            pass\n",
    ),
    # Fill or kill
    Bug(
        "fill-or-kill counts own quantity",
        "matcher.py",
        "            if maker.account.owner != order.account.owner:\n                found += maker.visible()\n",
        "            if maker.account.owner:\n                found += maker.visible()\n",
    ),
    Bug(
        "fill-or-kill sees only what is shown",
        "matcher.py",
        "                hidden += maker.remaining - maker.visible()\n",
        "                hidden += 0\n",
    ),
    Bug(
        "fill-or-kill asks each level for everything",
        "matcher.py",
        "        found = min(found, wanted)\n        wanted -= found\n",
        "        found = min(found, wanted)\n        wanted = order.remaining - found\n",
    ),
    Bug(
        "fill-or-kill does not look at the cash",
        "matcher.py",
        "        if market_buy and amount + fees.fee(",
        "        if not market_buy and amount + fees.fee(",
    ),
    Bug(
        "fill-or-kill goes on behind an own order",
        "matcher.py",
        "        if blocked:\n            return False\n",
        "",
    ),
    Bug(
        "what an immediate order leaves rests",
        "entry.py",
        "    elif order.time_in_force == IOC:\n",
        "    elif order.time_in_force == IOC and not inside:\n",
    ),
    # Icebergs
    Bug(
        "an iceberg gives more than it shows at once",
        "matcher.py",
        "maker.remaining if maker.special is None else maker.visible()",
        "maker.remaining",
    ),
    Bug(
        "a refreshed slice keeps its place",
        "resting.py",
        "    level.move_to_end(order)\n",
        "",
    ),
    Bug(
        "an iceberg creates quantity",
        "resting.py",
        "    special.shown = min(special.display, order.remaining)\n    level.move_to_end",
        "    special.shown = special.display\n    level.move_to_end",
    ),
    Bug(
        "a decrease comes out of the slice first",
        "changes.py",
        "            special.shown = min(special.shown, remaining)\n",
        "            special.shown = max(order.instrument.lot, special.shown - order.remaining + remaining)\n",
    ),
    # Stops
    Bug(
        "stops cascade in one pass",
        "stops.py",
        "    while state.triggered:\n",
        "    for _ in range(len(state.triggered)):\n",
    ),
    Bug("stops trigger in order of price", "pending_stops.py", "    numbers.sort()\n", ""),
    Bug(
        "a sell stop waits for a lower price",
        "pending_stops.py",
        "        if stop_price < low:\n",
        "        if stop_price <= low:\n",
    ),
    Bug(
        "a stop already reached waits",
        "pending_stops.py",
        "    return instrument.last >= stop_price if side == terms.BUY else instrument.last <= stop_price\n",
        "    return False\n",
    ),
    Bug(
        "stops see only the last price of a sweep",
        "matcher.py",
        "        pending_stops.trigger_reached(state, instrument, low, high)\n",
        "        pending_stops.trigger_reached(state, instrument, instrument.last, instrument.last)\n",
    ),
    Bug(
        "stops are forgotten when trading begins again",
        "phases.py",
        "    if phase == terms.CONTINUOUS and instrument.last:\n",
        "    if phase == terms.PRE_OPEN and instrument.last:\n",
    ),
    # Self-trade prevention
    Bug(
        "only the same account is the same person",
        "matcher.py",
        "        if maker.account.owner == owner:\n",
        "        if maker.account is order.account:\n",
    ),
    Bug(
        "cancel_maker takes the taker too",
        "self_trade.py",
        "    _complete(state, taker, quantity, mode in (terms.CANCEL_TAKER, terms.CANCEL_BOTH))\n",
        "    _complete(state, taker, quantity, mode != terms.DECREMENT)\n",
    ),
    Bug(
        "decrement takes what is hidden in an uncross",
        "self_trade.py",
        "taker.remaining if taker.level is None else taker.visible()",
        "taker.remaining",
    ),
    Bug(
        "decrement keeps the reservation",
        "self_trade.py",
        "    order.balance.reserved += still - order.reserved\n",
        "",
    ),
    Bug(
        "a decremented maker loses its place",
        "self_trade.py",
        "        order.level.quantity -= quantity\n",
        "        order.level.quantity -= quantity\n        order.instrument.own(order.side).move_to_end(order)\n",
    ),
    # Replace
    Bug(
        "replace resets the place for nothing",
        "changes.py",
        "    kept = new_price == order.price and remaining <= order.remaining\n",
        "    kept = new_price == order.price and remaining < order.remaining\n",
    ),
    Bug(
        "replace keeps the place with more quantity",
        "changes.py",
        "    kept = new_price == order.price and remaining <= order.remaining\n",
        "    kept = new_price == order.price\n",
    ),
    Bug(
        "replace forgets what has filled",
        "changes.py",
        "    remaining = new_total - (order.quantity - order.remaining)\n",
        "    remaining = new_total\n",
    ),
    Bug(
        "replace to what has filled leaves nothing open",
        "changes.py",
        "    if remaining <= 0:\n",
        "    if remaining < 0:\n",
    ),
    Bug(
        "a renamed order frees its old name",
        "changes.py",
        "        account.ids.claim(new_id, order.order_id)\n",
        "        account.ids.claim(new_id, account.ids.first.pop(old_id))\n",
    ),
    Bug(
        "replace does not mind post-only",
        "changes.py",
        "    if not (kept or pending) and special is not None and special.post_only:",
        "    if kept and special is not None and special.post_only:",
    ),
    Bug(
        "replace does not mind the price limits",
        "changes.py",
        "    if not (kept or market):\n",
        "    if not (kept or market or price):\n",
    ),
    # Identity and checks
    Bug(
        "a client id is free when its order is done",
        "placing.py",
        "    if holder:\n",
        "    if holder in state.orders:\n",
    ),
    Bug(
        "a plain order takes a client id from another",
        "plain.py",
        "(first.setdefault(client_id, key) if len(first) < FIRST_SIZE else ids.claim(client_id, number)) != number:\n",
        "(first.__setitem__(client_id, key) if len(first) < FIRST_SIZE else ids.claim(client_id, number)) == -1:\n",
    ),
    Bug(
        "an old name finds the order",
        "plain.py",
        "order.client_order_id != client_id",
        "not client_id",
    ),
    Bug(
        "a number finds another's order",
        "plain.py",
        "(order.account is not account or ",
        "(",
    ),
    Bug(
        "the price limit itself is refused",
        "placing.py",
        'return "" if instrument.low <= price <= instrument.high',
        'return "" if instrument.low < price < instrument.high',
    ),
    Bug(
        "the upper price limit is no limit for a plain order",
        "plain.py",
        " or price > instrument.high:\n",
        ":\n",
    ),
    Bug(
        "a plain order may be of part of a lot",
        "plain.py",
        "    if amount % instrument.lot or amount <= 0",
        "    if amount <= 0",
    ),
    Bug(
        "a killed member may place plain orders",
        "plain.py",
        "            or account.member.refusal\n",
        "",
    ),
    Bug(
        "plain orders may use what is reserved already",
        "plain.py",
        "    if reserved + balance.locked > balance.total:\n",
        "    if needed + balance.locked > balance.total:\n",
    ),
    Bug(
        "a plain order sells locked gold",
        "plain.py",
        "    if reserved + balance.locked > balance.total:\n",
        "    if reserved > balance.total:\n",
    ),
    Bug(
        "a plain order at the best opposite price rests",
        "plain.py",
        "best.price > price\n",
        "best.price >= price\n",
    ),
    Bug(
        "a cancelled plain order stays reserved",
        "plain.py",
        "    reserved = balance.reserved - order.reserved\n",
        "    reserved = balance.reserved\n",
    ),
    Bug(
        "an auction does not notice a cancel",
        "plain.py",
        " or instrument.phase == AUCTION\n",
        "\n",
    ),
    Bug(
        "an immediate order is taken in an auction",
        "phases.py",
        '    return "PHASE" if immediate or is_stop else ""\n',
        '    return "PHASE" if is_stop else ""\n',
    ),
    Bug(
        "a GTD order is live at its end",
        "trading_day.py",
        "    while timetable and timetable[0].time <= state.now:\n",
        "    while timetable and timetable[0].time < state.now:\n",
    ),
    Bug(
        "a GTD order may be placed at its end",
        "placing.py",
        "request.expire_at is not None and request.expire_at <= state.now:\n",
        "request.expire_at is not None and request.expire_at < state.now:\n",
    ),
    # Money and metal
    Bug(
        "a buy reserves no fee",
        "plain.py",
        "            needed += fees.fee(0, needed, instrument.highest_fee)\n",
        "            needed += 0\n",
    ),
    Bug(
        "fees are rounded down",
        "fees.py",
        "    return (residue + amount * basis_points + _HALF) // BASIS_POINTS\n",
        "    return (residue + amount * basis_points) // BASIS_POINTS\n",
    ),
    Bug(
        "each fill's fee is rounded by itself",
        "matcher.py",
        "    order.residue += amount * basis_points - charged * BASIS_POINTS\n",
        "    order.residue = 0\n",
    ),
    Bug(
        "the maker pays the taker's fee",
        "matcher.py",
        "charge(maker, amount, instrument.maker_fee)",
        "charge(maker, amount, instrument.taker_fee)",
    ),
    Bug(
        "the seller's fee is not taken",
        "matcher.py",
        "    earned.total += amount - sell_fee\n",
        "    earned.total += amount\n",
    ),
    Bug(
        "a better price than the limit stays reserved",
        "matcher.py",
        "        paid.reserved += still - before\n",
        "        paid.reserved -= amount + buy_fee\n",
    ),
    Bug(
        "a market order forgets its fee in the cash",
        "matcher.py",
        "order.residue, instrument.taker_fee, instrument.lot)",
        "order.residue, 0, instrument.lot)",
    ),
    Bug("a market order buys one lot too many", "fees.py", "    return low * lot\n", "    return high * lot\n"),
    Bug(
        "a cancelled order keeps its reservation",
        "state.py",
        "        order.balance.reserved -= order.reserved\n",
        "",
    ),
    Bug(
        "a changed reservation is not told",
        "state.py",
        "            if total != balance.published_total or reserved != balance.published_reserved:\n",
        "            if total != balance.published_total:\n",
    ),
    Bug(
        "locked gold may be sold",
        "holdings.py",
        "        return self.total - self.locked - self.reserved\n",
        "        return self.total - self.reserved\n",
    ),
    Bug(
        "the resale lock ends a day early",
        "matcher.py",
        "        bought.lock(quantity, state.day + instrument.lock_days)\n",
        "        bought.lock(quantity, state.day + instrument.lock_days - 1)\n",
    ),
    Bug(
        "the part kept back is rounded in the seller's favour",
        "matcher.py",
        "proceeds - proceeds * instrument.reuse_percent // 100",
        "proceeds * (100 - instrument.reuse_percent) // 100",
    ),
    Bug(
        "reserved money may be withdrawn",
        "holdings.py",
        "        free = self.total - self.locked - self.reserved - self.unwithdrawable\n",
        "        free = self.total - self.locked - self.unwithdrawable\n",
    ),
    Bug(
        "a reference is applied twice",
        "adjustments.py",
        "    return reference in state.references or reference in state.previous_references\n",
        "    return reference in state.previous_references\n",
    ),
    Bug(
        "a new quote may not use what the old one frees",
        "quotes.py",
        "    if cash > account.cash.available() + freed_cash:\n",
        "    if cash > account.cash.available():\n",
    ),
    # The venue
    Bug(
        "a kill spares the second account",
        "members.py",
        '        for order in state.open_orders(member.accounts):\n            state.cancel(order, "KILL")\n',
        '        for order in state.open_orders(member.accounts[:1]):\n            state.cancel(order, "KILL")\n',
    ),
    Bug(
        "the end of a session ends all sessions",
        "members.py",
        "            if order.session == session:\n",
        "            if order.session:\n",
    ),
    Bug(
        "the end of the day frees the ids of open orders",
        "trading_day.py",
        " if state.find_order(account, name) is not None]",
        " if state.find_order(account, name) is None]",
    ),
    # Auctions
    Bug(
        "the imbalance does not count",
        "auction.py",
        "(-min(demand, supply), abs(demand - supply), distance, price)",
        "(-min(demand, supply), 0, distance, price)",
    ),
    Bug(
        "the reference price does not count",
        "auction.py",
        "        distance = abs(price - instrument.reference) if instrument.reference else 0\n",
        "        distance = 0\n",
    ),
    Bug(
        "the younger order of an uncross is the maker",
        "auction.py",
        "if buy.order_id < sell.order_id else (sell, buy)",
        "if buy.order_id > sell.order_id else (sell, buy)",
    ),
    Bug(
        "trading begins with a crossed book",
        "phases.py",
        "    if phase == terms.CONTINUOUS or (phase == terms.CLOSED and previous == terms.AUCTION):\n",
        "    if phase != terms.HALTED and previous == terms.AUCTION:\n",
    ),
    # Snapshots
    Bug(
        "a snapshot forgets what rounding kept back",
        "snapshot.py",
        "    order.residue = residue\n",
        "    order.residue = 0\n",
    ),
    Bug(
        "a snapshot shows a whole slice again",
        "snapshot.py",
        "    order.special = None if special is None else _read_special(special)\n",
        "    order.special = None if special is None else _read_special(special)\n"
        "    if order.special is not None:\n"
        "        order.special.shown = min(order.special.display, remaining)\n",
    ),
    Bug(
        "a snapshot forgets yesterday's references",
        "snapshot.py",
        "    state.previous_references = dict.fromkeys(previous_references)\n",
        "",
    ),
    Bug(
        "a snapshot forgets when an interruption ends",
        "snapshot.py",
        "        state.timetable.append(Due(interrupted_until, NO_ORDER, symbol))\n",
        "        pass\n",
    ),
    # Several commands at once
    Bug(
        "what is due at a time waits when others come at that time first",
        "engine.py",
        "                if at >= state.next_due:\n",
        "                if at > state.next_due:\n",
    ),
    Bug(
        "the first command of a time at which something is due happens twice",
        "engine.py",
        "                    continue\n",
        "",
    ),
)
