"""The standing of members, staff and keys: in use, suspended for a time, or ended for good."""

from collections.abc import Mapping
from typing import Final

from settlement.documents.machine import Machine, Step

ACTIVE: Final = "ACTIVE"
SUSPENDED: Final = "SUSPENDED"
ENDED: Final = "ENDED"
OPERATOR: Final = ("operate",)
"""The permission for a step over REST; on the exchange's own machine every user of the machine may take it."""


def _machine(kind: str, ending: str) -> Machine:
    steps = {
        "add": Step((), ACTIVE, OPERATOR),
        "suspend": Step((ACTIVE,), SUSPENDED, OPERATOR),
        "resume": Step((SUSPENDED,), ACTIVE, OPERATOR),
        ending: Step((ACTIVE, SUSPENDED), ENDED, OPERATOR),
    }
    return Machine(kind, steps)


STANDINGS: Final[Mapping[str, Machine]] = {
    "member": _machine("member", "end"),
    "staff": _machine("staff", "end"),
    "key": _machine("key", "revoke"),
}
STATUSES: Final = STANDINGS["key"].states
ENDING: Final = {
    kind: next(n for n, step in found.steps.items() if step.after == ENDED) for kind, found in STANDINGS.items()
}
"""The name of the step that ends a member, a person or a key, by kind."""
