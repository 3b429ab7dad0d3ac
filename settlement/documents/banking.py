"""The life of a member's account at a bank, of a withdrawal that a member asks for, and of the limits of both.

And of payments that a clerk ties to recorded money, and of the voids of wrong statements.
"""

from typing import Final

from settlement.documents.machine import CLERK, ENGINE, MEMBER, OPERATOR, Machine, Step

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
PAYEE_LIVE: Final = PAYEE_ACCOUNT.steps["approve"].after
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
WITHDRAWAL_SEEN: Final = Machine(
    "withdrawal",
    {
        **WITHDRAWAL.steps,
        "cancel": Step((*WITHDRAWAL.before("cancel"), "HELD"), "CANCELLED", (MEMBER,)),
        "stop": Step(("HELD",), "CANCELLED"),
        "approve": Step(("ACCEPTED",), "APPROVED", people=2),
        "decline_money": Step(("ACCEPTED",), "DECLINED"),
        "refuse": Step(("APPROVED",), "REFUSED", (ENGINE,)),
        "complete": Step(("APPROVED",), "HELD", (ENGINE,)),
        "send": Step(("HELD",), "SENT"),
        "pay": Step(("HELD", "SENT", "REJECTED"), "PAID"),
        "reject": Step(("SENT", "PAID"), "REJECTED"),
        "return": Step(("PAID",), "RETURNED"),
    },
)
"""A withdrawal as its member sees it: its own steps with those of the money, of its file, and of the bank.

No table has these states; they follow from several (``settlement.banking.withdrawal_states``).
"""
WITHDRAWAL_STATES: Final = WITHDRAWAL_SEEN.states
_ENDED: Final = ("decline", "cancel", "stop", "decline_money", "refuse")
WITHDRAWAL_UNSENT: Final = WITHDRAWAL_SEEN.within("ask", "send", "pay", *_ENDED)
"""The withdrawal has not ended and is in no payment file yet."""
WITHDRAWAL_UNDECIDED: Final = WITHDRAWAL_SEEN.within("ask", "complete", *_ENDED)
"""The withdrawal has not ended, and its money has not left the account."""
CANCELLABLE: Final = WITHDRAWAL_SEEN.before("cancel")
"""The member may cancel the withdrawal."""

WITHDRAWAL_LIMIT: Final = Machine(
    "withdrawal_limit",
    {
        "propose": Step((), "PROPOSED", (OPERATOR,)),
        "approve": Step(("PROPOSED",), "AGREED", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
    },
)
