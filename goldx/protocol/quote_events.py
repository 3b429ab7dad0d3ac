"""The events of the limits of market makers' quotes. Units as in ``goldx.protocol.commands``."""

from typing import ClassVar, TypeAlias

from goldx.protocol.bases import Event


class ProtectionSet(Event, tag=50, frozen=True):
    """The limits of a group of quotes from now on, as ``quote.set_protection`` has them; all None: it has none.

    ``account`` names the member: the group is that of all its accounts. The counting begins anew; a group whose quotes
    are refused stays so.
    """

    event: ClassVar[str] = "protection.set"
    account: str
    group: str
    window_ms: int | None = None
    max_quantity: int | None = None
    max_net: int | None = None


class ProtectionTriggered(Event, tag=51, frozen=True):
    """The trade before this event has reached a limit of a group of quotes.

    Its quotes are cancelled next (reason PROTECTION, with the group as ``detail``), and new ones are refused until
    ``protection.reset``. ``account`` is that whose quote traded. ``bought`` and ``sold`` are what the group's quotes
    have traded within the window.
    """

    event: ClassVar[str] = "protection.triggered"
    account: str
    group: str
    bought: int
    sold: int


class ProtectionReset(Event, tag=52, frozen=True):
    """A group of quotes may trade again, and is counted anew."""

    event: ClassVar[str] = "protection.reset"
    account: str
    group: str


QuoteEvent: TypeAlias = ProtectionSet | ProtectionTriggered | ProtectionReset
