"""The life of a statement of account: the member confirms it or objects, and what is not objected to is accepted."""

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
