"""The life of a statement of account, which its member confirms or objects to, and of an invoice of fees."""

from typing import Final

from settlement.documents.machine import ENGINE, MEMBER, Machine, Step

ACCOUNT_STATEMENT: Final = Machine(
    "account_statement",
    {
        "issue": Step((), "ISSUED", (ENGINE,)),
        "confirm": Step(("ISSUED",), "CONFIRMED", (MEMBER,)),
        "object": Step(("ISSUED",), "DISPUTED", (MEMBER,)),
        "answer": Step(("DISPUTED",), "ISSUED"),
        "accept": Step(("ISSUED",), "ACCEPTED", (ENGINE,)),
    },
)

INVOICE: Final = Machine(
    "invoice",
    {
        "issue": Step((), "ISSUED", (ENGINE,)),
        "propose_correction": Step(("ISSUED",), "CORRECTION_PROPOSED"),
        "decline_correction": Step(("CORRECTION_PROPOSED",), "ISSUED"),
        "approve_part": Step(("CORRECTION_PROPOSED",), "ISSUED", people=2, first="correction_by"),
        "approve_correction": Step(("CORRECTION_PROPOSED",), "CORRECTED", people=2, first="correction_by"),
        "cancel_out": Step((), "RED"),
    },
)
"""Red invoices with numbers of their own cancel an invoice out, whole or by parts; ``approve_part`` leaves a rest."""
ISSUED: Final = INVOICE.steps["issue"].after
CORRECTION_PROPOSED: Final = INVOICE.steps["propose_correction"].after
"""A correction waits for its second person; the invoice stands as it is."""
INVOICE_CORRECTED: Final = INVOICE.after("approve_correction", "cancel_out")
"""The states of what two people have made: an invoice that is cancelled out, and a red one."""


def seen_by_member(status: str) -> str:
    """Return the state of an invoice as its member sees it, which learns of a correction once it is made."""
    return ISSUED if status == CORRECTION_PROPOSED else status
