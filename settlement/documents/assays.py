"""The life of an exchange of assays between two parties, and of each party in it."""

from typing import Final

from settlement.documents.machine import Machine, Step

ASSAY_EXCHANGE: Final = Machine(
    "assay_exchange",
    {
        "open": Step((), "OPEN"),
        "commit": Step(("OPEN",), "COMMITTED"),
        "agree": Step(("COMMITTED",), "AGREED"),
        "split": Step(("COMMITTED",), "SPLIT"),
        "umpire": Step(("SPLIT",), "DECIDED"),
        "void": Step(("OPEN", "COMMITTED", "SPLIT"), "VOID"),
        "remelt": Step(("OPEN", "COMMITTED", "SPLIT", "AGREED", "DECIDED"), "VOID"),
    },
)
ASSAY_PARTY: Final = Machine(
    "assay_exchange_party",
    {
        "invite": Step((), "INVITED"),
        "commit": Step(("INVITED",), "COMMITTED"),
        "reveal": Step(("COMMITTED",), "REVEALED"),
        "report": Step((), "REVEALED"),
    },
)
"""A party of an exchange of assays; the umpire only reports."""
