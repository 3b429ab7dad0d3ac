"""The life of a member's account at a bank, of a withdrawal that a member asks for, and of the limits of both.

And of payments that a clerk ties to recorded money, and of the voids of wrong statements.
"""

from typing import Final

from settlement.documents.machine import CLERK, MEMBER, OPERATOR, Machine, Step

PAYEE_ACCOUNT: Final = Machine(
    "payee_account",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "LIVE", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
        "end": Step(("LIVE",), "ENDED"),
    },
)
BANK_TIE: Final = Machine(
    "bank_tie",
    {
        "tie": Step((), "TIED"),
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "TIED", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
        "undo": Step(("TIED",), "UNDONE"),
    },
)
"""Payments tied by hand to recorded money: by one person among the candidates of one account, else by two.

A tie is undone with the void of a statement that has one of its payments.
"""
BANK_VOID: Final = Machine(
    "bank_void",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "VOIDED", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
    },
)
"""A bank's statement that was taken in and is wrong."""
VIRTUAL_ACCOUNT_END: Final = Machine(
    "virtual_account_end",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "ENDED", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
    },
)
"""From a day on, no payment to the virtual account is a trading account's."""
VIRTUAL_ACCOUNT_ENDS: Final = VIRTUAL_ACCOUNT_END.within("propose", "decline")
"""A virtual account has one end at most that waits or is agreed."""
PAYEE_APPROVED: Final = PAYEE_ACCOUNT.within("approve")
"""A second person has approved the account."""
PAYEE_KNOWN: Final = PAYEE_ACCOUNT.within("propose", "decline", "end")
"""No second account of the member at a bank has the same number."""

WITHDRAWAL: Final = Machine(
    "withdrawal",
    {
        "ask": Step((), "ASKED", (MEMBER, CLERK)),
        "accept": Step(("ASKED",), "ACCEPTED"),
        "decline": Step(("ASKED",), "DECLINED"),
        "cancel": Step(("ASKED", "ACCEPTED"), "CANCELLED", (MEMBER,)),
        "stop": Step(("ACCEPTED",), "CANCELLED"),
    },
)
"""Once accepted it is money out like any other, and its state follows from that. It is stopped, and its money given
back, where its member is not active any more or its payee has ended.
"""
WITHDRAWAL_STATES: Final = (
    *WITHDRAWAL.states,
    "APPROVED",
    "REFUSED",
    "HELD",
    "SENT",
    "PAID",
    "REJECTED",
    "RETURNED",
)
"""The states that a member sees (``settlement.banking.withdrawal_states``)."""
WITHDRAWAL_UNSENT: Final = ("ASKED", "ACCEPTED", "APPROVED", "HELD")
"""The states that a member sees of a withdrawal that is in no payment file yet."""
WITHDRAWAL_UNDECIDED: Final = ("ASKED", "ACCEPTED", "APPROVED")
"""The states that a member sees of a withdrawal before its money has left the account."""
CANCELLABLE: Final = ("ASKED", "ACCEPTED", "HELD")
"""The states that a member sees of a withdrawal that it may cancel."""

WITHDRAWAL_LIMIT: Final = Machine(
    "withdrawal_limit",
    {
        "propose": Step((), "PROPOSED", (OPERATOR,)),
        "approve": Step(("PROPOSED",), "AGREED", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
    },
)
