"""Bugs in the bounds of money, in corrections, and in the form in which typed numbers are compared."""

from tests.planted_bugs.bug import Bug

BALANCES = "ledger/balances.py"
CASH = "ledger/cash.py"
UNDOCUMENTED = "ledger/undocumented.py"
CORRECTIONS = "ledger/corrections.py"
PAYOUTS = "ledger/fee_payouts.py"
SPELLING = "base/spelling.py"
PRE_ADVICE = "intake/pre_advice.py"

BUGS = (
    Bug("all money together has no bound", BALANCES, "if owed + coming > MAX_SUM:", "if coming > MAX_SUM:"),
    Bug("money that comes is not counted", BALANCES, "if owed + coming > MAX_SUM:", "if owed > MAX_SUM:"),
    Bug("what members have is not owed", BALANCES, '("member", "fee_income")', '("fee_income",)'),
    Bug("the bank pays what it has not", CASH, "if going > escrow:", "if going > escrow + MAX_MONEY_FEN:"),
    Bug(
        "money that is proposed to go out is forgotten",
        CASH,
        "going += max(-amount_fen, 0)",
        "going = max(-amount_fen, 0)",
    ),
    Bug(
        "a correction may pass what came by no document",
        CORRECTIONS,
        "giving > max(came, 0)",
        "giving > max(came, 300)",
    ),
    Bug(
        "a correction may give back what never went", CORRECTIONS, "taking > max(-came, 0)", "taking > max(-came, 300)"
    ),
    Bug(
        "what cancels out between accounts is not a break of each",
        UNDOCUMENTED,
        "query.where(columns.kind == SUSPENSE, held.c.kind != SUSPENSE)",
        "query.where(columns.kind == SUSPENSE, held.c.kind != SUSPENSE, columns.balance != 0)",
    ),
    Bug(
        "a correction that is not done ends a break",
        UNDOCUMENTED,
        "*(CORRECTION.open if under_way else ())",
        "*CORRECTION.open",
    ),
    Bug(
        "an entry is corrected twice while a correction of it is under way",
        UNDOCUMENTED,
        "each = by_entry(only=entry, under_way=True)",
        "each = by_entry(only=entry)",
    ),
    Bug(
        "the correction of one account uses up what came to another",
        CORRECTIONS,
        "columns.to_account.is_(None), columns.from_account == account",
        "columns.to_account.is_(None)",
    ),
    Bug(
        "a correction goes the other way",
        CORRECTIONS,
        "moved = ((row.from_account, -amount), (row.to_account, amount))",
        "moved = ((row.from_account, amount), (row.to_account, -amount))",
    ),
    Bug(
        "money that came by no document lets metal go",
        CORRECTIONS,
        "came = await undocumented.of_account(connection, account, asset)",
        "came = await undocumented.of_account(connection, account, CASH)",
    ),
    Bug(
        "corrections of money under way use up those of metal",
        CORRECTIONS,
        "signed = select(func.sum(amount)).where(columns.status.in_(CORRECTION.open), of_asset)",
        "signed = select(func.sum(func.coalesce(columns.fine_mg, columns.amount_fen))).where(\n"
        "        columns.status.in_(CORRECTION.open)\n    )",
    ),
    Bug(
        "metal under way is forgotten",
        CORRECTIONS,
        "amount = columns.amount_fen if asset == CASH else columns.fine_mg",
        "amount = columns.amount_fen",
    ),
    Bug("metal is corrected in money", CORRECTIONS, "asset = asset_of(row)", "asset = CASH"),
    Bug("fees that may go back are paid out", PAYOUTS, "today = await _earned_today(connection)", "today = 0"),
    Bug("fees are paid out twice", PAYOUTS, "int(await connection.scalar(under_way) or 0) + amount_fen", "amount_fen"),
    Bug("blanks tell two numbers apart", SPELLING, '" \\t\\n\\v\\f\\r"', '"\\t\\n\\v\\f\\r"'),
    Bug("full width tells two numbers apart", SPELLING, 'unicodedata.normalize("NFKC", typed)', "typed"),
    Bug("nobody is asked about another year", PRE_ADVICE, "if found != key), None)", "if found == ()), None)"),
)

