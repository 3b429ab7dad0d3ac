"""``goldx clerk``: what a settlement clerk types, from money and bars coming in to metal going out.

The commands act on the database directly, as the member of staff that ``--as`` names. What moves money or metal only
proposes; another member of staff approves it. One module per folder of settlement; each adds its commands to the group
when it is imported.
"""

from settlement.clerk import (
    assays,
    base,
    charges,
    custody,
    intake,
    ledger,
    load_outs,
    lots,
    reconciliation,
    recycling,
    reports,
    service,
)
from settlement.clerk.group import clerk

__all__ = [
    "assays",
    "base",
    "charges",
    "clerk",
    "custody",
    "intake",
    "ledger",
    "load_outs",
    "lots",
    "reconciliation",
    "recycling",
    "reports",
    "service",
]
