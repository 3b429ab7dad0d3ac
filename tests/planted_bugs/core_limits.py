"""Bugs in the limits of members: in the core, in its snapshot, and in what a gateway counts."""

from tests.planted_bugs.bug import Bug

CHECKS = "limit_checks.py"
SETTING = "limit_setting.py"
SNAPSHOT = "snapshot_of_limits.py"

BUGS = (
    Bug("an order of just the limit's value is refused", CHECKS, "wanted.value > most", "wanted.value >= most"),
    Bug(
        "an order of just the limit's quantity is refused", CHECKS, "wanted.quantity > most", "wanted.quantity >= most"
    ),
    Bug("one open order too many is accepted", CHECKS, "used + wanted.orders > most", "used > most"),
    Bug("net purchases may pass their limit by one order", CHECKS, "used + wanted.cash > most", "used > most"),
    Bug("net sales may pass their limit by one order", CHECKS, "used + wanted.gold > most", "used > most"),
    Bug("open purchases do not count", CHECKS, "account.usage.paid + account.cash.reserved", "account.usage.paid"),
    Bug("open sales do not count", CHECKS, "account.usage.sold + _reserved_gold(account)", "account.usage.sold"),
    Bug("a limit of the account is not looked at", CHECKS, "    if account.limits is not None:\n", "    if False:\n"),
    Bug(
        "a limit of the member counts one account alone",
        CHECKS,
        "_beyond(member.limits, member.accounts,",
        "_beyond(member.limits, (account,),",
    ),
    Bug(
        "a sale below the best bid counts at its limit",
        CHECKS,
        "side != BUY and best is not None and best.price > price",
        "False and best is not None",
    ),
    Bug(
        "an iceberg or stop of no more value may not be replaced",
        CHECKS,
        "            value = 0\n    quantity",
        "            pass\n    quantity",
    ),
    Bug(
        "a market order to buy uses nothing",
        CHECKS,
        "cash = fees.cost(price, quantity, 0, instrument.highest_fee) if side == BUY else 0",
        "cash = 0",
    ),
    Bug(
        "a market stop that triggers uses nothing",
        CHECKS,
        "        cash = fees.cost(order.price, order.remaining,",
        "        cash = 0 * fees.cost(order.price, order.remaining,",
    ),
    Bug(
        "what a limit stop has reserved counts twice as it triggers",
        CHECKS,
        " and order.special is not None and order.special.market:\n        cash",
        ":\n        cash",
    ),
    Bug(
        "a stop is not checked as it triggers",
        "stops.py",
        "if detail := limit_checks.refuses_triggered(order):",
        'if detail := "":',
    ),
    Bug("a replacement that frees money is stopped by net purchases", CHECKS, "wanted.cash > 0", "wanted.cash != 0"),
    Bug("one person raises a limit", SETTING, "new is None or new > old", "new is None"),
    Bug("one person takes a limit away", SETTING, "new is None or new > old", "new is not None and new > old"),
    Bug("the person that has proposed may agree", SETTING, "proposed != values or first == by", "proposed != values"),
    Bug("two persons need not name the same limits", SETTING, "proposed != values or first == by", "first == by"),
    Bug(
        "a proposal outlives a lower limit",
        SETTING,
        "    state.proposed_limits.pop(subject, None)\n",
        "    if first is not None:\n        state.proposed_limits.pop(subject, None)\n",
    ),
    Bug("a proposal outlives its day", SETTING, "    state.proposed_limits = {}\n", ""),
    Bug(
        "a day begins with the trades of the one before",
        SETTING,
        "account.usage.paid = account.usage.sold = 0",
        "account.usage.sold = 0",
    ),
    Bug(
        "orders that are open at the first limit do not count",
        SETTING,
        "        _count_one(order.account)\n",
        "        pass\n",
    ),
    Bug(
        "quotes that are open at the first limit do not count",
        SETTING,
        "                _count_one(quote.account)\n",
        "                pass\n",
    ),
    Bug(
        "a member without limits is counted for ever",
        SETTING,
        "        if not is_limited:\n            member.counted_after = None\n",
        "",
    ),
    Bug(
        "a second limit begins to count anew",
        SETTING,
        "    if member.counted_after is None:\n        begin",
        "    if True:\n        begin",
    ),
    Bug(
        "an account of another member is limited",
        SETTING,
        "account is None or account.member is not member",
        "account is None",
    ),
    Bug("an order that ends stays counted", "state.py", "            usage.open_orders -= 1\n", "            pass\n"),
    Bug(
        "a declined deal stays counted",
        "deal_ends.py",
        "        deal.account.usage.open_orders -= 1\n",
        "        pass\n",
    ),
    Bug(
        "a quote in a request is not counted",
        "rfq_quotes.py",
        "        account.usage.open_orders += 1\n",
        "        pass\n",
    ),
    Bug(
        "what a trade costs counts without its fee",
        "matcher.py",
        "buyer.usage.count(money_paid,",
        "buyer.usage.count(proceeds,",
    ),
    Bug(
        "a seller's trades in the book do not count",
        "matcher.py",
        "        sell.account.usage.count(-proceeds, quantity)\n",
        "        pass\n",
    ),
    Bug(
        "a deal counts for its buyer alone",
        "direct_trades.py",
        "        seller.usage.count(-proceeds, quantity)\n",
        "        pass\n",
    ),
    Bug("an annulled trade stays used", "busts.py", "        account.usage.count(paid, sold)\n", "        pass\n"),
    Bug("a trade of before the first limit is given back", "busts.py", " and trade_id > after:\n", ":\n"),
    Bug(
        "whoever accepts a deal has no limits",
        "deals.py",
        "deal.quantity, needed, orders=0)",
        "deal.quantity, 0, orders=0)",
    ),
    Bug(
        "levels that are still to come do not count",
        "mass_quotes.py",
        "            account.usage.open_orders += 1\n",
        "            pass\n",
    ),
    Bug(
        "the fast path serves a member with limits",
        "holdings.py",
        'self.refusal != "" or self.usage is not None',
        'self.refusal != ""',
    ),
    Bug(
        "an account that is opened later is not counted",
        "holdings.py",
        "None if member.counted_after is None else LimitUsage()",
        "None",
    ),
    Bug(
        "the fast path does not count the orders that it meets",
        "plain.py",
        " or other.general or other.owner",
        " or other.owner",
    ),
    Bug(
        "the fast path does not count a cancel",
        "plain.py",
        " or account.general or order.special",
        " or order.special",
    ),
    Bug(
        "a snapshot forgets what was traded",
        SNAPSHOT,
        "                account.usage.count(paid, sold)\n",
        "                account.usage.count(paid, 0)\n",
    ),
    Bug(
        "a snapshot forgets the limits of accounts",
        SNAPSHOT,
        "account.limits = _read_limits(of_account)",
        "account.limits = None",
    ),
    Bug(
        "a snapshot forgets the proposed limits",
        SNAPSHOT,
        "        state.proposed_limits[name, account_name] = (tuple(values), by)\n",
        "        pass\n",
    ),
)

VIEW_BUGS = (
    Bug(
        "the view counts purchases without fees",
        "limits.py",
        "buyer.paid += event.amount + event.buy_fee",
        "buyer.paid += event.amount",
    ),
    Bug(
        "the view does not give an annulled trade back",
        "limits.py",
        "            seller.paid += event.amount - event.sell_fee\n",
        "            pass\n",
    ),
    Bug("the view gives back what it never counted", "limits.py", " and trade_id > after else None", " else None"),
    Bug(
        "the view goes on counting from day to day",
        "limits.py",
        "name: Traded() for member in state.counted_after",
        "name: state.traded[name] for member in state.counted_after",
    ),
    Bug(
        "the view does not count an account that is opened later",
        "limits.py",
        "            self.state.traded.setdefault(name, Traded())\n",
        "            pass\n",
    ),
    Bug(
        "the view counts deals that were proposed to a member",
        "limit_forms.py",
        "deal.proposed.account == name",
        "True",
    ),
    Bug("the view does not count quotes in requests", "limit_forms.py", " + quoted[name]", ""),
)
