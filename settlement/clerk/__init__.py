"""``goldx clerk``: what a settlement clerk types, from money and bars coming in to metal going out.

The commands act on the database directly, as the member of staff that ``--as`` names. What moves money or metal only
proposes; another member of staff approves it. One module per area; each adds its commands to the group when imported.
"""

from settlement.clerk import (
    assays,
    bars,
    calendar,
    certificates,
    counter,
    custody,
    exports,
    fees,
    files,
    intake,
    load_outs,
    money,
    receipts,
    record,
    statements,
    states,
    valuations,
)
from settlement.clerk.group import clerk

__all__ = [
    "assays",
    "bars",
    "calendar",
    "certificates",
    "clerk",
    "counter",
    "custody",
    "exports",
    "fees",
    "files",
    "intake",
    "load_outs",
    "money",
    "receipts",
    "record",
    "statements",
    "states",
    "valuations",
]
