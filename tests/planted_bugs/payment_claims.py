"""Bugs in the claims on accounts that could not give back what the bank has taken back: ledger, engine and proof."""

from tests.planted_bugs.bug import Bug

CLAIMS = "ledger/payment_claims.py"
CASH = "ledger/cash.py"
POSTING = "ledger/posting.py"
PROOF = "banking/bank_reconciliation.py"
RECEIVABLES = "reconciliation/receivables.py"
CONTENT = "closing/statement_content.py"
SENDER = "ledger/sender.py"
WRITER = "service/writer.py"

BUGS = (
    Bug("no claim is made", CASH, "    await payment_claims.make(connection, list(reasons))\n", ""),
    Bug(
        "a claim is made at each attempt",
        CLAIMS,
        "cash_transfer.c.amount < 0, ~known.exists())",
        "cash_transfer.c.amount < 0)",
    ),
    Bug("the engine gets no claim", SENDER, "            await self._send_claims()\n", ""),
    Bug("a claim is sent again and again", SENDER, "        self._claims = wanted\n", ""),
    Bug("a claim in force is sent again", CLAIMS, "if not owed or row.began is None:", "if True:"),
    Bug("a claim never ends by itself", CLAIMS, "if not owed or row.began is None:", "if row.began is None:"),
    Bug("a claim is set again although nothing is owed", CLAIMS, "row.amount_fen if owed else 0", "row.amount_fen"),
    Bug("money that is owed collects no claim", SENDER, 'claims.get(row.subject, "")', '""'),
    Bug(
        "a claim that was made is not posted", POSTING, "            _post_claim(batch, event)\n", "            pass\n"
    ),
    Bug(
        "a claim brings money to the bank",
        POSTING,
        "[(owed, -change), (BANK, change)]",
        "[(owed, change), (BANK, -change)]",
    ),
    Bug("what was collected is posted twice", POSTING, " + (event.collected or 0)", ""),
    Bug(
        "what collects a claim leaves the bank",
        POSTING,
        "if isinstance(event, HoldingAdjusted) and event.collected:",
        "if False:",
    ),
    Bug("an entry that collects does not balance", POSTING, "        contra[CASH] -= event.collected\n", ""),
    Bug(
        "nobody notes what the engine has of claims",
        WRITER,
        "        await payment_claims.follow(connection, batch.claims)\n",
        "",
    ),
    Bug(
        "a claim of another number is taken for ours",
        CLAIMS,
        "columns.claim_no == int(number), columns.account == event.account)",
        "columns.account == event.account)",
    ),
    Bug(
        "money leaves the bank that a claim takes", CASH, "    going += await payment_claims.leaving(connection)\n", ""
    ),
    Bug("what collects a claim needs money at the bank", CASH, "0 if collects else amount_fen", "amount_fen"),
    Bug("what is on its way to collect a claim needs money at the bank", CASH, "amount < 0, ~collects)", "amount < 0)"),
    Bug(
        "any money out is taken for a collection",
        CLAIMS,
        "return bool(given) and",
        "return",
    ),
    Bug(
        "money collects a claim that the engine has not answered",
        CLAIMS,
        "for row in rows if row.began is None}",
        "for row in rows if False}",
    ),
    Bug(
        "a claim that is set again after its end stays",
        CLAIMS,
        "pending = ~IN_FORCE if event.amount",
        "pending = columns.began.is_(None) if event.amount",
    ),
    Bug(
        "a payment that is another account's money by now is collected too",
        "banking/claims.py",
        "deposits.open_payments().where",
        "deposits.payments().where",
    ),
    Bug(
        "money out of another account is taken for a collection",
        CASH,
        'payment.item_no if payment is not None and payment.how == "RETURN" else None',
        "payment.item_no if payment is not None else None",
    ),
    Bug("the proof does not know claims", PROOF, "WHERE began <= :last AND", "WHERE false AND"),
    Bug("the proof of a past day knows later claims", PROOF, "WHERE began <= :last AND", "WHERE began > 0 AND"),
    Bug("the proof of a past day does not know claims that are over", PROOF, "OR ended > :last)", "OR false)"),
    Bug(
        "a claim does not stand for the payment that took money back",
        PROOF,
        "SELECT -claim_no, item_no FROM claim WHERE item_no IS NOT NULL",
        "SELECT -claim_no, item_no FROM claim WHERE false",
    ),
    Bug(
        "a claim does not stand against the money that is to be undone",
        PROOF,
        "SELECT u.cash_id, -claim_no FROM undone_money u JOIN claim USING (undone_no)\n    WHERE",
        "SELECT u.cash_id, -claim_no FROM undone_money u JOIN claim USING (undone_no)\n    WHERE false AND",
    ),
    Bug(
        "a statement does not show what is owed", CONTENT, "in found.owed_before or account in found.claims:", "in ():"
    ),
    Bug(
        "a statement has money available of who owes",
        CONTENT,
        "available = 0 if owed else balance",
        "available = balance",
    ),
    Bug("a statement lets gold leave of who owes", CONTENT, "0 if owed.get(account) else max(", "max("),
    Bug(
        "a statement takes what was collected for a claim that has ended",
        CONTENT,
        'if record["kind"] == PAYMENT_CLAIM)',
        "if True)",
    ),
    Bug(
        "the statement of a member does not sum up what is owed",
        CONTENT,
        "_summed(claims)} if claims",
        "_summed(claims)} if False",
    ),
    Bug("a receivable without a claim is no break", RECEIVABLES, "if figures[0] != figures[1]:", "if False:"),
    Bug("claims that are in force do not count", RECEIVABLES, "    return sum(owed.values())\n", "    return 0\n"),
)
