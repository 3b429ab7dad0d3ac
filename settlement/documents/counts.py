"""The life of an inventory count."""

from typing import Final

from settlement.documents.machine import Machine, Step

INVENTORY_COUNT: Final = Machine(
    "inventory_count",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "COUNTING", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
        "recount": Step(("COUNTING",), "RECOUNTING"),
        "close": Step(("COUNTING", "RECOUNTING"), "CLOSED"),
        "cancel": Step(("COUNTING", "RECOUNTING"), "CANCELLED"),
    },
)
COUNT_OPEN: Final = INVENTORY_COUNT.before("close")
"""The bars that are counted stay where they are."""
