"""Bugs in the claims on accounts: what they refuse and end, how they are collected, and their part of a snapshot."""

from tests.planted_bugs.bug import Bug

CLAIMS = "claims.py"
SETTING = "claim_setting.py"
SNAPSHOT = "snapshot_of_claims.py"

BUGS = (
    Bug("who owes something buys", CLAIMS, "if not account.owed:", "if True:"),
    Bug("a refusal names no amount", CLAIMS, "{format_money(account.owed)} CNY", "money"),
    Bug(
        "an order to buy is taken from who owes something",
        "placing.py",
        "if side == BUY and (detail := claims.refuses(account)):",
        "if False:",
    ),
    Bug(
        "who owes something does not sell either",
        "placing.py",
        "if side == BUY and (detail := claims.refuses(account)):",
        "if detail := claims.refuses(account):",
    ),
    Bug(
        "the fast path buys for who owes something",
        "holdings.py",
        " or self.usage is not None or self.owed > 0",
        " or self.usage is not None",
    ),
    Bug(
        "a quote buys for who owes something",
        "quotes.py",
        "if not reason and (detail := claims.refuses(account)):",
        "if False:",
    ),
    Bug(
        "a mass quote buys for who owes something",
        "mass_quotes.py",
        "if level.bid.action == NEW and (detail := claims.refuses(account)):",
        "if False:",
    ),
    Bug(
        "a mass quote sells nothing for who owes something",
        "mass_quotes.py",
        "if level.bid.action == NEW and (detail := claims.refuses(account)):",
        "if detail := claims.refuses(account):",
    ),
    Bug(
        "a claim stops the side that is made smaller",
        "mass_quotes.py",
        "in (limit_checks.REASON, claims.REASON)",
        "in (limit_checks.REASON,)",
    ),
    Bug(
        "a deal or a quote in a request buys for who owes something",
        "direct_trades.py",
        "if side == BUY and (detail := claims.refuses(account)):",
        "if False:",
    ),
    Bug(
        "who owes something makes no deal at all",
        "direct_trades.py",
        "if side == BUY and (detail := claims.refuses(account)):",
        "if detail := claims.refuses(account):",
    ),
    Bug(
        "who owes something asks for quotes to buy",
        "rfq_requests.py",
        "if detail := claims.refuses(request.account):",
        "if False:",
    ),
    Bug("orders to buy stay open", SETTING, "        if order.side == BUY:\n", "        if False:\n"),
    Bug("orders to sell are cancelled", SETTING, "        if order.side == BUY:\n", "        if True:\n"),
    Bug(
        "deals stay open by which it would buy", SETTING, "    deal_ends.end_purchases(state, account, TO_OTHERS)\n", ""
    ),
    Bug(
        "deals end by which it would sell",
        "deal_ends.py",
        "if deal.account is account and deal.side == BUY:",
        "if deal.account is account:",
    ),
    Bug(
        "requests stay open by which it would buy",
        SETTING,
        "    rfq_ends.end_purchases(state, account, TO_OTHERS)\n",
        "",
    ),
    Bug(
        "requests end by which it would sell",
        "rfq_ends.py",
        '            if request.side == BUY:\n                end(state, request, "VENUE", text)',
        '            if True:\n                end(state, request, "VENUE", text)',
    ),
    Bug(
        "quotes end by which it would sell",
        "rfq_ends.py",
        "elif request.side != BUY and account.name in request.quotes:",
        "elif account.name in request.quotes:",
    ),
    Bug("the others are told of the claim", SETTING, '"the account may not buy now"', '"the account owes money"'),
    Bug("a claim takes the place of another", SETTING, "account.owed += amount - before", "account.owed = amount"),
    Bug("a claim that is ended is kept", SETTING, "        del account.claims[reference]\n", "        pass\n"),
    Bug("an account that has paid is refused", SETTING, "    account.find_refusal()\n", ""),
    Bug("more is collected than is owed", SETTING, "return min(owed, -amount)", "return owed and -amount"),
    Bug("money that comes in collects", SETTING, "if asset != CASH or amount >= 0:", "if asset != CASH:"),
    Bug("gold collects", SETTING, "if asset != CASH or amount >= 0:", "if amount >= 0:"),
    Bug("what is collected is still owed", "adjustments.py", "    if collected:\n", "    if False:\n"),
    Bug(
        "an adjustment does not say what it has collected",
        "adjustments.py",
        "*((collected,) if collected else ())",
        "*()",
    ),
    Bug("a claim has no name", SETTING, "    if not reference:\n", "    if False:\n"),
    Bug("a claim below zero is taken", SETTING, "if not 0 <= amount <= MAX_MONEY_FEN:", "if amount > MAX_MONEY_FEN:"),
    Bug("who owes something is retired", "retirement.py", "    if account.owed:\n", "    if False:\n"),
    Bug("claims are lost with a snapshot", SNAPSHOT, "return (owing,) if owing else ()", "return ()"),
    Bug("an older state has other bytes for claims", SNAPSHOT, "return (owing,) if owing else ()", "return (owing,)"),
    Bug("a restored account owes nothing", SNAPSHOT, "            account.owed += amount\n", ""),
    Bug("a restored account takes the fast path", SNAPSHOT, "        account.find_refusal()\n", ""),
    Bug(
        "an opening without a demand is not read",
        "snapshot.py",
        "    if parts.opening:\n        state.opening, state.obstacle = parts.opening\n",
        "    state.opening, state.obstacle = parts.opening\n",
    ),
)
