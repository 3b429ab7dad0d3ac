"""Bugs in the core: money and gold, the decisions of the venue, auctions, snapshots and time."""

from tests.planted_bugs.bug import Bug

BUGS = (
    # The end of a day
    Bug(
        "what expired orders had reserved is free after the day's end alone",
        "trading_day.py",
        "    if rules >= FREED_BEFORE_THE_END:\n",
        "    if rules > FREED_BEFORE_THE_END:\n",
    ),
    # Reopening after an interruption
    Bug(
        "the corridor does not widen",
        "phases.py",
        "instrument.reopening_centre, instrument.band * width\n",
        "instrument.reopening_centre, instrument.band\n",
    ),
    Bug(
        "an auction is extended once too often",
        "phases.py",
        "taken < instrument.reopening_steps and",
        "taken <= instrument.reopening_steps and",
    ),
    Bug(
        "an interruption reopens at any price",
        "phases.py",
        "        if not lower <= price <= upper:\n",
        "        if not lower <= price:\n",
    ),
    Bug(
        "a snapshot forgets how often an auction was extended",
        "snapshot.py",
        "instrument.reopening_centre, instrument.extensions = parts.reopening_centre, parts.extensions",
        "instrument.reopening_centre = parts.reopening_centre",
    ),
    # Annulled trades
    Bug(
        "one person annuls a trade alone",
        "busts.py",
        "    if first is None or proposed_by == by:\n",
        "    if first is None:\n",
    ),
    Bug(
        "a trade is annulled twice",
        "busts.py",
        "    if trade_id in state.busted:\n",
        "    if trade_id < 0:\n",
    ),
    Bug("an annulled trade is forgotten", "busts.py", "    state.busted[trade_id] = None\n", ""),
    Bug("the buyer does not get the fee back", "busts.py", "terms.amount + terms.buy_fee\n", "terms.amount\n"),
    Bug(
        "the venue keeps the seller's fee of an annulled trade",
        "busts.py",
        "state.fees_collected -= terms.buy_fee + terms.sell_fee",
        "state.fees_collected -= terms.buy_fee",
    ),
    Bug(
        "gold that was bought and sold again goes back",
        "busts.py",
        "terms.quantity - self.freed - bought.available()",
        "terms.quantity - self.freed - bought.total",
    ),
    Bug(
        "money that orders have reserved goes back",
        "busts.py",
        "proceeds - self.seller.cash.available()",
        "proceeds - self.seller.cash.total",
    ),
    Bug(
        "gold that goes back stays under the resale lock",
        "busts.py",
        "    bought.unlock(parties.freed, parties.lock_day)\n",
        "",
    ),
    Bug(
        "proceeds that have gone back stay held back",
        "busts.py",
        "    earned.release(parties.held_back)\n",
        "",
    ),
    Bug(
        "a trade of an earlier trading day is annulled",
        "busts.py",
        "    if terms.trading_day != state.trading_day:\n",
        "    if terms.trading_day > state.trading_day:\n",
    ),
    Bug("the window is a millisecond longer", "busts.py", "state.now > until or", "state.now > until + 1 or"),
    Bug("two persons mean different trades", "busts.py", "if proposed != traded", "if proposed[2] != traded[2]"),
    Bug(
        "a snapshot forgets who has asked for an annulment",
        "snapshot.py",
        "    state.bust_proposals = {number: (by, tuple(traded)) for number, by, traded in parts.bust_proposals}\n",
        "",
    ),
    Bug(
        "requests for annulments outlive the day",
        "trading_day.py",
        "    state.bust_proposals = {}\n",
        "",
    ),
    # The timetable
    Bug(
        "a step of the timetable is taken twice",
        "planned.py",
        '    elif planned_at <= instrument.planned_at:\n        state.refuse(method, "STEP',
        '    elif planned_at < instrument.planned_at:\n        state.refuse(method, "STEP',
    ),
    Bug("a stale step is taken", "planned.py", "state.now > latest_at", "state.now > latest_at + 100"),
    Bug(
        "a delay is forgotten by the core",
        "planned.py",
        "planned_at + delay_of(instrument, planned_at)",
        "planned_at",
    ),
    Bug(
        "a held timetable goes on",
        "planned.py",
        "    elif instrument.held:\n",
        "    elif instrument.held and halted:\n",
    ),
    Bug(
        "a session change ends a halt",
        "planned.py",
        "    elif halted and phase != terms.CLOSED:\n",
        "    elif halted and phase == terms.PRE_OPEN:\n",
    ),
    Bug(
        "an instrument that was halted at the close opens again by itself",
        "planned.py",
        "            instrument.held = True\n            state.emit(TIMETABLE_HELD, symbol, True)\n",
        "            pass\n",
    ),
    Bug(
        "a delay outlives its day",
        "trading_day.py",
        "        instrument.delay = (0, 0, 0)\n",
        "",
    ),
    Bug(
        "a snapshot forgets which step was taken",
        "snapshot.py",
        "instrument.planned_at, instrument.held = parts.planned_at, parts.held",
        "instrument.held = parts.held",
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
        "quantity, amount + buy_fee, amount - sell_fee)\n",
        "quantity, amount + buy_fee, amount)\n",
    ),
    Bug(
        "a better price than the limit stays reserved",
        "matcher.py",
        "        paid.reserve(still - before)\n",
        "        paid.reserve(-money_paid)\n",
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
        "        order.balance.reserve(-order.reserved)\n",
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
        "    if cash > account.cash.available() + _freed(old, terms.BUY):\n",
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
        " or state.find_order(account, name) is not None\n",
        "\n",
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
        "    order.special = None if special is None else _read_special(special, instrument.symbol)\n",
        "    order.special = None if special is None else _read_special(special, instrument.symbol)\n"
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
