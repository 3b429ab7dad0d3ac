"""Bugs in the bounds of money, in corrections, and in the form in which typed numbers are compared."""

from tests.planted_bugs.bug import Bug

BALANCES = "ledger/balances.py"
CASH = "ledger/cash.py"
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
        "giving > max(-now, 0)",
        "giving > max(-now, 300)",
    ),
    Bug("a correction may give back what never went", CORRECTIONS, "taking > max(now, 0)", "taking > max(now, 300)"),
    Bug(
        "a correction goes the other way",
        CORRECTIONS,
        "(row.from_account, -row.amount_fen)",
        "(row.from_account, row.amount_fen)",
    ),
    Bug("fees are paid out twice", PAYOUTS, "int(await connection.scalar(under_way) or 0) + amount_fen", "amount_fen"),
    Bug("blanks tell two numbers apart", SPELLING, '" \\t\\n\\v\\f\\r"', '"\\t\\n\\v\\f\\r"'),
    Bug("full width tells two numbers apart", SPELLING, 'unicodedata.normalize("NFKC", typed)', "typed"),
    Bug("nobody is asked about another year", PRE_ADVICE, "if found != key), None)", "if found == ()), None)"),
)
