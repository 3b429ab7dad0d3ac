"""The life of a load-out and of a quality claim; and groups of a load-out's states."""

from typing import Final

from settlement.documents.machine import CLERK, ENGINE, Machine, Step

LOAD_OUT: Final = Machine(
    "load_out",
    {
        "apply": Step((), "APPLIED"),
        "approve": Step(("APPLIED",), "APPROVED", people=2),
        "decline": Step(("APPLIED",), "CANCELLED", (CLERK, ENGINE)),
        "complete": Step(("APPROVED",), "SUCCESS", (ENGINE,)),
        "refuse": Step(("APPROVED",), "REFUSED", (ENGINE,)),
        "sign": Step(("SUCCESS",), "SIGNED"),
        "withdraw_signature": Step(("SIGNED",), "SUCCESS"),
        "release": Step(("SIGNED",), "RELEASED", people=2, first="signed_by"),
        "propose_cancel": Step(("SUCCESS",), "CANCEL_PROPOSED"),
        "decline_cancel": Step(("CANCEL_PROPOSED",), "SUCCESS"),
        "approve_cancel": Step(("CANCEL_PROPOSED",), "CANCELLING", people=2),
        "cancel": Step(("CANCELLING",), "CANCELLED", (ENGINE,)),
        "expire": Step(("SUCCESS", "SIGNED", "CANCEL_PROPOSED"), "EXPIRING", (ENGINE,)),
        "expired": Step(("EXPIRING",), "EXPIRED", (ENGINE,)),
        "refuse_return": Step(("CANCELLING", "EXPIRING"), "SUCCESS", (ENGINE,)),
    },
)
UNSETTLED: Final = LOAD_OUT.within("apply", "complete", "refuse", "decline")
"""The gold is still on the account, and promised to the load-out."""
STOPPABLE: Final = LOAD_OUT.within("apply", "refuse", "decline", "release", "approve_cancel", "expire")
"""Metal may still leave by the load-out."""
UNCOLLECTED: Final = LOAD_OUT.within("complete", "release", "approve_cancel", "expire")
"""The gold has left the account and the metal waits for its collector."""

QUALITY_CLAIM: Final = Machine(
    "claim",
    {
        "open": Step((), "OPEN"),
        "send": Step(("OPEN",), "AT_UMPIRE"),
        "propose": Step(("AT_UMPIRE",), "PROPOSED"),
        "decline": Step(("PROPOSED",), "AT_UMPIRE"),
        "decide": Step(("PROPOSED",), "DECIDED", people=2),
    },
)
