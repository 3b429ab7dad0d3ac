"""The event of the venue's claims on accounts. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar, TypeAlias

from goldx.protocol.bases import Event
from goldx.protocol.opening_events import DayOpeningDecided


class AccountClaimChanged(Event, tag=65, frozen=True):
    """By the claim of this reference the account owes ``amount`` from now on, and by all its claims ``owed``, in fen.

    ``before`` is what it owed by this claim until now. ``collected`` is the part of the difference that was just taken
    out of its money (``holding.adjusted`` has it too); None where the claim was set by a command.
    """

    event: ClassVar[str] = "account.claim_changed"
    account: str
    reference: str
    before: int
    amount: int
    owed: int
    collected: int | None = None


SettlementEvent: TypeAlias = DayOpeningDecided | AccountClaimChanged
"""The events that follow from the commands of settlement besides movements."""
