"""Bugs in negotiated deals: what they reserve, who may answer them, when they end, and what they leave alone."""

from tests.planted_bugs.bug import Bug

BUGS: tuple[Bug, ...] = (
    Bug("a proposal reserves nothing", "deals.py", "    balance.reserve(needed)\n", ""),
    Bug(
        "a proposal reserves the price without the fee",
        "direct_trades.py",
        "fees.cost(price, quantity, 0, instrument.taker_fee) if side == BUY",
        "price * quantity // MG_PER_GRAM if side == BUY",
    ),
    Bug(
        "both sides pay the maker's fee",
        "direct_trades.py",
        "    charged = fees.fee(0, amount, instrument.taker_fee)\n",
        "    charged = fees.fee(0, amount, instrument.maker_fee)\n",
    ),
    Bug(
        "the venue gets one fee of two",
        "direct_trades.py",
        "    state.fees_collected += 2 * charged\n",
        "    state.fees_collected += charged\n",
    ),
    Bug(
        "an ended proposal keeps its reservation",
        "deal_ends.py",
        "    deal.balance.reserve(-deal.reserved)\n",
        "",
    ),
    Bug(
        "one owner deals with itself",
        "deals.py",
        "    if holders.holder_of(state, account) == holders.holder_of(state, counter_account):\n",
        "    if account is counter_account:\n",
    ),
    Bug(
        "anybody accepts a proposal",
        "deals.py",
        "(deal.account if made_by_it else deal.counter_account) is not account",
        "(made_by_it and deal.account is not account)",
    ),
    Bug(
        "a deal is accepted while trading is halted",
        "deals.py",
        "    reason = direct_trades.refusal_of_market(state, instrument)  # what refuses accounts has ended deals\n",
        '    reason = ""\n',
    ),
    Bug(
        "the acceptor's means are not asked",
        "deals.py",
        "direct_trades.source(acceptor, instrument, side), side, needed)",
        "direct_trades.source(acceptor, instrument, side), side, 0)",
    ),
    Bug(
        "the price limits are asked at the proposal alone",
        "deals.py",
        "        reason = price_refusal(instrument, deal.price)\n",
        "        pass\n",
    ),
    Bug(
        "a deal is reported at any time",
        "deals.py",
        "    if agreed_at is None or state.now <= agreed_at + instrument.deal_report:\n",
        "    if agreed_at is None or state.now >= agreed_at:\n",
    ),
    Bug(
        "a proposal never expires by its time",
        "trading_day.py",
        "            if deal is not None:\n",
        "            if deal is not None and deal.expire_at < state.now:\n",
    ),
    Bug(
        "proposals outlive the day",
        "trading_day.py",
        "    deal_ends.end_all(state)\n",
        "",
    ),
    Bug(
        "the other party's kill leaves a proposal",
        "deal_ends.py",
        "        if deal.account.member is member or deal.counter_account.member is member:\n",
        "        if deal.account.member is member:\n",
    ),
    Bug(
        "the end of another member's session ends a proposal",
        "members.py",
        "            if deal.account.member is member and deal.session == session:\n",
        "            if deal.session == session:\n",
    ),
    Bug(
        "a deal is the last price",
        "direct_trades.py",
        "    state.last_trade_id += 1\n",
        "    state.last_trade_id += 1\n    instrument.last = price\n",
    ),
    Bug(
        "gold bought in a deal is not locked",
        "direct_trades.py",
        "    if instrument.lock_days:\n",
        "    if instrument.lock_days > 250:\n",
    ),
    Bug(
        "an annulled deal is published all the same",
        "busts.py",
        "    state.unpublished.pop(trade_id, None)\n",
        "",
    ),
    Bug(
        "a snapshot forgets when a trade is published",
        "snapshot_of_deals.py",
        "        state.timetable.append(Due(at, UNPUBLISHED + number, symbol))\n",
        "",
    ),
    Bug(
        "a snapshot forgets the client ids of deals",
        "snapshot_of_deals.py",
        "    state.deal_ids = {(name, client_id): (number, day) for name, client_id, number, day in ids}\n",
        "    state.deal_ids = {}\n",
    ),
    Bug(
        "the terms of an instrument change under an open deal",
        "listing.py",
        "        or (instrument.open_deals or instrument.open_requests)\n",
        "        or instrument.open_requests\n",
    ),
    Bug(
        "a client id is free again on the next day",
        "deal_ends.py",
        "if used[1] >= state.day}\n",
        "if used[1] > state.day}\n",
    ),
    Bug(
        "a refusal in an old journal says other words",
        "listing.py",
        '(" and deals" if instrument.open_deals else "")',
        '" and deals"',
    ),
    # Under a legal regime
    Bug(
        "the parties of a deal are compared by the names of their owners",
        "deals.py",
        "holders.holder_of(state, account) == holders.holder_of(state, counter_account)",
        "account.owner == counter_account.owner",
    ),
    Bug(
        "everybody buys by deals while the venue winds down",
        "direct_trades.py",
        "    detail = regime.refuses(state, mode, buyer)\n",
        "    detail = regime.refuses(state, mode)\n",
    ),
    Bug(
        "the regime and the holders are asked at the proposal alone",
        "deals.py",
        "    if not reason:\n        reason, detail = direct_trades.refusal_of_buyer(state, NEGOTIATED_DEAL,",
        "    if not buyer:\n        reason, detail = direct_trades.refusal_of_buyer(state, NEGOTIATED_DEAL,",
    ),
    Bug(
        "the seller is asked whether it may buy",
        "deals.py",
        "        buyer = account if side == BUY else counter_account\n",
        "        buyer = counter_account if side == BUY else account\n",
    ),
    Bug(
        "deals make any number of holders",
        "direct_trades.py",
        "    detail = holders.refuses_holders(state, instrument, [buyer])\n",
        '    detail = ""\n',
    ),
    Bug(
        "who has proposed to buy is no holder",
        "holders.py",
        "        if deal.instrument is instrument and deal.side == BUY:\n",
        "        if False:\n",
    ),
    Bug(
        "deals count towards the caps of a sandbox",
        "direct_trades.py",
        "    state.general_trades += 1\n",
        "    state.general_trades += 1\n    state.count_value(amount)\n",
    ),
    Bug(
        "the regime does not lock what a deal brings",
        "direct_trades.py",
        "        bought.lock(quantity, state.day + instrument.lock_days)\n",
        "        bought.lock(quantity, state.day + instrument.definition.resale_lock_days)\n",
    ),
    Bug(
        "a snapshot without a regime has no deals",
        "snapshot.py",
        "bool(state.regime is not None or state.proposed_regime is not None or newest)",
        "bool(state.regime is not None or state.proposed_regime is not None)",
    ),
)
