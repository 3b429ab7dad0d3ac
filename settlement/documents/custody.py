"""The life of a receipt, of a reservation of lots, of a pledge, of a legal hold and of a transfer; groups of states."""

from typing import Final

from settlement.documents.machine import ENGINE, Machine, Step, union

RECEIPT: Final = Machine(
    "receipt",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "ISSUING", people=2),
        "decline": Step(("PROPOSED",), "VOID"),
        "issue": Step(("ISSUING",), "LIVE", (ENGINE,)),
        "refuse": Step(("ISSUING",), "VOID", (ENGINE,)),
        "reissue": Step((), "LIVE", (ENGINE,)),
        "cancel": Step(("LIVE",), "CANCELLED", (ENGINE,), people=2),
    },
)
RECEIPT_LIVE: Final = RECEIPT.steps["issue"].after
RECEIPT_OPEN: Final = RECEIPT.open
"""The receipt is proposed or live: its lot can have no other one."""
RECEIPT_ISSUED: Final = RECEIPT.after("issue", "reissue", "cancel")
"""The receipt is or was live."""
RECEIPT_UNDER_WAY: Final = RECEIPT.within("propose", "issue", "decline", "refuse")
"""The receipt may yet bring gold to its account."""

LOT_RESERVATION: Final = Machine(
    "lot_reservation",
    {
        "reserve": Step((), "RESERVED", (ENGINE,)),
        "release": Step(("RESERVED",), "RELEASED", (ENGINE,)),
        "open": Step(("RESERVED",), "OPEN", (ENGINE,)),
        "end": Step(("OPEN",), "ENDED", (ENGINE,)),
        "move": Step(("RESERVED", "OPEN"), "MOVED", (ENGINE,)),
    },
)
RESERVATION_OPEN: Final = LOT_RESERVATION.open
"""The named lots are kept, for a command that is under way or for a proposed deal, and are locked."""

PLEDGE: Final = Machine(
    "pledge",
    {
        "enter": Step((), "ENTERED"),
        "withdraw": Step(("ENTERED",), "WITHDRAWN"),
        "pair": Step(("ENTERED",), "PAIRED", people=2, first="entered_by"),
        "decline": Step(("PAIRED",), "REFUSED"),
        "approve": Step(("PAIRED",), "SENDING", people=2),
        "place": Step(("SENDING",), "LIVE", (ENGINE,)),
        "refuse": Step(("SENDING",), "REFUSED", (ENGINE,)),
        "enter_release": Step(("LIVE",), "RELEASE_ENTERED"),
        "withdraw_release": Step(("RELEASE_ENTERED",), "LIVE"),
        "pair_release": Step(("RELEASE_ENTERED",), "RELEASE_PAIRED", people=2, first="entered_by"),
        "decline_release": Step(("RELEASE_PAIRED",), "LIVE"),
        "approve_release": Step(("RELEASE_PAIRED",), "RELEASING", people=2),
        "release": Step(("RELEASING",), "RELEASED", (ENGINE,)),
        "refuse_release": Step(("RELEASING",), "LIVE", (ENGINE,)),
    },
    "encumbrance",
)
LEGAL_HOLD: Final = Machine(
    "legal_hold",
    {
        "propose": Step((), "PROPOSED"),
        "decline": Step(("PROPOSED",), "REFUSED"),
        "approve": Step(("PROPOSED",), "SENDING", people=2),
        "place": Step(("SENDING",), "LIVE", (ENGINE,)),
        "refuse": Step(("SENDING",), "REFUSED", (ENGINE,)),
        "propose_lifting": Step(("LIVE",), "LIFT_PROPOSED"),
        "decline_release": Step(("LIFT_PROPOSED",), "LIVE"),
        "approve_release": Step(("LIFT_PROPOSED",), "RELEASING", people=2),
        "release": Step(("RELEASING",), "RELEASED", (ENGINE,)),
        "refuse_release": Step(("RELEASING",), "LIVE", (ENGINE,)),
    },
    "encumbrance",
)
BOUND: Final = union(PLEDGE.within("place", "release"), LEGAL_HOLD.within("place", "release"))
"""The grams of the pledge or hold lie in the sub-account."""
ENCUMBRANCE_OPEN: Final = union(PLEDGE.open, LEGAL_HOLD.open)
"""The pledge or hold has not ended: its lots may be locked."""
NEVER_BOUND: Final = union(
    PLEDGE.after("decline", "refuse", "withdraw"),
    LEGAL_HOLD.after("decline", "refuse"),
)
"""The pledge or hold did not come about: its document may be entered again."""
PLEDGOR_ALONE: Final = PLEDGE.within("enter", "pair")
"""The pledgee has not declared its side of the pledge."""
RELEASE_BY_BOTH: Final = PLEDGE.within("pair_release", "decline_release", "refuse_release")
"""Both sides have declared the release of the pledge."""

TRANSFER: Final = Machine(
    "transfer",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "MADE", people=2),
        "decline": Step(("PROPOSED",), "CANCELLED"),
        "cancel": Step(("MADE",), "CANCELLED"),
        "ship": Step(("MADE",), "SHIPPED"),
        "receive": Step(("SHIPPED",), "RECEIVED", people=2, first="shipped_by"),
    },
)
