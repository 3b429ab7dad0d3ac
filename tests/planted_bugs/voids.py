"""Bugs in the voids of bank statements, and in what undoes the money that they booked."""

from tests.planted_bugs.bug import Bug

CHAIN = "chain.py"
DEPOSITS = "deposits.py"
MATCHING = "matching.py"
PAYMENTS = "payouts.py"
PROOF = "bank_reconciliation.py"
STATES = "withdrawal_states.py"
TIES = "ties.py"
VOIDED = "voided.py"
VOIDS = "voids.py"

BUGS = (
    Bug(
        "a voided statement still counts in the balance",
        PROOF,
        "AND (void_order IS NULL OR void_order > :void_order)\n)",
        "AND (void_order IS NULL OR void_order > 0)\n)",
    ),
    Bug(
        "the payments of a voided statement are differences",
        PROOF,
        "AND (s.void_order IS NULL OR s.void_order > :void_order)",
        "AND (s.void_order IS NULL OR s.void_order > 0)",
    ),
    Bug(
        "what a later void undid was never tied",
        PROOF,
        "WHERE match_no <= :match_no AND void_order > :void_order\n), item_group",
        "WHERE match_no < 0 AND void_order > :void_order\n), item_group",
    ),
    Bug("money that was undone is a difference", PROOF, "WHERE turns % 2 = 1", "WHERE turns % 2 = 0"),
    Bug(
        "statements follow a voided one",
        CHAIN,
        "    booked &= bank_statement.c.void_order.is_(None)\n",
        "",
    ),
    Bug(
        "payments of a voided statement are matched",
        MATCHING,
        "AND s.void_order IS NULL AND NOT i.item_no",
        "AND NOT i.item_no",
    ),
    Bug(
        "payments of a voided statement wait",
        DEPOSITS,
        "bank_statement.c.kind == BOOKED, bank_statement.c.void_order.is_(None)",
        "bank_statement.c.kind == BOOKED",
    ),
    Bug(
        "money that has gone back is a payment's again",
        MATCHING,
        "b.status = ANY(:undoing)",
        "b.status = 'PROPOSED'",
    ),
    Bug("a statement in between is voided alone", VOIDS, "if later and not with_later:", "if later == [0]:"),
    Bug(
        "a statement that has come meanwhile stays upon a voided one",
        VOIDS,
        "if later not in row.statements]",
        "if later == 0]",
    ),
    Bug(
        "what is proposed for a voided payment waits on",
        VOIDS,
        "row.status == CASH_PROPOSED:",
        'row.status == "NEVER":',
    ),
    Bug(
        "a payment and its return are both taken back",
        VOIDS,
        "(original := done.get(row.against_item)) is not None:",
        "(original := done.get(-1)) is not None:",
    ),
    Bug(
        "a tie of a voided payment stands",
        VOIDS,
        'bank_tie, BANK_TIE, by, "undo", by_hand_numbers',
        'bank_tie, BANK_TIE, by, "undo", []',
    ),
    Bug(
        "a corrected payment finds its money gone",
        TIES,
        "notes += [note for number in money if (note := await undoing.end(connection, by, number, why_stands))]",
        "notes += [why_stands] if not money else []",
    ),
    Bug(
        "the wrong statement comes again",
        VOIDED,
        "if await _entries(connection, row.statement_no) == [",
        "if await _entries(connection, row.statement_no) is [",
    ),
    Bug(
        "what followed a wrong statement cannot come again",
        VOIDED,
        'return "" if order is None else f"after void {order}"',
        'return "" if order else ""',
    ),
    Bug(
        "what was paid after all is not owed",
        PAYMENTS,
        "if back.status != CASH_PROPOSED:",
        'if back.status == "NEVER":',
    ),
    Bug(
        "what was returned stays owed",
        DEPOSITS,
        "await undoing.end(\n                connection, by,",
        "print(\n                by,",
    ),
    Bug("a return is tied to money that is out again", DEPOSITS, "if status != CASH_DONE:", 'if status != "NEVER":'),
    Bug("a voided return leaves nothing owed", VOIDS, "if order is not None and await", "if order == 0 and await"),
    Bug(
        "what is owed after a payment counts as rejected",
        STATES,
        "*((out_again.c.status == CASH_DONE,) if statuses == (CASH_DONE,) else ()),",
        "out_again.c.status == CASH_DONE,",
    ),
    Bug(
        "payments to a virtual account that has ended are credited",
        DEPOSITS,
        "if named.ended_from is not None:",
        "if False:",
    ),
    Bug(
        "entries that may be others are taken for known",
        CHAIN,
        "_size(most) > _size(least) and entries is None and not self._recognized(found)",
        "_size(most) < _size(least) and entries is None and not self._recognized(found)",
    ),
    Bug(
        "what a clerk says of equal entries is not heard",
        CHAIN,
        "new = most if entries == NEW else least",
        "new = least",
    ),
    Bug(
        "a statement is not known by its own number",
        CHAIN,
        "if found.stated_id and _name(found) in self.stated:",
        "if False:",
    ),
    Bug(
        "numbers of the bank are asked about",
        CHAIN,
        "entry.format != found.format or entry in numbers",
        "entry.format != found.format",
    ),
    Bug(
        "the same file is asked about",
        "imports.py",
        "        entries = chain.KNOWN\n",
        "        entries = entries or None\n",
    ),
    Bug("a word for no reference is one", "statements.py", "|NONE|NIL|NULL|", "|NIL|NULL|"),
)
