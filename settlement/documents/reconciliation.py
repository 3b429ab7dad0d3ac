"""The states of a break, which a reconciliation opens and a later one corrects, and the life of a warehouse's key."""

from typing import Final

from settlement.documents.machine import Machine, Step

WAREHOUSE_KEY: Final = Machine(
    "warehouse_key",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "LIVE", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
        "end": Step(("LIVE",), "ENDED"),
    },
)

BREAK_OPEN: Final = ("OPEN", "EXPLAINED")
"""The difference is still there."""
CORRECTED: Final = "CORRECTED"
"""The run after it did not find the difference again."""
