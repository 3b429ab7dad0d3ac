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
        "approve_correction": Step(("CORRECTION_PROPOSED",), "CORRECTED", people=2, first="correction_by"),
        "cancel_out": Step((), "RED"),
    },
)
"""An invoice that is corrected is cancelled out by a red one with a number of its own, and may be issued again."""
