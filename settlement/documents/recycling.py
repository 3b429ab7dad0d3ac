"""The life of a ticket of the recycling counter and of a report to the authority; and groups of their states."""

from typing import Final

from settlement.documents.machine import Machine, Step

COUNTER_TICKET: Final = Machine(
    "counter_ticket",
    {
        "open": Step((), "OPENED"),
        "screen": Step(("OPENED",), "SCREENED"),
        "offer": Step(("SCREENED", "OFFERED", "ACCEPTED"), "OFFERED"),
        "accept": Step(("OFFERED",), "ACCEPTED"),
        "decline": Step(("OPENED", "SCREENED", "OFFERED", "ACCEPTED"), "DECLINED"),
        "refuse": Step(("OPENED", "SCREENED", "OFFERED", "ACCEPTED"), "REFUSED"),
        "pay": Step(("ACCEPTED",), "PAID", people=2, first="offered_by"),
        "deliver": Step(("PAID",), "DELIVERED"),
    },
)
TICKET_PAID: Final = COUNTER_TICKET.within("pay")
"""The seller has the money."""

AML_REPORT: Final = Machine(
    "aml_report",
    {
        "notice": Step((), "REVIEW"),
        "raise": Step((), "DUE"),
        "confirm": Step(("REVIEW",), "DUE"),
        "dismiss": Step(("REVIEW",), "DISMISSED", people=2, first="made_by"),
        "file": Step(("DUE",), "FILED"),
    },
)
REPORT_WAITING: Final = AML_REPORT.open
"""Nobody has decided the report, or it has not been filed."""
