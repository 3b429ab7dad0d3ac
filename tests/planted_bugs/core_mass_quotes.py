"""Bugs in the core: mass quotes."""

from tests.planted_bugs.bug import Bug

MASS = "mass_quotes.py"
OPEN = "open_quotes.py"

BUGS = (
    Bug("an identical resend loses its place", MASS, "order.price == price and quantity <= order.remaining", "False"),
    Bug("a higher quantity keeps its place", MASS, "and quantity <= order.remaining", ""),
    Bug("another price keeps its place", MASS, " and order.price == price", ""),
    Bug(
        "another group keeps its place",
        MASS,
        "    same_group = order.special is not None and order.special.group == group\n",
        "    same_group = True\n",
    ),
    Bug("a zero cancels nothing", MASS, '            state.cancel(order, "USER")\n', "            pass\n"),
    Bug(
        "a side without a quantity is cancelled",
        MASS,
        "            self.action = KEEP\n",
        "            self.action = CANCEL\n",
    ),
    Bug(
        "zeros need the permission of an order", MASS, "self.bid.action >= REDUCE or self.ask.action >= REDUCE", "True"
    ),
    Bug(
        "a refused ask lets its bid enter",
        MASS,
        '    return _refusal_of_funds(account, level), ""\n',
        '    return "", ""\n',
    ),
    Bug(
        "a bid crosses the ask that stays",
        MASS,
        "return self.order.price if self.action == KEEP and self.order is not None else 0",
        "return 0",
    ),
    Bug(
        "a bid at the ask is taken",
        MASS,
        "level.bid.limit() >= level.ask.limit()",
        "level.bid.limit() > level.ask.limit()",
    ),
    Bug(
        "a new side may not use what it replaces",
        MASS,
        "return 0 if self.order is None else self.order.reserved",
        "return 0",
    ),
    Bug(
        "a new bid reserves nothing",
        MASS,
        "        balance.reserve(side.cost)\n",
        "        balance.reserve(side.cost * side.side)\n",
    ),
    Bug("a level may stand in a command twice", MASS, "        seen.add((symbol, number))\n", ""),
    Bug("any number of levels", MASS, "if not 1 <= level.number <= terms.MAX_QUOTE_LEVELS:", "if level.number < 1:"),
    Bug(
        "mass quotes are not asked about by the regime",
        MASS,
        "if detail := regime.refuses(state, terms.MARKET_MAKING):",
        'if detail := "":',
    ),
    Bug(
        "a frozen group takes new levels",
        MASS,
        "    if protection.is_frozen(account.member, level.group):\n        return protection.REASON",
        "    if False:\n        return protection.REASON",
    ),
    Bug(
        "levels enter though the group has reached its limit",
        MASS,
        "    if protection.is_frozen(account.member, level.group):\n        state.cancel",
        "    if False:\n        state.cancel",
    ),
    Bug(
        "each level enters before the next is taken out",
        MASS,
        "        for side in (bid, ask):\n            _make_room(state, account, level, side, session)\n",
        "        for side in (bid, ask):\n            _make_room(state, account, level, side, session)\n"
        "            if side.action == NEW:\n"
        "                _place(state, account, level, side, session)\n"
        "                side.action = KEEP\n",
    ),
    Bug(
        "a side that stays belongs to the old session",
        MASS,
        "        elif side.quantity:\n            order.session = session\n",
        "",
    ),
    Bug(
        "a reduced side belongs to the old session",
        MASS,
        "side.quantity)\n            order.session = session\n",
        "side.quantity)\n",
    ),
    Bug("a level belongs to no session", MASS, "    order.session = session\n    order.reserved", "    order.reserved"),
    Bug(
        "a limit of quantity misses the levels",
        OPEN,
        "dict.fromkeys([*account.quotes, *account.levels])",
        "dict.fromkeys([*account.quotes])",
    ),
    Bug(
        "quote.cancel misses the levels",
        "quotes.py",
        "    orders = of_symbol(state, account, symbol)\n    if",
        "    orders = open_quote(state, account, symbol)\n    if",
    ),
    Bug("the sides of a level share a place", OPEN, "return level * 2 + side", "return level"),
    Bug(
        "a restored core has forgotten the levels",
        "snapshot.py",
        "slot(order.special.level, side)] = number",
        "slot(order.special.level, side)] = 0",
    ),
    Bug("the levels outlive the day", "trading_day.py", "        account.levels = {}\n", ""),
)
