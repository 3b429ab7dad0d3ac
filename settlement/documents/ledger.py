"""The life of a transfer of money and of an item of the outbox."""

from typing import Final

from settlement.documents.machine import CLERK, ENGINE, Machine, Step

_MONEY: Final = {
    "propose": Step((), "PROPOSED"),
    "approve": Step(("PROPOSED",), "SENDING", people=2),
    "decline": Step(("PROPOSED",), "DECLINED"),
    "complete": Step(("SENDING",), "DONE", (ENGINE,)),
    "refuse": Step(("SENDING",), "REFUSED", (ENGINE,)),
}
CASH_TRANSFER: Final = Machine("cash", {**_MONEY, "lapse": Step(("PROPOSED",), "DECLINED", (ENGINE,))}, "cash_transfer")
"""It lapses when the member cancels the withdrawal that it is."""
CASH_PROPOSED: Final = CASH_TRANSFER.steps["propose"].after
CASH_SENDING: Final = CASH_TRANSFER.steps["approve"].after
CASH_DONE: Final = CASH_TRANSFER.steps["complete"].after
"""The engine has moved the money."""
BANK_REFERENCE_USED: Final = CASH_TRANSFER.without(CASH_TRANSFER.after("decline", "refuse"))
"""No other transfer of money may have the same bank reference."""
CASH_UNDER_WAY: Final = CASH_TRANSFER.open
"""The transfer may yet move money: it is proposed, or on its way to the engine."""
CASH_COUNTS: Final = CASH_TRANSFER.after("approve", "complete")
"""Two people have decided that the money moves, and the engine has not refused."""
CORRECTION: Final = Machine("correction", _MONEY)
FEE_PAYOUT: Final = Machine("fee_payout", _MONEY)
"""The states of both are those of a transfer of money."""
CORRECTION_COUNTS: Final = CORRECTION.without(CORRECTION.after("decline", "refuse"))
"""The correction moves money, or may yet; a claim has one such payment."""

_UNANSWERED: Final = ("PENDING", "SENDING", "SENT")
OUTBOX: Final = Machine(
    "outbox",
    {
        "queue": Step((), "PENDING", (CLERK, ENGINE)),
        "begin": Step(("PENDING",), "SENDING", (ENGINE,)),
        "miss": Step(("SENDING",), "PENDING", (ENGINE,)),
        "arrive": Step(("SENDING",), "SENT", (ENGINE,)),
        "complete": Step(_UNANSWERED, "DONE", (ENGINE,)),
        "refuse": Step(_UNANSWERED, "REFUSED", (ENGINE,)),
    },
)
"""Sending begins; then the frame arrives in the journal, or is not found there. An answer may come before that is seen.

An item of the outbox is no document that people see, so ``goldx clerk states`` leaves it out.
"""
OUTBOX_DONE: Final = OUTBOX.steps["complete"].after
"""The engine has done what the item asks for."""
OUTBOX_UNSENT: Final = OUTBOX.within("queue", "arrive", "complete", "refuse")
"""The item waits to be appended to the journal, or its append may not have arrived."""
OUTBOX_OPEN: Final = OUTBOX.open
"""The engine has not answered yet."""
OUTBOX_CLOSED: Final = OUTBOX.final
"""The engine has answered."""