ANSWERS = "answers.py"
CHAIN = "chain.py"
DEPOSITS = "deposits.py"
PAYMENTS = "payouts.py"
PROOF = "bank_reconciliation.py"
LIMITS = "withdrawal_limits.py"
PAYEES = "payees.py"
STATES = "withdrawal_states.py"
WITHDRAWALS = "withdrawals.py"
MATCHING = "matching.py"
NAMED = "named_accounts.py"
RETURNS = "returns.py"
NEAR = "near_ties.py"
TIES = "ties.py"

BANKING_BUGS = (
    Bug("another member's virtual account is not seen", PROOF, "AND meant <> account", "AND meant = 'nobody'"),
    Bug("another payee is not seen", PROOF, "amount_fen < 0 AND said <> ''", "amount_fen < 0 AND said = ''"),
    Bug("a hidden number of an account is another one", PROOF, "'[*]+', '%', 'g'", "'[+]+', '%', 'g'"),
    Bug(
        "a rejected second copy brings the money back",
        ANSWERS,
        'answer == "REJECTED" and not DUPLICATES.isdisjoint(reasons)',
        'answer == "REJECTED" and DUPLICATES == set(reasons)',
    ),
    Bug(
        "stopped orders are sent",
        PAYMENTS,
        "rows = [row for row in waiting if row.cash_id not in why][:MOST]",
        "rows = waiting[:MOST]",
    ),
    Bug(
        "a new payee waits for the general hours alone",
        LIMITS,
        "for account in accounts or [None]",
        "for account in [None]",
    ),
    Bug("the last answer alone counts as paid", PAYMENTS, "select(accepted | tied)", "select(tied)"),
    Bug(
        "a return after a rejection is credited again",
        DEPOSITS,
        "if rejected is not None and not await _is_tied(connection, rejected.cash_id):",
        "if rejected is None and await _is_tied(connection, original.cash_id) is None:",
    ),
    Bug("one payment holds all others up", DEPOSITS, "    except BadValue as error:", "    except KeyError as error:"),
    Bug(
        "a kind of transaction is taken for the reason of a return",
        DEPOSITS,
        'r"(A[CGM]|BE|CN|DT|ED|FF|FR|M[DS]|R[CFR]|SL|TM)[0-9]{2}"',
        'r"[A-Z]{2}[0-9]{2}"',
    ),
    Bug(
        "another list of known days counts twice",
        CHAIN,
        "return not any((entry.day, entry.amount_fen) in known for entry in found.entries)",
        "return known is not None",
    ),
    Bug(
        "a way back is left open for what was paid",
        PAYMENTS,
        "if back.status != CASH_PROPOSED:",
        "if back is not None:",
    ),
    Bug("an account without a statement is not named", PROOF, "s.last_day >= :day", "s.last_day <= :day"),
    Bug(
        "an order goes out that was cancelled",
        PAYMENTS,
        "payment_in_file.c.cash_id.is_(None), ~cancelled)",
        "payment_in_file.c.cash_id.is_(None))",
    ),
    Bug(
        "what is asked for can be asked for again",
        WITHDRAWALS,
        "> found.withdrawable_fen - found.asked_fen",
        "> found.withdrawable_fen",
    ),
    Bug(
        "what was declined uses up the day",
        WITHDRAWALS,
        'withdrawal.c.day == day,\n            withdrawal.c.status.in_(WITHDRAWAL.after("ask", "accept")),',
        "withdrawal.c.day == day,",
    ),
    Bug(
        "a day has no limit",
        WITHDRAWALS,
        "if asked + request.amount_fen > limits.per_day_fen:",
        "if request.amount_fen > limits.per_day_fen:",
    ),
    Bug("a new payee is used at once", PAYEES, "if row.usable_at > now_ms():", "if row.usable_at > 2 * now_ms():"),
    Bug("another member's account is paid out", WITHDRAWALS, "if owner != member:", "if not owner:"),
    Bug(
        "the limits of an account do not go before those of all",
        LIMITS,
        "query.order_by(columns.account.is_(None), ",
        "query.order_by(",
    ),
    Bug("money is given back twice", STATES, "money == CASH_DONE, back.c.cash_id.is_(None)", "money == CASH_DONE"),
    Bug(
        "a near tie is decided",
        MATCHING,
        "ELSE of_one AND orders = payments AND place = turn END",
        "ELSE place = turn END",
    ),
    Bug(
        "weak evidence takes what strong evidence names",
        MATCHING,
        "WHERE grade = of_item AND grade = of_money",
        "WHERE grade = of_item",
    ),
    Bug(
        "a name alone is evidence",
        MATCHING,
        "AND i.account = m.payee_account AND i.name = m.payee_name",
        "AND i.name = m.payee_name",
    ),
    Bug(
        "payments are tied to money of another sum",
        MATCHING,
        "FROM items i JOIN moneys m USING (key, comes) WHERE i.amount = m.amount",
        "FROM items i JOIN moneys m USING (key, comes) WHERE i.amount <= m.amount",
    ),
    Bug(
        "some of several orders are all",
        MATCHING,
        "HAVING sum(m.amount) = p.amount AND",
        "HAVING min(m.amount) = p.amount AND",
    ),
    Bug("orders are paid in the order of their numbers", MATCHING, "days END, sent_on, cash_id", "days END, cash_id"),
    Bug("a return means the nearest payment of anybody", RETURNS, "WHERE nearest OR NOT of_one", "WHERE nearest"),
    Bug("a return may mean any of one account's payments", RETURNS, "WHERE nearest OR NOT of_one", "WHERE true"),
    Bug("a number of the bank in a text is no evidence", RETURNS, "position(p.bank_reference IN r.said) > 0", "false"),
    Bug("what was taken back is taken back again", RETURNS, "WHERE again.against_item = p.item_no", "WHERE false"),
    Bug("two returns of one payment are both taken back", DEPOSITS, "choices[0].original not in taken", "True"),
    Bug("an ended virtual account counts one day more", NAMED, "x.from_day <= p.day", "x.from_day < p.day"),
    Bug("of several accounts one is chosen", DEPOSITS, "or named.accounts > 1:", "or named.accounts > 9:"),
    Bug("a reference of the bank is used twice", DEPOSITS, "    used.add(fold(reference))\n", ""),
    Bug(
        "money is in two matches",
        MATCHING,
        "HAVING bool_and(first)",
        "HAVING bool_or(first)",
    ),
    Bug(
        "money of another member is chosen by one person", TIES, "and len(owners) == 1 and", "and len(owners) >= 1 and"
    ),
    Bug("what nobody was shown is chosen by one person", TIES, "set(money) <= offered", "bool(money)"),
    Bug("sums by hand need not be equal", TIES, "> 1 or paid != total:", "> 1:"),
    Bug("a tie is not looked at again", TIES, "        await _check(connection, row.payments, row.money)\n", ""),
    Bug(
        "a payment booked twice is new money",
        NEAR,
        "e2.amount_fen = e.amount_fen AND",
        "e2.amount_fen > e.amount_fen AND",
    ),
    Bug("money that came back is shown as a payment's", NEAR, "AND m.cash_id NOT IN (SELECT cash_id FROM back)", ""),
    Bug("money of a later day counts", PROOF, "ledger = after - await", "ledger = 0 * after - await"),
    Bug(
        "a payment is offset by one of a later day",
        PROOF,
        "m.how = 'OFFSET' AND there.day <= :day",
        "m.how = 'OFFSET'",
    ),
)
"""Bugs in what banks say of payments, and in the proof of the escrow account."""
