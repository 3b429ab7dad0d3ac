"""Bugs in the core: the end of a day, terms, references, retirements."""

from tests.planted_bugs.bug import Bug

DAY = "trading_day.py"
LISTING = "listing.py"
RETIREMENT = "retirement.py"

BUGS = (
    # The end of a day
    Bug("a day ends in continuous trading", DAY, "if i.phase != terms.CLOSED]", "if i.phase == terms.HALTED]"),
    Bug("a day ends with a Saturday", DAY, "day.weekday() > _FRIDAY:", "day.weekday() > _FRIDAY + 1:"),
    Bug("a trading day may be years ahead", DAY, "not earliest <= day <= latest", "not earliest <= day"),
    Bug("a trading day may be over", DAY, "not earliest <= day <= latest", "not day <= latest"),
    Bug("a trading day may begin twice", DAY, "earliest = present + timedelta(1)", "earliest = present"),
    Bug(
        "a day in the far future ends all days",
        DAY,
        "if present is not None and earliest <= present <= last:",
        "if present is not None and earliest <= present:",
    ),
    Bug("a trading day goes back from the last day that is allowed", DAY, "rules >= ANY_DAY_COUNTS", "False"),
    Bug("one person names any next trading day", DAY, "rules == BY_TWO or (", "(False and rules) or ("),
    Bug("one person ends days ahead of the calendar", DAY, "rules >= AHEAD_BY_TWO and", "rules > AHEAD_BY_TWO and"),
    Bug("a day that has begun takes two persons", DAY, "today < present <= today", "today <= present <= today"),
    Bug(
        "a present day in the far future ends by two persons alone",
        DAY,
        "today < present <= today + timedelta(LONGEST_BREAK_DAYS)",
        "today < present",
    ),
    Bug(
        "one person is two who name the next trading day",
        DAY,
        "proposed == (day,) and first != by",
        "proposed == (day,)",
    ),
    Bug("days begin at midnight in Greenwich", DAY, "state.now + CHINA_OFFSET_MS", "state.now"),
    Bug(
        "journals of older rules are held to the newest",
        DAY,
        "    if rules or state.opening:\n",
        "    if rules is not None:\n",
    ),
    Bug(
        "a proposed reference outlives its day",
        DAY,
        "        instrument.proposed_price = 0\n",
        "        pass\n",
    ),
    # Terms
    Bug(
        "a changed term resets the others",
        LISTING,
        "new if name in given else old\n",
        "new\n",
    ),
    Bug(
        "terms of journals without given are patched",
        LISTING,
        "if instrument is not None and given is not None:",
        "if instrument is not None:\n        given = given or ()",
    ),
    Bug(
        "a definition moves the reference price",
        LISTING,
        '            detail = write_detail("reference_price", "market.set_reference alone changes it")\n',
        "            pass\n",
    ),
    # References
    Bug("one person moves a reference anywhere", LISTING, "return percent is not None and", "return percent == 0 and"),
    Bug(
        "one person gives any first reference",
        LISTING,
        "return rules > 0 and is_strange",
        "return rules > 1 and is_strange",
    ),
    Bug("older journals ask about a first reference", LISTING, "return rules > 0 and is_strange", "return is_strange"),
    Bug("the first person may give it twice", LISTING, " and instrument.proposed_by != by\n", "\n"),
    Bug(
        "a second person may give another price",
        LISTING,
        "return instrument.proposed_price == price and",
        "return instrument.proposed_price > 0 and",
    ),
    Bug(
        "far is measured from the reference alone",
        LISTING,
        "centre = instrument.last or instrument.reference\n",
        "centre = instrument.reference\n",
    ),
    Bug(
        "exactly so far is too far",
        LISTING,
        "abs(price - centre) * 100 > centre * percent",
        "abs(price - centre) * 100 >= centre * percent",
    ),
    Bug(
        "a proposal is still there when it has been followed",
        LISTING,
        "        instrument.proposed_price = 0\n",
        "        pass\n",
    ),
    Bug(
        "a snapshot forgets who proposed a reference",
        "snapshot.py",
        "instrument.proposed_price, instrument.proposed_by = parts.proposed_price, parts.proposed_by",
        "instrument.proposed_price = parts.proposed_price",
    ),
    # Dangerous terms
    Bug("one person sets any term", LISTING, "    if rules and _is_proposed(", "    if rules < 0 and _is_proposed("),
    Bug("older journals ask for a second person", LISTING, "    if rules and _is_proposed(", "    if _is_proposed("),
    Bug("the first person may define twice", LISTING, "proposed == values and first != by", "proposed == values"),
    Bug(
        "a second person may give other terms",
        LISTING,
        "proposed == values and first != by",
        "proposed and first != by",
    ),
    Bug("proposed terms outlive their day", DAY, "    state.proposed_terms = {}\n", ""),
    Bug(
        "a snapshot forgets who proposed terms",
        "snapshot.py",
        "(terms_given, by)",
        '(terms_given, "")',
    ),
    # Out of use
    Bug(
        "the venue cancels in all instruments", RETIREMENT, "if order.instrument is instrument]", "if order.instrument]"
    ),
    Bug(
        "the venue cancels all accounts' orders",
        RETIREMENT,
        "if name is None or order.account.name == name]",
        "if name != '']",
    ),
    Bug("the venue cancels without a reason", RETIREMENT, "    elif not text.strip():\n", "    elif not text:\n"),
    Bug(
        "the venue's reason is not shown",
        RETIREMENT,
        'state.cancel(order, "VENUE", text)',
        'state.cancel(order, "VENUE")',
    ),
    Bug(
        "an instrument that is held is retired",
        RETIREMENT,
        "            if balance is not None and balance.total:\n",
        "            if balance is None and not account.name:\n",
    ),
    Bug(
        "an instrument is retired in continuous trading",
        RETIREMENT,
        "instrument.phase != CLOSED or instrument.has",
        "instrument.has",
    ),
    Bug(
        "an account that holds something is retired",
        RETIREMENT,
        "        if balance.total:\n",
        "        if balance.total < 0:\n",
    ),
    Bug("a retired account may trade", RETIREMENT, "    account.find_refusal()\n", ""),
    Bug(
        "a retired instrument is opened",
        "phases.py",
        "    elif instrument.retired:\n",
        "    elif instrument.retired and phase == terms.CLOSED:\n",
    ),
    Bug("a defined instrument stays retired", LISTING, "    instrument.retired = False\n", ""),
    Bug(
        "a snapshot forgets that an account is retired",
        "snapshot.py",
        "    account.retired = parts.retired\n",
        "",
    ),
    Bug(
        "a restored member may trade with a retired account",
        "holdings.py",
        'self.member.refusal or ("RETIRED" if self.retired else "")',
        "self.member.refusal",
    ),
)
