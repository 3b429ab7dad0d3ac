"""Bugs in requests for quotes: what quotes reserve, how long they are firm, which of them trade, and how all ends."""

from tests.planted_bugs.bug import Bug

BUGS: tuple[Bug, ...] = (
    # What a quote reserves
    Bug("a quote in a request reserves nothing", "rfq_quotes.py", "    balance.reserve(needed)\n", ""),
    Bug(
        "a quote that ends keeps its reservation",
        "rfq_ends.py",
        "    quote.balance.reserve(-quote.reserved)\n",
        "",
    ),
    Bug(
        "a replaced quote keeps its reservation",
        "rfq_quotes.py",
        "    if old is not None:\n        rfq_ends.release(state, old)\n",
        "",
    ),
    Bug(
        "what a replaced quote has reserved is not counted as free",
        "rfq_quotes.py",
        "more = needed - (0 if old is None else old.reserved)",
        "more = needed",
    ),
    Bug(
        "quotes that were not used stay open",
        "rfq_requests.py",
        '    for quote in list(request.quotes.values()):\n        rfq_ends.end_quote(state, quote, "TRADED_AWAY")\n',
        "",
    ),
    Bug(
        "the requester's means are those for the first part",
        "rfq_requests.py",
        "    needed = sum([direct_trades.needed(instrument, side, price, part) for _, part in filled])\n",
        "    needed = direct_trades.needed(instrument, side, price, filled[0][1])\n",
    ),
    Bug(
        "the requester's fee is not counted",
        "rfq_requests.py",
        '    return direct_trades.refusal_of_funds(balance, side, needed), ""\n',
        '    return direct_trades.refusal_of_funds(balance, side, amount if side == BUY else needed), ""\n',
    ),
    # Who may ask and quote
    Bug(
        "members that were not asked quote",
        "rfq.py",
        "        return not self.members or member.name in self.members\n",
        "        return True\n",
    ),
    Bug(
        "one owner quotes in its own request",
        "rfq_quotes.py",
        "    if holders.holder_of(state, account) == holders.holder_of(state, request.account):\n",
        "    if account is request.account:\n",
    ),
    Bug(
        "owners are compared when a quote is given alone",
        "rfq_requests.py",
        "    if holders.holder_of(state, quote.account) == holders.holder_of(state, request.account):\n",
        "    if quote.account is request.account:\n",
    ),
    Bug(
        "anybody accepts a request",
        "rfq_requests.py",
        "    if request is None or request.account is not account:\n",
        "    if request is None:\n",
    ),
    Bug(
        "a member has any number of open requests",
        "rfq_requests.py",
        "    if request.account.member.open_requests >= MAX_OPEN_REQUESTS:\n",
        "    if len(request.members) >= MAX_OPEN_REQUESTS:\n",
    ),
    Bug(
        "each account has as many open requests as a member",
        "rfq_ends.py",
        "    request.account.member.open_requests -= 1\n",
        "",
    ),
    Bug(
        "a member that has all its quotes cannot improve one",
        "rfq_quotes.py",
        "    if account.name not in request.quotes and account.member",
        "    if account.member",
    ),
    Bug(
        "a snapshot forgets how many quotes are open",
        "snapshot_of_deals.py",
        "    account.member.open_rfq_quotes += 1\n",
        "",
    ),
    # The grace and firmness
    Bug(
        "a request is accepted in its grace",
        "rfq_requests.py",
        "    if state.now < request.grace_until:\n",
        "    if state.now < 0:\n",
    ),
    Bug(
        "a quote of the grace is shown at once",
        "rfq_quotes.py",
        "    hidden = state.now < request.grace_until or None\n",
        "    hidden = None\n",
    ),
    Bug(
        "the end of the grace shows nothing",
        "rfq_ends.py",
        "    state.emit(RFQ_GRACE_ENDED, *names, tuple(shown), request.anonymous or None)\n",
        "    state.emit(RFQ_GRACE_ENDED, *names, (), request.anonymous or None)\n",
    ),
    Bug(
        "a quote is firm from when it is given, so that it is withdrawn soon after the grace",
        "rfq_quotes.py",
        "    firm_until = min(max(state.now, request.grace_until) + RFQ_FIRM_MS, request.expire_at)\n",
        "    firm_until = min(state.now + RFQ_FIRM_MS, request.expire_at)\n",
    ),
    Bug(
        "a firm quote is withdrawn",
        "rfq_quotes.py",
        "    elif state.now < request.quotes[name].firm_until:\n",
        "    elif state.now < request.grace_until:\n",
    ),
    Bug(
        "a quote is firm a millisecond too long",
        "rfq_quotes.py",
        "    elif state.now < request.quotes[name].firm_until:\n",
        "    elif state.now <= request.quotes[name].firm_until:\n",
    ),
    Bug(
        "a firm quote becomes smaller",
        "rfq_quotes.py",
        " or quantity < old.quantity or (",
        " or (",
    ),
    Bug(
        "a firm quote becomes all or none",
        "rfq_quotes.py",
        " or (all_or_none and not old.all_or_none)\n",
        "\n",
    ),
    Bug(
        "a firm quote to buy becomes worse",
        "rfq.py",
        "        return price > than if self.side == BUY else price < than\n",
        "        return price > than\n",
    ),
    Bug(
        "the end of a session takes a firm quote back",
        "rfq_ends.py",
        "            if is_key or state.now >= quote.firm_until:\n",
        "            if is_key or not quote.leaves:\n",
    ),
    Bug(
        "a quote whose session has ended stays",
        "rfq_ends.py",
        "                state.schedule(quote.firm_until, LEAVING + quote.quote_id, request.instrument.symbol)\n",
        "",
    ),
    Bug(
        "a snapshot forgets that a quote leaves",
        "snapshot_of_deals.py",
        "    if leaves:\n",
        "    if leaves and firm_until < 0:\n",
    ),
    Bug(
        "a suspended key keeps its firm quotes",
        "rfq_ends.py",
        "            if is_key or state.now >= quote.firm_until:\n",
        "            if state.now >= quote.firm_until:\n",
    ),
    # Which quotes trade, and at which price
    Bug(
        "the worse price comes first for a seller",
        "rfq_crossing.py",
        "    return (quote.price if request.side == BUY else -quote.price), ",
        "    return quote.price, ",
    ),
    Bug(
        "the earlier quote of a price comes before the larger",
        "rfq_crossing.py",
        ", -quote.quantity, quote.quote_id\n",
        ", quote.quote_id, -quote.quantity\n",
    ),
    Bug(
        "all-or-none comes after others of its price",
        "rfq_crossing.py",
        "        if whole is not None and (not better or total < wanted):\n",
        "        if whole is not None and total < wanted:\n",
    ),
    Bug(
        "all-or-none comes before a better price",
        "rfq_crossing.py",
        "        if whole is not None and (not better or total < wanted):\n",
        "        if whole is not None:\n",
    ),
    Bug(
        "all-or-none trades in part",
        "rfq_crossing.py",
        "            elif whole is None and quote.quantity == wanted:\n",
        "            elif whole is None:\n",
    ),
    Bug(
        "the limit of an acceptance is ignored",
        "rfq_crossing.py",
        "        if request.is_worse(price, limit):\n            break\n",
        "",
    ),
    Bug(
        "each quote trades at its own price",
        "rfq_requests.py",
        "        direct_trades.trade(state, instrument, *parties, price, part, RFQ_TRADE)\n",
        "        direct_trades.trade(state, instrument, *parties, quote.price, part, RFQ_TRADE)\n",
    ),
    Bug(
        "a request trades as a deal",
        "rfq_requests.py",
        "price, part, RFQ_TRADE)\n",
        "price, part, 2)\n",
    ),
    Bug(
        "the covering price is that of a quote that traded",
        "rfq_crossing.py",
        "    left = [quote.price for quote in quotes if quote not in taken]\n",
        "    left = [quote.price for quote in quotes]\n",
    ),
    Bug(
        "the covering price is the worst that was left",
        "rfq_crossing.py",
        "        if request.is_worse(best, price):\n",
        "        if request.is_worse(price, best):\n",
    ),
    Bug(
        "more than was asked for is accepted",
        "rfq_requests.py",
        "    if wanted > request.quantity:\n",
        "    if wanted > 2 * request.quantity:\n",
    ),
    Bug(
        "quotes beyond the price limits trade",
        "rfq_requests.py",
        "    if price_refusal(request.instrument, quote.price):\n        return False\n",
        "",
    ),
    Bug(
        "a request is accepted while trading is halted",
        "rfq_requests.py",
        "    reason = direct_trades.refusal_of_market(state, instrument)\n"
        "    if reason:\n"
        '        return reason, ""\n'
        "    if state.now",
        "    if state.now",
    ),
    # Ends
    Bug(
        "requests outlive the day",
        "trading_day.py",
        "    rfq_ends.end_all(state)\n",
        "",
    ),
    Bug(
        "a request never expires",
        "rfq_requests.py",
        "    state.schedule(expire_at, REQUESTS + number, symbol)\n",
        "",
    ),
    Bug(
        "a snapshot forgets the end of a grace",
        "snapshot_of_deals.py",
        "    if grace_until > state.now:\n",
        "    if grace_until < state.now:\n",
    ),
    Bug(
        "a killed member keeps its quotes in requests",
        "rfq_ends.py",
        "            for quote in _quotes_of(request, member):\n                end_quote(state, quote, reason)\n",
        "            pass\n",
    ),
    Bug(
        "the end of another member's session ends a request",
        "rfq_ends.py",
        "        if request.account.member is member and _is_of(request.session, session):\n",
        "        if _is_of(request.session, session):\n",
    ),
    Bug(
        "the terms of an instrument change under an open request",
        "listing.py",
        "        or (instrument.open_deals or instrument.open_requests)\n",
        "        or instrument.open_deals\n",
    ),
    Bug(
        "the client id of a request is free again on the next day",
        "rfq_ends.py",
        "if used[1] >= state.day}\n",
        "if used[1] > state.day}\n",
    ),
    # Under a legal regime
    Bug(
        "anonymous requests are allowed by every regime",
        "rfq.py",
        "        return ANONYMITY if self.anonymous else DISCLOSED_REQUEST\n",
        "        return DISCLOSED_REQUEST\n",
    ),
    Bug(
        "a change of the regime leaves anonymous requests",
        "regime_setting.py",
        "    rfq_ends.end_forbidden(state)\n",
        "",
    ),
    Bug(
        "anonymous trades count towards no cap",
        "rfq_requests.py",
        "            state.count_value(price * part // MG_PER_GRAM)\n",
        "            pass\n",
    ),
    Bug(
        "anonymous trades are made beyond the caps",
        "rfq_requests.py",
        "    if request.anonymous and (detail := regime.refuses_value(state, amount)):\n",
        "    if request.anonymous and (detail := regime.refuses_value(state, 0)):\n",
    ),
    Bug(
        "disclosed trades count towards the caps",
        "rfq_requests.py",
        "        if request.anonymous:\n            state.count_value",
        "        if price:\n            state.count_value",
    ),
    Bug(
        "everybody quotes to buy while the venue winds down",
        "rfq_quotes.py",
        "        return direct_trades.refusal_of_buyer(state, request.mode(), instrument, account)\n",
        '        return "", ""\n',
    ),
    Bug(
        "a quote of who may not buy any more trades",
        "rfq_requests.py",
        "    return request.quoting_side() == SELL or not regime.refuses(state, request.mode(), quote.account)\n",
        "    return True\n",
    ),
    Bug(
        "a requester is asked whether it may buy when it asks alone",
        "rfq_requests.py",
        "    return _refusal_of_requester(state, request)\n\n\ndef _can_trade",
        '    return "", ""\n\n\ndef _can_trade',
    ),
    Bug(
        "who quotes to buy is no holder",
        "holders.py",
        "        if request.instrument is instrument and request.side == SELL:\n",
        "        if False:\n",
    ),
)
