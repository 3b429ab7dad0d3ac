"""The whole schema: ``metadata`` with every table in it, which the other modules of this folder define."""

from settlement.tables import (
    assays,
    banking,
    base,
    changes,
    charges,
    closing,
    counts,
    custody,
    intake,
    ledger,
    load_outs,
    lots,
    papers,
    reconciliation,
    recycling,
    withdrawals,
)
from settlement.tables.columns import metadata

__all__ = [
    "assays",
    "banking",
    "base",
    "changes",
    "charges",
    "closing",
    "counts",
    "custody",
    "intake",
    "ledger",
    "load_outs",
    "lots",
    "metadata",
    "papers",
    "reconciliation",
    "recycling",
    "withdrawals",
]
