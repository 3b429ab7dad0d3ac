"""The life of a bill of fees and of a figure of the tariff; and groups of a bill's states."""

from typing import Final

from settlement.documents.machine import ENGINE, Machine, Step, union

FEE_BILL: Final = Machine(
    "fee",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "SENDING", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
        "pay": Step(("SENDING",), "DONE", (ENGINE,)),
        "refuse": Step(("SENDING",), "ARREAR", (ENGINE,)),
        "replace": Step(("ARREAR", "DECLINED"), "REPLACED"),
    },
    "fee_bill",
)
BILL_UNDER_WAY: Final = FEE_BILL.within("propose", "decline", "pay", "refuse")
"""The bill waits for its approval or for the engine."""
BILL_REPLACEABLE: Final = FEE_BILL.before("replace")
"""The bill was not paid: the next bill takes over its fees."""
BILL_UNPAID: Final = FEE_BILL.open
"""The fees of the bill are still owed."""
BILL_ONE_PER_ACCOUNT: Final = union(BILL_UNDER_WAY, FEE_BILL.after("refuse"))
"""The account can have no second bill in one of these states."""

TARIFF: Final = Machine(
    "tariff",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "AGREED", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
    },
)
