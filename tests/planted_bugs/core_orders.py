"""Bugs in the core: the kinds of orders, self-trade prevention, changes and the checks."""

from tests.planted_bugs.bug import Bug

BUGS = (
    # Sessions and keys
    Bug(
        "a revoked key's persistent orders stay",
        "members.py",
        "            if order.session.removeprefix(OUTLIVES).startswith(of_key):\n",
        "            if order.session.startswith(of_key):\n",
    ),
    Bug(
        "the end of a key ends keys that begin alike",
        "members.py",
        "        of_key = session[:-1]\n",
        "        of_key = session[:-2]\n",
    ),
    Bug(
        "a session that ends takes its persistent orders along",
        "placing.py",
        "        order.session = request.session\n    order.special",
        "        order.session = request.session.removeprefix(OUTLIVES)\n    order.special",
    ),
    Bug(
        "the session of a persistent order is kept in journals older than the rule",
        "placing.py",
        "    if not request.persist or request.session.startswith(OUTLIVES):\n",
        "    if request.session:\n",
    ),
    # Fill or kill
    Bug(
        "fill-or-kill counts own quantity",
        "matcher.py",
        "            if maker.account.owner != order.account.owner:\n                limits",
        "            if maker.account.owner:\n                limits",
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
        "what an iceberg took on entry counts against its first slice",
        "resting.py",
        "        special.shown = min(special.display, order.remaining)\n    (instrument",
        "        taken = (order.quantity - order.remaining) % special.display\n"
        "        special.shown = min(special.display - taken, order.remaining)\n    (instrument",
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
        "    order.balance.reserve(still - order.reserved)\n",
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
        " or account.general or limit",
        " or account.usage is not None or limit",
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
)
