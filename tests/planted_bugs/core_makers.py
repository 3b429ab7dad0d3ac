"""Bugs in the core: the protection of market makers."""

from tests.planted_bugs.bug import Bug

PROTECTION = "protection.py"
LIMITS = "protection_limits.py"
OPEN = "open_quotes.py"

BUGS = (
    Bug(
        "a limit is only reached when it is passed",
        LIMITS,
        "bought + sold >= self.max_quantity",
        "bought + sold > self.max_quantity",
    ),
    Bug(
        "a net limit is only reached when it is passed",
        LIMITS,
        "abs(bought - sold) >= self.max_net",
        "abs(bought - sold) > self.max_net",
    ),
    Bug(
        "a net limit counts only what is bought",
        LIMITS,
        "abs(bought - sold) >= self.max_net",
        "bought - sold >= self.max_net",
    ),
    Bug(
        "a net limit counts as one of quantity",
        LIMITS,
        "abs(bought - sold) >= self.max_net",
        "bought + sold >= self.max_net",
    ),
    Bug(
        "a limit of quantity lets sales make up for purchases",
        LIMITS,
        "bought + sold >= self.max_quantity",
        "abs(bought - sold) >= self.max_quantity",
    ),
    Bug(
        "a trade stays in the window for ever",
        LIMITS,
        "        self.forget_before(now)\n        trades = self.trades\n",
        "        trades = self.trades\n",
    ),
    Bug(
        "a trade stays in the window a millisecond too long", LIMITS, "trades[0][0] <= first:", "trades[0][0] < first:"
    ),
    Bug(
        "what has left the window still counts",
        LIMITS,
        "            self.bought -= bought\n            self.sold -= sold\n\n",
        "            self.bought -= bought\n\n",
    ),
    Bug(
        "of several trades in a millisecond the last one counts",
        LIMITS,
        "(now, earlier_bought + bought, earlier_sold + sold)",
        "(now, bought, sold)",
    ),
    Bug(
        "a fill-or-kill sees trades that have left the window",
        LIMITS,
        "            if time > now - self.window_ms:\n",
        "            if time:\n",
    ),
    Bug(
        "quotes that take are not counted",
        PROTECTION,
        "    for order in (maker, taker):\n        protection = of_order(order)\n        if protection is not None:\n",
        "    for order in (maker,):\n        protection = of_order(order)\n        if protection is not None:\n",
    ),
    Bug(
        "purchases count as sales",
        PROTECTION,
        "(quantity, 0) if order.side == BUY else (0, quantity)",
        "(0, quantity) if order.side == BUY else (quantity, 0)",
    ),
    Bug(
        "a group that has reached a limit triggers again and again",
        PROTECTION,
        " and not protection.frozen and",
        " and",
    ),
    Bug("a group that has reached a limit is not frozen", PROTECTION, "            protection.frozen = True\n", ""),
    Bug(
        "its quotes stay where they are",
        PROTECTION,
        "                state.cancel(quote, REASON, group)\n",
        "                pass\n",
    ),
    Bug(
        "the quotes are cancelled newest first",
        OPEN,
        "found[order.order_id] = order\n    return [found[number] for number in sorted(found)]",
        "found[order.order_id] = order\n    return [found[number] for number in sorted(found)[::-1]]",
    ),
    Bug("the quotes of other groups are cancelled as well", OPEN, " and special.group == group:", ":"),
    Bug(
        "only the quotes of one account are cancelled",
        OPEN,
        "for account in member.accounts:",
        "for account in member.accounts[:1]:",
    ),
    Bug(
        "trades are counted before the orders are up to date",
        "matcher.py",
        "    if maker.special is not None or taker.special is not None:\n        protection",
        "    if maker.special is not None:\n        protection",
    ),
    Bug(
        "a fill-or-kill counts on quotes that will be gone",
        PROTECTION,
        "        if key in self.frozen:\n            return 0\n",
        "",
    ),
    Bug(
        "a fill-or-kill takes what has passed by ageing for frozen",
        PROTECTION,
        "        quantity = min(quote.remaining, wanted)\n",
        "        quantity = 0 if protection.reached_by(bought, sold) else min(quote.remaining, wanted)\n",
    ),
    Bug(
        "a frozen group takes new quotes",
        "quotes.py",
        "    if protection.is_frozen(account.member, group):\n        return",
        "    if False:\n        return",
    ),
    Bug(
        "the ask of a quote enters though its bid has reached the limit",
        "quotes.py",
        "        if protection.is_frozen(account.member, group):  # the bid has reached a limit",
        "        if False:",
    ),
    Bug(
        "a quote has no group unless it names one",
        "quotes.py",
        "group: str = given_group or symbol",
        'group: str = given_group or ""',
    ),
    Bug("a reset ends no freeze", PROTECTION, "    protection.frozen = False\n", ""),
    Bug("a reset goes on counting", PROTECTION, "    protection.begin()\n", ""),
    Bug("new limits end a freeze", PROTECTION, "    new.frozen = known is not None and known.frozen\n", ""),
    Bug("the limits of a frozen group are taken away", PROTECTION, "        if known.frozen:\n", "        if False:\n"),
    Bug(
        "limits without a window are taken",
        PROTECTION,
        "if window_ms is None or not 0 < window_ms",
        "if window_ms is not None and not 0 < window_ms",
    ),
    Bug("a member has any number of groups", PROTECTION, "len(protections) >= MAX_GROUPS", "False"),
    Bug("a restored core has forgotten a freeze", "snapshot.py", "        protection.frozen = frozen\n", ""),
    Bug(
        "a restored core has forgotten what was bought", "snapshot.py", "            protection.bought += bought\n", ""
    ),
    Bug(
        "a restored quote has lost the name of its group",
        "snapshot.py",
        "special.group = symbol if parts.group is None else parts.group",
        "special.group = symbol",
    ),
    Bug(
        "every snapshot names the groups of its quotes",
        "snapshot.py",
        'return written if special.group in ("", symbol) else',
        'return written if special.group == "" else',
    ),
)
