"""The command by which settlement says what an account owes the venue. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar, TypeAlias

from goldx.protocol.bases import VenueCommand
from goldx.protocol.opening_commands import MarketPermitOpening


class AccountClaim(VenueCommand, tag=64, frozen=True):
    """Sets a claim of the venue on an account: by it the account owes ``amount`` fen, from now on; 0 ends it.

    ``reference`` is settlement's name of the claim, and an account may have several. While it owes anything it buys
    nothing. Each such command is answered with ``account.claim_changed``, also where the claim was so already: so
    settlement may send it again.
    """

    method: ClassVar[str] = "account.claim"
    account: str
    amount: int
    reference: str
    by: str = ""


SettlementCommand: TypeAlias = MarketPermitOpening | AccountClaim
"""The commands of settlement besides the movements of money and metal."""
