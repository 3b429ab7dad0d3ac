"""The life of a break, which a reconciliation opens and a later one corrects, and that of a warehouse's key."""

from typing import Final

from settlement.documents.machine import CLERK, ENGINE, Machine, Step

WAREHOUSE_KEY: Final = Machine(
    "warehouse_key",
    {
        "propose": Step((), "PROPOSED"),
        "approve": Step(("PROPOSED",), "LIVE", people=2),
        "decline": Step(("PROPOSED",), "DECLINED"),
        "end": Step(("LIVE",), "ENDED"),
    },
)

CORRECTED: Final = "CORRECTED"
"""The run after it did not find the difference again."""
BREAK: Final = Machine(
    "break",
    {
        "find": Step((), "OPEN", (CLERK, ENGINE)),
        "explain": Step(("OPEN", "EXPLAINED"), "EXPLAINED"),
        "resolve": Step(("OPEN", "EXPLAINED"), "RESOLVED"),
        "write_off": Step(("OPEN", "EXPLAINED", "RESOLVED"), "WRITTEN_OFF", people=2),
        "reopen": Step(("EXPLAINED", "RESOLVED", "WRITTEN_OFF"), "OPEN", (CLERK, ENGINE)),
        "correct": Step(("OPEN", "EXPLAINED", "RESOLVED", "WRITTEN_OFF"), CORRECTED, (CLERK, ENGINE)),
    },
    "recon_break",
)
"""A run reopens a resolved break whenever it finds it again, the others where the difference has grown or changed."""
WRITTEN_OFF: Final = BREAK.steps["write_off"].after
BREAK_LISTED: Final = BREAK.without((CORRECTED,))
"""The difference was there when it was last looked for."""
BREAK_WAITS: Final = BREAK.without((CORRECTED, WRITTEN_OFF))
"""The difference still has to be dealt with, or a run has to show that it is gone."""
