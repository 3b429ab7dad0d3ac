"""Bugs in the core: the legal regime, its caps and locks, and the limit of holders."""

from tests.planted_bugs.bug import Bug

REGIME = "regime.py"
TERMS = "regime_terms.py"
SETTING = "regime_setting.py"
HOLDERS = "holders.py"

BUGS = (
    # How it is set
    Bug("one person sets a regime", SETTING, "or first == by:", "or False:"),
    Bug(
        "two persons set a regime with different terms",
        SETTING,
        "if proposed != values or",
        "if not proposed or",
    ),
    Bug(
        "any first command sets a regime alone",
        SETTING,
        "if state.sequence or regime.kind != NEGOTIATED:",
        "if state.sequence:",
    ),
    Bug(
        "negotiated holds at once on an exchange that runs",
        SETTING,
        "if state.sequence or regime.kind",
        "if regime.kind",
    ),
    Bug("a regime needs no number of its document", TERMS, " or not self.document_number.strip()", ""),
    Bug("a sandbox needs no end", TERMS, "if None in caps or self.last_trading_day is None:", "if None in caps:"),
    Bug("a sandbox is already over when it is set", SETTING, "if regime.has_lapsed(state.trading_day):", "if False:"),
    # What it refuses
    Bug("negotiated allows a call auction", TERMS, "if mode > LAST_CENTRALISED:", "if mode > 0:"),
    Bug("negotiated refuses deals", TERMS, "if mode > LAST_CENTRALISED:", "if mode > LAST_CENTRALISED + 1:"),
    Bug(
        "a regime leaves the orders where they are",
        SETTING,
        '        state.cancel(order, "REGIME")\n',
        "        pass\n",
    ),
    Bug(
        "a regime cancels the newest orders first",
        SETTING,
        "list(state.orders.values())",
        "list(state.orders.values())[::-1]",
    ),
    Bug(
        "the timetable opens whatever the regime is",
        "planned.py",
        "elif detail := regime.refuses_phase(state, phase):",
        'elif detail := "":',
    ),
    Bug(
        "quotes are not asked about",
        "quotes.py",
        "if detail := regime.refuses(state, terms.MARKET_MAKING):",
        'if detail := "":',
    ),
    Bug(
        "the fast path takes orders under every regime",
        "plain.py",
        "    if instrument.guarded and not regime.is_plain(state, instrument, price, amount):\n        return None\n",
        "",
    ),
    Bug(
        "a restored core has forgotten a proposed regime",
        "snapshot.py",
        "        state.proposed_regime = ((*others, tuple(buyers)), by)\n",
        "        pass\n",
    ),
    Bug("a proposed regime outlives its day", "trading_day.py", "    state.proposed_regime = None\n", ""),
    Bug(
        "a restored core has forgotten its regime",
        "snapshot.py",
        "        instrument.regulate(state.regime)\n",
        "        pass\n",
    ),
    # Caps
    Bug("a sandbox counts no total", "state.py", "            self.total_value += amount\n", ""),
    Bug("the value of a day is never forgotten", "trading_day.py", "    state.day_value = 0\n", ""),
    Bug(
        "the total begins anew each day",
        "trading_day.py",
        "    state.day_value = 0\n",
        "    state.day_value = state.total_value = 0\n",
    ),
    Bug(
        "a trade goes beyond a cap",
        "matcher.py",
        "if instrument.guarded and price * quantity > state.room() * MG_PER_GRAM:",
        "if False:",
    ),
    Bug("a fill-or-kill knows no cap", "matcher.py", "        if amount > room:\n            return False\n", ""),
    Bug(
        "an uncross goes beyond a cap",
        "auction.py",
        "if instrument.guarded and price * quantity > state.room() * MG_PER_GRAM:",
        "if False:",
    ),
    Bug("an order of just the room is refused", REGIME, "if value > cap - traded:", "if value >= cap - traded:"),
    Bug("each account is a client", HOLDERS, "return owner if account is None else account.owner", "return owner"),
    Bug("a sandbox does not lapse", TERMS, "trading_day > self.last_trading_day", "False"),
    Bug(
        "a sandbox lapses a day early",
        TERMS,
        "trading_day > self.last_trading_day",
        "trading_day >= self.last_trading_day",
    ),
    Bug("orders outlive a sandbox", "trading_day.py", "    regime_setting.end_centralised(state)\n", ""),
    # Winding down
    Bug("everybody may buy in winding down", REGIME, " and buyer.member.name not in regime.buyers:", " and False:"),
    Bug(
        "deposits come in while the venue winds down",
        "adjustments.py",
        'regime.refuses_new_business(state, "deposit") if legs else ""',
        '""',
    ),
    Bug(
        "what is paid out is a deposit",
        "adjustments.py",
        "for name, asset, amount in legs if amount > 0]",
        "for name, asset, amount in legs]",
    ),
    Bug(
        "a new class begins while the venue winds down",
        "listing.py",
        "if (instrument is None or instrument.retired) and",
        "if instrument is not None and instrument.retired and",
    ),
    # Locks and holders
    Bug(
        "the regime locks nothing",
        "instrument.py",
        "max(self.definition.resale_lock_days, self.regime_hold_days)",
        "self.definition.resale_lock_days",
    ),
    Bug(
        "the regime shortens a longer lock",
        "instrument.py",
        "max(self.definition.resale_lock_days, self.regime_hold_days)",
        "self.regime_hold_days or self.definition.resale_lock_days",
    ),
    Bug(
        "who wants to buy is no holder",
        HOLDERS,
        "    for level in instrument.bids.levels.values():\n",
        "    for level in instrument.bids.levels.values() and ():\n",
    ),
    Bug(
        "a pending stop is no holder",
        HOLDERS,
        "    for _, number in instrument.stops(BUY):\n",
        "    for _, number in ():\n",
    ),
    Bug("one holder too many", HOLDERS, "if len(found) <= max(most, count):", "if len(found) <= max(most, count) + 1:"),
    Bug(
        "a market order makes any holder",
        "placing.py",
        "if side == BUY and (detail := holders",
        "if side == BUY and price is not None and (detail := holders",
    ),
    Bug(
        "deposits are counted one by one",
        HOLDERS,
        "        found[holder_of(state, account)] = None\n    if len",
        "        found = {**holders(state, instrument), holder_of(state, account): None}\n    if len",
    ),
)
