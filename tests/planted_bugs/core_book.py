"""Bugs in the core: the queues and levels of the book, the prices of trades, and the fast path."""

from tests.planted_bugs.bug import Bug

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
        "            inside = False\n            break\n",
        "            inside = False\n            break\n        centre = price\n",
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
    # The fast path is not used
    Bug(
        "the fast path is used when it is switched off",
        "engine.py",
        " if self.fast else ",
        " if not self.fast else ",
    ),
    Bug(
        "a plain cancel by number takes the general path",
        "plain.py",
        "        else:\n            order = state.orders[key]\n",
        "        else:\n            return None\n",
    ),
    Bug(
        "the trades of plain takers take the general path",
        "plain.py",
        "        if instrument.plain and not instrument.pending_stops:\n",
        "        if instrument.pending_stops < 0:\n",
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
        "        if maker.special is not None or other.general",
        "        if other.general",
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
)
